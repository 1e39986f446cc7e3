-- People who log in. login is as it is compared: composed and in lower case.
CREATE TABLE app_user (
    id            text        PRIMARY KEY,
    login         text COLLATE "C" NOT NULL UNIQUE,
    role          text        NOT NULL CHECK (role IN ('admin', 'manager', 'viewer', 'auditor')),
    -- A limited one sees the machines of their groups alone: without groups, none.
    limited       boolean     NOT NULL DEFAULT false CHECK (NOT limited OR role IN ('manager', 'viewer')),
    -- argon2id as a PHC string; null until the first invitation is accepted.
    password_hash text,
    disabled      boolean     NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_login_at timestamptz,
    -- The second step (RFC 6238): null where there is none. One that is being set up
    -- takes its place with its first code. totp_step is the number of the newest 30
    -- seconds whose code was used: none works twice.
    totp_secret   bytea,
    totp_pending  bytea,
    totp_step     bigint      NOT NULL DEFAULT 0
);

CREATE TABLE app_user_group (
    usr           text        NOT NULL REFERENCES app_user ON DELETE CASCADE,
    grp           integer     NOT NULL REFERENCES machine_group ON DELETE CASCADE,
    PRIMARY KEY (usr, grp)
);
CREATE INDEX app_user_group_grp ON app_user_group (grp);

-- A link by which somebody sets their password, once. A newer one replaces it.
CREATE TABLE invitation (
    id            text        PRIMARY KEY,
    usr           text        NOT NULL UNIQUE REFERENCES app_user ON DELETE CASCADE,
    secret_hash   bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    expires_at    timestamptz NOT NULL
);

CREATE TABLE login_session (
    id            text        PRIMARY KEY,
    usr           text        NOT NULL REFERENCES app_user ON DELETE CASCADE,
    secret_hash   bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    last_seen_at  timestamptz NOT NULL DEFAULT now(),
    -- From where and with what they logged in, for themselves to recognise.
    address       text        NOT NULL,
    agent         text        NOT NULL
);
CREATE INDEX login_session_usr ON login_session (usr);

-- Codes that stand in once each for the second step, hashed: they are random.
CREATE TABLE recovery_code (
    usr           text        NOT NULL REFERENCES app_user ON DELETE CASCADE,
    code_hash     bytea       NOT NULL,
    PRIMARY KEY (usr, code_hash)
);
