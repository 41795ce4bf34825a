-- As admit_refresh, and: $6 slot of the operation, $7 time, $8 tolerance; $9 slot of the reserve, $10 time, $11 tolerance.
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
), overall_before AS (
    SELECT full_at FROM buckets_overall WHERE slot = $6
), overall AS (
    INSERT INTO buckets_overall AS bucket (slot, full_at, admitted)
    SELECT $6, now + $7, true FROM request, by_address
    WHERE by_address.admitted AND NOT EXISTS (SELECT FROM overall_before WHERE full_at > now + $8)
    ON CONFLICT (slot) DO UPDATE SET
        full_at = CASE WHEN bucket.full_at <= excluded.full_at - $7 + $8
            THEN GREATEST(bucket.full_at + $7, excluded.full_at) ELSE bucket.full_at END,
        admitted = bucket.full_at <= excluded.full_at - $7 + $8
    RETURNING full_at, admitted
), reserve_before AS (
    SELECT full_at FROM buckets_reserve WHERE slot = $9
), reserve AS (
    INSERT INTO buckets_reserve AS bucket (slot, full_at, admitted)
    SELECT $9, now + $10, true FROM request, by_address
    WHERE by_address.admitted AND is_known AND (SELECT admitted FROM overall) IS NOT TRUE
        AND NOT EXISTS (SELECT FROM reserve_before WHERE full_at > now + $11)
    ON CONFLICT (slot) DO UPDATE SET
        full_at = CASE WHEN bucket.full_at <= excluded.full_at - $10 + $11
            THEN GREATEST(bucket.full_at + $10, excluded.full_at) ELSE bucket.full_at END,
        admitted = bucket.full_at <= excluded.full_at - $10 + $11
    RETURNING full_at, admitted
), verdict AS (
    SELECT CASE
        WHEN (SELECT admitted FROM by_address) IS NOT TRUE THEN COALESCE((SELECT full_at FROM by_address), (SELECT full_at FROM by_address_before)) - $5
        WHEN (SELECT admitted FROM overall) OR (SELECT admitted FROM reserve) THEN NULL
        WHEN is_known THEN COALESCE((SELECT full_at FROM reserve), (SELECT full_at FROM reserve_before)) - $11
        ELSE COALESCE((SELECT full_at FROM overall), (SELECT full_at FROM overall_before)) - $8
    END AS free_at FROM request
)
SELECT CASE WHEN free_at IS NOT NULL THEN GREATEST(1, (free_at - now + 999999) / 1000000)::int END, is_known
FROM request, verdict
