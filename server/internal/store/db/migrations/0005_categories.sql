-- The categories that reports divide applications into, as one document: it is
-- read and replaced as a whole, in the order that an administrator gave it. There
-- is one row at most; version counts the changes.
CREATE TABLE category_list (
    one           boolean     PRIMARY KEY DEFAULT true CHECK (one),
    version       bigint      NOT NULL,
    list          jsonb       NOT NULL
);
