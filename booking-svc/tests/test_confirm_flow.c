/*
 * Every path of the confirm flow, walked as in test_reservation_flow.c. The promises are about money: nothing is settled on
 * a guess, nothing is charged that was not stored first, and a doubt is never hidden.
 */
#include <criterion/criterion.h>

#include "booking-svc/domain/confirm_flow.h"

#define MAX_STEPS 10

struct walk {
    struct confirm_flow flow;
    size_t steps;
    size_t begins;
    size_t charges;
    size_t settles;
    bool begun;         /* the attempt is stored */
    bool begin_unknown; /* may be stored */
    bool charged_for_sure;
    bool declined_for_sure;
    bool charge_unknown;  /* some charge got no answer */
    bool charge_not_sent; /* the last charge was not sent */
    bool settled;
    bool refused_for_good; /* a seat has another ticket */
    bool voided;
    enum confirm_answer answer;
    size_t answers;
};

typedef struct confirm_flow_result result_t;

static size_t paths_walked;
static size_t answers_seen[CONFIRM_ANSWERS];

static void learn(struct walk *w, result_t r)
{
    switch (w->flow.state) {
    case CONFIRM_FLOW_BEGINNING:
        w->begins++;
        w->begun = r.step == TK_STEP_OK;
        w->begin_unknown = r.step == TK_STEP_UNKNOWN || (w->begin_unknown && r.refusal == CONFIRM_ANSWER_NONE && !w->begun);
        break;
    case CONFIRM_FLOW_CHARGING:
        w->charges++;
        w->charged_for_sure = r.step == TK_STEP_OK;
        w->declined_for_sure = r.step == TK_STEP_REFUSED;
        w->charge_unknown = w->charge_unknown || r.step == TK_STEP_UNKNOWN;
        w->charge_not_sent = r.step == TK_STEP_FAILED;
        break;
    case CONFIRM_FLOW_SETTLING:
        w->settles++;
        w->settled = r.step == TK_STEP_OK;
        w->refused_for_good = r.step == TK_STEP_REFUSED && r.refusal == CONFIRM_ANSWER_SEATS_LOST;
        break;
    case CONFIRM_FLOW_VOIDING:
        w->voided = r.step == TK_STEP_OK;
        break;
    case CONFIRM_FLOW_DONE:
        break;
    }
}

static void check_step(const struct walk *w)
{
    if (w->flow.state == CONFIRM_FLOW_VOIDING)
        cr_assert(w->refused_for_good && w->charged_for_sure, "gave up a sale that may be made");
    if (w->flow.state == CONFIRM_FLOW_CHARGING)
        cr_assert(w->begun, "charged without a stored attempt");
    if (w->flow.state != CONFIRM_FLOW_SETTLING)
        return;
    const bool certainly_not_charged = w->charge_not_sent && !w->charge_unknown && !w->flow.resume && w->begins == 1;
    cr_assert(w->charged_for_sure || w->declined_for_sure || certainly_not_charged, "settled on a guess");
    cr_assert_eq(w->flow.verdict == CONFIRM_ANSWER_CONFIRMED, w->charged_for_sure, "settled the wrong way");
}

static void check_end(const struct walk *w)
{
    const bool charged_or_doubtful =
        w->charged_for_sure || (w->charge_unknown && !w->declined_for_sure) || (w->flow.resume && w->charge_not_sent);
    cr_assert_eq(w->answers, 1);
    cr_assert_leq(w->begins, 2);
    cr_assert_leq(w->charges, 2);
    cr_assert_leq(w->settles, 2);
    cr_assert_eq(w->answer == CONFIRM_ANSWER_SEATS_LOST, w->voided);
    if (w->begun && !w->settled && !w->voided)
        cr_assert_eq(w->answer, CONFIRM_ANSWER_OUTCOME_UNKNOWN, "a reservation was left paying without saying so");
    if (charged_or_doubtful)
        cr_assert(w->answer == CONFIRM_ANSWER_CONFIRMED || w->answer == CONFIRM_ANSWER_OUTCOME_UNKNOWN || w->voided);
    if (w->begin_unknown)
        cr_assert_eq(w->answer, CONFIRM_ANSWER_OUTCOME_UNKNOWN, "a begin in doubt was hidden");
    if (w->settled)
        cr_assert_eq(w->answer == CONFIRM_ANSWER_CONFIRMED, w->charged_for_sure);
    if (w->answer == CONFIRM_ANSWER_HOLD_EXPIRED)
        cr_assert_eq(w->begins, 1, "told over while an earlier try may be applied yet");
    if (w->answer == CONFIRM_ANSWER_PAYMENT_FAILED)
        cr_assert(w->declined_for_sure && w->settled);
    if (w->answer == CONFIRM_ANSWER_PAYMENT_UNAVAILABLE)
        cr_assert(w->charge_not_sent && w->settled);
    answers_seen[w->answer]++;
    paths_walked++;
}

static void explore(const struct walk *so_far);

static void take(const struct walk *so_far, result_t result)
{
    struct walk walk = *so_far;
    walk.steps++;
    learn(&walk, result);
    confirm_flow_step(&walk.flow, result);
    const enum confirm_answer answer = confirm_flow_take_answer(&walk.flow);
    if (answer != CONFIRM_ANSWER_NONE) {
        walk.answers++;
        walk.answer = answer;
    }
    if (walk.flow.state == CONFIRM_FLOW_DONE)
        check_end(&walk);
    else
        explore(&walk);
}

static void explore(const struct walk *so_far)
{
    static const enum confirm_answer refusals[] = {
        CONFIRM_ANSWER_NONE,
        CONFIRM_ANSWER_CONFIRMED,
        CONFIRM_ANSWER_NOT_FOUND,
        CONFIRM_ANSWER_HOLD_EXPIRED,
        CONFIRM_ANSWER_PAYMENT_IN_PROGRESS,
        CONFIRM_ANSWER_WRONG_STATE,
        CONFIRM_ANSWER_NOTHING_TO_SETTLE,
    };
    cr_assert_lt(so_far->steps, MAX_STEPS, "a flow must end");
    check_step(so_far);
    for (int step = TK_STEP_OK; step <= TK_STEP_UNKNOWN; step++)
        take(so_far, (result_t){.step = (enum tk_step)step});
    for (size_t i = 1; so_far->flow.state == CONFIRM_FLOW_BEGINNING && i < sizeof(refusals) / sizeof(refusals[0]); i++)
        take(so_far, (result_t){.step = TK_STEP_REFUSED, .refusal = refusals[i]});
    if (so_far->flow.state == CONFIRM_FLOW_SETTLING)
        take(so_far, (result_t){.step = TK_STEP_REFUSED, .refusal = CONFIRM_ANSWER_SEATS_LOST});
}

Test(confirm_flow, every_path_keeps_every_promise)
{
    for (int is_resume = 0; is_resume <= 1; is_resume++) {
        struct walk walk = {0};
        confirm_flow_start(&walk.flow, is_resume != 0);
        explore(&walk);
    }
    cr_log_info("%zu paths", paths_walked);
    cr_assert_gt(paths_walked, 100);
    for (size_t i = CONFIRM_ANSWER_CONFIRMED; i < CONFIRM_ANSWERS; i++)
        cr_assert_gt(answers_seen[i], 0, "no path answers %s", confirm_answer_name((enum confirm_answer)i));
}

Test(confirm_flow, overdue_is_no_answer_while_an_earlier_try_is_on_its_way)
{
    struct confirm_flow flow;
    confirm_flow_start(&flow, false);
    cr_assert_eq(confirm_flow_step(&flow, (result_t){.step = TK_STEP_UNKNOWN}), CONFIRM_FLOW_BEGINNING);
    const result_t overdue = {.step = TK_STEP_REFUSED, .refusal = CONFIRM_ANSWER_HOLD_EXPIRED};
    cr_assert_eq(confirm_flow_step(&flow, overdue), CONFIRM_FLOW_DONE);
    cr_assert_eq(confirm_flow_take_answer(&flow), CONFIRM_ANSWER_OUTCOME_UNKNOWN);
}

Test(confirm_flow, an_unknown_charge_is_asked_again_and_not_settled_when_still_unknown)
{
    struct confirm_flow flow;
    confirm_flow_start(&flow, false);
    confirm_flow_step(&flow, (result_t){.step = TK_STEP_OK});
    cr_assert_eq(confirm_flow_step(&flow, (result_t){.step = TK_STEP_UNKNOWN}), CONFIRM_FLOW_CHARGING);
    cr_assert_eq(confirm_flow_step(&flow, (result_t){.step = TK_STEP_FAILED}), CONFIRM_FLOW_DONE);
    cr_assert_eq(confirm_flow_take_answer(&flow), CONFIRM_ANSWER_OUTCOME_UNKNOWN);
}
