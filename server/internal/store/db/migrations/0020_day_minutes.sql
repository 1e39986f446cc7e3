-- The minutes of a packed day lie in a column of their own: a busy day's are longer than
-- all the rest, and made a row that PostgreSQL keeps in pieces beside the table, to be
-- fetched for questions that want no minutes. Days packed before have them in body.
ALTER TABLE rollup_day ADD COLUMN minutes bytea;
ALTER TABLE rollup_day ALTER COLUMN minutes SET STORAGE EXTERNAL;
