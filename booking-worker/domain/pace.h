/**
 * How long a job may sleep. Pure.
 *
 * A seat must be back within two seconds of its hold's expiry. The expiry job therefore sleeps until the next expiry it
 * knows of, and never longer than the interval, because holds are made while it sleeps. With the default interval of one
 * second a hold it did not know of is at most one second late; the relay adds a few hundred milliseconds. With a longer
 * interval the promise holds for every hold that lives longer than the interval, since the job has looked at it at least
 * once before.
 */
#ifndef BOOKING_WORKER_DOMAIN_PACE_H
#define BOOKING_WORKER_DOMAIN_PACE_H

#include <stdint.h>

#define PACE_SHORTEST_MS 20   /* holds that end within moments of each other are expired together */
#define PACE_NONE        (-1) /* no hold ends within the interval */

/**
 * Pause in milliseconds before the next look: PACE_SHORTEST_MS (or the interval, if that is shorter) to
 * interval_ms. `until_next_ms` is the time until the earliest known expiry,
 * negative or PACE_NONE when none is known. Both in milliseconds; interval_ms >= 1.
 */
int64_t pace_until_expiry(int64_t until_next_ms, int64_t interval_ms);

/** Pause after `failures` (>= 1) failed runs in a row: 200 ms, doubling, never above `longest_ms`. */
int64_t pace_after_failure(unsigned failures, int64_t longest_ms);

#endif
