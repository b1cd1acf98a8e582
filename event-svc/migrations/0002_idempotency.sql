-- Idempotency-Key → the answer, stored by the transaction that made it true (shared/idempotency/keyed.h). A row without an
-- answer exists only inside that transaction. The nil user stands for callers who did not say who they are.
CREATE TABLE idempotency_keys (
    user_id uuid NOT NULL,
    key text NOT NULL,
    request_hash text NOT NULL,
    status integer,
    location text,
    response text,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (user_id, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX idempotency_keys_created ON idempotency_keys USING brin (created_at)
    WITH (pages_per_range = 32, autosummarize = on);
