/**
 * booking_db as the upkeep jobs see it: payments that nobody settled, and rows that are old enough to go.
 */
#ifndef BOOKING_WORKER_ADAPTERS_UPKEEP_STORE_H
#define BOOKING_WORKER_ADAPTERS_UPKEEP_STORE_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/pg/sync.h"

#define STUCK_PAYMENTS_MAX 100 /* per look */

struct upkeep_store;

/** Never fails; connects when first used. `name` is for the log: each job has a connection of its own. */
struct upkeep_store *upkeep_store_new(const char *name, const char *database_url);
void upkeep_store_free(struct upkeep_store *store);

/** Reservations that are `paying` by an attempt, or owe a refund, older than `older_than_s`; at most STUCK_PAYMENTS_MAX. */
TK_MUSTCHECK enum tk_err upkeep_store_stuck_payments(struct upkeep_store *store, int64_t older_than_s,
                                                     struct tk_uuid out[STUCK_PAYMENTS_MAX], size_t *count);

/** Deletes up to `limit` idempotency keys older than a day (the time the API promises to keep them). */
TK_MUSTCHECK enum tk_err upkeep_store_purge_keys(struct upkeep_store *store, int64_t limit, int64_t *deleted);

/** Deletes up to `limit` history rows of reservations that are over and last changed more than `days` ago. */
TK_MUSTCHECK enum tk_err upkeep_store_purge_history(struct upkeep_store *store, int64_t days, int64_t limit,
                                                    int64_t *deleted);

#endif
