SELECT version, body FROM ships WHERE id = $1
