/* booking-svc cancelling, as app/cancel_reservation.c: read, compare and set, look again when the row has changed. */
#include "tests/sim/sim.h"

#define REQUEST_TIMEOUT (2 * SECOND)
#define DB_TIMEOUT      SECOND
#define EVENT_TIMEOUT   (2 * SECOND)
#define MAX_ROUNDS      3

struct cancel {
    struct cancel_call *asked;
    int process, rounds;
    int64_t deadline, revision;
    bool in_doubt;
};

struct step {
    struct call call;
    struct cancel *c;
    int64_t revision;
    bool found, possible;
    enum cancel_answer answer;
};

static void look(struct cancel *c);
static void write_cancel(struct cancel *c);

static void finish(struct cancel *c, enum cancel_answer answer)
{
    static const char *const names[] = {"cancelled",           "cancel: not found",  "cancel: expired", "cancel: paying",
                                        "cancel: wrong state", "cancel: overloaded", "cancel: unknown"};
    sim_note(names[answer], c->asked->id, c->in_doubt, 0);
    c->asked->answer = answer;
    call_reply(&c->asked->call, TK_STEP_OK);
}

static void no_luck(struct cancel *c)
{
    finish(c, c->in_doubt ? CANCEL_UNKNOWN : CANCEL_BUSY);
}

static bool start(struct cancel *c, int row, call_fn *apply, look_fn *look_at, call_fn *done)
{
    const int64_t left = c->deadline - sim.now;
    if (left <= 0)
        return false;
    struct step *s = sim_alloc(sizeof(*s));
    s->c = c;
    s->revision = c->revision;
    write_start(&s->call, c->process, row, apply, look_at, done, left < DB_TIMEOUT ? left : DB_TIMEOUT);
    return true;
}

static bool is_known(const struct row *row, const struct cancel *c)
{
    return row->exists && row->count > 0 && row->user == c->asked->user;
}

/* cancel_cas: active, in time, at the revision that was read, since the message has been written already */
static void apply_cancel(struct call *call)
{
    const struct step *s = (struct step *)call;
    const int id = s->c->asked->id;
    const struct row *row = &sim.rows[id];
    const bool same = row->revision == s->revision || sim.mutant == MUTANT_NO_REVISION;
    if (!is_known(row, s->c) || row->status != RESERVATION_ACTIVE || !same || row->expiry <= call->now) {
        call_not_written(call);
        return;
    }
    booking_db_end(id, RESERVATION_CANCELLED);
    booking_db_say(id, TK_RESERVATION_CANCELLED, s->revision + 1, call->from);
    call_reply(call, TK_STEP_OK);
}

/* cancel_look */
static enum tk_step look_at_cancel(struct call *call, int64_t now)
{
    struct step *s = (struct step *)call;
    const struct row *row = &sim.rows[s->c->asked->id];
    (void)now;
    s->found = is_known(row, s->c);
    return s->found && row->status == RESERVATION_CANCELLED ? TK_STEP_OK : TK_STEP_REFUSED;
}

static void on_nothing(struct call *call)
{
    (void)call;
}

/** Nobody waits for it: lost, the message in the outbox does the same a little later. */
static void give_seats_back(const struct cancel *c)
{
    struct release_call *release = sim_alloc(sizeof(*release));
    release->id = c->asked->id;
    call_start(&release->call, c->process, sim_chance(512) ? EVENT_A : EVENT_B, event_svc_release, on_nothing,
               EVENT_TIMEOUT);
}

static void on_written(struct call *call)
{
    struct step *s = (struct step *)call;
    struct cancel *c = s->c;
    if (call->step == TK_STEP_OK) {
        give_seats_back(c);
        finish(c, CANCEL_DONE);
    } else if (call->step == TK_STEP_REFUSED && s->found) {
        look(c);
    } else if (call->step != TK_STEP_UNKNOWN || c->in_doubt) {
        no_luck(c);
    } else {
        c->in_doubt = true;
        write_cancel(c);
    }
}

static void write_cancel(struct cancel *c)
{
    if (!start(c, c->asked->id, apply_cancel, look_at_cancel, on_written))
        no_luck(c);
}

/* read_one; cancel_is_possible() */
static void apply_read(struct call *call)
{
    struct step *s = (struct step *)call;
    const struct row *row = &sim.rows[s->c->asked->id];
    const struct reservation r = {.status = row->status, .overdue = row->expiry <= call->now};
    s->revision = row->revision;
    s->possible = false;
    if (!is_known(row, s->c)) {
        s->answer = CANCEL_NOT_FOUND;
    } else {
        const enum reservation_status status = reservation_visible_status(&r);
        s->possible = status == RESERVATION_ACTIVE;
        s->answer = status == RESERVATION_CANCELLED ? CANCEL_DONE
                    : status == RESERVATION_EXPIRED ? CANCEL_EXPIRED
                    : status == RESERVATION_PAYING  ? CANCEL_PAYING
                                                    : CANCEL_WRONG;
    }
    call_reply(call, TK_STEP_OK);
}

static void on_read(struct call *call)
{
    struct step *s = (struct step *)call;
    struct cancel *c = s->c;
    if (call->step != TK_STEP_OK) {
        no_luck(c);
    } else if (!s->possible) {
        finish(c, s->answer);
    } else {
        c->revision = s->revision;
        write_cancel(c);
    }
}

static void look(struct cancel *c)
{
    if (c->rounds++ == MAX_ROUNDS || !start(c, NOBODY, apply_read, NULL, on_read))
        no_luck(c);
}

void booking_cancel(struct call *call)
{
    struct cancel *c = sim_alloc(sizeof(*c));
    c->asked = (struct cancel_call *)call;
    c->process = call->to;
    c->deadline = sim.now + REQUEST_TIMEOUT;
    look(c);
}
