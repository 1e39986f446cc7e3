-- Months that were closed: what people of a group did on each of their days, as it stood then.
CREATE TABLE month (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Its first date, and the group; null: everybody. A group with closed months stays.
    first_date    date        NOT NULL CHECK (extract(day FROM first_date) = 1),
    grp           integer     REFERENCES machine_group ON DELETE RESTRICT,
    -- Its dates in that time zone, and when each began; one more is the end of the last. Zones
    -- change their rules, closed months don't.
    tz            text        NOT NULL,
    dates         date[]      NOT NULL,
    bounds        timestamptz[] NOT NULL,
    closed_at     timestamptz NOT NULL,
    -- Who closed it, as in audit_log.
    actor_kind    text        NOT NULL,
    actor_ref     text        NOT NULL,
    -- SHA-256 of each person's figures with their salt, one after the other, by person; digest
    -- is that of all of these. They stay when somebody is erased, the salt does not.
    digests       bytea       NOT NULL,
    digest        bytea       NOT NULL,
    UNIQUE NULLS NOT DISTINCT (first_date, grp)
);
CREATE INDEX month_grp ON month (grp);

-- One person's figures. Each list has a place for each of the month's dates.
CREATE TABLE month_person (
    month         bigint      NOT NULL REFERENCES month ON DELETE CASCADE,
    -- The person and their name then, and the accounts whose figures these are. Partial means
    -- that they had others, estimated that not all was known by the minute.
    person        bigint      NOT NULL,
    label         text        NOT NULL,
    machines      integer[]   NOT NULL,
    partial       boolean     NOT NULL,
    estimated     boolean     NOT NULL,
    first_at      timestamptz[] NOT NULL,
    last_at       timestamptz[] NOT NULL,
    active_ms     integer[]   NOT NULL,
    no_input_ms   integer[]   NOT NULL,
    locked_ms     integer[]   NOT NULL,
    disconnected_ms integer[] NOT NULL,
    not_collected_ms integer[] NOT NULL,
    unknown_ms    integer[]   NOT NULL,
    salt          bytea       NOT NULL,
    PRIMARY KEY (month, person)
);
-- Erasing somebody finds what has an account of theirs.
CREATE INDEX month_person_machines ON month_person USING gin (machines);

ALTER TABLE erasure ADD COLUMN months bigint NOT NULL DEFAULT 0;

-- Before when roll-ups may have been dropped: closed months are not compared with what is not
-- there any more. Null: none were, as far as is known.
ALTER TABLE dropped ADD COLUMN rollups_before timestamptz;
