-- $1 user, $2 the hash that was verified; $3 access token, $4 issued; $5 refresh token, $6 issued, $7 expires, $8 family: null
-- without rotation, $9 generation; $10 network, $11 its slot.
WITH admitted AS (
    UPDATE users SET logout_noted = CASE WHEN LEAST($4, $6) <= logout_mark
            THEN (logout_noted || array_remove(ARRAY[
                CASE WHEN $4 <= logout_mark THEN $3 END, CASE WHEN $6 <= logout_mark THEN $5 END], NULL))[1:256]
            ELSE logout_noted END,
        password_noted = CASE WHEN $6 <= password_mark THEN (password_noted || $5)[1:256] ELSE password_noted END,
        networks = (array_remove(networks, $10))[GREATEST(1, cardinality(array_remove(networks, $10)) - 14):] || $10,
        -- Those that have not expired; the 31 latest of them, and the new one.
        (families, family_exps, generations, spent_at, spent_by) = (
            SELECT COALESCE(array_agg(family ORDER BY at), '{}'), COALESCE(array_agg(exp ORDER BY at), '{}'),
                COALESCE(array_agg(generation ORDER BY at), '{}'), COALESCE(array_agg(whe ORDER BY at), '{}'),
                COALESCE(array_agg(who ORDER BY at), '{}')
            FROM (
                (SELECT * FROM unnest(users.families, users.family_exps, users.generations, users.spent_at, users.spent_by)
                    WITH ORDINALITY AS known (family, exp, generation, whe, who, at)
                WHERE $8 IS NULL OR exp > $6 ORDER BY at DESC LIMIT CASE WHEN $8 IS NULL THEN 32 ELSE 31 END)
                UNION ALL SELECT $8, $7, $9, NULL, NULL, 33 WHERE $8 IS NOT NULL
            ) AS kept
        )
    WHERE id = $1 AND hash = $2
    RETURNING id
), known AS (
    INSERT INTO known_networks (slot, network, seen)
    SELECT $11, $10, now() FROM admitted
    WHERE NOT EXISTS (SELECT FROM known_networks
        WHERE slot = $11 AND network = $10 AND seen > now() - interval '1 hour')
    ON CONFLICT (slot) DO UPDATE SET network = excluded.network, seen = excluded.seen
), noted AS (
    INSERT INTO noted_at_start (jti)
    SELECT jti FROM admitted, service, (VALUES ($3, $4), ($5, $6)) AS token (jti, iat) WHERE iat <= started
    ON CONFLICT (jti) DO NOTHING
)
SELECT EXISTS (SELECT FROM admitted)
