/* The built-in payment provider: it decides from the attempt's id alone, so it needs no memory to be idempotent. */
#include <assert.h>
#include <endian.h>
#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/payment_provider.h"
#include "shared/base/mem.h"

struct mock_payment {
    struct tk_loop *loop;
    double success_rate;
};

struct mock_charge {
    struct tk_deferred deferred;
    enum tk_step verdict;
    payment_done *done;
    void *arg;
};

static bool is_payment(const struct tk_uuid *id, const char *well_known)
{
    struct tk_uuid other;
    const enum tk_err err = tk_uuid_parse(tk_slice_of(well_known), &other);
    assert(err == TK_OK);
    (void)err;
    return tk_uuid_eq(id, &other);
}

/** Uniform in [0, 1): the last 32 bits of a UUIDv7 are random. */
static double fraction_of(const struct tk_uuid *id)
{
    uint32_t bits;
    memcpy(&bits, id->bytes + sizeof(id->bytes) - sizeof(bits), sizeof(bits));
    return be32toh(bits) / 4294967296.0;
}

enum tk_step mock_payment_verdict(const struct payment_charge *charge, double success_rate)
{
    if (is_payment(&charge->payment_id, MOCK_PAYMENT_ALWAYS_SUCCEEDS))
        return TK_STEP_OK;
    if (is_payment(&charge->payment_id, MOCK_PAYMENT_ALWAYS_FAILS))
        return TK_STEP_REFUSED;
    return fraction_of(&charge->attempt_id) < success_rate ? TK_STEP_OK : TK_STEP_REFUSED;
}

static void on_decided(void *arg)
{
    struct mock_charge *charge = arg;
    charge->done(charge->arg, charge->verdict);
    free(charge);
}

static enum tk_err answer_later(struct mock_payment *mock, enum tk_step verdict, payment_done *done, void *arg)
{
    struct mock_charge *pending = tk_alloc(sizeof(*pending));
    pending->verdict = verdict;
    pending->done = done;
    pending->arg = arg;
    tk_loop_defer(mock->loop, &pending->deferred, on_decided, pending);
    return TK_OK;
}

static enum tk_err mock_charge(void *ctx, const struct payment_charge *charge, int64_t deadline_us, payment_done *done,
                               void *arg)
{
    (void)deadline_us;
    struct mock_payment *mock = ctx;
    return answer_later(mock, mock_payment_verdict(charge, mock->success_rate), done, arg);
}

static enum tk_err mock_refund(void *ctx, const struct payment_refund *refund, int64_t deadline_us, payment_done *done,
                               void *arg)
{
    (void)refund;
    (void)deadline_us;
    return answer_later(ctx, TK_STEP_OK, done, arg);
}

struct payment_provider mock_payment_provider(struct tk_loop *loop, double success_rate)
{
    struct mock_payment *mock = tk_alloc(sizeof(*mock));
    mock->loop = loop;
    mock->success_rate = success_rate;
    return (struct payment_provider){.name = "mock", .ctx = mock, .charge = mock_charge, .refund = mock_refund};
}
