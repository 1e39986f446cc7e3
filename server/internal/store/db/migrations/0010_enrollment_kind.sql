-- What enrols: a whole host, whose daemon is root, or one person who measures
-- themselves without root. Neither kind of token enrols the other, so that one
-- given to a person never stands for everybody on their machine.
ALTER TABLE enrollment ADD COLUMN kind text NOT NULL DEFAULT 'host' CHECK (kind IN ('host', 'user'));
ALTER TABLE host ADD COLUMN kind text NOT NULL DEFAULT 'host' CHECK (kind IN ('host', 'user'));
