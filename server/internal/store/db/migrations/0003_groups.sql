-- Groups of machines. A machine may be in several.
CREATE TABLE machine_group (
    id            integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text COLLATE "C" NOT NULL UNIQUE,
    -- How many rows of group_member it has: counting 100,000 for each of many
    -- groups would make a list of groups slow.
    members       integer     NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now()
);

-- The key holds the machine's name, which never changes, so that a page of a
-- group's machines in the order of their names is a walk along it.
CREATE TABLE group_member (
    grp           integer     NOT NULL REFERENCES machine_group ON DELETE CASCADE,
    machine_id    text COLLATE "C" NOT NULL,
    machine       integer     NOT NULL REFERENCES machine,
    PRIMARY KEY (grp, machine_id)
);
CREATE INDEX group_member_machine ON group_member (machine);

-- A limited token sees the machines of its groups alone. That it is limited is
-- said apart: without its groups it sees nothing rather than everything.
ALTER TABLE api_token ADD COLUMN limited boolean NOT NULL DEFAULT false;
ALTER TABLE api_token ADD CHECK (NOT limited OR role = 'viewer');
CREATE TABLE api_token_group (
    token         text        NOT NULL REFERENCES api_token ON DELETE CASCADE,
    grp           integer     NOT NULL REFERENCES machine_group ON DELETE CASCADE,
    PRIMARY KEY (token, grp)
);
CREATE INDEX api_token_group_grp ON api_token_group (grp);

-- Whether a client was connected at the end of the newest event; null: not told.
ALTER TABLE machine ADD COLUMN last_connected boolean;
