/* The driver of cancelling. Two waits only, so it is a plain chain of callbacks. */
#include "booking-svc/app/cancel_reservation.h"

#include <assert.h>
#include <stdlib.h>

#include "booking-svc/adapters/reservation_store.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define MESSAGE_MAX_BYTES 32768
#define MAX_ROUNDS        3 /* the row changed between read and write: look again, but not for ever */

struct cancel_run {
    struct booking_app *app;
    struct tk_arena arena;
    struct cancel_request request; /* its pointers lead into the arena */
    int64_t deadline_us;
    struct reservation *reservation;
    struct cancel_item write;
    struct tk_buf message;
    int rounds;
    bool in_doubt; /* the write was asked once without an answer */
    cancel_done *done;
    void *done_arg;
};

#define OUTCOME(label) TK_COUNTER("cancels_total", "outcome=\"" label "\"", "Requests to cancel, by how they ended")

static struct tk_metric outcomes[CANCEL_ANSWERS] = {
    [CANCEL_ANSWER_CANCELLED] = OUTCOME("cancelled"),
    [CANCEL_ANSWER_NOT_FOUND] = OUTCOME("not_found"),
    [CANCEL_ANSWER_HOLD_EXPIRED] = OUTCOME("hold_expired"),
    [CANCEL_ANSWER_PAYMENT_IN_PROGRESS] = OUTCOME("payment_in_progress"),
    [CANCEL_ANSWER_WRONG_STATE] = OUTCOME("wrong_state"),
    [CANCEL_ANSWER_OVERLOADED] = OUTCOME("overloaded"),
    [CANCEL_ANSWER_OUTCOME_UNKNOWN] = OUTCOME("outcome_unknown"),
};

void cancel_reservation_metrics(void)
{
    for (size_t i = 0; i < CANCEL_ANSWERS; i++)
        tk_metrics_register(&outcomes[i]);
}

static void finish(struct cancel_run *c, enum cancel_answer answer)
{
    tk_metric_add(&outcomes[answer], 1);
    if (answer == CANCEL_ANSWER_OUTCOME_UNKNOWN)
        tk_log(TK_LOG_WARNING, "cancellation in doubt", TK_KV_UUID("reservation", &c->request.reservation_id),
               TK_KV_STR("request", c->request.request_id));
    c->done(c->done_arg, answer, c->reservation);
    c->app->flows--;
    tk_buf_release(&c->message);
    tk_arena_release(&c->arena);
    free(c);
}

/** Nobody waits for either: lost, the message in the outbox and the lock's own end do the same a little later. */
static void give_seats_back(struct cancel_run *c)
{
    const struct reservation *r = c->reservation;
    struct tk_uuid seats[SEAT_LOCK_MAX_SEATS];
    const struct tk_release_request release = {.reservation_id = r->id,
                                               .session_id = r->session_id,
                                               .reason = TK_RELEASE_REASON_CANCELLED,
                                               .request_id = tk_slice_of(c->request.request_id)};
    const int64_t deadline_us = tk_mono_us() + c->app->config->event_service_timeout_ms * TK_US_PER_MS;
    if (event_client_release(c->app->events, &release, deadline_us, NULL, NULL))
        tk_log(TK_LOG_WARNING, "release queue full, left to the outbox", TK_KV_UUID("reservation", &r->id));
    seat_memory_forget_session(c->app->memory, &r->session_id, tk_mono_us());
    if (r->item_count == 0 || r->item_count > SEAT_LOCK_MAX_SEATS)
        return;
    for (size_t i = 0; i < r->item_count; i++) {
        seats[i] = r->items[i].session_seat_id;
        seat_memory_forget_seat(c->app->memory, &seats[i]);
    }
    const struct seat_lock_set locks = {
        .session_id = r->session_id, .owner = r->id, .seats = seats, .seat_count = r->item_count};
    seat_lock_release(c->app->locks, &locks);
}

static void cancelled(struct cancel_run *c)
{
    FAULT_POINT(cancel_committed);
    c->reservation->status = RESERVATION_CANCELLED;
    c->reservation->updated_at_us = c->write.updated_at_us;
    tk_log(TK_LOG_DEBUG, "reservation cancelled", TK_KV_UUID("reservation", &c->reservation->id),
           TK_KV_STR("request", c->request.request_id));
    tk_outbox_relay_notify(c->app->relay);
    give_seats_back(c);
    finish(c, CANCEL_ANSWER_CANCELLED);
}

static void look(struct cancel_run *c);
static void write_cancel(struct cancel_run *c);

static void on_written(struct write_item *item)
{
    struct cancel_run *c = TK_CONTAINER_OF(item, struct cancel_run, write.base);
    const enum cancel_answer no_luck = c->in_doubt ? CANCEL_ANSWER_OUTCOME_UNKNOWN : CANCEL_ANSWER_OVERLOADED;
    switch (item->step) {
    case TK_STEP_OK:
        cancelled(c);
        return;
    case TK_STEP_REFUSED: /* the row was read and is something else now, or the server refused the statement */
        if (c->write.found)
            look(c);
        else
            finish(c, no_luck);
        return;
    case TK_STEP_FAILED:
        finish(c, no_luck);
        return;
    case TK_STEP_UNKNOWN:
        if (c->in_doubt) {
            finish(c, CANCEL_ANSWER_OUTCOME_UNKNOWN);
            return;
        }
        c->in_doubt = true;
        write_cancel(c);
        return;
    }
}

static void write_cancel(struct cancel_run *c)
{
    c->write.base.base.deadline_us = c->deadline_us;
    c->write.base.id = c->request.reservation_id;
    c->write.base.done = on_written;
    c->write.user_id = c->request.user_id;
    c->write.revision = c->reservation->revision;
    c->write.message = tk_buf_slice(&c->message);
    c->write.traceparent = c->request.traceparent;
    c->write.request_id = c->request.request_id;
    c->write.found = false;
    if (write_queue_submit(c->app->cancels, &c->write.base))
        finish(c, c->in_doubt ? CANCEL_ANSWER_OUTCOME_UNKNOWN : CANCEL_ANSWER_OVERLOADED);
}

bool cancel_is_possible(const struct reservation *r, enum cancel_answer *answer)
{
    switch (reservation_visible_status(r)) {
    case RESERVATION_ACTIVE:
        return true;
    case RESERVATION_CANCELLED:
        *answer = CANCEL_ANSWER_CANCELLED;
        return false;
    case RESERVATION_EXPIRED:
        *answer = CANCEL_ANSWER_HOLD_EXPIRED;
        return false;
    case RESERVATION_PAYING:
        *answer = CANCEL_ANSWER_PAYMENT_IN_PROGRESS;
        return false;
    case RESERVATION_CONFIRMED:
    case RESERVATION_REFUNDED:
        break;
    }
    *answer = CANCEL_ANSWER_WRONG_STATE;
    return false;
}

static void on_read(void *arg, enum tk_step step, struct reservation *r)
{
    struct cancel_run *c = arg;
    enum cancel_answer answer = CANCEL_ANSWER_NOT_FOUND;
    c->reservation = r;
    if (step != TK_STEP_OK) {
        finish(c, c->in_doubt ? CANCEL_ANSWER_OUTCOME_UNKNOWN : CANCEL_ANSWER_OVERLOADED);
        return;
    }
    if (r == NULL || !cancel_is_possible(r, &answer)) {
        finish(c, answer);
        return;
    }
    c->write.outbox_id = tk_uuid_v7();
    tk_buf_reset(&c->message);
    reservation_encode_message(r, TK_RESERVATION_CANCELLED, &c->write.outbox_id, r->revision + 1, tk_unix_us(),
                               c->request.request_id, &c->message);
    assert(!c->message.overflow);
    write_cancel(c);
}

static void look(struct cancel_run *c)
{
    if (c->rounds++ == MAX_ROUNDS || reservation_store_read(c->app->pg, &c->request.reservation_id, &c->request.user_id,
                                                            c->deadline_us, &c->arena, on_read, c))
        finish(c, c->in_doubt ? CANCEL_ANSWER_OUTCOME_UNKNOWN : CANCEL_ANSWER_OVERLOADED);
}

void cancel_reservation(struct booking_app *app, const struct cancel_request *request, cancel_done *done, void *arg)
{
    struct cancel_run *c = tk_alloc(sizeof(*c));
    app->flows++;
    c->app = app;
    c->request = *request;
    c->request.request_id = tk_slice_dup(&c->arena, tk_slice_of(request->request_id));
    c->request.traceparent = tk_slice_dup(&c->arena, tk_slice_of(request->traceparent));
    c->deadline_us = booking_deadline_us(app, request->received_us);
    c->message = TK_BUF_INIT(MESSAGE_MAX_BYTES);
    c->done = done;
    c->done_arg = arg;
    look(c);
}
