-- What people wrote to explain a span of their own time, beside what was measured. A note is
-- kept with an account, as all that is measured: joining and parting move it along, and
-- whoever may see the account may read it.
CREATE TABLE note (
    -- 128 random bits: nobody guesses another's.
    id            uuid        PRIMARY KEY,
    machine       integer     NOT NULL REFERENCES machine ON DELETE CASCADE,
    start_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL CHECK (end_at > start_at),
    body          text        NOT NULL CHECK (body <> ''),
    made_at       timestamptz NOT NULL,
    -- The user who wrote it; null: it was written by a link of the account.
    made_by       text,
    -- The answer, when it was given, and the user or token whose it is.
    answer        text,
    answered_at   timestamptz,
    answered_by   text,
    CHECK ((answer IS NULL) = (answered_at IS NULL) AND (answer IS NULL) = (answered_by IS NULL))
);
CREATE INDEX note_machine ON note (machine, start_at, id);
-- Retention looks for the oldest.
CREATE INDEX note_start ON note (start_at);

ALTER TABLE erasure ADD COLUMN notes bigint NOT NULL DEFAULT 0;
