/**
 * Job: holds whose time is over become `expired`, and their seats are released.
 */
#ifndef BOOKING_WORKER_APP_EXPIRE_HOLDS_H
#define BOOKING_WORKER_APP_EXPIRE_HOLDS_H

#include "booking-worker/adapters/event_client.h"
#include "booking-worker/adapters/expiry_store.h"
#include "booking-worker/adapters/seat_locks.h"
#include "booking-worker/app/fence.h"
#include "booking-worker/app/health.h"
#include "booking-worker/domain/job.h"

struct expire_holds {
    struct expiry_store *store;
    struct seat_locks *locks;
    struct event_client client;
    struct health *health;
    const struct fence *fence; /* looked at between batches */
    int64_t batch_size;
    int64_t interval_ms;
    unsigned failures; /* runs that failed in a row */
    int64_t walked_again_us;
    int64_t call_again_us; /* event-svc did not answer: until then the messages alone free the seats */
};

void expire_holds_register_metrics(void);
job_fn expire_holds_run; /* arg: struct expire_holds */

#endif
