-- $1 to $4 as in update_ship. The counter is locked first, as a create does it: otherwise the two could wait for each other.
WITH counter AS (
    SELECT kind FROM counters WHERE kind = 'users' AND EXISTS (SELECT FROM users WHERE id = $1) FOR UPDATE
), old AS (
    SELECT id, version FROM users WHERE id = $1 AND EXISTS (SELECT FROM counter) FOR UPDATE
), gone AS (
    DELETE FROM users USING old
    WHERE users.id = old.id AND $2 AND ($3 IS NULL OR old.version = ANY ($3)) AND old.version <> ALL ($4)
    RETURNING users.id
), counted AS (
    UPDATE counters SET rows = counters.rows - 1 FROM gone WHERE kind = 'users'
)
SELECT old.version, gone.id IS NOT NULL FROM old LEFT JOIN gone ON true
