/**
 * Payments that have to be given back. Rare by design, so nothing here is batched.
 */
#ifndef BOOKING_ADAPTERS_REFUND_STORE_H
#define BOOKING_ADAPTERS_REFUND_STORE_H

#include "booking-svc/domain/reservation.h"
#include "shared/pg/pg.h"

/** A paid reservation that cannot be confirmed. The slices and `reservation` must live until `done`. */
struct refund_void {
    const struct reservation *reservation; /* while paying */
    struct tk_uuid attempt_id;
    struct tk_uuid outbox_id;
    struct tk_slice message; /* reservation.cancelled: its seats are free */
    const char *traceparent;
    const char *request_id;
    const char *actor;
};

/** OK: it is `refunded` at *revision, and its refund is due, now or since before. REFUSED: somebody else settled it. */
typedef void refund_voided(void *arg, enum tk_step step, int64_t revision);

/** paying → refunded, the attempt succeeded, a refund due, history and message: one transaction. */
TK_MUSTCHECK enum tk_err refund_store_void(struct tk_pg *pg, const struct refund_void *what, int64_t deadline_us,
                                           refund_voided *done, void *arg);

struct refund_due {
    struct tk_uuid attempt_id;
    int64_t amount_minor;
    char currency[4];
};

/** `due` NULL: nothing to give back. Valid during the call. */
typedef void refund_found(void *arg, enum tk_step step, const struct refund_due *due);

/** The oldest refund of a reservation that is still due. */
TK_MUSTCHECK enum tk_err refund_store_find(struct tk_pg *pg, const struct tk_uuid *reservation_id, int64_t deadline_us,
                                           refund_found *done, void *arg);

typedef void refund_stored(void *arg, enum tk_step step);

/** The provider has given the money back. */
TK_MUSTCHECK enum tk_err refund_store_paid(struct tk_pg *pg, const struct tk_uuid *attempt_id, int64_t deadline_us,
                                           refund_stored *done, void *arg);

#endif
