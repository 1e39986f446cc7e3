-- How much of each application's time somebody was there. Where it has not as many
-- entries as apps, an older server wrote the row or added to it: then the active times
-- are estimated by active_ms and idle_ms.
ALTER TABLE rollup ADD COLUMN app_active_ms bigint[] NOT NULL DEFAULT '{}';
