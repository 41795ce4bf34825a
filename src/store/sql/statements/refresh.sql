-- $1 to $5 as in check_refresh; $6 the new access token, $7 issued; $8 network, $9 its slot.
WITH old AS (
    SELECT * FROM users WHERE id = $1 FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN $4 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) THEN 1
        WHEN $3 <= started AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $2) THEN 3
        WHEN old.id IS NULL THEN 2
        WHEN $3 <= old.logout_mark AND $2 <> ALL (old.logout_noted) THEN 3
        WHEN $3 <= old.password_mark AND $2 <> ALL (old.password_noted) THEN 4
        WHEN $5 IS NOT NULL AND $5 <> ALL (old.families) THEN 5
        ELSE 0
    END AS code, started
    FROM service LEFT JOIN old ON true
), issued AS (
    UPDATE users SET newest_token = GREATEST(newest_token, $7),
        logout_noted = CASE WHEN $7 <= logout_mark THEN (logout_noted || $6)[1:256] ELSE logout_noted END
    FROM verdict WHERE users.id = $1 AND code = 0
), known AS (
    UPDATE known_networks SET seen = now() FROM verdict
    WHERE slot = $9 AND network = $8 AND seen > now() - interval '2 hours' AND seen <= now() - interval '1 hour' AND code = 0
), noted AS (
    INSERT INTO noted_at_start (jti) SELECT $6 FROM verdict WHERE code = 0 AND $7 <= started ON CONFLICT (jti) DO NOTHING
)
SELECT code FROM verdict
