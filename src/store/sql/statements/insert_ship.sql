-- $1 id, $2 version, $3 body, $4 its length in a pretty list, $5 to $13 the columns.
INSERT INTO ships (id, version, body, pretty_length, search,
    affiliation, category, crew, length, manufacturer, model, roles, ship_class)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
