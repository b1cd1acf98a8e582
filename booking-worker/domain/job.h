/**
 * What a job is to the scheduler: a blocking function that says how it went and when it wants to run again.
 */
#ifndef BOOKING_WORKER_DOMAIN_JOB_H
#define BOOKING_WORKER_DOMAIN_JOB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct job_outcome {
    bool ok;         /* false: something was away; it is shown in /health and counted */
    bool wrote;      /* outbox rows were written: the relay should look soon */
    int64_t next_ms; /* pause before the next run */
};

/** `stopping` turns true when the process is asked to end: return at the next safe point. */
typedef struct job_outcome job_fn(void *arg, const atomic_bool *stopping);

#endif
