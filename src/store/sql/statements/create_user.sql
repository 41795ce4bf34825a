-- $1 the most users, $2 version, $3 and $4 the body before and after the id, $5 its length in a pretty list without the digits of
-- the id, $6 search, $7 name, $8 hash. A refusal is what one snapshot shows; if it shows none and still nothing was made, another
-- node was faster: the caller runs it again.
WITH counter AS (
    UPDATE counters SET last_id = last_id + 1, rows = rows + 1
    WHERE kind = 'users' AND rows < $1 AND last_id < 2147483647 AND NOT EXISTS (SELECT FROM users WHERE name = $7)
    RETURNING last_id AS id
), made AS (
    INSERT INTO users (id, version, body, pretty_length, search, name, hash)
    SELECT id, $2, $3 || id::text || $4, $5 + length(id::text), $6, $7, $8 FROM counter
)
SELECT (SELECT id FROM counter), EXISTS (SELECT FROM users WHERE name = $7), rows >= $1, last_id = 2147483647
FROM counters WHERE kind = 'users'
