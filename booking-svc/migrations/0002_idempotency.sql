-- Idempotency-Key for every POST. Only reservations and payments are bound to a reservation; an answer may name a Location.
ALTER TABLE idempotency_keys ALTER COLUMN reservation_id DROP NOT NULL;
ALTER TABLE idempotency_keys ADD COLUMN location text;

-- History is purged by age.
CREATE INDEX reservation_history_at ON reservation_history USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
