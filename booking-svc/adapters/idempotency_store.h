/**
 * Idempotency keys in booking_db. A key is bound to a reservation id before anything else happens, so that a retry, from
 * any process, works on the same reservation; the answer is stored by the transaction that makes it true
 * (reservation_store.h).
 */
#ifndef BOOKING_ADAPTERS_IDEMPOTENCY_STORE_H
#define BOOKING_ADAPTERS_IDEMPOTENCY_STORE_H

#include "booking-svc/adapters/write_queue.h"
#include "booking-svc/domain/reservation_flow.h"
#include "shared/idempotency/fingerprint.h"

extern const struct write_kind idempotency_bind_kind;

/**
 * Binds (user, key) to reservation_id unless it is bound; base.id is tk_idempotency_slot(). OK: bound, `reservation_id` is
 * the bound one, or detail REPLAY and the stored answer. REFUSED with KEY_REUSED: another request used the key.
 */
struct bind_item {
    struct write_item base;
    struct tk_uuid user_id;
    struct tk_slice key;
    const char *request_hash;
    struct tk_arena *arena;
    struct tk_uuid reservation_id;  /* in: a fresh id; out: the bound one */
    enum reservation_detail detail; /* out */
    int64_t status;                 /* out, with REPLAY */
    struct tk_slice response;       /* out, with REPLAY; arena memory; empty: the rows tell */
};

/**
 * Binds the key to `fresh` instead of item->reservation_id, unless another process has done so already or an answer is
 * stored; fills the outputs of `item` as binding does. `done` gets the item; its `step` is the result.
 */
TK_MUSTCHECK enum tk_err idempotency_store_rebind(struct tk_pg *pg, struct bind_item *item, const struct tk_uuid *fresh,
                                                  int64_t deadline_us);

#endif
