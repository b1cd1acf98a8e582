/*
 * The clients, and their side of the history: what they asked for, what they were told. A call that brought no answer is
 * neither a success nor a failure; whoever retries it with the same key must be told the truth.
 */
#include <string.h>

#include "booking-svc/domain/confirm_flow.h"
#include "booking-svc/domain/reservation_flow.h"
#include "tests/sim/sim.h"

#define BOOKINGS_MAX 256
#define MAX_CONFIRMS 5

struct booking {
    int client, user, key, hash, count, seats[PER_HOLD];
    int tries, tries_left, open; /* open: requests on their way */
    bool moved_on;               /* an answer has decided what comes next */
    int known;                   /* the id a success named, NOBODY: none so far */
    bool unknown;                /* some try may have been applied */
    int confirms, confirms_open;
    bool confirm_unknown, ticket, told_over, cancel_unknown;
};

struct client {
    int left;
    bool done;
};

static struct client clients[CLIENTS];
static struct booking *bookings[BOOKINGS_MAX];
static int booking_count, asking_again;

struct
try {
    struct create_call create;
    struct booking *b;
    int64_t asked_at;
    bool is_probe; /* the key with another body */
    bool is_last;  /* after everything healed */
};

struct confirm_try {
    struct confirm_call confirm;
    struct booking *b;
    bool alone; /* no other confirm or cancel under way or in doubt */
    bool is_last;
};

struct cancel_try {
    struct cancel_call cancel;
    struct booking *b;
    bool alone;
};

static void send_try(void *ctx);
static void start_booking(void *ctx);

static int a_booking_svc(void)
{
    return sim_chance(512) ? BOOKING_A : BOOKING_B;
}

static int64_t patience(void)
{
    return sim.over ? 20 * SECOND : sim_between(300 * MS, 4 * SECOND);
}

bool booking_matches(const struct booking *b, int user, const int *seats, int count)
{
    return b != NULL && b->user == user && b->count == count &&
           memcmp(b->seats, seats, (size_t)count * sizeof(*seats)) == 0;
}

static void next_booking(const struct booking *b)
{
    sim_at(WORLD, sim_between(0, 3 * SECOND), start_booking, &clients[b->client]);
}

/* --- confirming, cancelling -------------------------------------------------------------------------------------- */

static void send_confirm(void *ctx);

static void confirm_ends(struct booking *b, bool again)
{
    if (b->confirms_open > 0 || sim.over)
        return;
    if (again && b->confirms < MAX_CONFIRMS && !b->ticket)
        sim_at(WORLD, sim_between(0, 3 * SECOND), send_confirm, b);
    else
        next_booking(b);
}

static void told_confirmed(struct booking *b)
{
    SIM_CHECK(sim.rows[b->known].status == RESERVATION_CONFIRMED, "told confirmed, and it is not", b->known, 0);
    SIM_CHECK(!b->told_over, "told over first and confirmed then", b->known, 0);
    b->ticket = true;
}

static void on_confirmed(struct call *call)
{
    struct confirm_try *t = (struct confirm_try *)call;
    struct booking *b = t->b;
    const enum confirm_answer answer =
        call->step == TK_STEP_OK ? (enum confirm_answer)t->confirm.answer : CONFIRM_ANSWER_NONE;
    b->confirms_open--;
    b->confirm_unknown |= call->step == TK_STEP_UNKNOWN || answer == CONFIRM_ANSWER_OUTCOME_UNKNOWN;
    if (answer == CONFIRM_ANSWER_CONFIRMED)
        told_confirmed(b);
    SIM_CHECK(answer != CONFIRM_ANSWER_NOT_FOUND, "a reservation told of is not found", b->known, 0);
    if (answer == CONFIRM_ANSWER_HOLD_EXPIRED && t->alone && !b->confirm_unknown)
        b->told_over = true;
    const bool final =
        answer == CONFIRM_ANSWER_CONFIRMED || answer == CONFIRM_ANSWER_HOLD_EXPIRED || answer == CONFIRM_ANSWER_WRONG_STATE;
    SIM_CHECK(!t->is_last || final, "nobody can say what became of a payment", b->known, answer);
    confirm_ends(b, !final && sim_chance(900));
}

static void send_one_confirm(struct booking *b, bool is_last)
{
    struct confirm_try *t = sim_alloc(sizeof(*t));
    t->b = b;
    t->confirm.id = b->known;
    t->confirm.user = b->user;
    t->alone = b->confirms_open == 0 && !b->cancel_unknown;
    t->is_last = is_last;
    b->confirms++;
    b->confirms_open++;
    call_start(&t->confirm.call, WORLD, a_booking_svc(), booking_confirm, on_confirmed, patience());
}

static void send_confirm(void *ctx)
{
    struct booking *b = ctx;
    send_one_confirm(b, false);
    if (sim_chance(150))
        send_one_confirm(b, false);
}

static void on_cancelled(struct call *call)
{
    struct cancel_try *t = (struct cancel_try *)call;
    struct booking *b = t->b;
    b->confirms_open--;
    b->cancel_unknown |= call->step == TK_STEP_UNKNOWN || (call->step == TK_STEP_OK && t->cancel.answer == CANCEL_UNKNOWN);
    if (call->step == TK_STEP_OK && t->cancel.answer == CANCEL_DONE) {
        SIM_CHECK(sim.rows[b->known].status == RESERVATION_CANCELLED, "told cancelled, and it is not", b->known, 0);
        b->told_over = true;
    }
    if (call->step == TK_STEP_OK && t->cancel.answer == CANCEL_EXPIRED && t->alone)
        b->told_over = true;
    confirm_ends(b, false);
}

static void send_cancel(void *ctx)
{
    struct booking *b = ctx;
    struct cancel_try *t = sim_alloc(sizeof(*t));
    t->b = b;
    t->cancel.id = b->known;
    t->cancel.user = b->user;
    t->alone = b->confirms_open == 0 && !b->confirm_unknown;
    b->confirms_open++;
    call_start(&t->cancel.call, WORLD, a_booking_svc(), booking_cancel, on_cancelled, patience());
}

static void send_both(void *ctx)
{
    send_cancel(ctx);
    send_one_confirm(ctx, false);
}

static void go_on(struct booking *b)
{
    static event_fn *const plans[] = {send_confirm, send_confirm, send_confirm, send_confirm,
                                      send_cancel,  send_both,    send_both,    NULL};
    event_fn *const plan = plans[sim_below(8)];
    const int64_t most = sim_chance(200) ? sim.p.hold + SECOND : SECOND;
    if (plan != NULL)
        sim_at(WORLD, sim_between(0, most), plan, b);
    else
        next_booking(b);
}

/* --- reserving --------------------------------------------------------------------------------------------------- */

static int live_id(const struct booking *b, int64_t stored_before)
{
    for (int id = 0; id < sim.ids; id++)
        if (sim.origins[id] == b && sim.rows[id].exists && sim.rows[id].count > 0 && sim.rows[id].stored < stored_before)
            return id;
    return NOBODY;
}

static void told_id(struct booking *b, int id)
{
    const struct row *row = &sim.rows[id];
    SIM_CHECK(row->exists && row->count > 0, "told of a reservation that is not there", id, 0);
    SIM_CHECK(booking_matches(b, row->user, row->seats, row->count), "told of somebody else's reservation", id, b->user);
    SIM_CHECK(b->known == NOBODY || b->known == id, "the same key was told two ids", id, b->known);
    b->known = id;
}

enum told { TOLD_OK, TOLD_NO, TOLD_NOTHING_APPLIED, TOLD_UNKNOWN };

static enum told meaning_of(const struct call *call, int answer)
{
    if (call->step == TK_STEP_FAILED)
        return TOLD_NOTHING_APPLIED;
    if (call->step != TK_STEP_OK)
        return TOLD_UNKNOWN;
    switch ((enum reservation_answer)answer) {
    case RESERVATION_ANSWER_CREATED:
    case RESERVATION_ANSWER_REPLAYED:
        return TOLD_OK;
    case RESERVATION_ANSWER_OUTCOME_UNKNOWN:
        return TOLD_UNKNOWN;
    case RESERVATION_ANSWER_NONE: /* its twin is at work: this one did nothing */
    case RESERVATION_ANSWER_OVERLOADED:
        return TOLD_NOTHING_APPLIED;
    default:
        return TOLD_NO;
    }
}

static void retry_or_leave(struct booking *b, bool may_retry)
{
    if (b->open > 0 || b->moved_on || sim.over)
        return;
    b->moved_on = true;
    if (may_retry && b->tries_left > 0) {
        b->moved_on = false;
        sim_at(WORLD, sim_between(0, 2 * SECOND), send_try, b);
    } else {
        next_booking(b);
    }
}

static void on_probed(const struct try *t)
{
    SIM_CHECK(meaning_of(&t->create.call, t->create.answer) != TOLD_OK, "a key was taken for another request", t->create.id,
              0);
}

static void on_tried(struct call *call)
{
    struct try *t = (struct try *)call;
    struct booking *b = t->b;
    if (t->is_probe) {
        on_probed(t);
        return;
    }
    const enum told told = meaning_of(call, t->create.answer);
    b->open--;
    b->unknown |= told == TOLD_UNKNOWN;
    sim.unknown_total += told == TOLD_UNKNOWN;
    if (told == TOLD_OK)
        told_id(b, t->create.id);
    if (told == TOLD_NO)
        SIM_CHECK(live_id(b, t->asked_at) == NOBODY, "told no about a reservation that stood", b->user, t->create.answer);
    if (t->is_last) {
        asking_again--;
        SIM_CHECK(told == TOLD_OK || told == TOLD_NO, "nobody can say what became of a request", b->user, t->create.answer);
        return;
    }
    if (told == TOLD_OK && !b->moved_on) {
        b->moved_on = true;
        go_on(b);
    } else {
        retry_or_leave(b, told == TOLD_NOTHING_APPLIED || (told == TOLD_UNKNOWN && b->key != NOBODY));
    }
}

static struct try *send_one(struct booking *b)
{
    struct try *t = sim_alloc(sizeof(*t));
    t->b = b;
    t->asked_at = sim.now;
    t->create.booking = b;
    t->create.key = b->key;
    t->create.hash = b->hash;
    t->create.user = b->user;
    t->create.count = b->count;
    memcpy(t->create.seats, b->seats, sizeof(b->seats));
    sim.tries_made++;
    call_start(&t->create.call, WORLD, a_booking_svc(), booking_create, on_tried, patience());
    return t;
}

static void send_try(void *ctx)
{
    struct booking *b = ctx;
    const bool twice = b->key != NOBODY && b->tries_left > 1 && sim_chance(150);
    for (int i = 0; i < 1 + twice; i++) {
        b->tries++;
        b->tries_left--;
        b->open++;
        send_one(b);
    }
}

/** After the fact: the same request again, or the same key with another body. */
static void send_late(void *ctx)
{
    struct booking *b = ctx;
    if (sim.over || b->known == NOBODY)
        return;
    if (sim_chance(700)) {
        b->open++;
        send_one(b);
        return;
    }
    struct try *t = send_one(b);
    t->is_probe = true;
    t->create.hash++;
}

static void choose_seats(struct booking *b)
{
    b->count = 1 + sim_below(PER_HOLD);
    if (b->count > sim.p.seats)
        b->count = sim.p.seats;
    int seat = sim_below(sim.p.seats - b->count + 1);
    for (int i = 0; i < b->count; i++) { /* ascending, with gaps */
        b->seats[i] = seat;
        const int room = sim.p.seats - seat - (b->count - i);
        seat += 1 + (room > 0 ? sim_below(room < 2 ? room + 1 : 2) : 0);
    }
}

static void start_booking(void *ctx)
{
    struct client *client = ctx;
    if (client->left-- == 0 || sim.now > sim.calm + 5 * SECOND) {
        client->left = 0;
        client->done = true;
        return;
    }
    struct booking *b = sim_alloc(sizeof(*b));
    SIM_CHECK(booking_count < BOOKINGS_MAX && sim.key_count < KEYS, "out of bookings", 0, 0);
    bookings[booking_count++] = b;
    b->client = (int)(client - clients);
    b->user = booking_count;
    b->key = sim_chance(800) ? sim.key_count++ : NOBODY;
    b->hash = 2 * booking_count;
    b->known = NOBODY;
    b->tries_left = 1 + sim_below(5);
    choose_seats(b);
    sim.attempts_made++;
    send_try(b);
    if (b->key != NOBODY && sim_chance(200))
        sim_at(WORLD, sim_between(2 * SECOND, 20 * SECOND), send_late, b);
}

void clients_start(void)
{
    booking_count = asking_again = 0;
    for (int i = 0; i < sim.p.clients; i++) {
        clients[i] = (struct client){.left = sim.p.bookings};
        sim_at(WORLD, sim_between(0, 3 * SECOND), start_booking, &clients[i]);
    }
}

bool clients_done(void)
{
    for (int i = 0; i < sim.p.clients; i++)
        if (!clients[i].done)
            return false;
    return asking_again == 0;
}

/* --- the end ----------------------------------------------------------------------------------------------------- */

static void ask_again(void *ctx)
{
    send_one(ctx)->is_last = true;
}

/** Whoever was left in doubt asks once more, the payment first: everything is up now, so there must be an answer. */
void clients_ask_again(void)
{
    for (int i = 0; i < booking_count; i++) {
        struct booking *b = bookings[i];
        if (b->confirm_unknown && b->known != NOBODY)
            send_one_confirm(b, true);
        if (b->key == NOBODY || (!b->unknown && b->known == NOBODY))
            continue;
        asking_again++;
        sim_at(WORLD, sim_between(0, 2 * SECOND), ask_again, b);
    }
}

static int rows_of(const struct booking *b)
{
    int n = 0;
    for (int id = 0; id < sim.ids; id++)
        n += sim.origins[id] == b && sim.rows[id].exists && sim.rows[id].count > 0;
    return n;
}

void clients_check(void)
{
    for (int i = 0; i < booking_count; i++) {
        const struct booking *b = bookings[i];
        const int rows = rows_of(b);
        SIM_CHECK(rows <= 1, "one request made two reservations", b->user, rows);
        SIM_CHECK(rows == 0 || b->known != NOBODY || b->unknown, "told no, and yet it was stored", b->user, 0);
        SIM_CHECK(b->known == NOBODY || rows == 1, "an acknowledged reservation is gone", b->known, 0);
        if (b->known == NOBODY)
            continue;
        const struct row *row = &sim.rows[b->known];
        SIM_CHECK(!b->ticket || row->status == RESERVATION_CONFIRMED, "a paid ticket is lost", b->known, 0);
        SIM_CHECK(!b->told_over || row->status != RESERVATION_CONFIRMED, "told over, and then sold", b->known, 0);
        for (int k = 0; k < row->count && b->ticket; k++)
            SIM_CHECK(sim.tickets[row->seats[k]] == b->known, "a confirmed seat without its ticket", b->known, k);
    }
}
