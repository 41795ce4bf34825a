-- $1 id, $2 version, $3 body, $4 its length in a pretty list, $5 search, $6 name, $7 hash.
INSERT INTO users (id, version, body, pretty_length, search, name, hash) VALUES ($1, $2, $3, $4, $5, $6, $7)
