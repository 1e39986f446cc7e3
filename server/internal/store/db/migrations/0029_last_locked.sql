-- The newest event's locked, for the live view, beside last_connected; null where it had none.
ALTER TABLE machine ADD COLUMN last_locked boolean;
