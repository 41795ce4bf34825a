-- $1 user, $2 token, $3 issued, $4 expires. 0 accepted, 1 revoked, 2 unknown user, 3 all logged out.
SELECT CASE
    WHEN $4 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) THEN 1
    WHEN $3 <= started AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $2) THEN 3
    WHEN users.id IS NULL THEN 2
    WHEN $3 <= logout_mark AND $2 <> ALL (logout_noted) THEN 3
    ELSE 0
END
FROM service LEFT JOIN users ON users.id = $1
