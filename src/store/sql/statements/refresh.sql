-- $1 to $5 as in check_refresh; $6 the new access token, $7 issued; $8 network, $9 its slot. This writes only if the access token
-- would count as issued before a logout of all tokens: then the user's row notes it, if that row still accepts the refresh token.
WITH verdict AS (
    SELECT CASE
        WHEN $3 <= started AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $2) THEN 1
        WHEN $4 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) THEN 1
        WHEN users.id IS NULL THEN 2
        WHEN $3 <= logout_mark AND $2 <> ALL (logout_noted) THEN 3
        WHEN $3 <= password_mark AND $2 <> ALL (password_noted) THEN 4
        WHEN $5 IS NOT NULL AND $5 <> ALL (families) THEN 5
        ELSE 0
    END AS code, started
    FROM service LEFT JOIN users ON users.id = $1
), issued AS (
    UPDATE users SET logout_noted = (logout_noted || $6)[1:256]
    FROM verdict
    WHERE users.id = $1 AND code = 0 AND $7 <= logout_mark AND ($3 > logout_mark OR $2 = ANY (logout_noted))
), known AS (
    UPDATE known_networks SET seen = now() FROM verdict
    WHERE slot = $9 AND network = $8 AND seen > now() - interval '2 hours' AND seen <= now() - interval '1 hour' AND code = 0
), noted AS (
    INSERT INTO noted_at_start (jti) SELECT $6 FROM verdict WHERE code = 0 AND $7 <= started ON CONFLICT (jti) DO NOTHING
)
SELECT code FROM verdict
