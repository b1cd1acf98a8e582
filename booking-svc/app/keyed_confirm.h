/**
 * Confirming under an Idempotency-Key. The key is bound to the request before anything else, and the transaction that
 * settles the payment says how it went: 200, to be answered again from the reservation's own rows, or 402 with its bytes.
 *
 *   our turn? ─▶ bind ─▶ confirm ─▶ answer
 *      │ no        ├ stored 200: the reservation as it was confirmed, whatever became of it since
 *      ▼           ├ stored 402: its bytes
 *     twin         └ another request's: reused
 *
 * A twin in another process shows as a payment in progress: the key is looked at again every RETRY_MS, up to the deadline.
 */
#ifndef BOOKING_APP_KEYED_CONFIRM_H
#define BOOKING_APP_KEYED_CONFIRM_H

#include "booking-svc/app/confirm_reservation.h"
#include "shared/idempotency/fingerprint.h"

enum keyed_confirm_kind {
    KEYED_CONFIRM_ANSWERED, /* `answer` and `reservation`, as without a key */
    KEYED_CONFIRM_DECLINED, /* `stored`: the bytes of an earlier 402 */
    KEYED_CONFIRM_REUSED,   /* the key belongs to another request */
    KEYED_CONFIRM_TWIN,     /* a twin is still at work */
};

struct keyed_confirm_outcome {
    enum keyed_confirm_kind kind;
    enum confirm_answer answer;
    const struct reservation *reservation;
    struct tk_slice stored;
};

/** Runs exactly once, perhaps inside keyed_confirm(); `outcome` is valid during the call. */
typedef void keyed_confirm_done(void *arg, const struct keyed_confirm_outcome *outcome);

/** `request` has a key; everything is copied. */
void keyed_confirm(struct booking_app *app, const struct confirm_request *request, const char *request_hash,
                   keyed_confirm_done *done, void *arg);

#endif
