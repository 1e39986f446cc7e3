-- What its events did in each minute, packed by the server (package minutes), which
-- alone reads it: added to by appending. Empty where an older server wrote the row.
ALTER TABLE rollup ADD COLUMN minutes bytea NOT NULL DEFAULT '';
