/**
 * Seat locks in Redis: they turn away the losers of a race before they cost a database round trip, nothing more.
 * Event-svc's rows decide who gets a seat, so every doubt about a lock means "go on without it".
 *
 * Key `booking:lock:{<session id>}:<session seat id>` (the braces keep a session in one cluster slot), value the
 * reservation id, expiring by itself. One seat: SET NX GET PX. Several: one script, all or nothing. A lock that carries our
 * own value is ours: a retry with the same Idempotency-Key meets it. Unlocking compares before it deletes.
 */
#ifndef BOOKING_ADAPTERS_SEAT_LOCK_H
#define BOOKING_ADAPTERS_SEAT_LOCK_H

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/redis/redis.h"

#define SEAT_LOCK_MAX_SEATS 100

struct seat_lock;

struct seat_lock_set {
    struct tk_uuid session_id;
    struct tk_uuid owner; /* the reservation id */
    const struct tk_uuid *seats;
    size_t seat_count;
};

struct seat_lock *seat_lock_new(struct tk_redis *redis, int64_t ttl_ms);

/** `lost`: with REFUSED, the index of a seat that is somebody else's. */
typedef void seat_lock_done(void *arg, enum tk_step step, size_t lost);

/**
 * OK: ours. REFUSED: somebody else's. FAILED: Redis answered with an error. UNKNOWN: no answer. Copies `set` and its seats.
 * TK_ERR_UNAVAILABLE: Redis is away; `done` will not run.
 */
TK_MUSTCHECK enum tk_err seat_lock_acquire(struct seat_lock *lock, const struct seat_lock_set *set, seat_lock_done *done,
                                           void *arg);

/** Deletes those locks that are still the owner's. Nobody waits for it: a lock that stays runs out by itself. */
void seat_lock_release(struct seat_lock *lock, const struct seat_lock_set *set);

#endif
