-- A link by which whoever is measured opens their own account, once. It is kept for a
-- minute after it was made, used or not: so many make the account wait for another.
CREATE TABLE self_link (
    id            text        PRIMARY KEY,
    machine       integer     NOT NULL REFERENCES machine ON DELETE CASCADE,
    secret_hash   bytea       NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    used          boolean     NOT NULL DEFAULT false
);
CREATE INDEX self_link_machine ON self_link (machine);
CREATE INDEX self_link_created ON self_link (created_at);

-- A login is a user's, or opens one account.
ALTER TABLE login_session ALTER COLUMN usr DROP NOT NULL;
ALTER TABLE login_session ADD COLUMN machine integer REFERENCES machine ON DELETE CASCADE;
ALTER TABLE login_session ADD CONSTRAINT login_session_of CHECK ((usr IS NULL) <> (machine IS NULL));
CREATE INDEX login_session_machine ON login_session (machine) WHERE machine IS NOT NULL;

-- Who a user is among those who are measured: a person, as an administrator has said, and
-- accounts whose links the user has opened.
ALTER TABLE app_user ADD COLUMN person bigint REFERENCES person ON DELETE SET NULL;
CREATE INDEX app_user_person ON app_user (person) WHERE person IS NOT NULL;
CREATE TABLE own_account (
    usr           text        NOT NULL REFERENCES app_user ON DELETE CASCADE,
    machine       integer     NOT NULL REFERENCES machine ON DELETE CASCADE,
    tied_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (usr, machine)
);
CREATE INDEX own_account_machine ON own_account (machine);
