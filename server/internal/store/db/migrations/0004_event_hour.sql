-- Events of days gone quiet, packed by machine and hour (pack_hour.go): a fifth of
-- the space. first_ts is the time of a row's first event; a row never reaches
-- beyond its hour of UTC, nor to the next row. Partitions are weeks, made and
-- dropped by the server. EXTERNAL: packed bytes get no shorter by compressing.
CREATE TABLE event_hour (
    first_ts      timestamptz NOT NULL,
    machine       integer     NOT NULL,
    body          bytea       NOT NULL,
    PRIMARY KEY (machine, first_ts)
) PARTITION BY RANGE (first_ts);
ALTER TABLE event_hour ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE TABLE event_hour_default PARTITION OF event_hour DEFAULT;

-- Until when a machine's events are in event_hour, and only there: what event
-- holds of earlier ones is void and goes with its partition. No event is older
-- than the default.
ALTER TABLE machine ADD COLUMN compacted_before timestamptz NOT NULL DEFAULT '2000-01-01 00:00:00+00';
