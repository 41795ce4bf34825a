-- $1 kind, $2 the last id, $3 the number of rows.
INSERT INTO counters (kind, last_id, rows) VALUES ($1, $2, $3)
