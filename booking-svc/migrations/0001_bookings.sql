-- booking_db: reservations and everything that is decided by them.
--
-- Rules of this schema (docs/DECISIONS.md has the measurements):
--   * No index on a column that changes (status, revision, updated_at), and room on each page for a second version of every
--     row (fillfactor), so that state changes are HOT updates.
--   * No foreign keys on the hot tables: every writer is a statement of ours that carries the parent with it.
--   * Deadlines are compared with the database's now(), never with an application's clock.
--   * Money is a count of minor units; total_amount exists for people who query by hand.

CREATE TYPE reservation_status AS ENUM ('active', 'paying', 'confirmed', 'cancelled', 'expired', 'refunded');
CREATE TYPE payment_status AS ENUM ('pending', 'succeeded', 'failed');
CREATE TYPE ticket_status AS ENUM ('valid', 'used', 'refunded');

-- The one arbiter of "confirmed or expired": every change of status is a compare-and-set on this row that adds one to
-- revision. A row with status expired and no seats is a tombstone: the sweep of orphaned holds wrote it under an id whose
-- reservation never arrived, and a late insert under that id must lose (user_id is unknown then).
CREATE TABLE reservations (
    id uuid PRIMARY KEY,
    user_id uuid,
    session_id uuid NOT NULL,
    status reservation_status NOT NULL,
    revision bigint NOT NULL DEFAULT 1 CHECK (revision >= 1),
    booking_time timestamptz NOT NULL DEFAULT now(),
    expiry_time timestamptz NOT NULL,
    seats_count integer NOT NULL DEFAULT 0 CHECK (seats_count >= 0),
    total_minor bigint NOT NULL DEFAULT 0 CHECK (total_minor >= 0),
    total_amount numeric(18, 2) GENERATED ALWAYS AS (total_minor / 100.0) STORED,
    currency text NOT NULL DEFAULT 'XXX' CHECK (length(currency) = 3), -- XXX: ISO 4217 "no currency", tombstones only
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT reservations_tombstone CHECK (seats_count > 0 OR status = 'expired'),
    CONSTRAINT reservations_owner CHECK (user_id IS NOT NULL OR seats_count = 0)
) WITH (fillfactor = 45);

CREATE INDEX reservations_user ON reservations (user_id, id);
CREATE INDEX reservations_expiry ON reservations (expiry_time);

-- Written once with the reservation, never changed. Labels are copies of what event-svc said at that moment.
CREATE TABLE reservation_items (
    reservation_id uuid NOT NULL,
    item_no integer NOT NULL CHECK (item_no >= 1),
    id uuid NOT NULL,
    session_seat_id uuid NOT NULL,
    row_number text NOT NULL,
    seat_number text NOT NULL,
    price_minor bigint NOT NULL CHECK (price_minor >= 0),
    discount_minor bigint NOT NULL DEFAULT 0 CHECK (discount_minor >= 0),
    final_minor bigint NOT NULL CHECK (final_minor >= 0),
    price_tier_id uuid,
    PRIMARY KEY (reservation_id, item_no),
    CONSTRAINT reservation_items_sum CHECK (final_minor = price_minor - discount_minor)
);

-- A payment attempt is stored before the provider hears of it; the provider is idempotent by the attempt's id. The newest
-- pending attempt of a reservation that is `paying` is the one to ask about again after a crash.
CREATE TABLE payment_attempts (
    reservation_id uuid NOT NULL,
    id uuid NOT NULL,
    payment_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency text NOT NULL,
    status payment_status NOT NULL DEFAULT 'pending',
    created_at timestamptz NOT NULL DEFAULT now(),
    settled_at timestamptz,
    PRIMARY KEY (reservation_id, id)
) WITH (fillfactor = 50);

-- For the search for stuck payments: nearly free to maintain, and a watermark keeps the range short.
CREATE INDEX payment_attempts_created ON payment_attempts USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);

-- One per item of a confirmed reservation, under the item's id. Owner, place and price stand with the reservation and the
-- item, which do not change any more.
CREATE TABLE tickets (
    id uuid PRIMARY KEY,
    reservation_id uuid NOT NULL,
    session_seat_id uuid NOT NULL,
    status ticket_status NOT NULL DEFAULT 'valid',
    used_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- The last line of defence: whatever else goes wrong, the database does not hold two tickets for one seat.
CREATE UNIQUE INDEX tickets_one_per_seat ON tickets (session_seat_id) WHERE status <> 'refunded';

-- multiplier counts ten-thousandths: 15000 is 1.5. Tiers are immutable once made; services cache them.
CREATE TABLE price_tiers (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    description text NOT NULL DEFAULT '',
    multiplier bigint NOT NULL CHECK (multiplier BETWEEN 1 AND 1000000),
    session_id uuid,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Idempotency-Key → the reservation it is bound to, and the answer once there is one (2xx only, replayed as bytes).
-- request_hash covers method, path and body, so a key reused for another operation is a reuse, too.
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    reservation_id uuid NOT NULL,
    request_hash text NOT NULL,
    status integer,
    response text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
) WITH (fillfactor = 50);

CREATE INDEX idempotency_keys_created ON idempotency_keys USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);

-- Transactional outbox (shared/outbox/outbox.h): written with the state change, removed once the broker took the message.
CREATE TABLE outbox (
    id uuid PRIMARY KEY,
    routing_key text NOT NULL,
    body text NOT NULL,
    traceparent text,
    created_at timestamptz NOT NULL DEFAULT now()
);

-- Append-only: one row per change of a reservation's status, written in the transaction of the change.
CREATE TABLE reservation_history (
    reservation_id uuid NOT NULL,
    revision bigint NOT NULL,
    from_status reservation_status,
    to_status reservation_status NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    request_id text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (reservation_id, revision)
);

-- How far a periodic search has got, so that it never reads the whole past.
CREATE TABLE sweep_watermarks (
    name text PRIMARY KEY,
    upto timestamptz NOT NULL
);

-- Queue-like and often-updated tables are cleaned long before the default threshold.
ALTER TABLE outbox SET (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);
ALTER TABLE reservations SET (autovacuum_vacuum_scale_factor = 0.05);
ALTER TABLE idempotency_keys SET (autovacuum_vacuum_scale_factor = 0.05);
