/* The way of a keyed confirm around app/confirm_reservation.c. */
#include "booking-svc/app/keyed_confirm.h"

#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/idempotency_store.h"
#include "booking-svc/adapters/reservation_store.h"
#include "shared/base/clock.h"

#define RETRY_MS 50 /* between looks at what a twin in another process is doing */
#define PAID     200

struct keyed_run {
    struct booking_app *app;
    struct tk_arena arena;
    struct confirm_request request; /* its pointers lead into the arena */
    char request_hash[TK_REQUEST_HASH_LEN + 1];
    int64_t deadline_us;
    struct key_pass pass;
    struct bind_item bind;
    struct tk_timer timer;
    keyed_confirm_done *done;
    void *done_arg;
};

static void run_free(struct keyed_run *k)
{
    k->app->flows--;
    tk_arena_release(&k->arena);
    free(k);
}

static void finish(struct keyed_run *k, const struct keyed_confirm_outcome *outcome)
{
    k->done(k->done_arg, outcome);
    key_gate_leave(&k->pass);
    run_free(k);
}

static void finish_as(struct keyed_run *k, enum confirm_answer answer, const struct reservation *r)
{
    finish(k, &(struct keyed_confirm_outcome){.kind = KEYED_CONFIRM_ANSWERED, .answer = answer, .reservation = r});
}

static void bind(void *arg);

/* --- what the key does not know yet ------------------------------------------------------------------------------- */

static bool has_time(const struct keyed_run *k)
{
    return tk_mono_us() + RETRY_MS * TK_US_PER_MS < k->deadline_us;
}

static void on_confirmed(void *arg, enum confirm_answer answer, const struct reservation *r)
{
    struct keyed_run *k = arg;
    if (answer == CONFIRM_ANSWER_PAYMENT_IN_PROGRESS && has_time(k))
        tk_timer_start(k->app->loop, &k->timer, RETRY_MS, bind, k);
    else
        finish_as(k, answer, r);
}

/* --- what it knows ------------------------------------------------------------------------------------------------ */

static void on_read(void *arg, enum tk_step step, struct reservation *r)
{
    struct keyed_run *k = arg;
    if (step != TK_STEP_OK)
        finish_as(k, CONFIRM_ANSWER_OVERLOADED, NULL);
    else
        finish_as(k, r != NULL ? CONFIRM_ANSWER_CONFIRMED : CONFIRM_ANSWER_NOT_FOUND, r);
}

static void replay(struct keyed_run *k)
{
    if (k->bind.status != PAID)
        finish(k, &(struct keyed_confirm_outcome){.kind = KEYED_CONFIRM_DECLINED, .stored = k->bind.response});
    else if (reservation_store_read_confirmed(k->app->pg, &k->request.reservation_id, &k->request.user_id, k->deadline_us,
                                              &k->arena, on_read, k))
        finish_as(k, CONFIRM_ANSWER_OVERLOADED, NULL);
}

static void on_bound(struct write_item *item)
{
    struct keyed_run *k = TK_CONTAINER_OF(item, struct keyed_run, bind.base);
    if (item->step == TK_STEP_REFUSED && k->bind.detail == RESERVATION_DETAIL_KEY_REUSED)
        finish(k, &(struct keyed_confirm_outcome){.kind = KEYED_CONFIRM_REUSED});
    else if (item->step != TK_STEP_OK) /* whether it was bound or not: nothing was charged */
        finish_as(k, CONFIRM_ANSWER_OVERLOADED, NULL);
    else if (k->bind.detail == RESERVATION_DETAIL_REPLAY)
        replay(k);
    else
        confirm_reservation(k->app, &k->request, on_confirmed, k);
}

static void bind(void *arg)
{
    struct keyed_run *k = arg;
    k->bind = (struct bind_item){
        .base = {.base.deadline_us = k->deadline_us, .id = k->pass.slot, .done = on_bound},
        .user_id = k->request.user_id,
        .key = k->request.key,
        .request_hash = k->request_hash,
        .arena = &k->arena,
        .reservation_id = k->request.reservation_id,
    };
    if (write_queue_submit(k->app->binds, &k->bind.base))
        finish_as(k, CONFIRM_ANSWER_OVERLOADED, NULL);
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static void on_pass(struct key_pass *pass, bool entered)
{
    struct keyed_run *k = TK_CONTAINER_OF(pass, struct keyed_run, pass);
    if (entered) {
        bind(k);
        return;
    }
    k->done(k->done_arg, &(struct keyed_confirm_outcome){.kind = KEYED_CONFIRM_TWIN});
    run_free(k);
}

void keyed_confirm(struct booking_app *app, const struct confirm_request *request, const char *request_hash,
                   keyed_confirm_done *done, void *arg)
{
    struct keyed_run *k = tk_alloc(sizeof(*k));
    app->flows++;
    k->app = app;
    k->done = done;
    k->done_arg = arg;
    k->request = *request;
    k->request.request_id = tk_slice_dup(&k->arena, tk_slice_of(request->request_id));
    k->request.traceparent = tk_slice_dup(&k->arena, tk_slice_of(request->traceparent));
    k->request.key = tk_slice_copy(&k->arena, request->key);
    k->request.declined = tk_slice_copy(&k->arena, request->declined);
    memcpy(k->request_hash, request_hash, sizeof(k->request_hash));
    k->deadline_us = booking_deadline_us(app, request->received_us);
    const struct tk_uuid slot = tk_idempotency_slot(&request->user_id, request->key);
    const int64_t wait_ms = (k->deadline_us - tk_mono_us()) / TK_US_PER_MS;
    if (key_gate_enter(&app->gate, &k->pass, &slot, wait_ms > 0 ? wait_ms : 0, on_pass))
        bind(k);
}
