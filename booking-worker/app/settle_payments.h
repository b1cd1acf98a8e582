/**
 * Job: reservations that have been `paying` for too long get settled.
 */
#ifndef BOOKING_WORKER_APP_SETTLE_PAYMENTS_H
#define BOOKING_WORKER_APP_SETTLE_PAYMENTS_H

#include "booking-worker/adapters/booking_client.h"
#include "booking-worker/adapters/upkeep_store.h"
#include "booking-worker/app/health.h"
#include "booking-worker/domain/job.h"

struct settle_payments {
    struct upkeep_store *store;
    struct http_caller *booking_svc;
    struct health *health;
    int64_t after_s;
};

void settle_payments_register_metrics(void);
job_fn settle_payments_run; /* arg: struct settle_payments */

#endif
