/**
 * Price tiers: a table in booking_db with a cache in memory. Tiers never change, so the cache never lies; it is emptied
 * when it reaches its maximum.
 */
#ifndef BOOKING_ADAPTERS_TIER_STORE_H
#define BOOKING_ADAPTERS_TIER_STORE_H

#include "booking-svc/domain/price_tier.h"
#include "shared/loop/loop.h"
#include "shared/pg/pg.h"

struct tier_store;

struct tier_store *tier_store_new(struct tk_pg *pg);

/** From the cache: NULL when not there (which does not mean that it does not exist). Valid until the next turn. */
const struct price_tier *tier_store_cached(const struct tier_store *store, const struct tk_uuid *id);

/** OK: those of `ids` that exist are in the cache now. */
typedef void tier_load_done(void *arg, enum tk_step step);

TK_MUSTCHECK enum tk_err tier_store_load(struct tier_store *store, const struct tk_uuid *ids, size_t count,
                                         int64_t deadline_us, tier_load_done *done, void *arg);

/** Arena memory; in the order of creation. */
typedef void tier_list_done(void *arg, enum tk_step step, const struct price_tier *list, size_t count, bool more);

/** Adds the step that stores `tier` (id given by the caller) and answers with it as stored, for tier_from_row(). */
void tier_insert(struct tk_pg_op *op, const struct price_tier *tier);

void tier_from_row(const PGresult *rows, int row, struct tk_arena *arena, struct price_tier *out);

/** All tiers after `after` (nil: from the first); `session` not NULL: only those usable there. */
TK_MUSTCHECK enum tk_err tier_store_list(struct tier_store *store, const struct tk_uuid *session,
                                         const struct tk_uuid *after, int64_t limit, int64_t deadline_us,
                                         struct tk_arena *arena, tier_list_done *done, void *arg);

#endif
