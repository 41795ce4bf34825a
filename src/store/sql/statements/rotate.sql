-- $1 to $5 as in check_refresh; $6 the new access token, $7 issued; $8 network, $9 its slot; $10 the new refresh token,
-- $11 issued; $12 the generation of the spent token, $13 now, $14 grace. 6 the token was used before, which ends its family.
WITH old AS (
    SELECT *, array_position(families, $5) AS at FROM users WHERE id = $1 FOR UPDATE
), verdict AS (
    SELECT CASE
        WHEN $4 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) THEN 1
        WHEN $3 <= started AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $2) THEN 3
        WHEN id IS NULL THEN 2
        WHEN $3 <= logout_mark AND $2 <> ALL (logout_noted) THEN 3
        WHEN $3 <= password_mark AND $2 <> ALL (password_noted) THEN 4
        WHEN at IS NULL THEN 5
        WHEN $12 = 4294967295 THEN 6
        WHEN $12 = generations[at] THEN 0
        WHEN $12 + 1 = generations[at] AND spent_by[at] = $8 AND abs(spent_at[at] - $13) < $14 THEN 0
        ELSE 6
    END AS code, started, at, $12 = generations[at] AS is_first_use
    FROM service LEFT JOIN old ON true
), issued AS (
    UPDATE users SET logout_noted = CASE WHEN code = 0 AND LEAST($7, $11) <= logout_mark
            THEN (logout_noted || array_remove(ARRAY[
                CASE WHEN $7 <= logout_mark THEN $6 END, CASE WHEN $11 <= logout_mark THEN $10 END], NULL))[1:256]
            ELSE logout_noted END,
        password_noted = CASE WHEN code = 0 AND $11 <= password_mark
            THEN (password_noted || $10)[1:256] ELSE password_noted END,
        -- Without it; and as the latest, if it goes on.
        families = families[:at - 1] || families[at + 1:] || CASE WHEN code = 0 THEN ARRAY[$5] ELSE '{}' END,
        family_exps = family_exps[:at - 1] || family_exps[at + 1:]
            || CASE WHEN code = 0 THEN ARRAY[family_exps[at]] ELSE '{}' END,
        generations = generations[:at - 1] || generations[at + 1:]
            || CASE WHEN code = 0 THEN ARRAY[CASE WHEN is_first_use THEN $12 + 1 ELSE generations[at] END] ELSE '{}' END,
        spent_at = spent_at[:at - 1] || spent_at[at + 1:]
            || CASE WHEN code = 0 THEN ARRAY[CASE WHEN is_first_use THEN $13 ELSE spent_at[at] END] ELSE '{}' END,
        spent_by = spent_by[:at - 1] || spent_by[at + 1:]
            || CASE WHEN code = 0 THEN ARRAY[CASE WHEN is_first_use THEN $8 ELSE spent_by[at] END] ELSE '{}' END
    FROM verdict WHERE users.id = $1 AND code IN (0, 6)
), known AS (
    UPDATE known_networks SET seen = now() FROM verdict
    WHERE slot = $9 AND network = $8 AND seen > now() - interval '2 hours' AND seen <= now() - interval '1 hour' AND code = 0
), noted AS (
    INSERT INTO noted_at_start (jti)
    SELECT jti FROM verdict, (VALUES ($6, $7), ($10, $11)) AS token (jti, iat) WHERE code = 0 AND iat <= started
    ON CONFLICT (jti) DO NOTHING
)
SELECT code FROM verdict
