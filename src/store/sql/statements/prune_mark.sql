-- $1 the beginning of this hour. Until this has committed, no row of revoked may go.
UPDATE service SET pruned_to = $1 WHERE pruned_to < $1
