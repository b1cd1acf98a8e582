/*
 * booking-svc confirming and settling: the product's own domain/confirm_flow, driven as app/confirm_reservation.c drives
 * it, against the statements of adapters/payment_store.c and a provider that is idempotent by the attempt.
 */
#include "booking-svc/domain/confirm_flow.h"
#include "tests/sim/sim.h"

#define REQUEST_TIMEOUT (2 * SECOND)
#define DB_TIMEOUT      SECOND
#define CHARGE_TIMEOUT  SECOND

typedef struct confirm_flow_result result_t;

struct confirm {
    struct confirm_flow flow;
    struct confirm_call *asked;
    int process, attempt, charged; /* charged: the attempt the provider is asked about */
    int64_t deadline, revision;
};

struct step {
    struct call call;
    struct confirm *c;
    int attempt;
    bool found, paid;
    int64_t revision;
    enum confirm_answer refusal;
};

static void drive(struct confirm *c);

static void resume(struct confirm *c, result_t result)
{
    sim_note(confirm_flow_state_name(c->flow.state), c->asked->id, result.step, result.refusal);
    if (sim.mutant == MUTANT_TOLD_TOO_SOON && result.step == TK_STEP_REFUSED)
        c->flow.asked_again = false;
    if (sim.mutant == MUTANT_RESUME_FORGETS && c->flow.resume)
        c->flow.charge_in_doubt = false;
    if (sim.mutant == MUTANT_SETTLE_ON_GUESS && c->flow.state == CONFIRM_FLOW_CHARGING && result.step == TK_STEP_UNKNOWN)
        result.step = TK_STEP_REFUSED;
    confirm_flow_step(&c->flow, result);
}

static struct step *step_new(struct confirm *c)
{
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->attempt = c->attempt;
    return s;
}

static bool not_sent(result_t *result)
{
    *result = (result_t){.step = TK_STEP_FAILED};
    return false;
}

/* --- BEGINNING --------------------------------------------------------------------------------------------------- */

/** refusal_of() of payment_store.c */
static enum confirm_answer refusal_of(const struct row *row, int64_t now)
{
    const struct reservation r = {.status = row->status, .overdue = row->expiry <= now};
    switch (reservation_visible_status(&r)) {
    case RESERVATION_CONFIRMED:
        return CONFIRM_ANSWER_CONFIRMED;
    case RESERVATION_PAYING:
    case RESERVATION_ACTIVE:
        return CONFIRM_ANSWER_PAYMENT_IN_PROGRESS;
    case RESERVATION_EXPIRED:
        return CONFIRM_ANSWER_HOLD_EXPIRED;
    default:
        return CONFIRM_ANSWER_WRONG_STATE;
    }
}

static bool is_known(const struct row *row, const struct confirm *c)
{
    return row->exists && row->count > 0 && row->user == c->asked->user;
}

/* begin_cas: active and in time → paying, with the attempt */
static void apply_begin(struct call *call)
{
    struct step *s = (struct step *)call;
    const int id = s->c->asked->id;
    struct row *row = &sim.rows[id];
    const bool in_time = row->expiry > call->now || sim.mutant == MUTANT_CONFIRM_LATE;
    if (!is_known(row, s->c) || row->status != RESERVATION_ACTIVE || !in_time) {
        call_not_written(call);
        return;
    }
    SIM_CHECK(row->expiry > call->now, "a hold past its end was taken for payment", id, row->expiry);
    check_held_for(id, "paid for seats that are not held");
    row->status = RESERVATION_PAYING;
    s->revision = ++row->revision;
    sim.attempts[s->attempt] = (struct attempt){.id = id, .created = call->now};
    sim_note("paying", id, s->attempt, row->revision);
    call_reply(call, TK_STEP_OK);
}

/* begin_look: ours after all, by an earlier try, or what else */
static enum tk_step look_at_begin(struct call *call, int64_t now)
{
    struct step *s = (struct step *)call;
    const struct row *row = &sim.rows[s->c->asked->id];
    const struct attempt *attempt = &sim.attempts[s->attempt];
    const bool known = is_known(row, s->c);
    s->revision = row->revision;
    s->refusal = known ? refusal_of(row, now) : CONFIRM_ANSWER_NOT_FOUND;
    const bool ours = attempt->id == s->c->asked->id && attempt->status == PAYMENT_PENDING;
    return known && ours && row->status == RESERVATION_PAYING ? TK_STEP_OK : TK_STEP_REFUSED;
}

/* pending_take_over, pending_reservation, pending_attempt: the newest one still pending, of a reservation that is paying */
static void apply_pending(struct call *call)
{
    struct step *s = (struct step *)call;
    const int id = s->c->asked->id;
    sim.rows[id].revision += sim.rows[id].status == RESERVATION_PAYING && sim.mutant != MUTANT_NO_TAKE_OVER;
    s->found = false;
    for (int i = sim.attempt_count - 1; i >= 0 && !s->found; i--)
        if (sim.attempts[i].id == id && sim.attempts[i].status == PAYMENT_PENDING) {
            s->attempt = i;
            s->found = sim.rows[id].status == RESERVATION_PAYING;
        }
    s->revision = sim.rows[id].revision;
    call_reply(call, TK_STEP_OK);
}

static void on_begun(struct call *call)
{
    struct step *s = (struct step *)call;
    s->c->revision = s->revision;
    resume(s->c, (result_t){.step = call->step, .refusal = call->step == TK_STEP_REFUSED ? s->refusal : 0});
    drive(s->c);
}

static void on_pending(struct call *call)
{
    struct step *s = (struct step *)call;
    struct confirm *c = s->c;
    if (call->step != TK_STEP_OK) {
        resume(c, (result_t){.step = TK_STEP_FAILED});
    } else if (!s->found) {
        resume(c, (result_t){.step = TK_STEP_REFUSED, .refusal = CONFIRM_ANSWER_NOTHING_TO_SETTLE});
    } else {
        c->attempt = c->charged = s->attempt;
        c->revision = s->revision;
        resume(c, (result_t){.step = TK_STEP_OK});
    }
    drive(c);
}

static bool op_begin(struct confirm *c, result_t *result)
{
    const int64_t left = c->deadline - sim.now;
    const int64_t timeout = left < DB_TIMEOUT ? left : DB_TIMEOUT;
    if (timeout <= 0)
        return not_sent(result);
    struct step *s = step_new(c);
    if (c->flow.resume)
        db_start(&s->call, c->process, BOOKING_DB, c->asked->id, apply_pending, on_pending, timeout);
    else
        write_start(&s->call, c->process, c->asked->id, apply_begin, look_at_begin, on_begun, timeout);
    return true;
}

/* --- CHARGING ---------------------------------------------------------------------------------------------------- */

/** Its first word on an attempt is its last. */
static void serve_charge(struct call *call)
{
    const struct step *s = (struct step *)call;
    struct attempt *attempt = &sim.attempts[s->attempt];
    if (attempt->charge == CHARGE_NONE)
        attempt->charge = sim_fault(sim.p.declined) ? CHARGE_DECLINED : CHARGE_TAKEN;
    sim_note(attempt->charge == CHARGE_TAKEN ? "charged" : "declined", attempt->id, s->attempt, 0);
    call_reply(call, attempt->charge == CHARGE_TAKEN ? TK_STEP_OK : TK_STEP_REFUSED);
}

static void late_charge(void *ctx)
{
    serve_charge(ctx);
}

static void take_charge(struct call *call)
{
    if (sim_fault(sim.p.late_charge))
        sim_at(call->to, sim_between(CHARGE_TIMEOUT / 2, 4 * CHARGE_TIMEOUT), late_charge, call);
    else
        serve_charge(call);
}

static void on_charged(struct call *call)
{
    struct confirm *c = ((struct step *)call)->c;
    resume(c, (result_t){.step = call->step});
    drive(c);
}

static int new_attempt(int id)
{
    SIM_CHECK(sim.attempt_count < ATTEMPTS, "out of attempts", id, 0);
    sim.attempts[sim.attempt_count].id = NOBODY;
    return sim.attempt_count++;
}

static bool op_charge(struct confirm *c, result_t *result)
{
    if (sim_fault(sim.p.provider_away))
        return not_sent(result);
    if (sim.mutant == MUTANT_NEW_ATTEMPT && c->flow.asked_again) {
        c->charged = new_attempt(c->asked->id);
        sim.attempts[c->charged] = (struct attempt){.id = c->asked->id, .status = PAYMENT_FAILED};
    }
    struct step *s = step_new(c);
    s->attempt = c->charged;
    call_start(&s->call, c->process, PROVIDER, take_charge, on_charged, CHARGE_TIMEOUT);
    return true;
}

/* --- SETTLING ---------------------------------------------------------------------------------------------------- */

/** tickets_one_per_seat: the last line of defence refuses the whole transaction. */
static bool sell_tickets(int id)
{
    const struct row *row = &sim.rows[id];
    for (int i = 0; i < row->count; i++)
        if (sim.tickets[row->seats[i]] != NOBODY)
            return false;
    for (int i = 0; i < row->count; i++)
        sim.tickets[row->seats[i]] = id;
    return true;
}

/** The mutant's second transaction. */
static void apply_apart(struct call *call)
{
    const int id = ((struct step *)call)->c->asked->id;
    booking_db_say(id, TK_RESERVATION_CONFIRMED, sim.rows[id].revision, call->from);
}

static void on_apart(struct call *call)
{
    (void)call;
}

static void say_apart(struct confirm *c)
{
    struct step *s = step_new(c);
    db_start(&s->call, c->process, BOOKING_DB, NOBODY, apply_apart, on_apart, DB_TIMEOUT);
}

static bool write_settlement(struct step *s, struct row *row, struct attempt *attempt)
{
    const int id = s->c->asked->id;
    SIM_CHECK(row->status == RESERVATION_PAYING, "settled what was not being paid for", id, row->status);
    if (s->paid && !sell_tickets(id))
        return false;
    attempt->status = s->paid ? PAYMENT_SUCCEEDED : PAYMENT_FAILED;
    row->status = s->paid ? RESERVATION_CONFIRMED : RESERVATION_ACTIVE;
    row->paid_until = sim.now;
    row->revision++;
    sim_note(reservation_status_name(row->status), id, row->revision, s->attempt);
    if (!s->paid)
        return true;
    check_held_for(id, "sold seats that are not held");
    sim.confirmed_total++;
    if (sim.mutant == MUTANT_OUTBOX_APART)
        say_apart(s->c);
    else
        booking_db_say(id, TK_RESERVATION_CONFIRMED, s->revision + 1, s->call.from);
    return true;
}

/* settle_apply: the attempt still pending, the reservation still paying at that revision */
static void apply_settle(struct call *call)
{
    struct step *s = (struct step *)call;
    struct row *row = &sim.rows[s->c->asked->id];
    struct attempt *attempt = &sim.attempts[s->attempt];
    bool fits = attempt->status == PAYMENT_PENDING && row->status == RESERVATION_PAYING && row->revision == s->revision;
    if (sim.mutant == MUTANT_NO_STATUS) {
        fits = attempt->status != PAYMENT_SUCCEEDED;
        s->revision = row->revision;
    }
    if (fits && !write_settlement(s, row, attempt)) {
        sim_note("a second ticket for a seat refused", s->c->asked->id, 0, 0);
        call_reply(call, TK_STEP_REFUSED);
        return;
    }
    if (fits)
        call_reply(call, TK_STEP_OK);
    else
        call_not_written(call);
}

/* settle_look: it may have been settled before, by whomever, and the same way */
static enum tk_step look_at_settle(struct call *call, int64_t now)
{
    const struct step *s = (struct step *)call;
    (void)now;
    return sim.attempts[s->attempt].status == (s->paid ? PAYMENT_SUCCEEDED : PAYMENT_FAILED) ? TK_STEP_OK : TK_STEP_REFUSED;
}

static void on_settled(struct call *call)
{
    struct confirm *c = ((struct step *)call)->c;
    resume(c, (result_t){.step = call->step});
    drive(c);
}

/** It goes on after the client's deadline: the money has been taken. */
static bool op_settle(struct confirm *c, result_t *result)
{
    (void)result;
    struct step *s = step_new(c);
    s->paid = c->flow.verdict == CONFIRM_ANSWER_CONFIRMED;
    s->revision = c->revision;
    write_start(&s->call, c->process, c->asked->id, apply_settle, look_at_settle, on_settled, DB_TIMEOUT);
    return true;
}

/* --- the driver -------------------------------------------------------------------------------------------------- */

static void drive(struct confirm *c)
{
    static bool (*const op_for[CONFIRM_FLOW_STATES])(struct confirm *, result_t *) = {
        [CONFIRM_FLOW_BEGINNING] = op_begin,
        [CONFIRM_FLOW_CHARGING] = op_charge,
        [CONFIRM_FLOW_SETTLING] = op_settle,
    };
    while (c->flow.state != CONFIRM_FLOW_DONE) {
        result_t result = {0};
        if (op_for[c->flow.state](c, &result))
            return;
        resume(c, result);
    }
    c->asked->answer = (int)confirm_flow_take_answer(&c->flow);
    sim_note(confirm_answer_name((enum confirm_answer)c->asked->answer), c->asked->id, c->flow.resume, 0);
    call_reply(&c->asked->call, TK_STEP_OK);
}

void booking_confirm(struct call *call)
{
    struct confirm *c = sim_alloc(sizeof(*c));
    c->asked = (struct confirm_call *)call;
    c->process = call->to;
    c->deadline = sim.now + REQUEST_TIMEOUT;
    confirm_flow_start(&c->flow, c->asked->resume);
    if (!c->asked->resume)
        c->attempt = c->charged = new_attempt(c->asked->id);
    drive(c);
}
