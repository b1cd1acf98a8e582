-- event_service: who plays what, where and when, and who holds which seat.
--
-- Two kinds of tables. The catalogue (organizers … seats, sessions) is written rarely and protects itself with foreign keys
-- and constraints. The hot tables (session_seats, holds, session_versions) are written thousands of times a second: no
-- foreign key, no trigger, no index on anything that changes, fillfactor 70, so that every update is HOT. session_id leads
-- their keys: the same schema shards by session.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- 2 before 10, "A2" before "A10". Deterministic: different strings stay different.
CREATE COLLATION natural_sort (provider = icu, locale = 'und-u-kn-true');

CREATE TYPE seat_status AS ENUM ('available', 'reserved', 'sold', 'blocked');
CREATE TYPE hold_state AS ENUM ('held', 'sold', 'released');

CREATE TABLE organizers (
    organizer_id  uuid PRIMARY KEY,
    name          text NOT NULL,
    description   text,
    contact_email text,
    contact_phone text,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE locations (
    location_id uuid PRIMARY KEY,
    name        text NOT NULL,
    address     text NOT NULL,
    city        text NOT NULL,
    country     text NOT NULL,
    timezone    text NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE halls (
    hall_id     uuid PRIMARY KEY,
    location_id uuid NOT NULL CONSTRAINT halls_location_fk REFERENCES locations,
    name        text NOT NULL,
    capacity    integer NOT NULL CHECK (capacity > 0),
    created_at  timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX halls_location ON halls (location_id, hall_id);

-- The unique index is in natural order, so lists and the seats of a new session come sorted without sorting.
CREATE TABLE seats (
    seat_id     uuid PRIMARY KEY,
    hall_id     uuid NOT NULL CONSTRAINT seats_hall_fk REFERENCES halls,
    section     text COLLATE natural_sort NOT NULL,
    row_number  text COLLATE natural_sort NOT NULL,
    seat_number text COLLATE natural_sort NOT NULL,
    seat_type   text NOT NULL,
    CONSTRAINT seats_unique_in_hall UNIQUE (hall_id, section, row_number, seat_number)
);

CREATE TABLE events (
    event_id     uuid PRIMARY KEY,
    organizer_id uuid NOT NULL CONSTRAINT events_organizer_fk REFERENCES organizers,
    title        text NOT NULL,
    description  text,
    event_type   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX events_organizer ON events (organizer_id);

CREATE TABLE sessions (
    session_id       uuid PRIMARY KEY,
    event_id         uuid NOT NULL CONSTRAINT sessions_event_fk REFERENCES events,
    hall_id          uuid NOT NULL CONSTRAINT sessions_hall_fk REFERENCES halls,
    start_time       timestamptz NOT NULL,
    end_time         timestamptz NOT NULL,
    base_price_minor bigint NOT NULL CHECK (base_price_minor >= 0),
    currency         text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    seat_count       integer NOT NULL,
    created_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sessions_end_after_start CHECK (end_time > start_time),
    CONSTRAINT sessions_no_overlap EXCLUDE USING gist (hall_id WITH =, tstzrange(start_time, end_time) WITH &&)
);
CREATE INDEX sessions_event ON sessions (event_id);

-- One row per seat and session. session_seat_id grows in natural seat order: ordered by key is ordered for people.
CREATE TABLE session_seats (
    session_id      uuid NOT NULL,
    session_seat_id uuid NOT NULL,
    seat_id         uuid NOT NULL,
    reservation_id  uuid,
    price_minor     bigint NOT NULL,
    seat_order      integer NOT NULL,
    status          seat_status NOT NULL DEFAULT 'available',
    PRIMARY KEY (session_id, session_seat_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);

-- One row per reservation, kept as a tombstone once released. `revision` is the reservation's own, from its messages.
-- reserved_until never changes, so its index costs no HOT update. session_seat_ids is sorted.
CREATE TABLE holds (
    session_id       uuid NOT NULL,
    reservation_id   uuid NOT NULL,
    revision         bigint NOT NULL DEFAULT 0,
    reserved_until   timestamptz NOT NULL,
    state            hold_state NOT NULL,
    session_seat_ids uuid[] NOT NULL,
    PRIMARY KEY (session_id, reservation_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
CREATE INDEX holds_reserved_until ON holds (reserved_until);

-- Bumped once per batch and session by every writer of session_seats, last in its transaction: caches compare it.
CREATE TABLE session_versions (
    session_id uuid PRIMARY KEY,
    version    bigint NOT NULL
) WITH (fillfactor = 10, autovacuum_vacuum_scale_factor = 0.02);
