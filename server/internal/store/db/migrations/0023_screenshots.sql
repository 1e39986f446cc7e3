-- Pictures of screens. Each is a file in a folder beside the database; a row is written when
-- its file is durable, and a file without a row is deleted.
CREATE TABLE screenshot (
    -- 128 random bits: nobody guesses another's.
    id            uuid        PRIMARY KEY,
    machine       integer     NOT NULL REFERENCES machine ON DELETE CASCADE,
    taken_at      timestamptz NOT NULL,
    received_at   timestamptz NOT NULL,
    kind          text        NOT NULL CHECK (kind IN ('blurred', 'readable')),
    width         integer     NOT NULL,
    height        integer     NOT NULL,
    bytes         integer     NOT NULL,
    -- SHA-256 of id and picture, which its file is called; null: it was deleted, by whom.
    digest        bytea       UNIQUE,
    deleted_at    timestamptz,
    deleted_by    text,
    UNIQUE (machine, taken_at),
    CHECK ((digest IS NULL) = (deleted_at IS NOT NULL) AND (digest IS NULL) = (deleted_by IS NOT NULL))
);
-- Retention looks for the oldest.
CREATE INDEX screenshot_taken ON screenshot (taken_at);

-- Which folder within the one that is configured is this database's, so that no other's
-- pictures are taken for files without a row. It is named when it is made, as a database may
-- be a copy. From then on it must be there: a server with another folder would take in what
-- the others don't find.
CREATE TABLE screenshot_folder (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    name          uuid
);
INSERT INTO screenshot_folder DEFAULT VALUES;

-- Files of people who were erased, which are still to be deleted.
CREATE TABLE erasure_file (
    digest        bytea       PRIMARY KEY,
    erasure       bigint      NOT NULL REFERENCES erasure
);

ALTER TABLE erasure ADD COLUMN screenshots bigint NOT NULL DEFAULT 0;
