-- $1 the most ships, $2 version, $3 and $4 the body before and after the id, $5 its length in a pretty list without the digits of
-- the id, $6 to $14 the columns.
WITH counter AS (
    SELECT last_id, rows FROM counters WHERE kind = 'ships' FOR UPDATE
), free AS (
    SELECT last_id + 1 AS id FROM counter WHERE rows < $1 AND last_id < 2147483647
), counted AS (
    UPDATE counters SET last_id = free.id, rows = counters.rows + 1 FROM free WHERE kind = 'ships'
), made AS (
    INSERT INTO ships (id, version, body, pretty_length, search,
        affiliation, category, crew, length, manufacturer, model, roles, ship_class)
    SELECT id, $2, $3 || id::text || $4, $5 + length(id::text), $6, $7, $8, $9, $10, $11, $12, $13, $14 FROM free
)
SELECT counter.rows >= $1, free.id FROM counter LEFT JOIN free ON true
