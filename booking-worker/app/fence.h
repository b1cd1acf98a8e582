/**
 * Nothing is tidied unless both databases are known to belong together: after a restore, what looks overdue here may be
 * sold there. A job looks every second; those behind the fence run only while its last look found both databases in
 * agreement. Before the first look, and while one of them is away, they wait.
 */
#ifndef BOOKING_WORKER_APP_FENCE_H
#define BOOKING_WORKER_APP_FENCE_H

#include "booking-worker/adapters/lineage_store.h"
#include "booking-worker/app/health.h"
#include "booking-worker/domain/job.h"

enum fence_state { FENCE_STATE_UNKNOWN, FENCE_STATE_OPEN, FENCE_STATE_DIVERGED };

struct fence {
    struct lineage_store *store;
    struct health *health;
    _Atomic int state; /* enum fence_state; readable by any thread */
};

/** A job behind it. */
struct fenced_job {
    const struct fence *fence;
    job_fn *run;
    void *arg;
};

void fence_register_metrics(void);

job_fn fence_look; /* arg: struct fence */
job_fn fence_pass; /* arg: struct fenced_job; ok without a run while the fence is closed */

bool fence_is_open(const struct fence *fence);
bool fence_has_diverged(const struct fence *fence);

#endif
