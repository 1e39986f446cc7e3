-- How often keys that were held repeated; before, that was in key_count.
ALTER TABLE rollup ADD COLUMN repeat_count bigint NOT NULL DEFAULT 0;
