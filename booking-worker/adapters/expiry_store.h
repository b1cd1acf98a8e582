/**
 * booking_db as the expiry job sees it: overdue holds, and how far the search for them has got.
 *
 * There is no index on `status`, since it changes; the search walks the index on expiry_time from a persisted watermark on,
 * a bounded number of rows at a time, so that it never reads the past again and never drowns in it after a long absence.
 * What is overdue stands on a list in memory until it is decided; the watermark moves once the whole list has been tried.
 * What is undecided even then (`paying`, or locked by somebody) stays on the list and is looked at in every run. Behind the
 * watermark a second walk goes round and round over the last quarter of an hour, a bounded piece at a time: it finds what
 * became overdue in the past, such as a row that was committed after its own deadline, or one whose deadline an operator
 * changed. What is older than that, the orphan sweep finds, and moves the watermark back.
 */
#ifndef BOOKING_WORKER_ADAPTERS_EXPIRY_STORE_H
#define BOOKING_WORKER_ADAPTERS_EXPIRY_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "booking-worker/domain/backlog.h"
#include "shared/contract/message.h"
#include "shared/pg/sync.h"

struct expiry_store;

/** Never fails; connects when first used. */
struct expiry_store *expiry_store_new(const char *database_url);
void expiry_store_free(struct expiry_store *store);

/** One batch of holds that were expired together. Arena memory. */
struct expired_holds {
    struct tk_reservation_message *items; /* what was written to the outbox */
    int64_t *late_us;                     /* how long after its deadline each was expired, by the database's clock */
    size_t count;
};

enum expiry_walk {
    EXPIRY_WALK_FORWARD, /* from the watermark to now */
    EXPIRY_WALK_AGAIN,   /* the next piece of the recent past */
};

/**
 * Walks on and puts what is overdue and undecided on the list; everything on it is untried then. A forward scan begins
 * where the last one ended, after expiry_store_advance() at the watermark, and goes on until it has caught up, until the
 * list is long, or for about a second. *more: it did not catch up, and it is worth while to go on at once. Follow with
 * expiry_store_expire() until the list has been worked through, then expiry_store_advance(); to scan again in between is
 * fine.
 */
TK_MUSTCHECK enum tk_err expiry_store_scan(struct expiry_store *store, enum expiry_walk walk, bool *more);

/** The list; between a scan and the next expiry it may be put into another order. */
struct backlog *expiry_store_backlog(struct expiry_store *store);

/**
 * Expires the next up to `limit` entries in one transaction: status, revision, history, outbox. Rows locked by others are
 * skipped. OK: committed, `out` says which. Anything else: nothing is known to have changed, `out` is empty; scan again.
 */
enum tk_step expiry_store_expire(struct expiry_store *store, int64_t limit, struct tk_arena *arena,
                                 struct expired_holds *out);

/** What the scans found is dealt with: the next one begins where the last ended. Persistent for the forward walk. */
TK_MUSTCHECK enum tk_err expiry_store_advance(struct expiry_store *store);

/** Milliseconds until the next hold that ends within `horizon_ms` expires (rounded down), -1 when there is none. */
TK_MUSTCHECK enum tk_err expiry_store_until_next(struct expiry_store *store, int64_t horizon_ms, int64_t *until_ms);

#endif
