-- $1 network, $2 its slot; $3 slot by address, $4 time that a request takes, $5 tolerance, in microseconds. Selects the seconds to
-- wait: null if the request is admitted.
-- A bucket that was empty before is only read. Otherwise the lock of its row decides, and the row says how. now() is when the
-- statement arrived, so a request that waited for the lock counts as of then, as it does in memory.
WITH request AS (
    SELECT (extract(epoch FROM now()) * 1000000)::bigint AS now, EXISTS (SELECT FROM known_networks
        WHERE slot = $2 AND network = $1 AND seen > now() - interval '2 hours') AS is_known
), by_address_before AS (
    SELECT full_at FROM buckets_by_address WHERE slot = $3
), by_address AS (
    INSERT INTO buckets_by_address AS bucket (slot, full_at, admitted)
    SELECT $3, now + $4, true FROM request
    WHERE NOT EXISTS (SELECT FROM by_address_before WHERE full_at > now + $5)
    ON CONFLICT (slot) DO UPDATE SET
        full_at = CASE WHEN bucket.full_at <= excluded.full_at - $4 + $5
            THEN GREATEST(bucket.full_at + $4, excluded.full_at) ELSE bucket.full_at END,
        admitted = bucket.full_at <= excluded.full_at - $4 + $5
    RETURNING full_at, admitted
), verdict AS (
    SELECT CASE WHEN (SELECT admitted FROM by_address) IS NOT TRUE THEN COALESCE((SELECT full_at FROM by_address), (SELECT full_at FROM by_address_before)) - $5 END AS free_at
)
SELECT CASE WHEN free_at IS NOT NULL THEN GREATEST(1, (free_at - now + 999999) / 1000000)::int END, is_known
FROM request, verdict
