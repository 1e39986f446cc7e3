-- The host that was the first to name an application; null where that was not noted
-- yet. How many a host has named is asked before it may name more.
ALTER TABLE app ADD COLUMN host bigint;
CREATE INDEX app_host ON app (host);
