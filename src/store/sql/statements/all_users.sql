-- The numbers of the whole list in each row, since its length is sent before its first row. The digest is of all versions,
-- in any order.
WITH whole AS (
    SELECT count(*) AS number, COALESCE(sum(octet_length(body)), 0)::bigint AS length,
        COALESCE(sum(pretty_length), 0)::bigint AS pretty_length,
        (COALESCE(sum(version), 0) % 9223372036854775807)::bigint AS digest
    FROM users
)
SELECT whole.number, whole.length, whole.pretty_length, whole.digest, users.body
FROM whole LEFT JOIN users ON true ORDER BY users.id
