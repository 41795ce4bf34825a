-- Schema 1. Times are seconds since 1970, except those of rate limits, which the clock of the database measures. Texts that
-- clients send are bytea of their UTF-8: a text cannot hold U+0000, and bytes are compared as code points are.

-- What all nodes share. One row.
CREATE TABLE service (
    one smallint PRIMARY KEY CHECK (one = 1),
    -- The number of the schema.
    schema int NOT NULL,
    -- When the store was made. Tokens that were issued until then are refused, unless noted_at_start has them.
    started bigint NOT NULL,
    -- Tokens that expired before this count as logged out, and are no longer in revoked.
    pruned_to bigint NOT NULL,
    -- The key of the hashes that stand for client networks and login names.
    hash_key bytea NOT NULL
);

-- Keys that sign tokens, by a code that no one can make a key from. A node with another key does not start.
CREATE TABLE key_checks (
    kid text PRIMARY KEY,
    mac bytea NOT NULL
);

-- The last id that was given out, and the number of rows. A sequence would leave gaps.
CREATE TABLE counters (
    kind text PRIMARY KEY,
    last_id int NOT NULL,
    rows int NOT NULL
);

-- Ships. The body is the JSON text in the compact layout; the columns after it repeat its members for queries.
CREATE TABLE ships (
    id int PRIMARY KEY,
    -- A number that no other version of the row has.
    version bigint NOT NULL,
    body text NOT NULL,
    -- The length of the body in a list in the layout that people read.
    pretty_length int NOT NULL,
    -- The texts in ASCII lower case, with the byte 255 after each.
    search bytea NOT NULL,
    affiliation bytea NOT NULL,
    category bytea NOT NULL,
    crew int NOT NULL,
    length int NOT NULL,
    manufacturer bytea NOT NULL,
    model bytea NOT NULL,
    roles bytea[] NOT NULL,
    ship_class bytea NOT NULL
);
CREATE INDEX ships_affiliation ON ships (affiliation, id);
CREATE INDEX ships_category ON ships (category, id);
CREATE INDEX ships_crew ON ships (crew, id);
CREATE INDEX ships_length ON ships (length, id);
CREATE INDEX ships_manufacturer ON ships (manufacturer, id);
CREATE INDEX ships_model ON ships (model, id);
CREATE INDEX ships_roles ON ships USING gin (roles);
CREATE INDEX ships_ship_class ON ships (ship_class, id);

-- Users, their passwords, and which of their tokens are accepted. All of a user's logins are in one row, so that one row lock
-- orders what happens to them.
CREATE TABLE users (
    id int PRIMARY KEY,
    version bigint NOT NULL,
    body text NOT NULL,
    pretty_length int NOT NULL,
    search bytea NOT NULL,
    name bytea NOT NULL CONSTRAINT users_name UNIQUE,
    -- The hash of the password.
    hash text NOT NULL,
    -- Refresh tokens that were issued until then are refused, unless noted. It is ahead of the clock of the node that set it by as
    -- much as other nodes' clocks may be; tokens that are issued until then are noted.
    password_mark bigint,
    password_noted uuid[] NOT NULL DEFAULT '{}',
    -- Tokens of either kind that were issued until then are refused, unless noted.
    logout_mark bigint,
    logout_noted uuid[] NOT NULL DEFAULT '{}',
    -- The networks from which the present password was proved, the latest last: at most 16 hashes.
    networks bigint[] NOT NULL DEFAULT '{}',
    -- Logins whose refresh tokens are rotated, the one that was used the longest ago first: at most 32. The arrays are as long
    -- as each other.
    families uuid[] NOT NULL DEFAULT '{}',
    family_exps bigint[] NOT NULL DEFAULT '{}',
    -- The generation of the tokens that are not spent.
    generations bigint[] NOT NULL DEFAULT '{}',
    -- When the generation before was spent, and by which network: none if none was.
    spent_at bigint[] NOT NULL DEFAULT '{}',
    spent_by bigint[] NOT NULL DEFAULT '{}'
) WITH (fillfactor = 80);

-- Tokens that were logged out.
CREATE TABLE revoked (
    jti uuid PRIMARY KEY,
    exp bigint NOT NULL
);
CREATE INDEX revoked_exp ON revoked (exp);

-- Tokens that were issued after the start by a clock that did not show a later second.
CREATE TABLE noted_at_start (
    jti uuid PRIMARY KEY
);

-- Networks with a recent success, by 20 bits of their hash: the latest of those that share a slot.
CREATE TABLE known_networks (
    slot int PRIMARY KEY,
    network bigint NOT NULL,
    seen timestamptz NOT NULL
) WITH (fillfactor = 80);

-- Rate limits: when each bucket is full again, in microseconds since 1970, and whether the latest request was admitted. A slot is 20 bits of the hash of a
-- key. One table for each limit, since a statement writes a table once.
CREATE TABLE buckets_by_address (
    slot int PRIMARY KEY,
    full_at bigint NOT NULL,
    admitted boolean NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE buckets_by_user (
    slot int PRIMARY KEY,
    full_at bigint NOT NULL,
    admitted boolean NOT NULL
) WITH (fillfactor = 80);
CREATE TABLE buckets_overall (
    slot int PRIMARY KEY,
    full_at bigint NOT NULL,
    admitted boolean NOT NULL
) WITH (fillfactor = 10);
CREATE TABLE buckets_reserve (
    slot int PRIMARY KEY,
    full_at bigint NOT NULL,
    admitted boolean NOT NULL
) WITH (fillfactor = 80);
