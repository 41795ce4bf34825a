-- The steps that this schema was made by. A program that was written for schema N works with a later one if the latest step
-- has N or less in `oldest`: its tables are those of N and more. So the nodes of two versions can run together.
CREATE TABLE schema_steps (
    number int PRIMARY KEY,
    oldest int NOT NULL
);
