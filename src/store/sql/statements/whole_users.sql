-- $1 the greatest length that is read at once. The numbers of the whole list in each row, and the rows if they are not longer. The
-- digest is of all versions, in any order.
WITH whole AS (
    SELECT count(*) AS number, COALESCE(sum(octet_length(body)), 0)::bigint AS length,
        COALESCE(sum(pretty_length), 0)::bigint AS pretty_length,
        (COALESCE(sum(version), 0) % 9223372036854775807)::bigint AS digest
    FROM users
)
SELECT whole.number, whole.length, whole.pretty_length, whole.digest, listed.body
FROM whole LEFT JOIN (
    SELECT id, body FROM users WHERE (SELECT pretty_length FROM whole) <= $1
) AS listed ON true
ORDER BY listed.id
