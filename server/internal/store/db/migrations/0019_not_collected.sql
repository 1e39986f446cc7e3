-- Times in which, by rule, nothing of a machine was collected: outside work hours, or
-- while the person had paused it. The whole row is its identity, so that a span that is
-- sent again changes nothing. A span is at most a day long.
CREATE TABLE not_collected (
    machine       integer     NOT NULL,
    start_at      timestamptz NOT NULL,
    end_at        timestamptz NOT NULL CHECK (end_at > start_at),
    reason        text        NOT NULL CHECK (reason IN ('hours', 'pause')),
    PRIMARY KEY (machine, start_at, end_at, reason)
);
-- Retention looks for the oldest; rows come about in the order of their times.
CREATE INDEX not_collected_start ON not_collected USING brin (start_at);
