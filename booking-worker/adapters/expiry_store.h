/**
 * booking_db as the expiry job sees it: overdue holds, and how far the search for them has got.
 *
 * There is no index on `status`, since it changes; the search uses the index on expiry_time from a persisted low watermark
 * on. Everything below the watermark is decided, so the past is not read again and again. The watermark waits for rows that
 * are `active` (locked by somebody at the moment) and for recent `paying` ones, which may become active again. What slips
 * below it all the same (a row inserted after its own deadline, a payment that took minutes to fail) is found by the orphan
 * sweep, which moves the watermark back.
 */
#ifndef BOOKING_WORKER_ADAPTERS_EXPIRY_STORE_H
#define BOOKING_WORKER_ADAPTERS_EXPIRY_STORE_H

#include <stddef.h>
#include <stdint.h>

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

/**
 * Expires up to `limit` overdue holds in one transaction: status, revision, history, outbox. Rows locked by others are
 * skipped. OK: committed, `out` says which. Anything else: nothing is known to have changed, `out` is empty.
 */
enum tk_step expiry_store_expire(struct expiry_store *store, int64_t limit, struct tk_arena *arena,
                                 struct expired_holds *out);

/** Moves the watermark up to the first undecided row. Call when no full batch was found. */
TK_MUSTCHECK enum tk_err expiry_store_advance(struct expiry_store *store);

/** Milliseconds until the next hold that ends within `horizon_ms` expires (rounded down), -1 when there is none. */
TK_MUSTCHECK enum tk_err expiry_store_until_next(struct expiry_store *store, int64_t horizon_ms, int64_t *until_ms);

#endif
