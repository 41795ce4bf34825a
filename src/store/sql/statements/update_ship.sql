-- $1 id, $2 whether it may be written at all, $3 the versions that may be replaced (null: every), $4 those that may not,
-- $5 version, $6 body, $7 its length in a pretty list, $8 to $16 the columns. The lock makes what is answered the row's latest
-- state: without it, a read in the same statement shows the row as it was before the statement waited for another writer.
WITH old AS (
    SELECT id, version, body FROM ships WHERE id = $1 FOR UPDATE
), new AS (
    UPDATE ships SET version = $5, body = $6, pretty_length = $7, search = $8, affiliation = $9, category = $10, crew = $11,
        length = $12, manufacturer = $13, model = $14, roles = $15, ship_class = $16
    FROM old
    WHERE ships.id = old.id AND $2 AND ($3 IS NULL OR old.version = ANY ($3)) AND old.version <> ALL ($4)
    RETURNING ships.id
)
SELECT old.version, new.id IS NOT NULL, CASE WHEN new.id IS NULL THEN old.body END
FROM old LEFT JOIN new ON true
