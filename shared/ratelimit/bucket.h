/**
 * A token bucket as one number: the time at which it will be full again. Taking a token moves that time on by the time one
 * token takes to flow in; a bucket whose time lies a whole window ahead is empty. Nothing has to be refilled, and what
 * several processes have taken adds up.
 *
 * Pure; times are monotonic nanoseconds, since a million tokens a second are a microsecond each.
 */
#ifndef TK_RATELIMIT_BUCKET_H
#define TK_RATELIMIT_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct tk_bucket_rule {
    int64_t cost_ns;   /* of a token; 0: no limit */
    int64_t window_ns; /* from empty to full */
};

/** `per_second` 0 to 1,000,000 (0: no limit); the bucket holds what flows in within `burst_seconds`, 1 to 3,600. */
struct tk_bucket_rule tk_bucket_rule(int64_t per_second, int64_t burst_seconds);

/** Takes a token if there is one. */
bool tk_bucket_take(const struct tk_bucket_rule *rule, int64_t *full_at_ns, int64_t now_ns);

/** For people and clients, in tokens and whole seconds, rounded so that who keeps to it is never refused. */
struct tk_bucket_level {
    int64_t limit;
    int64_t remaining;
    int64_t reset_s; /* until it is full */
    int64_t retry_s; /* until there is a token; 0: there is one */
};

struct tk_bucket_level tk_bucket_level(const struct tk_bucket_rule *rule, int64_t full_at_ns, int64_t now_ns);

#endif
