-- Money that was taken for what could not be sold after all: tickets_one_per_seat refused the sale. A row is due until
-- refunded_at is set; the provider is idempotent by the attempt's id, so asking it again is harmless.
CREATE TABLE refunds (
    attempt_id uuid PRIMARY KEY,
    reservation_id uuid NOT NULL,
    amount_minor bigint NOT NULL CHECK (amount_minor >= 0),
    currency text NOT NULL,
    reason text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    refunded_at timestamptz
);

CREATE INDEX refunds_reservation ON refunds (reservation_id);
CREATE INDEX refunds_due ON refunds (created_at) WHERE refunded_at IS NULL;
