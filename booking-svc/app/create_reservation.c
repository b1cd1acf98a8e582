/*
 * The driver of the reservation flow: op_for[state] starts the step, its callback reports what is known, drive() goes on.
 *
 * Lifetime: one struct create_flow per request, in its own arena, from create_reservation() to FLOW_DONE. A step that
 * cannot even be submitted reports its result at once; drive() is a loop for that reason, nothing recurses.
 */
#include "booking-svc/app/create_reservation.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "booking-svc/adapters/idempotency_store.h"
#include "booking-svc/adapters/reservation_store.h"
#include "booking-svc/app/admission.h"
#include "booking-svc/app/reservation_view.h"
#include "shared/base/clock.h"
#include "shared/base/fault.h"
#include "shared/base/money.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define VIEW_BYTES          512 /* of a reservation's JSON, roughly */
#define VIEW_BYTES_PER_ITEM 288

struct create_flow {
    struct booking_app *app;
    struct reservation_flow flow;
    struct tk_arena arena;
    struct create_request request; /* its pointers lead into the arena */
    struct tk_uuid *seat_ids;      /* NULL when event-svc chooses */
    struct seat_pricing *pricing;
    int64_t deadline_us;
    struct key_pass pass;
    struct tk_uuid reservation_id;
    struct tk_uuid fresh_id;   /* made for this very flow; a key may have bound another one before */
    int64_t asked_us;          /* when event-svc was asked */
    struct tk_uuid lock_owner; /* the id the locks were taken under; differs from reservation_id after rebinding */
    struct bind_item bind;
    struct hold_item hold;
    struct persist_item persist;
    struct reservation reservation;
    struct tk_buf body;
    struct tk_hold_seat lock_lost; /* the one seat a refused lock names */
    struct create_outcome outcome;
    create_done *done;
    void *done_arg;
};

typedef struct reservation_flow_result result_t;

/** Starts a step. True: its callback will report. False: `result` is known already. */
typedef bool flow_op(struct create_flow *c, result_t *result);

static void drive(struct create_flow *c);

static void report(struct create_flow *c, result_t result)
{
    tk_log(TK_LOG_DEBUG, "reservation flow", TK_KV_UUID("reservation", &c->reservation_id),
           TK_KV_STR("request", c->request.request_id), TK_KV_STR("flow", reservation_flow_state_name(c->flow.state)),
           TK_KV_STR("result", tk_step_name(result.step)));
    c->app->creating[c->flow.state]--;
    c->app->creating[reservation_flow_step(&c->flow, result)]++;
}

static void resume(struct create_flow *c, enum tk_step step, enum reservation_detail detail)
{
    report(c, (result_t){.step = step, .detail = detail});
    drive(c);
}

static bool at_once(result_t *result, enum tk_step step)
{
    *result = (result_t){.step = step};
    return false;
}

/** Undoing has time of its own: the client's deadline has often passed by then. */
static int64_t undo_deadline_us(const struct create_flow *c)
{
    return tk_mono_us() + c->app->config->database_timeout_ms * TK_US_PER_MS;
}

static bool is_choosing(const struct create_request *request)
{
    return request->seats == NULL;
}

/* --- PRICING ------------------------------------------------------------------------------------------------------- */

static const struct tk_uuid *tier_of(const struct create_request *request, size_t seat)
{
    return is_choosing(request) ? &request->price_tier_id : &request->seats[seat].price_tier_id;
}

/** TK_OK: all tiers are known and fit; NOT_FOUND: one is not in the cache; INVALID: one is of another session. */
static enum tk_err resolve_tiers(struct create_flow *c)
{
    for (size_t i = 0; i < c->request.seat_count; i++) {
        const struct tk_uuid *id = tier_of(&c->request, i);
        c->pricing[i] = (struct seat_pricing){.price_tier_id = *id, .multiplier = TK_MULTIPLIER_ONE};
        if (tk_uuid_is_nil(id))
            continue;
        const struct price_tier *tier = tier_store_cached(c->app->tiers, id);
        c->outcome.bad_seat = i;
        if (tier == NULL)
            return TK_ERR_NOT_FOUND;
        if (!price_tier_fits(tier, &c->request.session_id))
            return TK_ERR_INVALID;
        c->pricing[i].multiplier = tier->multiplier;
    }
    return TK_OK;
}

static void on_tiers(void *arg, enum tk_step step)
{
    struct create_flow *c = arg;
    if (step == TK_STEP_OK && resolve_tiers(c) != TK_OK)
        step = TK_STEP_REFUSED;
    else if (step == TK_STEP_REFUSED) /* the database refused to read: not the client's fault */
        step = TK_STEP_FAILED;
    resume(c, step, RESERVATION_DETAIL_NONE);
}

static bool op_price(struct create_flow *c, result_t *result)
{
    const enum tk_err err = resolve_tiers(c);
    if (err != TK_ERR_NOT_FOUND)
        return at_once(result, err ? TK_STEP_REFUSED : TK_STEP_OK);
    struct tk_uuid *ids = tk_arena_alloc(&c->arena, c->request.seat_count * sizeof(*ids));
    size_t count = 0;
    for (size_t i = 0; i < c->request.seat_count; i++) {
        if (!tk_uuid_is_nil(tier_of(&c->request, i)))
            ids[count++] = *tier_of(&c->request, i);
    }
    if (tier_store_load(c->app->tiers, ids, count, c->deadline_us, on_tiers, c))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

/* --- BINDING, REBINDING -------------------------------------------------------------------------------------------- */

static void on_bound(struct write_item *item)
{
    struct create_flow *c = TK_CONTAINER_OF(item, struct create_flow, bind.base);
    if (item->step == TK_STEP_OK) {
        FAULT_POINT(create_bound);
        c->reservation_id = c->bind.reservation_id;
        c->outcome.replayed = c->bind.response;
    }
    resume(c, item->step, c->bind.detail);
}

static bool op_bind(struct create_flow *c, result_t *result)
{
    c->bind.base.base.deadline_us = c->deadline_us;
    c->bind.base.id = c->pass.slot;
    c->bind.base.done = on_bound;
    c->bind.user_id = c->request.user_id;
    c->bind.key = c->request.key;
    c->bind.request_hash = c->request.request_hash;
    c->bind.arena = &c->arena;
    c->bind.reservation_id = c->reservation_id;
    c->bind.detail = RESERVATION_DETAIL_NONE;
    if (write_queue_submit(c->app->binds, &c->bind.base))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

static bool op_rebind(struct create_flow *c, result_t *result)
{
    const struct tk_uuid fresh = tk_uuid_v7();
    tk_log(TK_LOG_INFO, "reservation id was released, the key gets a fresh one",
           TK_KV_UUID("reservation", &c->reservation_id), TK_KV_UUID("fresh", &fresh));
    if (idempotency_store_rebind(c->app->pg, &c->bind, &fresh, c->deadline_us))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

/* --- what is known without asking ---------------------------------------------------------------------------------- */

/** A refusal, from event-svc or from memory, as the answer will tell it. */
static void note_refusal(struct create_flow *c, const struct tk_hold_answer *answer)
{
    c->outcome.lost = answer->seats;
    c->outcome.lost_count = answer->seat_count;
    c->outcome.offer_available = answer->offer_available;
    c->outcome.offer_largest_block = answer->offer_largest_block;
}

/**
 * A key that was bound before may stand for a hold of its own, so only a fresh id may be refused from memory. Without a key
 * memory was asked before the flow began.
 */
static bool recalls_refusal(struct create_flow *c, struct tk_hold_answer *answer)
{
    if (!c->flow.keyed || !tk_uuid_eq(&c->reservation_id, &c->fresh_id))
        return false;
    if (!admission_recalls(c->app, &c->request, tk_mono_us(), answer))
        return false;
    note_refusal(c, answer);
    return true;
}

/** Gives up what we know about seats we held: they are free, or will be in a moment. */
static void forget_own_hold(struct create_flow *c)
{
    for (size_t i = 0; i < c->reservation.item_count; i++)
        seat_memory_forget_seat(c->app->memory, &c->reservation.items[i].session_seat_id);
    seat_memory_forget_session(c->app->memory, &c->request.session_id, tk_mono_us());
}

/* --- LOCKING, UNLOCKING -------------------------------------------------------------------------------------------- */

static struct tk_metric lock_bypassed =
    TK_COUNTER("seat_lock_bypassed_total", NULL, "Reservations that went on without a seat lock");
static struct tk_metric lock_refused =
    TK_COUNTER("seat_lock_refused_total", NULL, "Reservations refused because of somebody else's seat lock");

static struct seat_lock_set lock_set(const struct create_flow *c)
{
    return (struct seat_lock_set){
        .session_id = c->request.session_id,
        .owner = c->lock_owner,
        .seats = c->seat_ids,
        .seat_count = c->request.seat_count,
    };
}

static void on_locked(void *arg, enum tk_step step, size_t lost)
{
    struct create_flow *c = arg;
    FAULT_POINT(create_locked);
    if (step == TK_STEP_REFUSED) {
        tk_metric_add(&lock_refused, 1);
        c->lock_lost = (struct tk_hold_seat){.session_seat_id = c->seat_ids[lost], .status = TK_SEAT_RESERVED};
        c->outcome.lost = &c->lock_lost;
        c->outcome.lost_count = 1;
    } else if (step != TK_STEP_OK) {
        tk_metric_add(&lock_bypassed, 1);
    }
    resume(c, step, RESERVATION_DETAIL_NONE);
}

static bool op_lock(struct create_flow *c, result_t *result)
{
    struct tk_hold_answer known;
    if (recalls_refusal(c, &known))
        return at_once(result, TK_STEP_REFUSED);
    c->lock_owner = c->reservation_id;
    const struct seat_lock_set set = lock_set(c);
    if (seat_lock_acquire(c->app->locks, &set, on_locked, c) == TK_OK)
        return true;
    tk_metric_add(&lock_bypassed, 1);
    return at_once(result, TK_STEP_FAILED);
}

static bool op_unlock(struct create_flow *c, result_t *result)
{
    const struct seat_lock_set set = lock_set(c);
    seat_lock_release(c->app->locks, &set);
    return at_once(result, TK_STEP_OK);
}

/* --- HOLDING ------------------------------------------------------------------------------------------------------- */

static int64_t remaining_s(int64_t expiry_us, int64_t hold_seconds)
{
    const int64_t left = (expiry_us - tk_unix_us() + TK_US_PER_S - 1) / TK_US_PER_S;
    return left < 0 ? 0 : left < hold_seconds ? left : hold_seconds;
}

/** Prices from event-svc's answer and writes the body that will be stored with the reservation. */
static enum tk_err price_and_render(struct create_flow *c, const struct tk_hold_answer *answer)
{
    struct reservation *r = &c->reservation;
    const int64_t hold_seconds = booking_hold_seconds(c->app->config);
    r->id = c->reservation_id;
    r->user_id = c->request.user_id;
    r->session_id = c->request.session_id;
    const enum tk_err err =
        reservation_price(r, answer, c->seat_ids, c->pricing, c->request.seat_count, hold_seconds, &c->arena);
    if (err)
        return err;
    r->remaining_s = remaining_s(r->expiry_time_us, hold_seconds);
    struct tk_jsonw w = TK_JSONW(&c->body);
    (void)tk_buf_extend(&c->body, VIEW_BYTES + r->item_count * VIEW_BYTES_PER_ITEM); /* all it needs, at once */
    tk_buf_reset(&c->body);
    reservation_view_write(&w, NULL, r);
    return c->body.overflow ? TK_ERR_LIMIT : TK_OK;
}

static void on_held(struct hold_item *item)
{
    struct create_flow *c = TK_CONTAINER_OF(item, struct create_flow, hold);
    result_t result = {.step = item->step, .in_doubt = item->in_doubt};
    if (item->step == TK_STEP_REFUSED) {
        result.detail = reservation_detail_of_hold(item->answer->outcome);
        note_refusal(c, item->answer);
        admission_learn_refusal(c->app, &c->request, item->answer, c->asked_us);
    } else if (item->step == TK_STEP_OK && price_and_render(c, item->answer)) {
        tk_log(TK_LOG_ERROR, "event-svc held other seats than those asked for",
               TK_KV_UUID("reservation", &c->reservation_id));
        result.step = TK_STEP_UNKNOWN;
    } else if (item->step == TK_STEP_OK) {
        admission_learn_hold(c->app, item->answer);
    }
    report(c, result);
    drive(c);
}

static bool op_hold(struct create_flow *c, result_t *result)
{
    struct tk_hold_answer known;
    if (is_choosing(&c->request) && recalls_refusal(c, &known)) {
        *result = (result_t){.step = TK_STEP_REFUSED, .detail = reservation_detail_of_hold(known.outcome)};
        return false;
    }
    c->asked_us = tk_mono_us();
    c->hold.base.deadline_us = c->deadline_us;
    c->hold.done = on_held;
    c->hold.request = (struct tk_hold_request){
        .reservation_id = c->reservation_id,
        .session_id = c->request.session_id,
        .best_available = is_choosing(&c->request),
        .best = c->request.best,
        .seats = c->seat_ids,
        .seat_count = is_choosing(&c->request) ? 0 : c->request.seat_count,
        .hold_seconds = booking_hold_seconds(c->app->config),
        .request_id = tk_slice_of(c->request.request_id),
    };
    if (event_client_hold(c->app->events, &c->hold))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

/* --- PERSISTING ---------------------------------------------------------------------------------------------------- */

static void on_persisted(struct write_item *item)
{
    struct create_flow *c = TK_CONTAINER_OF(item, struct create_flow, persist.base);
    FAULT_POINT(create_persisted);
    resume(c, item->step, item->step == TK_STEP_REFUSED ? c->persist.detail : RESERVATION_DETAIL_NONE);
}

static bool op_persist(struct create_flow *c, result_t *result)
{
    FAULT_POINT(create_before_persist);
    c->persist.base.base.deadline_us = c->deadline_us;
    c->persist.base.base.weight = 1;
    c->persist.base.id = c->reservation_id;
    c->persist.base.done = on_persisted;
    c->persist.reservation = &c->reservation;
    c->persist.key = c->request.key;
    c->persist.response = tk_buf_slice(&c->body);
    c->persist.request_id = c->request.request_id;
    c->persist.seat_limit = c->app->config->seat_limit;
    c->persist.hold_seconds = booking_hold_seconds(c->app->config);
    c->persist.detail = RESERVATION_DETAIL_NONE;
    if (write_queue_submit(c->app->persists, &c->persist.base))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

/* --- FENCING, RELEASING -------------------------------------------------------------------------------------------- */

static void on_fenced(void *arg, enum tk_step step)
{
    FAULT_POINT(create_fenced);
    resume(arg, step, RESERVATION_DETAIL_NONE);
}

static void on_released(void *arg, enum tk_step step)
{
    forget_own_hold(arg);
    resume(arg, step, RESERVATION_DETAIL_NONE);
}

static bool op_fence(struct create_flow *c, result_t *result)
{
    if (reservation_store_fence(c->app->pg, &c->reservation_id, &c->request.session_id, c->request.request_id,
                                undo_deadline_us(c), on_fenced, c))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

static bool op_release(struct create_flow *c, result_t *result)
{
    const struct tk_release_request request = {.reservation_id = c->reservation_id,
                                               .session_id = c->request.session_id,
                                               .reason = TK_RELEASE_REASON_UNDONE,
                                               .request_id = tk_slice_of(c->request.request_id)};
    const int64_t deadline_us = tk_mono_us() + c->app->config->event_service_timeout_ms * TK_US_PER_MS;
    if (event_client_release(c->app->events, &request, deadline_us, on_released, c))
        return at_once(result, TK_STEP_FAILED);
    return true;
}

static flow_op *const op_for[RESERVATION_FLOW_STATES] = {
    [RESERVATION_FLOW_PRICING] = op_price,    [RESERVATION_FLOW_BINDING] = op_bind,
    [RESERVATION_FLOW_LOCKING] = op_lock,     [RESERVATION_FLOW_HOLDING] = op_hold,
    [RESERVATION_FLOW_REBINDING] = op_rebind, [RESERVATION_FLOW_PERSISTING] = op_persist,
    [RESERVATION_FLOW_FENCING] = op_fence,    [RESERVATION_FLOW_RELEASING] = op_release,
    [RESERVATION_FLOW_UNLOCKING] = op_unlock,
};

/* --- answering ----------------------------------------------------------------------------------------------------- */

#define OUTCOME(label)                                                                                                     \
    TK_COUNTER("reservations_total", "outcome=\"" label "\"", "Requests to create a reservation, by how they ended")

static struct tk_metric outcomes[RESERVATION_ANSWERS] = {
    [RESERVATION_ANSWER_NONE] = OUTCOME("twin_in_progress"),
    [RESERVATION_ANSWER_CREATED] = OUTCOME("created"),
    [RESERVATION_ANSWER_REPLAYED] = OUTCOME("replayed"),
    [RESERVATION_ANSWER_INVALID_TIER] = OUTCOME("invalid_tier"),
    [RESERVATION_ANSWER_KEY_REUSED] = OUTCOME("key_reused"),
    [RESERVATION_ANSWER_SEATS_TAKEN] = OUTCOME("seats_taken"),
    [RESERVATION_ANSWER_NO_ADJACENT_BLOCK] = OUTCOME("no_adjacent_block"),
    [RESERVATION_ANSWER_SOLD_OUT] = OUTCOME("sold_out"),
    [RESERVATION_ANSWER_UNKNOWN_SEATS] = OUTCOME("unknown_seats"),
    [RESERVATION_ANSWER_SESSION_NOT_FOUND] = OUTCOME("session_not_found"),
    [RESERVATION_ANSWER_SALES_CLOSED] = OUTCOME("sales_closed"),
    [RESERVATION_ANSWER_SEAT_LIMIT] = OUTCOME("seat_limit"),
    [RESERVATION_ANSWER_HOLD_EXPIRED] = OUTCOME("hold_expired"),
    [RESERVATION_ANSWER_OVERLOADED] = OUTCOME("overloaded"),
    [RESERVATION_ANSWER_OUTCOME_UNKNOWN] = OUTCOME("outcome_unknown"),
};

void create_reservation_metrics(void)
{
    for (size_t i = 0; i < RESERVATION_ANSWERS; i++)
        tk_metrics_register(&outcomes[i]);
    tk_metrics_register(&lock_bypassed);
    tk_metrics_register(&lock_refused);
}

/** The HTTP server logs each write once; the history has the rest. Doubts are loud, refusals only counted. */
static void log_answer(const struct create_flow *c, enum reservation_answer answer)
{
    const int64_t took_ms = (tk_mono_us() - c->request.received_us) / TK_US_PER_MS;
    if (answer == RESERVATION_ANSWER_CREATED)
        tk_log(TK_LOG_DEBUG, "reservation created", TK_KV_UUID("reservation", &c->reservation_id),
               TK_KV_STR("request", c->request.request_id), TK_KV_INT("seats", c->request.seat_count),
               TK_KV_INT("took_ms", took_ms));
    else if (answer == RESERVATION_ANSWER_OUTCOME_UNKNOWN)
        tk_log(TK_LOG_WARNING, "reservation in doubt", TK_KV_UUID("reservation", &c->reservation_id),
               TK_KV_STR("request", c->request.request_id), TK_KV_INT("commit_asked", c->flow.commit_in_doubt),
               TK_KV_INT("took_ms", took_ms));
}

static void give_answer(struct create_flow *c, enum reservation_answer answer)
{
    c->outcome.answer = answer;
    c->outcome.reservation_id = c->reservation_id;
    if (answer == RESERVATION_ANSWER_CREATED)
        c->outcome.created = &c->body;
    tk_metric_add(&outcomes[answer], 1);
    log_answer(c, answer);
    c->done(c->done_arg, &c->outcome);
    c->outcome.lost = NULL; /* event-svc's answer goes away now */
}

static void flow_free(struct create_flow *c)
{
    c->app->flows--;
    c->app->creating[c->flow.state]--;
    tk_buf_release(&c->body);
    struct tk_arena arena = c->arena; /* the flow itself lies in it */
    tk_arena_release(&arena);
}

static void drive(struct create_flow *c)
{
    for (;;) {
        const enum reservation_answer answer = reservation_flow_take_answer(&c->flow);
        if (answer != RESERVATION_ANSWER_NONE)
            give_answer(c, answer);
        if (c->flow.state == RESERVATION_FLOW_DONE)
            break;
        result_t result = {0};
        if (op_for[c->flow.state](c, &result))
            return;
        report(c, result);
    }
    if (c->flow.keyed)
        key_gate_leave(&c->pass);
    flow_free(c);
}

/* --- starting ------------------------------------------------------------------------------------------------------ */

static void on_pass(struct key_pass *pass, bool entered)
{
    struct create_flow *c = TK_CONTAINER_OF(pass, struct create_flow, pass);
    if (entered) {
        drive(c);
        return;
    }
    give_answer(c, RESERVATION_ANSWER_NONE);
    flow_free(c);
}

static void copy_seats(struct create_flow *c, const struct create_seat *from, size_t count)
{
    struct create_seat *seats = tk_arena_alloc(&c->arena, count * sizeof(*seats));
    memcpy(seats, from, count * sizeof(*seats));
    c->seat_ids = tk_arena_alloc(&c->arena, count * sizeof(*c->seat_ids));
    for (size_t i = 0; i < count; i++)
        c->seat_ids[i] = seats[i].session_seat_id;
    c->request.seats = seats;
}

static void copy_request(struct create_flow *c, const struct create_request *request)
{
    c->request = *request;
    c->pricing = tk_arena_alloc(&c->arena, request->seat_count * sizeof(*c->pricing));
    if (!is_choosing(request))
        copy_seats(c, request->seats, request->seat_count);
    else if (request->best.section.ptr != NULL)
        c->request.best.section.ptr = tk_slice_dup(&c->arena, request->best.section);
    c->request.request_id = tk_slice_dup(&c->arena, tk_slice_of(request->request_id));
    if (request->key.ptr != NULL)
        c->request.key.ptr = tk_slice_dup(&c->arena, request->key);
}

bool create_reservation_is_overloaded(struct booking_app *app)
{
    const bool full = admission_is_full(app, false) || !commit_gate_allows(&app->commit_gate);
    tk_metric_add(&outcomes[RESERVATION_ANSWER_OVERLOADED], full);
    return full;
}

/** No flow, no allocation: what a rush consists of. A key's request has one more queue to pass than the others. */
static bool answered_at_the_door(struct booking_app *app, const struct create_request *request, create_done *done,
                                 void *arg)
{
    struct tk_hold_answer known;
    struct create_outcome outcome = {0};
    if (request->key.ptr == NULL && admission_recalls(app, request, request->received_us, &known)) {
        outcome.answer = known.outcome == TK_HOLD_SOLD_OUT            ? RESERVATION_ANSWER_SOLD_OUT
                         : known.outcome == TK_HOLD_NO_ADJACENT_BLOCK ? RESERVATION_ANSWER_NO_ADJACENT_BLOCK
                                                                      : RESERVATION_ANSWER_SEATS_TAKEN;
        outcome.lost = known.seats;
        outcome.lost_count = known.seat_count;
        outcome.offer_available = known.offer_available;
        outcome.offer_largest_block = known.offer_largest_block;
    } else if (request->key.ptr != NULL ? admission_is_full(app, true) : admission_is_closed(app)) {
        outcome.answer = RESERVATION_ANSWER_OVERLOADED;
    } else {
        return false;
    }
    tk_metric_add(&outcomes[outcome.answer], 1);
    done(arg, &outcome);
    return true;
}

void create_reservation(struct booking_app *app, const struct create_request *request, create_done *done, void *arg)
{
    const bool keyed = request->key.ptr != NULL;
    assert(request->seat_count >= 1 && request->seat_count <= TK_SEAT_API_MAX_SEATS);
    if (answered_at_the_door(app, request, done, arg))
        return;
    struct tk_arena arena = {0};
    struct create_flow *c = tk_arena_alloc(&arena, sizeof(*c));
    c->arena = arena;
    app->flows++;
    c->app = app;
    c->done = done;
    c->done_arg = arg;
    c->body = TK_BUF_INIT(RESERVATION_VIEW_MAX_BYTES);
    c->fresh_id = tk_uuid_v7();
    c->reservation_id = c->fresh_id;
    c->deadline_us = booking_deadline_us(app, request->received_us);
    copy_request(c, request);
    reservation_flow_start(&c->flow, keyed, is_choosing(request));
    app->creating[c->flow.state]++;
    if (keyed) {
        const struct tk_uuid slot = tk_idempotency_slot(&request->user_id, request->key);
        const int64_t wait_ms = (c->deadline_us - tk_mono_us()) / TK_US_PER_MS;
        if (!key_gate_enter(&app->gate, &c->pass, &slot, wait_ms > 0 ? wait_ms : 0, on_pass))
            return;
    }
    drive(c);
}
