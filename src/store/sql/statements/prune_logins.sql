-- $1 how many users at once. Selects how many logins were removed, and of how many users. The arrays of a row are as long as each
-- other, and their order has a meaning. The values are those that the lock returns, which are the latest.
WITH mark AS (
    SELECT pruned_to FROM service
), old AS (
    SELECT users.*, pruned_to FROM users, mark WHERE pruned_to > ANY (family_exps) ORDER BY id LIMIT $1 FOR UPDATE OF users
), kept AS (
    SELECT old.id, cardinality(old.families) - count(f.family) AS gone,
        coalesce(array_agg(f.family ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS families,
        coalesce(array_agg(f.exp ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS exps,
        coalesce(array_agg(f.generation ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS generations,
        coalesce(array_agg(f.at ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS spent_at,
        coalesce(array_agg(f.by ORDER BY f.place) FILTER (WHERE f.family IS NOT NULL), '{}') AS spent_by
    FROM old LEFT JOIN LATERAL unnest(families, family_exps, generations, old.spent_at, old.spent_by)
        WITH ORDINALITY AS f (family, exp, generation, at, by, place) ON f.exp >= old.pruned_to
    GROUP BY old.id, old.families
), changed AS (
    UPDATE users SET families = kept.families, family_exps = kept.exps, generations = kept.generations,
        spent_at = kept.spent_at, spent_by = kept.spent_by
    FROM kept WHERE users.id = kept.id
    RETURNING kept.gone
)
SELECT coalesce(sum(gone), 0)::int8, count(*) FROM changed
