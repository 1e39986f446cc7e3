-- Who changed what. Each row's hash covers the row and the hash of the row before.
-- Texts, which may name people, stand in audit_text by a random id: the chain has only
-- their salted digests, so that a text can be erased and the chain still holds.
CREATE TABLE audit_text (
    id            bytea       PRIMARY KEY,
    -- Both are null where the text was erased.
    salt          bytea,
    body          text
);

CREATE TABLE audit_log (
    seq           bigint      PRIMARY KEY,
    at            timestamptz NOT NULL,
    what          text        NOT NULL,
    actor_kind    text        NOT NULL,
    actor_ref     text        NOT NULL,
    subject_ref   text        NOT NULL,
    -- The actor's name, the subject's, and the details: ids of audit_text, and digests.
    texts         bytea[]     NOT NULL CHECK (cardinality(texts) = 3),
    digests       bytea[]     NOT NULL CHECK (cardinality(digests) = 3),
    hash          bytea       NOT NULL
);

-- The newest row, so that its removal is seen.
CREATE TABLE audit_head (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    seq           bigint      NOT NULL,
    hash          bytea       NOT NULL
);
INSERT INTO audit_head (seq, hash) VALUES (0, '');
