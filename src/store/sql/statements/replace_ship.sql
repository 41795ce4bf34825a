-- As update_ship, for a write without conditions: the only reason against it is that there is no such row.
UPDATE ships SET version = $2, body = $3, pretty_length = $4, search = $5, affiliation = $6, category = $7, crew = $8,
    length = $9, manufacturer = $10, model = $11, roles = $12, ship_class = $13
WHERE id = $1
RETURNING id
