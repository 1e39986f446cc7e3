-- Before when events may have been dropped, by whatever server with whatever
-- retention: roll-ups of that time can no longer be compared with their events.
-- There is one row at most.
CREATE TABLE dropped (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    events_before timestamptz NOT NULL
);
