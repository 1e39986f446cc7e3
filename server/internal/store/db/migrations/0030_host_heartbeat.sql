-- When each host was last heard, and what it reported of itself. It is beside host, whose
-- rows are read with every upload, since these are written anew all day.
CREATE TABLE host_heartbeat (
    host          bigint      PRIMARY KEY REFERENCES host,
    contact_at    timestamptz NOT NULL,
    -- Null before the first.
    upload_at     timestamptz,
    -- Empty: the agent reports none, so that nothing below holds. Null: it was not asked yet.
    agent_version text,
    -- By how many seconds its clock is ahead.
    clock_offset  bigint,
    -- Codes of what cannot be seen there, with commas between; empty: none. Null: not known.
    unseen        text
) WITH (fillfactor = 70);

-- Which versions there are. It does not change with what is written all day.
CREATE INDEX host_heartbeat_version ON host_heartbeat (agent_version);
