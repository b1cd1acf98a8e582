-- The trail of holds: one row per change of a hold's state, appended by the transaction of the change and never updated.
-- Which seats a hold is about stands in `holds` and does not change, so the trail of a seat is found through its holds.
CREATE TABLE hold_history (
    session_id     uuid NOT NULL,
    reservation_id uuid NOT NULL,
    from_state     hold_state,
    to_state       hold_state NOT NULL,
    revision       bigint NOT NULL,
    actor          text NOT NULL,
    reason         text NOT NULL,
    request_id     text NOT NULL DEFAULT '',
    at             timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX hold_history_reservation ON hold_history (reservation_id);
CREATE INDEX hold_history_at ON hold_history USING brin (at) WITH (pages_per_range = 32, autosummarize = on);
