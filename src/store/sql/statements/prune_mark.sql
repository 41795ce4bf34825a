-- A minute ago by the database's clock: until this has committed, no row of an expired token may go.
UPDATE service SET pruned_to = floor(extract(epoch FROM now()))::int8 - 60
WHERE pruned_to < floor(extract(epoch FROM now()))::int8 - 60
