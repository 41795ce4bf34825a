-- $1 user, $2 token, $3 expires, $4 family: null if it has none, $5 the mark of a logout of all tokens, $6 the most revoked tokens: null to not count them,
-- $7 the beginning of this hour. If there are that many, all tokens of the user end.
WITH room AS (
    SELECT $3 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) AS is_revoked,
        $6 IS NULL OR (SELECT count(*) FROM (SELECT FROM revoked WHERE exp >= $7 LIMIT $6) AS listed_tokens) < $6 AS has_room
    FROM service
), listed AS (
    INSERT INTO revoked (jti, exp) SELECT $2, $3 FROM room WHERE has_room AND NOT is_revoked ON CONFLICT (jti) DO NOTHING
), ended AS (
    UPDATE users SET
        logout_mark = CASE WHEN has_room OR is_revoked THEN logout_mark ELSE GREATEST($5, logout_mark) END,
        logout_noted = CASE WHEN has_room OR is_revoked THEN logout_noted ELSE '{}' END,
        families = CASE WHEN $4 = ANY (families) THEN families[:array_position(families, $4) - 1]
            || families[array_position(families, $4) + 1:] ELSE families END,
        family_exps = CASE WHEN $4 = ANY (families) THEN family_exps[:array_position(families, $4) - 1]
            || family_exps[array_position(families, $4) + 1:] ELSE family_exps END,
        generations = CASE WHEN $4 = ANY (families) THEN generations[:array_position(families, $4) - 1]
            || generations[array_position(families, $4) + 1:] ELSE generations END,
        spent_at = CASE WHEN $4 = ANY (families) THEN spent_at[:array_position(families, $4) - 1]
            || spent_at[array_position(families, $4) + 1:] ELSE spent_at END,
        spent_by = CASE WHEN $4 = ANY (families) THEN spent_by[:array_position(families, $4) - 1]
            || spent_by[array_position(families, $4) + 1:] ELSE spent_by END
    FROM room
    WHERE users.id = $1 AND (NOT (has_room OR is_revoked) OR $4 = ANY (families))
)
SELECT has_room OR is_revoked FROM room
