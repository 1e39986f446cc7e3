-- When a kind of upkeep last went through to its end, for those who look after the
-- database: its rounds otherwise leave no trace where there was nothing to do.
CREATE TABLE upkeep (
    name     text        PRIMARY KEY,
    ended_at timestamptz NOT NULL
);
