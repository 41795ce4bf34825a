-- $1 how many at once. Selects how many there were.
WITH gone AS (
    DELETE FROM revoked WHERE jti IN (
        SELECT jti FROM revoked WHERE exp < (SELECT pruned_to FROM service) ORDER BY exp LIMIT $1)
    RETURNING jti
)
SELECT count(*) FROM gone
