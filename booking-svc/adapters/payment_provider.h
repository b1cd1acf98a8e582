/**
 * The payment provider as confirming sees it. A function table, because a second implementation is the point: the built-in
 * mock stands where a real one will be plugged in.
 *
 * Contract of charge(): idempotent by attempt id — a second call with the same id reports the same result and takes no
 * money twice, in any process, at any time. `done` runs exactly once, later, never inside the call: OK charged · REFUSED
 * declined, for good · FAILED not sent · UNKNOWN sent, no answer. Any other value than TK_OK from charge() itself: not
 * sent, `done` will not run.
 */
#ifndef BOOKING_ADAPTERS_PAYMENT_PROVIDER_H
#define BOOKING_ADAPTERS_PAYMENT_PROVIDER_H

#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/loop/loop.h"

struct payment_charge {
    struct tk_uuid attempt_id; /* persisted before the call */
    struct tk_uuid payment_id; /* the client's means of payment; neither unique nor an idempotency key */
    int64_t amount_minor;
    const char *currency;
};

struct payment_refund {
    struct tk_uuid attempt_id; /* of the charge */
    int64_t amount_minor;
    const char *currency;
};

typedef void payment_done(void *arg, enum tk_step step);

struct payment_provider {
    const char *name;
    void *ctx;
    enum tk_err (*charge)(void *ctx, const struct payment_charge *charge, int64_t deadline_us, payment_done *done,
                          void *arg);
    /** Gives back what charge() took under the attempt, once, however often it is asked; results as charge()'s. */
    enum tk_err (*refund)(void *ctx, const struct payment_refund *refund, int64_t deadline_us, payment_done *done,
                          void *arg);
};

/** The well-known payment ids of the mock. */
#define MOCK_PAYMENT_ALWAYS_SUCCEEDS "99999999-0000-0000-0000-000000000001"
#define MOCK_PAYMENT_ALWAYS_FAILS    "99999999-0000-0000-0000-000000000002"

/** The mock's verdict: a pure function of the charge, so that every process gives the same one. */
enum tk_step mock_payment_verdict(const struct payment_charge *charge, double success_rate);

/** A provider that moves no money and answers on a later turn. */
struct payment_provider mock_payment_provider(struct tk_loop *loop, double success_rate);

#endif
