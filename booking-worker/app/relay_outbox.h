/**
 * Job: messages that booking-svc left in the outbox, and our own, reach the broker.
 */
#ifndef BOOKING_WORKER_APP_RELAY_OUTBOX_H
#define BOOKING_WORKER_APP_RELAY_OUTBOX_H

#include "booking-worker/app/health.h"
#include "booking-worker/domain/job.h"
#include "shared/outbox/outbox.h"

/** Younger rows are left to booking-svc's own relay, which normally takes them within milliseconds. */
#define RELAY_MIN_AGE_MS 250

struct relay_outbox {
    struct tk_outbox_relay *relay;
    struct health *health;
    unsigned failures;
};

job_fn relay_outbox_run; /* arg: struct relay_outbox */

#endif
