/**
 * Job: rows whose time is over are removed, a little at a time.
 */
#ifndef BOOKING_WORKER_APP_PURGE_OLD_H
#define BOOKING_WORKER_APP_PURGE_OLD_H

#include "booking-worker/adapters/event_client.h"
#include "booking-worker/adapters/upkeep_store.h"
#include "booking-worker/domain/job.h"

struct purge_old {
    struct upkeep_store *store;
    struct event_client client; /* event-svc removes its own */
    int64_t history_days;
};

void purge_old_register_metrics(void);
job_fn purge_old_run; /* arg: struct purge_old */

#endif
