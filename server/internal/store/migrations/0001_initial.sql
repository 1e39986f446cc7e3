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

-- One user on one host. The host that reported it first owns it.
-- COLLATE "C": every server sorts and locks machines in the same order,
-- whatever the database's locale.
CREATE TABLE machine (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
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
);

-- (machine, ts) is an event's identity and its only index: both questions that
-- are asked, a day of one machine and a page of one machine, walk it, and a
-- table partitioned by ts can keep it. No foreign key to machine: it would cost
-- a look-up for each row, while the one statement that writes here has locked
-- the machine's row in the same transaction.
CREATE TABLE event (
    machine           bigint           NOT NULL,
    ts                timestamptz      NOT NULL,
    key_count         bigint           NOT NULL,
    mouse_clicks      bigint           NOT NULL,
    mouse_distance_px bigint           NOT NULL,
    scroll_count      bigint           NOT NULL,
    synthetic_count   bigint,
    interval_sec      integer,
    active_seconds    double precision,
    is_idle           boolean          NOT NULL,
    connected         boolean,
    session_kind      text             NOT NULL,
    active_window     text             NOT NULL,
    active_app        text             NOT NULL,
    -- [{"app","title","seconds"}…]: always written and read with its event, so
    -- rows of their own would only multiply what is stored.
    focus             jsonb,
    cpu_percent       double precision,
    ram_used_percent  double precision,
    disk_used_percent double precision,
    user_cpu_percent  double precision,
    user_ram_bytes    bigint,
    PRIMARY KEY (machine, ts)
);
