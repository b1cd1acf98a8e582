/*
 * booking-svc creating reservations: the product's own machine, domain/reservation_flow, driven as app/create_reservation.c
 * drives it. An op starts a step and says true, or knows its result at once.
 */
#include <string.h>

#include "booking-svc/domain/reservation_flow.h"
#include "tests/sim/sim.h"

#define REQUEST_TIMEOUT (2 * SECOND)
#define DB_TIMEOUT      SECOND
#define EVENT_TIMEOUT   (2 * SECOND)
#define LEAST_TRY       (50 * MS)
#define LOCK_TIMEOUT    (50 * MS)
#define LOCK_LIFE       (10 * SECOND)

typedef struct reservation_flow_result result_t;

struct create {
    struct reservation_flow flow;
    struct create_call *asked;
    struct create *next_waiting; /* for the key */
    int process, id, lock_owner;
    int64_t deadline, expiry;
    bool gone;       /* gave up waiting for its twin */
    bool second_try; /* of the hold */
};

/** One step's call; what came back counts only when its answer did. */
struct step {
    struct call call;
    struct create *c;
    int id, bound, fresh;
    enum reservation_detail detail;
};

static struct create *gates[2][KEYS]; /* app/key_gate.c: one runner per key and process, the others queue behind it */

static void drive(struct create *c);

static void on_nothing(struct call *call)
{
    (void)call;
}

static void resume(struct create *c, result_t result)
{
    sim_note(reservation_flow_state_name(c->flow.state), c->id, result.step, result.detail);
    if (sim.mutant == MUTANT_RELEASE_UNFENCED)
        c->flow.fenced = true;
    if (sim.mutant == MUTANT_FORGET_DOUBT && result.step != TK_STEP_UNKNOWN)
        c->flow.commit_in_doubt = false;
    if (sim.mutant == MUTANT_RELEASE_AFTER_UNKNOWN && c->flow.commit_in_doubt && result.step == TK_STEP_UNKNOWN &&
        c->flow.state == RESERVATION_FLOW_PERSISTING) {
        struct release_call *release = sim_alloc(sizeof(*release));
        release->id = c->id;
        call_start(&release->call, c->process, EVENT_A, event_svc_release, on_nothing, EVENT_TIMEOUT);
    }
    reservation_flow_step(&c->flow, result);
}

static bool at_once(result_t *result, enum tk_step step)
{
    *result = (result_t){.step = step};
    return false;
}

static int64_t database_time(const struct create *c)
{
    const int64_t left = c->deadline - sim.now;
    return left < DB_TIMEOUT ? left : DB_TIMEOUT;
}

/** What waits in a queue past its deadline is dropped unsent. */
static bool start_step(struct create *c, call_fn *apply, call_fn *done, int64_t timeout, result_t *result)
{
    if (timeout <= 0)
        return at_once(result, TK_STEP_FAILED);
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->id = c->id;
    db_start(&s->call, c->process, BOOKING_DB, c->id, apply, done, timeout);
    return true;
}

static bool op_price(struct create *c, result_t *result)
{
    (void)c;
    return at_once(result, sim_fault(sim.p.not_sent) ? TK_STEP_FAILED : TK_STEP_OK);
}

/* --- BINDING, REBINDING: idempotency_store.c --------------------------------------------------------------------- */

static void read_bound(struct step *s)
{
    const struct key_row *key = &sim.keys[s->c->asked->key];
    s->bound = key->id;
    s->detail = key->answered ? RESERVATION_DETAIL_REPLAY : RESERVATION_DETAIL_NONE;
    if (key->hash != s->c->asked->hash)
        s->detail = RESERVATION_DETAIL_KEY_REUSED;
    call_reply(&s->call, key->hash == s->c->asked->hash ? TK_STEP_OK : TK_STEP_REFUSED);
}

/* bind_insert: ON CONFLICT DO NOTHING; bind_reread */
static void apply_bind(struct call *call)
{
    struct step *s = (struct step *)call;
    struct key_row *key = &sim.keys[s->c->asked->key];
    if (!key->exists)
        *key = (struct key_row){.exists = true, .id = s->id, .hash = s->c->asked->hash};
    if (sim.mutant == MUTANT_KEY_NOT_BOUND && !key->answered)
        key->id = s->id;
    read_bound(s);
}

/* rebind_update: only while the key still means the released id and has no answer; rebind_reread */
static void apply_rebind(struct call *call)
{
    struct step *s = (struct step *)call;
    struct key_row *key = &sim.keys[s->c->asked->key];
    if (key->id == s->id && !key->answered)
        key->id = s->fresh;
    read_bound(s);
}

static void on_bound(struct call *call)
{
    struct step *s = (struct step *)call;
    if (call->step == TK_STEP_OK)
        s->c->id = s->bound;
    resume(s->c, (result_t){.step = call->step, .detail = s->detail});
    drive(s->c);
}

static bool op_bind(struct create *c, result_t *result)
{
    return start_step(c, apply_bind, on_bound, database_time(c), result);
}

static bool op_rebind(struct create *c, result_t *result)
{
    const int64_t timeout = database_time(c);
    if (timeout <= 0)
        return at_once(result, TK_STEP_FAILED);
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->id = c->id;
    s->fresh = new_id(c->asked->booking);
    db_start(&s->call, c->process, BOOKING_DB, NOBODY, apply_rebind, on_bound, timeout);
    return true;
}

/* --- LOCKING, UNLOCKING: the scripts of seat_lock.c -------------------------------------------------------------- */

static void serve_lock(struct call *call)
{
    const struct step *s = (struct step *)call;
    const struct create_call *asked = s->c->asked;
    for (int i = 0; i < asked->count; i++) {
        const int owner = sim.locks[asked->seats[i]].owner;
        if (owner != NOBODY && owner != s->id && sim.locks[asked->seats[i]].until > sim.now) {
            call_reply(call, TK_STEP_REFUSED);
            return;
        }
    }
    for (int i = 0; i < asked->count; i++) {
        sim.locks[asked->seats[i]].owner = s->id;
        sim.locks[asked->seats[i]].until = sim.now + LOCK_LIFE;
    }
    call_reply(call, TK_STEP_OK);
}

static void serve_unlock(struct call *call)
{
    const struct step *s = (struct step *)call;
    for (int i = 0; i < s->c->asked->count; i++)
        if (sim.locks[s->c->asked->seats[i]].owner == s->id)
            sim.locks[s->c->asked->seats[i]].owner = NOBODY;
}

static void on_locked(struct call *call)
{
    struct create *c = ((struct step *)call)->c;
    resume(c, (result_t){.step = call->step});
    drive(c);
}

static bool op_lock(struct create *c, result_t *result)
{
    (void)result;
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->id = c->lock_owner = c->id;
    call_start(&s->call, c->process, REDIS, serve_lock, on_locked, LOCK_TIMEOUT);
    return true;
}

static bool op_unlock(struct create *c, result_t *result)
{
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->id = c->lock_owner;
    call_start(&s->call, c->process, REDIS, serve_unlock, on_nothing, LOCK_TIMEOUT);
    return at_once(result, TK_STEP_OK);
}

/* --- HOLDING, RELEASING: event_client.c, which asks a second time when no answer came ---------------------------- */

static int an_event_svc(void)
{
    return sim_chance(512) ? EVENT_A : EVENT_B;
}

static void ask_for_hold(struct create *c);

static void on_held(struct call *call)
{
    struct hold_call *hold = (struct hold_call *)call;
    struct create *c = hold->arg;
    if (call->step == TK_STEP_UNKNOWN && !c->second_try) {
        c->second_try = true;
        ask_for_hold(c);
        return;
    }
    result_t result = {.step = call->step, .in_doubt = c->second_try};
    if (call->step == TK_STEP_FAILED && c->second_try)
        result.step = TK_STEP_UNKNOWN;
    if (call->step == TK_STEP_OK && hold->outcome != TK_HOLD_HELD) {
        result.step = TK_STEP_REFUSED;
        result.detail = reservation_detail_of_hold(hold->outcome);
    }
    c->expiry = hold->until;
    resume(c, result);
    drive(c);
}

static void ask_for_hold(struct create *c)
{
    struct hold_call *hold = sim_alloc(sizeof(*hold));
    int64_t time = (c->deadline - sim.now) / (c->second_try ? 1 : 2);
    time = time > EVENT_TIMEOUT / 2 ? EVENT_TIMEOUT / 2 : time < LEAST_TRY ? LEAST_TRY : time;
    hold->id = c->id;
    hold->count = c->asked->count;
    memcpy(hold->seats, c->asked->seats, sizeof(hold->seats));
    hold->arg = c;
    call_start(&hold->call, c->process, an_event_svc(), event_svc_hold, on_held, time);
}

static bool op_hold(struct create *c, result_t *result)
{
    if (c->deadline <= sim.now)
        return at_once(result, TK_STEP_FAILED);
    c->second_try = false;
    ask_for_hold(c);
    return true;
}

static void ask_for_release(struct create *c);

static void on_released(struct call *call)
{
    struct create *c = ((struct release_call *)call)->arg;
    if (call->step == TK_STEP_UNKNOWN && !c->second_try) {
        c->second_try = true;
        ask_for_release(c);
        return;
    }
    resume(c, (result_t){.step = call->step});
    drive(c);
}

static void ask_for_release(struct create *c)
{
    struct release_call *release = sim_alloc(sizeof(*release));
    release->id = c->id;
    release->arg = c;
    call_start(&release->call, c->process, an_event_svc(), event_svc_release, on_released, EVENT_TIMEOUT / 2);
}

static bool op_release(struct create *c, result_t *result)
{
    (void)result;
    c->second_try = false;
    ask_for_release(c);
    return true;
}

/* --- PERSISTING, FENCING: reservation_writes.c, reservation_store.c ---------------------------------------------- */

static void insert(const struct create *c, int id)
{
    const struct create_call *asked = c->asked;
    struct row row = {.status = RESERVATION_ACTIVE, .revision = 1, .expiry = c->expiry, .user = asked->user};
    struct key_row *key = asked->key != NOBODY ? &sim.keys[asked->key] : NULL;
    row.count = asked->count;
    row.amount = 100 * asked->count;
    memcpy(row.seats, asked->seats, sizeof(row.seats));
    booking_db_store(id, &row);
    if (key != NULL && key->id == id && sim.mutant != MUTANT_ANSWER_NOT_STORED)
        key->answered = true;
}

static bool takes_late(void)
{
    return sim.mutant == MUTANT_SWEEP_NO_TOMBSTONE || sim.mutant == MUTANT_ONLY_TOMBSTONES;
}

/* persist_insert: WHERE expiry > now() … ON CONFLICT DO NOTHING, the answer under the key */
static void apply_persist(struct call *call)
{
    const struct step *s = (struct step *)call;
    const bool in_time = s->c->expiry > call->now || takes_late();
    if (!in_time || sim.rows[s->id].exists) {
        call_not_written(call);
        return;
    }
    insert(s->c, s->id);
    call_reply(call, TK_STEP_OK);
}

/* persist_look */
static enum tk_step look_at_persist(struct call *call, int64_t now)
{
    struct step *s = (struct step *)call;
    const struct row *row = &sim.rows[s->id];
    (void)now;
    s->detail = !row->exists                                        ? RESERVATION_DETAIL_OVERDUE
                : reservation_is_tombstone(row->status, row->count) ? RESERVATION_DETAIL_TOMBSTONE
                                                                    : RESERVATION_DETAIL_ALREADY_STORED;
    return TK_STEP_REFUSED;
}

static void on_persisted(struct call *call)
{
    struct step *s = (struct step *)call;
    resume(s->c, (result_t){.step = call->step, .detail = call->step == TK_STEP_REFUSED ? s->detail : 0});
    drive(s->c);
}

static bool op_persist(struct create *c, result_t *result)
{
    const int64_t timeout = takes_late() ? DB_TIMEOUT : database_time(c);
    if (timeout <= 0)
        return at_once(result, TK_STEP_FAILED);
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->id = c->id;
    write_start(&s->call, c->process, c->id, apply_persist, look_at_persist, on_persisted, timeout);
    return true;
}

/* fence_insert: a tombstone unless something stands there; fence_reread */
static void apply_fence(struct call *call)
{
    const struct step *s = (struct step *)call;
    const struct row *row = &sim.rows[s->id];
    if (!row->exists)
        booking_db_store(s->id, &(struct row){.status = RESERVATION_EXPIRED, .revision = 1, .expiry = call->now});
    const bool over = row->status == RESERVATION_EXPIRED || row->status == RESERVATION_CANCELLED;
    call_reply(call, over ? TK_STEP_OK : TK_STEP_REFUSED);
}

static void on_fenced(struct call *call)
{
    struct create *c = ((struct step *)call)->c;
    resume(c, (result_t){.step = call->step});
    drive(c);
}

static bool op_fence(struct create *c, result_t *result)
{
    return start_step(c, apply_fence, on_fenced, DB_TIMEOUT, result);
}

/* --- the driver -------------------------------------------------------------------------------------------------- */

static bool (*const op_for[RESERVATION_FLOW_STATES])(struct create *, result_t *) = {
    [RESERVATION_FLOW_PRICING] = op_price,    [RESERVATION_FLOW_BINDING] = op_bind,
    [RESERVATION_FLOW_LOCKING] = op_lock,     [RESERVATION_FLOW_HOLDING] = op_hold,
    [RESERVATION_FLOW_REBINDING] = op_rebind, [RESERVATION_FLOW_PERSISTING] = op_persist,
    [RESERVATION_FLOW_FENCING] = op_fence,    [RESERVATION_FLOW_RELEASING] = op_release,
    [RESERVATION_FLOW_UNLOCKING] = op_unlock,
};

static void give_answer(struct create *c, enum reservation_answer answer)
{
    sim_note(reservation_answer_name(answer), c->id, c->asked->user, 0);
    c->asked->answer = (int)answer;
    c->asked->id = c->id;
    call_reply(&c->asked->call, TK_STEP_OK);
}

static void on_turn(void *ctx)
{
    drive(ctx);
}

static void leave_gate(struct create *c)
{
    struct create **gate = &gates[c->process][c->asked->key];
    struct create *next = c->next_waiting;
    while (next != NULL && next->gone)
        next = next->next_waiting;
    *gate = next;
    if (next != NULL)
        sim_at(c->process, 0, on_turn, next);
}

static void drive(struct create *c)
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
        resume(c, result);
    }
    if (c->flow.keyed)
        leave_gate(c);
}

static void on_waited(void *ctx)
{
    struct create *c = ctx;
    for (struct create *at = gates[c->process][c->asked->key]; at != NULL; at = at->next_waiting) {
        if (at != c || at == gates[c->process][c->asked->key])
            continue;
        c->gone = true;
        sim_note("a twin waited in vain", c->id, 0, 0);
        give_answer(c, RESERVATION_ANSWER_NONE);
    }
}

static bool enter_gate(struct create *c)
{
    struct create **gate = &gates[c->process][c->asked->key];
    if (*gate == NULL) {
        *gate = c;
        return true;
    }
    struct create *last = *gate;
    while (last->next_waiting != NULL)
        last = last->next_waiting;
    last->next_waiting = c;
    sim_at(c->process, REQUEST_TIMEOUT, on_waited, c);
    return false;
}

void booking_create(struct call *call)
{
    struct create *c = sim_alloc(sizeof(*c));
    c->asked = (struct create_call *)call;
    c->process = call->to;
    c->deadline = sim.now + REQUEST_TIMEOUT;
    c->id = new_id(c->asked->booking);
    reservation_flow_start(&c->flow, c->asked->key != NOBODY, false);
    if (!c->flow.keyed || enter_gate(c))
        drive(c);
}

void booking_svc_boot(int process)
{
    memset(gates[process], 0, sizeof(gates[process]));
    relay_boot(process);
}
