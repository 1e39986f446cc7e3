-- A host that was enrolled. host_id is what the host calls itself.
CREATE TABLE host (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    host_id       text        NOT NULL UNIQUE,
    hostname      text        NOT NULL,
    -- The enrolment token that it came with: lets a lost reply be repeated.
    enrollment    text        NOT NULL,
    enrolled_at   timestamptz NOT NULL DEFAULT now()
);

-- Secrets are kept as SHA-256 of 256 random bits (see package secret).
CREATE TABLE host_credential (
    id            text        PRIMARY KEY,
    host          bigint      NOT NULL UNIQUE REFERENCES host,
    secret_hash   bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    -- Null until the host has authenticated with it.
    first_used_at timestamptz
);

CREATE TABLE enrollment (
    id            text        PRIMARY KEY,
    secret_hash   bytea       NOT NULL,
    uses_left     integer     NOT NULL CHECK (uses_left >= 0),
    -- Where not empty: only for this host_id, which may be enrolled already.
    for_host      text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);

CREATE TABLE api_token (
    id            text        PRIMARY KEY,
    name          text        NOT NULL,
    role          text        NOT NULL CHECK (role IN ('viewer', 'admin')),
    secret_hash   bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- One user on one host. The host that reported it first owns it, for good.
-- COLLATE "C": a list of machines pages in the order of bytes, whatever the
-- database's locale. Half-empty pages: a row is written anew with each upload,
-- and stays on its page then (HOT).
CREATE TABLE machine (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    machine_id    text COLLATE "C" NOT NULL UNIQUE,
    host          bigint      NOT NULL REFERENCES host,
    user_label    text        NOT NULL DEFAULT '',
    username      text        NOT NULL DEFAULT '',
    first_seen    timestamptz NOT NULL,
    -- The end of the newest event's interval, never later than the server's
    -- clock when it arrived.
    last_seen     timestamptz NOT NULL,
    -- The newest event, so that a list of machines reads no events.
    last_ts       timestamptz NOT NULL,
    last_interval integer     NOT NULL,
    last_idle     boolean     NOT NULL
) WITH (fillfactor = 50);

-- Applications by number; 0 stands for none.
CREATE TABLE app (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE
);

-- Window titles by number; 0 stands for none. A title is kept once for each month
-- that it was used in, so that titles are forgotten by dropping a month. digest is
-- the first half of the title's SHA-256: a title may be longer than an index takes.
CREATE SEQUENCE title_id AS bigint;
CREATE TABLE title (
    month         date        NOT NULL,
    id            bigint      NOT NULL DEFAULT nextval('title_id'),
    digest        bytea       NOT NULL,
    name          text        NOT NULL,
    PRIMARY KEY (month, id),
    UNIQUE (month, digest)
) PARTITION BY RANGE (month);
CREATE TABLE title_default PARTITION OF title DEFAULT;

-- (machine, ts) is an event's identity and its only index. The rest is packed by
-- the server (pack.go), which alone reads it: as columns it takes twice the space
-- and three times the time to write. What reports add up is in rollup. No foreign
-- key to machine: it would cost a look-up for each row, while the one statement
-- that writes here has locked the machine's row in the same transaction.
-- Partitions are weeks, made and dropped by the server; what is older than
-- anything that is kept goes to the default one.
CREATE TABLE event (
    ts            timestamptz NOT NULL,
    machine       integer     NOT NULL,
    body          bytea       NOT NULL,
    PRIMARY KEY (machine, ts)
) PARTITION BY RANGE (ts);
ALTER TABLE event ALTER COLUMN body SET STORAGE MAIN;
CREATE TABLE event_default PARTITION OF event DEFAULT;

-- What a machine did in a quarter of an hour: the grain of every time zone since
-- 2000. Written with the events, in one transaction, from new events only. Partitions
-- are months. Rows are added to a few times soon after they are made.
CREATE TABLE rollup (
    bucket        timestamptz NOT NULL,
    machine       integer     NOT NULL,
    events        bigint      NOT NULL,
    key_count     bigint      NOT NULL,
    mouse_clicks  bigint      NOT NULL,
    mouse_distance_px bigint  NOT NULL,
    scroll_count  bigint      NOT NULL,
    synthetic_count bigint    NOT NULL,
    active_ms     bigint      NOT NULL,
    idle_ms       bigint      NOT NULL,
    -- The timestamps of the first and last event with any activity.
    first_at      timestamptz,
    last_at       timestamptz,
    -- Applications in ascending order, and for how long each had the focus.
    apps          integer[]   NOT NULL,
    app_ms        bigint[]    NOT NULL,
    PRIMARY KEY (machine, bucket)
) PARTITION BY RANGE (bucket);
CREATE TABLE rollup_default PARTITION OF rollup DEFAULT WITH (fillfactor = 80);
