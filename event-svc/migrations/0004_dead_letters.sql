-- Messages the broker gave up on, moved here from the dead-letter queue so that a person can look, repair and decide.
-- id is made of the message and the time of its first death: a copy that arrives again meets its own row.
CREATE TABLE dead_letters (
    id             uuid PRIMARY KEY,
    reason         text NOT NULL,                          -- the broker's word: rejected, delivery_limit, …
    error          text,                                   -- what event-svc has against it, when it can tell
    routing_key    text NOT NULL,
    message_id     text NOT NULL,
    traceparent    text NOT NULL,
    delivery_count bigint NOT NULL,
    first_death_at timestamptz,
    body           bytea NOT NULL,                         -- its beginning only, when shorter than body_size
    body_size      bigint NOT NULL,
    replayable     boolean NOT NULL,
    arrivals       bigint NOT NULL DEFAULT 1,              -- copies of the same death seen
    stored_at      timestamptz NOT NULL DEFAULT now()
);

-- Messages to publish again (shared/outbox/outbox.h): a replay moves a dead letter here in one transaction, and the relay
-- removes it once the broker took it.
CREATE TABLE outbox (
    id          uuid PRIMARY KEY,
    routing_key text NOT NULL,
    body        text NOT NULL,
    traceparent text,
    created_at  timestamptz NOT NULL DEFAULT now()
);
