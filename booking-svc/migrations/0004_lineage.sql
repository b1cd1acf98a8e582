-- Which history this database belongs to (docs/OPERATIONS.md, "Restore one database"). One row. `epoch` only grows;
-- event_service remembers how far it had got, so a database that was put back in time knows less than its peer does of it.
-- Counting it up is also the proof, every two seconds, that this database can commit.
CREATE TABLE lineage (
    only_row       boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    system_id      uuid NOT NULL DEFAULT gen_random_uuid(),
    epoch          bigint NOT NULL DEFAULT 1,
    peer_system_id uuid,
    peer_epoch     bigint NOT NULL DEFAULT 0,
    diverged_at    timestamptz,
    quiet_until    timestamptz NOT NULL DEFAULT '-infinity' -- accepted: the other side has a minute to follow
) WITH (fillfactor = 10);
INSERT INTO lineage DEFAULT VALUES;
