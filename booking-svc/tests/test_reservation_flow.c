/*
 * Every path of the reservation flow. A generator walks the pure machine: at each state it tries every result that step can
 * have (OK, REFUSED for each reason, FAILED, UNKNOWN), with and without a key, with seats named or left to event-svc, with
 * the client there or gone, and a model of the world notes what exists out there. The promises are checked on each path's
 * end and on the way.
 */
#include <criterion/criterion.h>
#include <stdio.h>

#include "booking-svc/domain/reservation_flow.h"

#define MAX_STEPS 16

/** What is true outside, as far as the results say. */
struct world {
    bool lock_may_exist;
    bool seats_may_be_held;
    bool hold_unknown; /* the last word on the hold was UNKNOWN */
    bool hold_in_doubt;
    bool stored;         /* a commit was acknowledged, or the row was seen alive */
    bool commit_unknown; /* a commit was sent without an answer and nothing was learnt since */
    bool tombstone;      /* the row was read as a tombstone, or the fence stored one */
    bool fence_lost;     /* the fence could not be set: the seats are left to the sweep */
    bool released;
    bool unlocked;
};

struct walk {
    struct reservation_flow flow;
    struct world world;
    enum reservation_flow_state path[MAX_STEPS];
    size_t steps;
    size_t answers; /* given so far */
    enum reservation_answer answer;
    bool client_gone;
};

static size_t paths_walked;
static size_t answers_seen[RESERVATION_ANSWERS];

typedef struct reservation_flow_result result_t;

#define RESULT(s, d)                                                                                                       \
    {                                                                                                                      \
        .step = TK_STEP_##s, .detail = RESERVATION_DETAIL_##d                                                              \
    }
#define IN_DOUBT(s, d)                                                                                                     \
    {                                                                                                                      \
        .step = TK_STEP_##s, .detail = RESERVATION_DETAIL_##d, .in_doubt = true                                            \
    }
#define PLAIN       RESULT(OK, NONE), RESULT(REFUSED, NONE), RESULT(FAILED, NONE), RESULT(UNKNOWN, NONE)
#define MAX_RESULTS 24

static const struct {
    size_t count;
    result_t results[MAX_RESULTS];
} possible[RESERVATION_FLOW_STATES] = {
    [RESERVATION_FLOW_PRICING] = {4, {PLAIN}},
    [RESERVATION_FLOW_BINDING] = {6, {PLAIN, RESULT(OK, REPLAY), RESULT(REFUSED, KEY_REUSED)}},
    [RESERVATION_FLOW_LOCKING] = {4, {PLAIN}},
    [RESERVATION_FLOW_HOLDING] = {19,
                                  {PLAIN, RESULT(REFUSED, SEATS_TAKEN), RESULT(REFUSED, UNKNOWN_SEATS),
                                   RESULT(REFUSED, NO_ADJACENT_BLOCK), RESULT(REFUSED, SOLD_OUT),
                                   IN_DOUBT(REFUSED, NO_ADJACENT_BLOCK), IN_DOUBT(REFUSED, SOLD_OUT),
                                   RESULT(REFUSED, SESSION_NOT_FOUND), RESULT(REFUSED, SALES_CLOSED),
                                   RESULT(REFUSED, RELEASED), IN_DOUBT(OK, NONE), IN_DOUBT(REFUSED, SEATS_TAKEN),
                                   IN_DOUBT(REFUSED, UNKNOWN_SEATS), IN_DOUBT(REFUSED, SALES_CLOSED),
                                   IN_DOUBT(REFUSED, RELEASED), IN_DOUBT(UNKNOWN, NONE)}},
    [RESERVATION_FLOW_REBINDING] = {6, {PLAIN, RESULT(OK, REPLAY), RESULT(REFUSED, KEY_REUSED)}},
    [RESERVATION_FLOW_PERSISTING] = {8,
                                     {PLAIN, RESULT(REFUSED, ALREADY_STORED), RESULT(REFUSED, TOMBSTONE),
                                      RESULT(REFUSED, SEAT_LIMIT), RESULT(REFUSED, OVERDUE)}},
    [RESERVATION_FLOW_FENCING] = {4, {PLAIN}},
    [RESERVATION_FLOW_RELEASING] = {4, {PLAIN}},
    [RESERVATION_FLOW_UNLOCKING] = {4, {PLAIN}},
};

/* --- the model ----------------------------------------------------------------------------------------------------- */

static void learn_hold(struct world *world, const result_t *r)
{
    world->hold_in_doubt = r->in_doubt && r->step == TK_STEP_REFUSED && r->detail != RESERVATION_DETAIL_RELEASED;
    world->hold_unknown = r->step == TK_STEP_UNKNOWN;
    world->seats_may_be_held = r->step == TK_STEP_OK || r->step == TK_STEP_UNKNOWN || world->hold_in_doubt;
}

static void learn_commit(struct world *world, const result_t *r)
{
    if (r->step == TK_STEP_OK || r->detail == RESERVATION_DETAIL_ALREADY_STORED) {
        world->stored = true;
        world->commit_unknown = false;
    } else if (r->detail == RESERVATION_DETAIL_TOMBSTONE) {
        world->tombstone = true;
        world->commit_unknown = false;
    } else if (r->step == TK_STEP_UNKNOWN) {
        world->commit_unknown = true;
    }
}

static void learn(struct walk *walk, const result_t *r)
{
    struct world *world = &walk->world;
    switch (walk->flow.state) {
    case RESERVATION_FLOW_LOCKING:
        world->lock_may_exist = r->step == TK_STEP_OK || r->step == TK_STEP_UNKNOWN;
        break;
    case RESERVATION_FLOW_HOLDING:
        learn_hold(world, r);
        break;
    case RESERVATION_FLOW_PERSISTING:
        learn_commit(world, r);
        break;
    case RESERVATION_FLOW_FENCING:
        world->tombstone = world->tombstone || r->step == TK_STEP_OK;
        world->fence_lost = r->step != TK_STEP_OK;
        if (world->tombstone)
            world->commit_unknown = false;
        break;
    case RESERVATION_FLOW_RELEASING:
        world->released = true;
        break;
    case RESERVATION_FLOW_UNLOCKING:
        world->unlocked = true;
        break;
    default:
        break;
    }
}

/* --- the promises -------------------------------------------------------------------------------------------------- */

static const char *describe(const struct walk *walk)
{
    static char text[512];
    size_t len = 0;
    for (size_t i = 0; i < walk->steps; i++)
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s ", reservation_flow_state_name(walk->path[i]));
    snprintf(text + len, sizeof(text) - len, "-> %s%s%s", reservation_answer_name(walk->answer),
             walk->flow.keyed ? " (keyed)" : "", walk->flow.choosing ? " (choosing)" : "");
    return text;
}

/** Before a step is taken: may it be taken at all? */
static void check_step(const struct walk *walk)
{
    const struct world *world = &walk->world;
    switch (walk->flow.state) {
    case RESERVATION_FLOW_BINDING:
    case RESERVATION_FLOW_REBINDING:
        cr_assert(walk->flow.keyed, "a request without a key binds nothing: %s", describe(walk));
        break;
    case RESERVATION_FLOW_LOCKING:
        cr_assert_not(walk->flow.choosing, "locked seats nobody has chosen: %s", describe(walk));
        cr_assert_not(world->lock_may_exist || world->seats_may_be_held, "locks go first, once: %s", describe(walk));
        break;
    case RESERVATION_FLOW_RELEASING:
        cr_assert_not(world->stored || world->commit_unknown, "released what may stand: %s", describe(walk));
        cr_assert_not(world->unlocked, "locks go after seats: %s", describe(walk));
        cr_assert_not(world->released, "released twice: %s", describe(walk));
        cr_assert(world->seats_may_be_held, "released what nobody held: %s", describe(walk));
        cr_assert(!walk->flow.keyed || world->tombstone, "released under a key without a tombstone: %s", describe(walk));
        break;
    case RESERVATION_FLOW_UNLOCKING:
        cr_assert(world->lock_may_exist && !world->unlocked, "unlocked what is not locked: %s", describe(walk));
        break;
    case RESERVATION_FLOW_PERSISTING:
        cr_assert(world->seats_may_be_held, "stored a reservation without seats: %s", describe(walk));
        break;
    default:
        break;
    }
}

static void check_end(const struct walk *walk)
{
    const struct world *world = &walk->world;
    const bool may_stand = world->stored || world->commit_unknown;
    const bool kept_for_retry = walk->flow.keyed && world->hold_unknown;
    const bool replayed = walk->answer == RESERVATION_ANSWER_REPLAYED;

    cr_assert_eq(walk->answers, 1, "%zu answers: %s", walk->answers, describe(walk));
    if (world->seats_may_be_held && !may_stand && !kept_for_retry && !world->fence_lost && !replayed)
        cr_assert(world->released, "seats were stranded: %s", describe(walk));
    if (world->lock_may_exist && !may_stand)
        cr_assert(world->unlocked, "locks were stranded: %s", describe(walk));
    if (walk->answer == RESERVATION_ANSWER_CREATED)
        cr_assert(world->stored, "promised what is not stored: %s", describe(walk));
    if (walk->answer == RESERVATION_ANSWER_OVERLOADED)
        cr_assert_not(may_stand || world->hold_unknown, "\"nothing was applied\" is not certain: %s", describe(walk));
    if (world->commit_unknown)
        cr_assert_eq(walk->answer, RESERVATION_ANSWER_OUTCOME_UNKNOWN, "hid a doubt: %s", describe(walk));
    if (world->stored)
        cr_assert(walk->answer == RESERVATION_ANSWER_CREATED || replayed ||
                      walk->answer == RESERVATION_ANSWER_OUTCOME_UNKNOWN,
                  "denied what is stored: %s", describe(walk));
    answers_seen[walk->answer]++;
    paths_walked++;
}

/* --- the walk ------------------------------------------------------------------------------------------------------ */

/** The client may be gone: the answer then goes nowhere, and nothing else may change. */
static void hand_out(struct walk *walk)
{
    const enum reservation_answer answer = reservation_flow_take_answer(&walk->flow);
    if (answer == RESERVATION_ANSWER_NONE)
        return;
    walk->answers++;
    walk->answer = answer;
}

static void explore(const struct walk *so_far)
{
    cr_assert_lt(so_far->steps, MAX_STEPS, "a flow must end: %s", describe(so_far));
    check_step(so_far);
    for (size_t i = 0; i < possible[so_far->flow.state].count; i++) {
        struct walk walk = *so_far;
        const result_t result = possible[so_far->flow.state].results[i];
        walk.path[walk.steps++] = walk.flow.state;
        learn(&walk, &result);
        reservation_flow_step(&walk.flow, result);
        hand_out(&walk);
        if (walk.flow.state == RESERVATION_FLOW_DONE)
            check_end(&walk);
        else
            explore(&walk);
    }
}

/** The number of paths. */
static size_t explore_from_start(bool keyed, bool choosing)
{
    const size_t before = paths_walked;
    struct walk walk = {0};
    reservation_flow_start(&walk.flow, keyed, choosing);
    explore(&walk);
    return paths_walked - before;
}

Test(reservation_flow, every_path_keeps_every_promise)
{
    const size_t named = explore_from_start(false, false);
    const size_t named_keyed = explore_from_start(true, false);
    const size_t chosen = explore_from_start(false, true);
    const size_t chosen_keyed = explore_from_start(true, true);
    cr_log_info("paths: seats named %zu, with a key %zu; seats chosen %zu, with a key %zu", named, named_keyed, chosen,
                chosen_keyed);
    cr_assert_gt(named, 500);
    cr_assert_gt(named_keyed, 2000);
    cr_assert_gt(chosen, 50);
    cr_assert_gt(chosen_keyed, 200);
    for (size_t i = RESERVATION_ANSWER_CREATED; i < RESERVATION_ANSWERS; i++)
        cr_assert_gt(answers_seen[i], 0, "no path answers %s", reservation_answer_name((enum reservation_answer)i));
}

/**
 * The client leaving is not an input of the machine: whether, and when, somebody takes the answer must not change which
 * steps follow. Compared here for every result sequence by running the same walk with the answer taken late.
 */
static size_t compared;

static void explore_twins(const struct reservation_flow *prompt, const struct reservation_flow *gone, size_t depth)
{
    cr_assert_lt(depth, MAX_STEPS);
    for (size_t i = 0; i < possible[prompt->state].count; i++) {
        struct reservation_flow a = *prompt;
        struct reservation_flow b = *gone;
        reservation_flow_step(&a, possible[prompt->state].results[i]);
        reservation_flow_step(&b, possible[prompt->state].results[i]);
        (void)reservation_flow_take_answer(&a);
        cr_assert_eq(a.state, b.state);
        cr_assert_eq(a.owed, b.owed);
        if (a.state != RESERVATION_FLOW_DONE) {
            explore_twins(&a, &b, depth + 1);
            continue;
        }
        cr_assert_neq(reservation_flow_take_answer(&b), RESERVATION_ANSWER_NONE);
        cr_assert_eq(reservation_flow_take_answer(&b), RESERVATION_ANSWER_NONE);
        compared++;
    }
}

Test(reservation_flow, a_client_that_left_changes_nothing)
{
    for (unsigned kind = 0; kind < 4; kind++) {
        struct reservation_flow flow;
        reservation_flow_start(&flow, (kind & 1) != 0, (kind & 2) != 0);
        explore_twins(&flow, &flow, 0);
    }
    cr_assert_gt(compared, 2500);
    cr_log_info("%zu paths compared", compared);
}

/* --- single stories, as documentation ------------------------------------------------------------------------------ */

static enum reservation_flow_state play(struct reservation_flow *flow, const result_t *results, size_t count)
{
    for (size_t i = 0; i < count; i++)
        reservation_flow_step(flow, results[i]);
    return flow->state;
}

#define PLAY(flow, ...)                                                                                                    \
    play((flow), (const result_t[]){__VA_ARGS__}, sizeof((const result_t[]){__VA_ARGS__}) / sizeof(result_t))

Test(reservation_flow, happy_path_owes_nothing)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, false);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE), RESULT(OK, NONE)), RESERVATION_FLOW_PERSISTING);
    cr_assert_eq(flow.owed, OWES_LOCK | OWES_SEATS);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE)), RESERVATION_FLOW_DONE);
    cr_assert_eq(flow.owed, 0);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_CREATED);
}

Test(reservation_flow, without_redis_the_sale_goes_on)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, false);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE), RESULT(FAILED, NONE)), RESERVATION_FLOW_HOLDING);
    cr_assert_eq(flow.owed, 0, "a lock that was never asked for need not be given back");
}

Test(reservation_flow, unknown_hold_without_a_key_is_released_with_one_it_is_kept)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, false);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE), RESULT(UNKNOWN, NONE)), RESERVATION_FLOW_RELEASING);
    reservation_flow_start(&flow, true, false);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE), RESULT(OK, NONE), RESULT(UNKNOWN, NONE)),
                 RESERVATION_FLOW_UNLOCKING);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_OUTCOME_UNKNOWN);
}

Test(reservation_flow, unknown_commit_is_asked_again_once_and_never_undone)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, false);
    PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE), RESULT(OK, NONE));
    cr_assert_eq(PLAY(&flow, RESULT(UNKNOWN, NONE)), RESERVATION_FLOW_PERSISTING);
    cr_assert_eq(PLAY(&flow, RESULT(UNKNOWN, NONE)), RESERVATION_FLOW_DONE);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_OUTCOME_UNKNOWN);
}

Test(reservation_flow, tombstone_gives_a_keyed_request_a_fresh_id_once)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, true, false);
    PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE), RESULT(OK, NONE));
    cr_assert_eq(PLAY(&flow, RESULT(REFUSED, RELEASED)), RESERVATION_FLOW_REBINDING);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE)), RESERVATION_FLOW_HOLDING);
    cr_assert_eq(PLAY(&flow, RESULT(REFUSED, RELEASED)), RESERVATION_FLOW_UNLOCKING);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_HOLD_EXPIRED);
}

Test(reservation_flow, seats_nobody_has_chosen_are_not_locked)
{
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, true);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE)), RESERVATION_FLOW_HOLDING);
    cr_assert_eq(PLAY(&flow, RESULT(REFUSED, SOLD_OUT)), RESERVATION_FLOW_DONE);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_SOLD_OUT);
    reservation_flow_start(&flow, true, true);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE), RESULT(OK, NONE)), RESERVATION_FLOW_HOLDING, "the key is bound before");
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE)), RESERVATION_FLOW_PERSISTING);
    cr_assert_eq(flow.owed, OWES_SEATS);
}

Test(reservation_flow, overdue_after_a_doubtful_commit_is_fenced_before_anything_is_said)
{
    const result_t until_overdue[] = {RESULT(OK, NONE), RESULT(OK, NONE), RESULT(OK, NONE), RESULT(UNKNOWN, NONE),
                                      RESULT(REFUSED, OVERDUE)};
    struct reservation_flow flow;
    reservation_flow_start(&flow, false, false);
    cr_assert_eq(play(&flow, until_overdue, 5), RESERVATION_FLOW_FENCING);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_NONE);
    cr_assert_eq(PLAY(&flow, RESULT(OK, NONE)), RESERVATION_FLOW_RELEASING);
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_HOLD_EXPIRED);

    reservation_flow_start(&flow, false, false);
    play(&flow, until_overdue, 5);
    cr_assert_eq(PLAY(&flow, RESULT(REFUSED, NONE)), RESERVATION_FLOW_UNLOCKING, "the first try was late: its seats stay");
    cr_assert_eq(reservation_flow_take_answer(&flow), RESERVATION_ANSWER_OUTCOME_UNKNOWN);
}
