-- As check_access, and: 4 the password was changed, 5 the family has ended. $5 family: null if it has none.
SELECT CASE
    WHEN $4 < pruned_to OR EXISTS (SELECT FROM revoked WHERE jti = $2) THEN 1
    WHEN $3 <= started AND NOT EXISTS (SELECT FROM noted_at_start WHERE jti = $2) THEN 3
    WHEN users.id IS NULL THEN 2
    WHEN $3 <= logout_mark AND $2 <> ALL (logout_noted) THEN 3
    WHEN $3 <= password_mark AND $2 <> ALL (password_noted) THEN 4
    WHEN $5 IS NOT NULL AND $5 <> ALL (families) THEN 5
    ELSE 0
END
FROM service LEFT JOIN users ON users.id = $1
