/**
 * Job: holds that event-svc keeps past their deadline are matched with booking_db and, where that says so, released.
 */
#ifndef BOOKING_WORKER_APP_SWEEP_ORPHANS_H
#define BOOKING_WORKER_APP_SWEEP_ORPHANS_H

#include "booking-worker/adapters/booking_client.h"
#include "booking-worker/adapters/event_client.h"
#include "booking-worker/adapters/orphan_store.h"
#include "booking-worker/app/fence.h"
#include "booking-worker/app/health.h"
#include "booking-worker/domain/job.h"

struct sweep_orphans {
    struct event_client *client;
    struct http_caller *booking_svc;
    struct orphan_store *store;
    struct health *health;
    const struct fence *fence; /* looked at between pages */
    int64_t grace_s;
    int64_t interval_ms;
    struct tk_uuid_map reemitted; /* reservations whose confirmation was said again not long ago */
    int64_t reemitted_since_us;
    unsigned failures; /* runs that failed in a row */
    char cursor[512];  /* where the sweep goes on, "" at its start */
    int64_t seen;      /* holds since the sweep's start */
};

void sweep_orphans_register_metrics(void);
job_fn sweep_orphans_run; /* arg: struct sweep_orphans */

#endif
