-- Who looked at whose data. Whoever looked is a row of its own, with the name they had:
-- a user, a token or a command. Rows here are never looked up by what they refer to.
CREATE TABLE access_reader (
    id            integer     GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind          text        NOT NULL CHECK (kind IN ('user', 'token', 'self', 'command')),
    ref           text        NOT NULL,
    name          text        NOT NULL,
    UNIQUE (kind, ref, name)
);

-- One reader's looks at one machine's data, or at several's: then machine is 0 and
-- access_set has them. machine refers to no row of machine: looking must not wait for
-- what reports. Times are whole minutes; the span of time whose data it was is in whole
-- hours, or absent.
CREATE TABLE access_log (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine       integer     NOT NULL,
    reader        integer     NOT NULL REFERENCES access_reader,
    what          text        NOT NULL,
    span_from     timestamptz CHECK ((span_from IS NULL) = (span_to IS NULL)),
    span_to       timestamptz,
    first_at      timestamptz NOT NULL,
    last_at       timestamptz NOT NULL
);
-- For whoever asks who looked, and for the next look of the same kind.
CREATE INDEX access_log_machine ON access_log (machine, id);
CREATE INDEX access_log_reader ON access_log (reader, what, machine, id);

-- The machines of an answer about several, 1,024 in a row: machine >> 10 is the row, and
-- its last ten bits the bit. 100,000 of them take 17 kB.
CREATE TABLE access_set (
    access        bigint      NOT NULL REFERENCES access_log ON DELETE CASCADE,
    part          integer     NOT NULL,
    machines      bit(1024)   NOT NULL,
    PRIMARY KEY (part, access)
);
CREATE INDEX access_set_access ON access_set (access);
