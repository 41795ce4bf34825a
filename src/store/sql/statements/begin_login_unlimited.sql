-- $1 network, $2 its slot, $3 name.
WITH request AS (
    SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now, EXISTS (SELECT FROM known_networks
        WHERE slot = $2 AND network = $1 AND seen > now() - interval '2 hours') AS is_known
)
SELECT NULL::int, is_known, users.id, users.hash FROM request LEFT JOIN users ON name = $3
