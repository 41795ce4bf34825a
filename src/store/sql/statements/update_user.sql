-- $1 id, $2 whether it may be written at all, $3 the versions that may be replaced (null: every), $4 those that may not,
-- $5 version, $6 body, $7 its length in a pretty list, $8 search, $9 name: null unless it changes; $10 hash: null unless it changes,
-- $11 the mark of a new password, $12 network, $13 its slot, $14 and $15 when the token was issued (null: do not check it) and its id.
WITH old AS (
    SELECT id, version FROM users WHERE id = $1 FOR UPDATE
), facts AS (
    SELECT started >= $14 AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $15) AS has_ended,
        EXISTS (SELECT FROM users WHERE name = $9 AND id <> $1) AS is_taken,
        (SELECT version FROM users WHERE id = $1) AS seen
    FROM service
), new AS (
    UPDATE users SET version = $5, body = COALESCE($6, body), pretty_length = COALESCE($7, pretty_length),
        search = COALESCE($8, search), name = COALESCE($9, name), hash = COALESCE($10, hash),
        networks = CASE WHEN $10 IS NULL THEN networks ELSE ARRAY[$12] END,
        password_mark = CASE WHEN $10 IS NULL THEN password_mark ELSE GREATEST($11, password_mark) END,
        password_noted = CASE WHEN $10 IS NULL THEN password_noted ELSE '{}' END
    FROM old, facts
    WHERE users.id = old.id AND $2 AND ($3 IS NULL OR old.version = ANY ($3)) AND old.version <> ALL ($4)
        AND facts.has_ended IS NOT TRUE AND NOT facts.is_taken
    RETURNING users.id, users.body
), known AS (
    INSERT INTO known_networks (slot, network, seen)
    SELECT $13, $12, now() FROM new
    WHERE NOT EXISTS (SELECT FROM known_networks
        WHERE slot = $13 AND network = $12 AND seen > now() - interval '1 hour')
    ON CONFLICT (slot) DO UPDATE SET network = excluded.network, seen = excluded.seen
)
SELECT facts.has_ended IS TRUE, old.version, facts.is_taken, facts.seen = old.version, new.body
FROM facts LEFT JOIN old ON true LEFT JOIN new ON true
