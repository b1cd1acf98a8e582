/*
 * event-svc: the three internal routes booking-svc and the worker call, and the consumer (event-svc/app/consumer.c). What a
 * hold, a verdict, a batch of messages and a watermark mean is decided by the product's own event-svc/domain.
 */
#include <stdlib.h>
#include <string.h>

#include "event-svc/domain/fold.h"
#include "event-svc/domain/watermark.h"
#include "tests/sim/sim.h"

#define DB_TIMEOUT     SECOND
#define BATCH          6 /* small, so that batches end and begin often */
#define BATCH_ATTEMPTS 3
#define ATTEMPT_PAUSE  (200 * MS)
#define SCAN_ROWS      12

/* --- holds and releases ------------------------------------------------------------------------------------------ */

/** One transaction for an item of a route: asks the database, then answers the caller. */
struct desk_call {
    struct call call;
    struct call *asked;
};

/** Refused means rolled back, which the route answers as "overloaded": nothing was applied. A lost answer stays unknown. */
static void desk_done(struct call *call)
{
    struct desk_call *desk = (struct desk_call *)call;
    call_reply(desk->asked, call->step == TK_STEP_REFUSED ? TK_STEP_FAILED : call->step);
}

static void apply_hold(struct call *call)
{
    struct hold_call *hold = (struct hold_call *)((struct desk_call *)call)->asked;
    struct hold_facts facts;
    enum tk_hold_outcome outcome;
    enum tk_err err = event_db_reserve(hold->id, hold->seats, hold->count, call->now, &facts);
    if (!err)
        err = hold_judge(&facts, &outcome);
    if (!err) {
        hold->outcome = outcome;
        hold->until = sim.holds[hold->id].until;
    }
    call_reply(call, err ? TK_STEP_REFUSED : TK_STEP_OK);
}

static void apply_release(struct call *call)
{
    struct release_call *release = (struct release_call *)((struct desk_call *)call)->asked;
    release->outcome = release_outcome_of(event_db_settle(release->id, false, release->revision, NULL, 0));
    call_reply(call, TK_STEP_OK);
}

static void ask_database(struct call *asked, call_fn *apply)
{
    struct desk_call *desk = sim_alloc(sizeof(*desk));
    desk->asked = asked;
    db_start(&desk->call, asked->to, EVENT_DB, NOBODY, apply, desk_done, DB_TIMEOUT);
}

void event_svc_hold(struct call *call)
{
    ask_database(call, apply_hold);
}

void event_svc_release(struct call *call)
{
    ask_database(call, apply_release);
}

/* --- the list of overdue holds: sql_holds_scan with the in-memory watermark of app/stale_holds.c ----------------- */

static int64_t watermarks[PROCESSES];

/** A place in the order of the index holds_reserved_until and, among equals, of the id. */
struct found {
    int id;
    int64_t until;
};

static int hold_before(const void *a, const void *b)
{
    const struct found *x = a, *y = b;
    return x->until != y->until ? (x->until < y->until ? -1 : 1) : x->id - y->id;
}

static int scan(struct found *out, struct found after, int64_t to)
{
    int n = 0;
    for (int id = 0; id < sim.ids; id++)
        if (sim.holds[id].state != HOLD_NONE && sim.holds[id].until < to &&
            hold_before(&(struct found){.id = id, .until = sim.holds[id].until}, &after) > 0)
            out[n++] = (struct found){.id = id, .until = sim.holds[id].until};
    qsort(out, (size_t)n, sizeof(*out), hold_before);
    return n;
}

static void apply_overdue(struct call *call)
{
    static struct found rows[IDS];
    struct overdue_call *list = (struct overdue_call *)((struct desk_call *)call)->asked;
    const bool from_start = list->cursor == INT64_MIN;
    int64_t *mark = &watermarks[call->from];
    const struct found after = {.id = from_start ? NOBODY : list->cursor_id, .until = from_start ? *mark : list->cursor};
    const int total = scan(rows, after, call->now - list->grace);
    const int seen = total < SCAN_ROWS ? total : SCAN_ROWS;
    list->count = 0;
    for (int i = 0; i < seen && list->count < OVERDUE_PAGE; i++) {
        if (sim.holds[rows[i].id].state != HOLD_HELD)
            continue;
        list->ids[list->count] = rows[i].id;
        list->until[list->count++] = rows[i].until;
    }
    list->cursor = total > seen ? rows[seen - 1].until : NEVER;
    list->cursor_id = seen > 0 ? rows[seen - 1].id : NOBODY;
    if (list->count == OVERDUE_PAGE) {
        list->cursor = list->until[OVERDUE_PAGE - 1];
        list->cursor_id = list->ids[OVERDUE_PAGE - 1];
    }
    const struct watermark_scan scanned = {.from_us = *mark,
                                           .first_held_us = list->count > 0 ? list->until[0] : INT64_MAX,
                                           .last_us = seen > 0 ? rows[seen - 1].until : INT64_MIN,
                                           .settled_us = call->now - 60 * SECOND};
    if (from_start)
        *mark = watermark_after(&scanned);
    call_reply(call, TK_STEP_OK);
}

void event_svc_overdue(struct call *call)
{
    ask_database(call, apply_overdue);
}

/* --- the consumer ------------------------------------------------------------------------------------------------ */

struct batch {
    int process;
    uint32_t session;
    int deliveries[BATCH], delivery_count;
    bool rejected[BATCH];
    struct tk_reservation_message messages[BATCH];
    struct tk_uuid seats[BATCH][PER_HOLD];
    size_t message_count, picked[BATCH], picked_count;
    enum settle_verdict verdicts[BATCH];
    int attempt;
};

struct attempt_call {
    struct call call;
    struct batch *b;
};

static void consume(void *ctx);

static void consume_later(int process, int64_t delay)
{
    sim_at(process, delay, consume, (void *)(intptr_t)process);
}

/** The broker's connection is dropped: what was not acknowledged comes again. */
static void back_off(struct batch *b)
{
    if (sim.sessions[b->process] == b->session)
        broker_requeue(b->process);
    consume_later(b->process, sim_between(200 * MS, 2 * SECOND));
}

static void apply_messages(struct call *call)
{
    struct batch *b = ((struct attempt_call *)call)->b;
    for (size_t i = 0; i < b->picked_count; i++) {
        const struct tk_reservation_message *m = &b->messages[b->picked[i]];
        int seats[PER_HOLD], count = (int)m->seat_count;
        for (int k = 0; k < count; k++)
            seats[k] = sim_number(&m->seats[k]);
        for (int k = 1; k < count; k++) /* sorted_seats() */
            for (int j = k; j > 0 && seats[j - 1] > seats[j]; j--) {
                const int swap = seats[j];
                seats[j] = seats[j - 1];
                seats[j - 1] = swap;
            }
        b->verdicts[i] = event_db_settle(sim_number(&m->reservation_id), m->event == TK_RESERVATION_CONFIRMED, m->revision,
                                         seats, count);
    }
    call_reply(call, TK_STEP_OK);
}

static void acknowledge(struct batch *b)
{
    int accepted[BATCH], count = 0;
    for (int i = 0; i < b->delivery_count; i++)
        if (!b->rejected[i])
            accepted[count++] = b->deliveries[i];
    if (!sim_fault(sim.p.lost_request) && broker_acknowledge(b->process, b->session, accepted, count))
        return;
    broker_requeue(b->process); /* the ack never arrived: a connection that is gone */
}

static void judge_batch(struct batch *b)
{
    for (size_t i = 0; i < b->picked_count; i++) {
        if (!settle_is_contradiction(b->verdicts[i]))
            continue;
        sim_violation("a message contradicts the stored hold", sim_number(&b->messages[b->picked[i]].reservation_id), 0);
    }
}

static void apply_batch(struct batch *b);

static void apply_again(void *ctx)
{
    apply_batch(ctx);
}

static void batch_end(struct batch *b)
{
    judge_batch(b);
    if (sim.mutant != MUTANT_ACK_BEFORE_COMMIT)
        acknowledge(b);
    consume_later(b->process, sim_between(MS, 20 * MS));
}

static void on_applied(struct call *call)
{
    struct batch *b = ((struct attempt_call *)call)->b;
    if (call->step == TK_STEP_OK) {
        batch_end(b);
    } else if (++b->attempt < BATCH_ATTEMPTS) {
        sim_at(b->process, ATTEMPT_PAUSE, apply_again, b);
    } else {
        back_off(b);
    }
}

static void apply_batch(struct batch *b)
{
    if (b->picked_count == 0) {
        batch_end(b);
        return;
    }
    struct attempt_call *attempt = sim_alloc(sizeof(*attempt));
    attempt->b = b;
    db_start(&attempt->call, b->process, EVENT_DB, NOBODY, apply_messages, on_applied, DB_TIMEOUT);
}

/** A process may die at any moment, so a batch owns no memory but its own. */
static bool decode_one(struct batch *b, struct tk_slice body)
{
    const char *why;
    struct tk_arena arena = {0};
    struct tk_reservation_message *m = &b->messages[b->message_count];
    const bool fine = tk_reservation_message_decode(body, &arena, m, &why) == TK_OK;
    if (fine) {
        SIM_CHECK(m->seat_count <= PER_HOLD, "a message names more seats than were booked", (int)m->seat_count, 0);
        memcpy(b->seats[b->message_count], m->seats, m->seat_count * sizeof(*m->seats));
        m->seats = b->seats[b->message_count++];
    }
    tk_arena_release(&arena);
    return fine;
}

static bool decode(struct batch *b)
{
    for (int i = 0; i < b->delivery_count; i++) {
        if (decode_one(b, sim.messages[b->deliveries[i]].body))
            continue;
        if (sim.mutant == MUTANT_POISON_STOPS)
            return false;
        b->rejected[i] = true;
        broker_reject(b->process, b->session, b->deliveries[i]);
    }
    return true;
}

static void consume(void *ctx)
{
    const int process = (int)(intptr_t)ctx;
    if (sim.processes[BROKER].down || sim.processes[BROKER].stopped_until > sim.now) {
        consume_later(process, sim_between(200 * MS, 2 * SECOND));
        return;
    }
    struct batch *b = sim_alloc(sizeof(*b));
    b->process = process;
    b->session = sim.sessions[process];
    b->delivery_count = broker_deliver(process, b->deliveries, 1 + sim_below(BATCH));
    if (b->delivery_count == 0) {
        consume_later(process, 200 * MS);
        return;
    }
    if (!decode(b)) {
        back_off(b);
        return;
    }
    b->picked_count = messages_fold(b->messages, b->message_count, b->picked);
    if (sim.mutant == MUTANT_ACK_BEFORE_COMMIT)
        acknowledge(b);
    apply_batch(b);
}

void event_svc_boot(int process)
{
    watermarks[process] = 0;
    consume_later(process, sim_between(MS, 500 * MS));
}
