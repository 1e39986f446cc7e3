-- That somebody was erased: nothing of who it was.
CREATE TABLE erasure (
    id            bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    -- Since when nothing of it can be read, and since when nothing is left of it; null:
    -- some is.
    unreadable_at timestamptz NOT NULL,
    gone_at       timestamptz,
    accounts      integer     NOT NULL,
    -- How many rows were deleted so far: of events, packed hours, sums, packed days, times
    -- in which nothing was collected, receipts, titles, and of who looked.
    events        bigint      NOT NULL DEFAULT 0,
    hours         bigint      NOT NULL DEFAULT 0,
    sums          bigint      NOT NULL DEFAULT 0,
    days          bigint      NOT NULL DEFAULT 0,
    spans         bigint      NOT NULL DEFAULT 0,
    receipts      bigint      NOT NULL DEFAULT 0,
    titles        bigint      NOT NULL DEFAULT 0,
    looks         bigint      NOT NULL DEFAULT 0,
    -- How many texts of the audit log were erased, and from how many versions of policy
    -- their names; policies_left still name them, since they hold.
    texts         bigint      NOT NULL DEFAULT 0,
    policies      bigint      NOT NULL DEFAULT 0,
    policies_left bigint      NOT NULL DEFAULT 0
);

-- The numbers of accounts of which something is still to be deleted. There are no such
-- machines any more: whatever reads what they did begins at a machine.
CREATE TABLE erasure_machine (
    key           integer     PRIMARY KEY,
    erasure       bigint      NOT NULL REFERENCES erasure,
    -- When it is looked at next.
    next_at       timestamptz NOT NULL,
    -- How far looks at several were gone through.
    looks_after   bigint      NOT NULL DEFAULT 0
);

-- Titles that records which were deleted had: those that no other record of their month
-- has are deleted, too.
CREATE TABLE erasure_title (
    month         date        NOT NULL,
    title         bigint      NOT NULL,
    erasure       bigint      NOT NULL REFERENCES erasure,
    -- No new record gets it any more.
    retired       boolean     NOT NULL DEFAULT false,
    PRIMARY KEY (month, title, erasure)
);

-- How often titles were retired: what servers remember of titles holds until then.
CREATE TABLE title_sweep (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    sweeps        bigint      NOT NULL
);
INSERT INTO title_sweep (sweeps) VALUES (0);

-- Which machine_ids were erased, by a keyed digest: their events of before are refused.
CREATE TABLE tombstone (
    digest        bytea       PRIMARY KEY,
    erased_at     timestamptz NOT NULL
);

-- The digest's keys, made here once: 122 random bits in each of their four parts.
CREATE TABLE tombstone_key (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    inner_key     bytea       NOT NULL,
    outer_key     bytea       NOT NULL
);
INSERT INTO tombstone_key (inner_key, outer_key)
SELECT decode(string_agg(replace(gen_random_uuid()::text, '-', ''), ''), 'hex'),
       decode(string_agg(replace(gen_random_uuid()::text, '-', ''), ''), 'hex') FROM generate_series(1, 4);

-- HMAC's construction, with a key for each of the two hashes.
CREATE FUNCTION tombstone_of(machine_id text) RETURNS bytea LANGUAGE sql STABLE AS $$
    SELECT sha256(outer_key || sha256(inner_key || convert_to(machine_id, 'UTF8'))) FROM tombstone_key
$$;

-- Before when events of an account are refused, which was made anew after it was erased.
ALTER TABLE machine ADD COLUMN erased_before timestamptz;

-- How many machines of an answer about several were erased since.
ALTER TABLE access_log ADD COLUMN erased integer NOT NULL DEFAULT 0;
