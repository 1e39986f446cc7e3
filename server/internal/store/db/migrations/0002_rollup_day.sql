-- A machine's roll-ups of a UTC day that has gone quiet, packed by the server
-- (rollup_day.go), which alone reads them. What comes late for such a day makes rows
-- of rollup again: both add up, and the next round of packing joins them.
CREATE TABLE rollup_day (
    day           date        NOT NULL,
    machine       integer     NOT NULL,
    body          bytea       NOT NULL,
    PRIMARY KEY (machine, day)
) PARTITION BY RANGE (day);
ALTER TABLE rollup_day ALTER COLUMN body SET STORAGE MAIN;
CREATE TABLE rollup_day_default PARTITION OF rollup_day DEFAULT;
