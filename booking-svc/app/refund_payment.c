/* The steps of a refund, one after the other; each failure ends it. */
#include "booking-svc/app/refund_payment.h"

#include <stdlib.h>

#include "booking-svc/adapters/refund_store.h"
#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

static struct tk_metric owed_total =
    TK_COUNTER("refunds_owed_total", NULL, "Payments taken for seats that had another ticket. Must stay 0");
static struct tk_metric made_total = TK_COUNTER("refunds_made_total", NULL, "Payments given back");

struct refund_run {
    struct booking_app *app;
    struct tk_uuid reservation_id;
    struct refund_due due;
};

void refund_payment_metrics(void)
{
    tk_metrics_register(&owed_total);
    tk_metrics_register(&made_total);
}

void refund_payment_owed(const struct tk_uuid *reservation_id, const struct tk_uuid *attempt_id, int64_t amount_minor)
{
    tk_metric_add(&owed_total, 1);
    tk_log(TK_LOG_ERROR, "paid for a seat that has another ticket; the payment is given back",
           TK_KV_UUID("reservation", reservation_id), TK_KV_UUID("attempt", attempt_id),
           TK_KV_INT("amount_minor", amount_minor));
}

static void end(struct refund_run *run)
{
    run->app->flows--;
    free(run);
}

static void give_up(struct refund_run *run, const char *at)
{
    tk_log(TK_LOG_WARNING, "refund still due, left to the worker", TK_KV_UUID("reservation", &run->reservation_id),
           TK_KV_UUID("attempt", &run->due.attempt_id), TK_KV_STR("at", at));
    end(run);
}

static int64_t deadline_us(const struct refund_run *run)
{
    return booking_deadline_us(run->app, tk_mono_us());
}

static void on_stored(void *arg, enum tk_step step)
{
    struct refund_run *run = arg;
    if (step != TK_STEP_OK) {
        give_up(run, "writing it down");
        return;
    }
    tk_metric_add(&made_total, 1);
    tk_log(TK_LOG_WARNING, "payment given back", TK_KV_UUID("reservation", &run->reservation_id),
           TK_KV_UUID("attempt", &run->due.attempt_id), TK_KV_INT("amount_minor", run->due.amount_minor));
    end(run);
}

static void on_refunded(void *arg, enum tk_step step)
{
    struct refund_run *run = arg;
    if (step != TK_STEP_OK ||
        refund_store_paid(run->app->pg, &run->due.attempt_id, deadline_us(run), on_stored, run) != TK_OK)
        give_up(run, "giving it back");
}

static void on_found(void *arg, enum tk_step step, const struct refund_due *due)
{
    struct refund_run *run = arg;
    const struct payment_provider *provider = &run->app->payments;
    if (step == TK_STEP_OK && due == NULL) {
        end(run);
        return;
    }
    if (due != NULL)
        run->due = *due;
    const struct payment_refund refund = {
        .attempt_id = run->due.attempt_id, .amount_minor = run->due.amount_minor, .currency = run->due.currency};
    if (due == NULL || provider->refund == NULL ||
        provider->refund(provider->ctx, &refund, deadline_us(run), on_refunded, run) != TK_OK)
        give_up(run, "asking the provider");
}

void refund_payment(struct booking_app *app, const struct tk_uuid *reservation_id)
{
    struct refund_run *run = tk_alloc(sizeof(*run));
    run->app = app;
    run->reservation_id = *reservation_id;
    app->flows++;
    if (refund_store_find(app->pg, reservation_id, deadline_us(run), on_found, run) != TK_OK)
        give_up(run, "looking for it");
}
