/**
 * Rate limits: so many reads and writes per user and per client address, each a token bucket.
 *
 * The decision is made here and now, from this process's own bucket: no request waits for Redis, and a refusal costs a look
 * into a table. What was taken is told to Redis in the background, and Redis answers what all processes together have
 * taken; from then on that counts here. One script call carries everything a turn of the loop has to tell, one call is on
 * its way at a time, and a bucket is told of only once a sixteenth of it has been taken: the many who ask for little cost
 * nothing.
 *
 *   take() ─▶ own bucket ─▶ yes or no, at once
 *                 │ a sixteenth taken since the last time
 *                 ▼
 *      end of the turn: one EVALSHA, all buckets that have something to tell ─▶ Redis adds it up
 *                 ▲                                                                  │
 *                 └────────── whichever has less in it: own bucket, or Redis's ◀─────┘
 *
 * So over N processes a client gets at most an N-fold burst in the first instant, what it has had too much is missing
 * afterwards, and the long-term rate is exact. Without Redis, or while it is slow, each process limits by itself.
 */
#ifndef TK_RATELIMIT_RATELIMIT_H
#define TK_RATELIMIT_RATELIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/loop/loop.h"
#include "shared/ratelimit/bucket.h"
#include "shared/redis/redis.h"

enum tk_ratelimit_kind {
    TK_RATELIMIT_USER_WRITES,
    TK_RATELIMIT_USER_READS,
    TK_RATELIMIT_ADDRESS_WRITES,
    TK_RATELIMIT_ADDRESS_READS,
    TK_RATELIMIT_KINDS,
};

struct tk_ratelimit_config {
    const char *service;                    /* part of the keys in Redis: services count separately */
    struct tk_redis *redis;                 /* NULL: this process only */
    int64_t per_second[TK_RATELIMIT_KINDS]; /* 0: no limit */
    int64_t burst_seconds;                  /* a bucket holds what flows in within this time */
    size_t max_buckets;                     /* in this process; 0: 65,536, about 7 MB when all are used */
};

struct tk_ratelimit;

/** Copies `config`; its strings and Redis live as long as the process. Registers metrics. */
struct tk_ratelimit *tk_ratelimit_new(struct tk_loop *loop, const struct tk_ratelimit_config *config);

/** Only while no call is on its way; for tests. */
void tk_ratelimit_free(struct tk_ratelimit *limits);

bool tk_ratelimit_is_on(const struct tk_ratelimit *limits, enum tk_ratelimit_kind kind);

/**
 * Takes a token; false: there is none. `now_us` is monotonic. `level` tells what is left afterwards; untouched, and true
 * returned, when `kind` has no limit.
 */
bool tk_ratelimit_take(struct tk_ratelimit *limits, enum tk_ratelimit_kind kind, const struct tk_uuid *key, int64_t now_us,
                       struct tk_bucket_level *level);

#endif
