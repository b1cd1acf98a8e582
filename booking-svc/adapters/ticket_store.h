/**
 * Reading tickets. They are written by payment_store.h, in the transaction that confirms their reservation.
 */
#ifndef BOOKING_ADAPTERS_TICKET_STORE_H
#define BOOKING_ADAPTERS_TICKET_STORE_H

#include "booking-svc/domain/ticket.h"
#include "shared/pg/pg.h"

/** Newest first, arena memory; `more` says whether others follow. */
typedef void ticket_list_done(void *arg, enum tk_step step, const struct ticket *list, size_t count, bool more);

/** A user's tickets, those older than `before` (nil: from the newest). */
TK_MUSTCHECK enum tk_err ticket_store_list(struct tk_pg *pg, const struct tk_uuid *user, const struct tk_uuid *before,
                                           int64_t limit, int64_t deadline_us, struct tk_arena *arena,
                                           ticket_list_done *done, void *arg);

/** One ticket: count is 0 or 1. `user` NULL means whoever owns it. */
TK_MUSTCHECK enum tk_err ticket_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                                           int64_t deadline_us, struct tk_arena *arena, ticket_list_done *done, void *arg);

#endif
