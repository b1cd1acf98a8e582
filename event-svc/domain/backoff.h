/**
 * What the consumer does when a batch could not be applied. Pure.
 */
#ifndef EVENT_SVC_DOMAIN_BACKOFF_H
#define EVENT_SVC_DOMAIN_BACKOFF_H

#include <stdint.h>

#include "shared/base/result.h"

enum apply_end {
    APPLY_END_DONE,
    APPLY_END_NOT_NOW,  /* the database's own trouble, or an unknown outcome: the same again, later */
    APPLY_END_AT_FAULT, /* what one of the messages carries can never be stored */
};

/** `sqlstate` as in a refused outcome. Deadlocks and serialization failures (class 40) pass by themselves: NOT_NOW. */
enum apply_end apply_end_of(enum tk_step step, const char *sqlstate);

/** Twice as long, `most` at most. */
int64_t backoff_next_ms(int64_t backoff_ms, int64_t most_ms);

/** Between half of `backoff_ms` and all of it, so that several who failed together do not come back together. */
int64_t backoff_jitter_ms(int64_t backoff_ms, uint32_t random);

#endif
