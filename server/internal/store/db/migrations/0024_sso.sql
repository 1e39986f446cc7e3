-- Who logs in by single sign-on, by the provider's iss and sub: never by a name or an
-- e-mail address, which change hands.
CREATE TABLE sso_user (
    issuer        text COLLATE "C" NOT NULL,
    subject       text COLLATE "C" NOT NULL,
    usr           text        NOT NULL UNIQUE REFERENCES app_user ON DELETE CASCADE,
    PRIMARY KEY (issuer, subject)
);

-- An attempt to log in that went to the provider, until it is back, once. All its
-- secrets are made of the one whose hash this is, which the browser alone has.
CREATE TABLE sso_attempt (
    id            text        PRIMARY KEY,
    secret_hash   bytea       NOT NULL,
    -- The path of ours where the browser goes then.
    next          text        NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE INDEX sso_attempt_expires ON sso_attempt (expires_at);

-- logout_hint is the provider's ID token, encrypted with what only the browser has.
ALTER TABLE login_session
    ADD COLUMN sso         boolean NOT NULL DEFAULT false,
    ADD COLUMN logout_hint bytea;
