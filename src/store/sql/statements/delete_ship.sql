-- $1 to $4 as in update_ship.
WITH old AS (
    SELECT id, version FROM ships WHERE id = $1 FOR UPDATE
), gone AS (
    DELETE FROM ships USING old
    WHERE ships.id = old.id AND $2 AND ($3 IS NULL OR old.version = ANY ($3)) AND old.version <> ALL ($4)
    RETURNING ships.id
), counted AS (
    UPDATE counters SET rows = counters.rows - 1 FROM gone WHERE kind = 'ships'
)
SELECT old.version, gone.id IS NOT NULL FROM old LEFT JOIN gone ON true
