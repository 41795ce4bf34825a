SELECT version, body FROM users WHERE id = $1
