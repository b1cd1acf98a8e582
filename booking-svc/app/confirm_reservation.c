/*
 * The driver of the confirm flow, built like app/create_reservation.c. In resume mode the flow's first step reads the
 * stored attempt instead of making one; from there on both are the same.
 */
#include "booking-svc/app/confirm_reservation.h"

#include <assert.h>
#include <stdlib.h>

#include "booking-svc/adapters/payment_store.h"
#include "booking-svc/adapters/refund_store.h"
#include "booking-svc/app/refund_payment.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define MESSAGE_MAX_BYTES 32768 /* TK_MESSAGE_MAX_SEATS seats of about 80 bytes, and the head */

struct confirm_run {
    struct booking_app *app;
    struct confirm_flow flow;
    struct tk_arena arena;
    struct confirm_request request; /* its pointers lead into the arena */
    int64_t deadline_us;
    struct tk_uuid attempt_id;
    struct tk_uuid payment_id;
    struct reservation *reservation; /* arena */
    struct begin_item begin;
    struct settle_item settle;
    struct tk_buf message;
    confirm_done *done;
    void *done_arg;
};

typedef struct confirm_flow_result result_t;

static void drive(struct confirm_run *c);

static void report(struct confirm_run *c, result_t result)
{
    tk_log(TK_LOG_DEBUG, "confirm flow", TK_KV_UUID("reservation", &c->request.reservation_id),
           TK_KV_STR("request", c->request.request_id), TK_KV_STR("flow", confirm_flow_state_name(c->flow.state)),
           TK_KV_STR("result", tk_step_name(result.step)));
    confirm_flow_step(&c->flow, result);
}

static void resume(struct confirm_run *c, enum tk_step step, enum confirm_answer refusal)
{
    report(c, (result_t){.step = step, .refusal = refusal});
    drive(c);
}

static bool not_sent(result_t *result)
{
    *result = (result_t){.step = TK_STEP_FAILED};
    return false;
}

/* --- BEGINNING ----------------------------------------------------------------------------------------------------- */

static void on_begun(struct write_item *item)
{
    struct confirm_run *c = TK_CONTAINER_OF(item, struct confirm_run, begin.base);
    FAULT_POINT(confirm_begun);
    c->reservation = c->begin.reservation;
    resume(c, item->step, item->step == TK_STEP_REFUSED ? c->begin.refusal : CONFIRM_ANSWER_NONE);
}

static bool begin_payment(struct confirm_run *c, result_t *result)
{
    c->begin.base.base.deadline_us = c->deadline_us;
    c->begin.base.id = c->request.reservation_id;
    c->begin.base.done = on_begun;
    c->begin.user_id = c->request.user_id;
    c->begin.attempt_id = c->attempt_id;
    c->begin.payment_id = c->payment_id;
    c->begin.request_id = c->request.request_id;
    c->begin.arena = &c->arena;
    c->begin.refusal = CONFIRM_ANSWER_NONE; /* stays so when the server refuses the statement itself */
    if (write_queue_submit(c->app->begins, &c->begin.base))
        return not_sent(result);
    return true;
}

static void on_pending(void *arg, enum tk_step step, struct reservation *r, const struct pending_payment *pending)
{
    struct confirm_run *c = arg;
    c->reservation = r;
    if (step != TK_STEP_OK) { /* taken over or not: that alone changes nothing for anybody but a sleeper */
        resume(c, TK_STEP_FAILED, CONFIRM_ANSWER_NONE);
    } else if (r == NULL || pending == NULL) {
        resume(c, TK_STEP_REFUSED, r ? CONFIRM_ANSWER_NOTHING_TO_SETTLE : CONFIRM_ANSWER_NOT_FOUND);
    } else {
        FAULT_POINT(settle_taken_over);
        c->attempt_id = pending->attempt_id;
        c->payment_id = pending->payment_id;
        resume(c, TK_STEP_OK, CONFIRM_ANSWER_NONE);
    }
}

static bool op_begin(struct confirm_run *c, result_t *result)
{
    if (!c->flow.resume)
        return begin_payment(c, result);
    if (payment_store_pending(c->app->pg, &c->request.reservation_id, c->request.request_id, c->deadline_us, &c->arena,
                              on_pending, c))
        return not_sent(result);
    return true;
}

/* --- CHARGING ------------------------------------------------------------------------------------------------------ */

static void on_charged(void *arg, enum tk_step step)
{
    FAULT_POINT(confirm_charged);
    resume(arg, step, CONFIRM_ANSWER_NONE);
}

static bool op_charge(struct confirm_run *c, result_t *result)
{
    const struct payment_provider *provider = &c->app->payments;
    const struct payment_charge charge = {
        .attempt_id = c->attempt_id,
        .payment_id = c->payment_id,
        .amount_minor = c->reservation->total_minor,
        .currency = c->reservation->currency,
    };
    if (provider->charge == NULL || provider->charge(provider->ctx, &charge, c->deadline_us, on_charged, c))
        return not_sent(result);
    return true;
}

/* --- SETTLING ------------------------------------------------------------------------------------------------------ */

/** Settling goes on after the client's deadline: the money has been taken. */
static int64_t settle_deadline_us(const struct confirm_run *c)
{
    const int64_t least = tk_mono_us() + c->app->config->database_timeout_ms * TK_US_PER_MS;
    return least > c->deadline_us ? least : c->deadline_us;
}

static void on_settled(struct write_item *item)
{
    struct confirm_run *c = TK_CONTAINER_OF(item, struct confirm_run, settle.base);
    FAULT_POINT(confirm_settled);
    if (item->step == TK_STEP_OK) {
        c->reservation->status = c->settle.status;
        c->reservation->revision = c->settle.new_revision;
        c->reservation->updated_at_us = c->settle.updated_at_us;
    }
    resume(c, item->step, c->settle.seat_has_ticket ? CONFIRM_ANSWER_SEATS_LOST : CONFIRM_ANSWER_NONE);
}

/** The message is made once, so that asking again asks for the very same thing. */
static void prepare_settlement(struct confirm_run *c)
{
    struct settle_item *settle = &c->settle;
    settle->paid = c->flow.verdict == CONFIRM_ANSWER_CONFIRMED;
    settle->attempt_id = c->attempt_id;
    settle->reservation = c->reservation;
    settle->outbox_id = tk_uuid_v7();
    settle->traceparent = c->request.traceparent;
    settle->request_id = c->request.request_id;
    settle->actor = c->flow.resume ? "worker" : "user";
    if (c->flow.verdict == CONFIRM_ANSWER_CONFIRMED || c->flow.verdict == CONFIRM_ANSWER_PAYMENT_FAILED)
        settle->key = c->request.key; /* what the provider did not answer is not settled for the key */
    settle->declined = settle->paid ? (struct tk_slice){NULL, 0} : c->request.declined;
    if (settle->paid)
        reservation_encode_message(c->reservation, TK_RESERVATION_CONFIRMED, &settle->outbox_id,
                                   c->reservation->revision + 1, tk_unix_us(), c->request.request_id, &c->message);
    assert(!c->message.overflow);
    settle->message = tk_buf_slice(&c->message);
}

static bool op_settle(struct confirm_run *c, result_t *result)
{
    if (!c->flow.asked_again)
        prepare_settlement(c);
    c->settle.base.base.deadline_us = settle_deadline_us(c);
    c->settle.base.id = c->request.reservation_id;
    c->settle.base.done = on_settled;
    if (write_queue_submit(c->app->settles, &c->settle.base))
        return not_sent(result);
    return true;
}

/* --- VOIDING ------------------------------------------------------------------------------------------------------- */

static void on_voided(void *arg, enum tk_step step, int64_t revision)
{
    struct confirm_run *c = arg;
    if (step == TK_STEP_OK) {
        c->reservation->status = RESERVATION_REFUNDED;
        c->reservation->revision = revision;
        refund_payment_owed(&c->request.reservation_id, &c->attempt_id, c->reservation->total_minor);
    }
    resume(c, step, CONFIRM_ANSWER_NONE);
}

static void say_cancelled(struct confirm_run *c)
{
    tk_buf_reset(&c->message);
    reservation_encode_message(c->reservation, TK_RESERVATION_CANCELLED, &c->settle.outbox_id, c->reservation->revision + 1,
                               tk_unix_us(), c->request.request_id, &c->message);
}

/** As after a cancel, event-svc hears that the seats are free; it acts only on those this reservation still holds. */
static bool op_void(struct confirm_run *c, result_t *result)
{
    if (!c->flow.asked_again)
        say_cancelled(c);
    const struct refund_void what = {
        .reservation = c->reservation,
        .attempt_id = c->attempt_id,
        .outbox_id = c->settle.outbox_id,
        .message = tk_buf_slice(&c->message),
        .traceparent = c->request.traceparent,
        .request_id = c->request.request_id,
        .actor = c->settle.actor,
    };
    if (refund_store_void(c->app->pg, &what, settle_deadline_us(c), on_voided, c))
        return not_sent(result);
    return true;
}

/* --- answering ----------------------------------------------------------------------------------------------------- */

#define OUTCOME(label)                                                                                                     \
    TK_COUNTER("confirms_total", "outcome=\"" label "\"", "Requests to confirm or settle, by how they ended")

static struct tk_metric outcomes[CONFIRM_ANSWERS] = {
    [CONFIRM_ANSWER_NONE] = OUTCOME("none"),
    [CONFIRM_ANSWER_CONFIRMED] = OUTCOME("confirmed"),
    [CONFIRM_ANSWER_PAYMENT_FAILED] = OUTCOME("payment_failed"),
    [CONFIRM_ANSWER_PAYMENT_UNAVAILABLE] = OUTCOME("payment_unavailable"),
    [CONFIRM_ANSWER_NOT_FOUND] = OUTCOME("not_found"),
    [CONFIRM_ANSWER_HOLD_EXPIRED] = OUTCOME("hold_expired"),
    [CONFIRM_ANSWER_PAYMENT_IN_PROGRESS] = OUTCOME("payment_in_progress"),
    [CONFIRM_ANSWER_WRONG_STATE] = OUTCOME("wrong_state"),
    [CONFIRM_ANSWER_NOTHING_TO_SETTLE] = OUTCOME("nothing_to_settle"),
    [CONFIRM_ANSWER_SEATS_LOST] = OUTCOME("seats_lost"),
    [CONFIRM_ANSWER_OVERLOADED] = OUTCOME("overloaded"),
    [CONFIRM_ANSWER_OUTCOME_UNKNOWN] = OUTCOME("outcome_unknown"),
};

void confirm_reservation_metrics(void)
{
    for (size_t i = 1; i < CONFIRM_ANSWERS; i++)
        tk_metrics_register(&outcomes[i]);
}

static void log_answer(const struct confirm_run *c, enum confirm_answer answer)
{
    const int64_t took_ms = (tk_mono_us() - c->request.received_us) / TK_US_PER_MS;
    if (answer == CONFIRM_ANSWER_OUTCOME_UNKNOWN)
        tk_log(TK_LOG_WARNING, "payment in doubt, left to the worker",
               TK_KV_UUID("reservation", &c->request.reservation_id), TK_KV_UUID("attempt", &c->attempt_id),
               TK_KV_STR("request", c->request.request_id), TK_KV_STR("verdict", confirm_answer_name(c->flow.verdict)),
               TK_KV_INT("took_ms", took_ms));
    else if (c->flow.verdict != CONFIRM_ANSWER_NONE)
        tk_log(TK_LOG_DEBUG, "payment settled", TK_KV_UUID("reservation", &c->request.reservation_id),
               TK_KV_UUID("attempt", &c->attempt_id), TK_KV_STR("request", c->request.request_id),
               TK_KV_STR("verdict", confirm_answer_name(c->flow.verdict)), TK_KV_INT("took_ms", took_ms));
}

static void give_answer(struct confirm_run *c, enum confirm_answer answer)
{
    if (answer == CONFIRM_ANSWER_CONFIRMED || answer == CONFIRM_ANSWER_SEATS_LOST)
        tk_outbox_relay_notify(c->app->relay);
    if (c->reservation != NULL && c->reservation->status == RESERVATION_REFUNDED)
        refund_payment(c->app, &c->request.reservation_id); /* at once, and again whenever the worker asks */
    tk_metric_add(&outcomes[answer], 1);
    log_answer(c, answer);
    c->done(c->done_arg, answer, c->reservation);
}

static void run_free(struct confirm_run *c)
{
    c->app->flows--;
    tk_buf_release(&c->message);
    tk_arena_release(&c->arena);
    free(c);
}

static void drive(struct confirm_run *c)
{
    static bool (*const op_for[CONFIRM_FLOW_STATES])(struct confirm_run *, result_t *) = {
        [CONFIRM_FLOW_BEGINNING] = op_begin,
        [CONFIRM_FLOW_CHARGING] = op_charge,
        [CONFIRM_FLOW_SETTLING] = op_settle,
        [CONFIRM_FLOW_VOIDING] = op_void,
    };
    while (c->flow.state != CONFIRM_FLOW_DONE) {
        result_t result = {0};
        if (op_for[c->flow.state](c, &result))
            return;
        report(c, result);
    }
    give_answer(c, confirm_flow_take_answer(&c->flow));
    run_free(c);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static struct tk_slice copy_if_any(struct tk_arena *arena, struct tk_slice text)
{
    return text.ptr == NULL ? text : tk_slice_copy(arena, text);
}

static void start(struct booking_app *app, const struct confirm_request *request, bool is_resume, confirm_done *done,
                  void *arg)
{
    struct confirm_run *c = tk_alloc(sizeof(*c));
    app->flows++;
    c->app = app;
    c->request = *request;
    c->request.request_id = tk_slice_dup(&c->arena, tk_slice_of(request->request_id));
    c->request.traceparent = tk_slice_dup(&c->arena, tk_slice_of(request->traceparent));
    c->request.key = copy_if_any(&c->arena, request->key);
    c->request.declined = copy_if_any(&c->arena, request->declined);
    c->deadline_us = booking_deadline_us(app, request->received_us);
    c->attempt_id = tk_uuid_v7();
    c->payment_id = request->payment_id;
    c->message = TK_BUF_INIT(MESSAGE_MAX_BYTES);
    c->done = done;
    c->done_arg = arg;
    confirm_flow_start(&c->flow, is_resume);
    drive(c);
}

void confirm_reservation(struct booking_app *app, const struct confirm_request *request, confirm_done *done, void *arg)
{
    start(app, request, false, done, arg);
}

void settle_reservation(struct booking_app *app, const struct confirm_request *request, confirm_done *done, void *arg)
{
    start(app, request, true, done, arg);
}
