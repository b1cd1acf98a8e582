/*
 * Verdicts on holds: every combination that can occur.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/verdict.h"

#define FRESH(w, f, a)                                                                                                     \
    {                                                                                                                      \
        .fresh = true, .state = HOLD_HELD, .wanted = (w), .found = (f), .available = (a)                                   \
    }
#define STORED(s, same)                                                                                                    \
    {                                                                                                                      \
        .state = (s), .same_seats = (same), .wanted = 2, .session_exists = true, .session_open = true                      \
    }
#define NOTHING(exists, open)                                                                                              \
    {                                                                                                                      \
        .session_exists = (exists), .session_open = (open), .wanted = 2                                                    \
    }

Test(verdict, holds)
{
    static const struct {
        struct hold_facts facts;
        enum tk_hold_outcome outcome;
    } cases[] = {
        {FRESH(2, 2, 2), TK_HOLD_HELD},
        {FRESH(2, 2, 1), TK_HOLD_SEATS_TAKEN},
        {FRESH(2, 2, 0), TK_HOLD_SEATS_TAKEN},
        {FRESH(2, 1, 1), TK_HOLD_UNKNOWN_SEATS},
        {FRESH(2, 1, 0), TK_HOLD_UNKNOWN_SEATS},
        {FRESH(2, 0, 0), TK_HOLD_UNKNOWN_SEATS},
        {STORED(HOLD_HELD, true), TK_HOLD_HELD},
        {STORED(HOLD_HELD, false), TK_HOLD_MISMATCH},
        {STORED(HOLD_SOLD, true), TK_HOLD_HELD},
        {STORED(HOLD_SOLD, false), TK_HOLD_MISMATCH},
        {STORED(HOLD_RELEASED, true), TK_HOLD_RELEASED},
        {STORED(HOLD_RELEASED, false), TK_HOLD_RELEASED},
        {NOTHING(false, false), TK_HOLD_SESSION_NOT_FOUND},
        {NOTHING(true, false), TK_HOLD_SALES_CLOSED},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        enum tk_hold_outcome outcome;
        cr_assert_eq(hold_judge(&cases[i].facts, &outcome), TK_OK, "case %zu", i);
        cr_expect_eq(outcome, cases[i].outcome, "case %zu: %s", i, tk_hold_outcome_name(outcome));
    }
}

Test(verdict, a_replay_outlives_the_start_of_the_session)
{
    struct hold_facts facts = STORED(HOLD_HELD, true);
    enum tk_hold_outcome outcome;
    facts.session_open = false;
    cr_assert_eq(hold_judge(&facts, &outcome), TK_OK);
    cr_expect_eq(outcome, TK_HOLD_HELD);
}

Test(verdict, contradicting_facts_are_no_answer)
{
    struct hold_facts facts = NOTHING(true, true);
    enum tk_hold_outcome outcome;
    cr_expect_eq(hold_judge(&facts, &outcome), TK_ERR_CONFLICT);
}

Test(verdict, states_have_names)
{
    for (enum hold_state state = HOLD_HELD; state <= HOLD_RELEASED; state++)
        cr_expect_eq(hold_state_of(tk_slice_of(hold_state_name(state))), state);
    cr_expect_eq(hold_state_of((struct tk_slice){NULL, 0}), HOLD_NONE);
}

Test(verdict, verdicts_have_names)
{
    enum settle_verdict read;
    for (enum settle_verdict verdict = SETTLE_APPLIED; verdict <= SETTLE_UNKNOWN; verdict++) {
        cr_assert_eq(settle_verdict_parse(tk_slice_of(settle_verdict_name(verdict)), &read), TK_OK);
        cr_expect_eq(read, verdict);
    }
    cr_expect_eq(settle_verdict_parse(TK_SLICE("perhaps"), &read), TK_ERR_INVALID);
}

Test(verdict, releases_in_the_words_of_the_api)
{
    cr_expect_eq(release_outcome_of(SETTLE_APPLIED), TK_RELEASE_RELEASED);
    cr_expect_eq(release_outcome_of(SETTLE_STALE), TK_RELEASE_RELEASED);
    cr_expect_eq(release_outcome_of(SETTLE_TOMBSTONED), TK_RELEASE_TOMBSTONED);
    cr_expect_eq(release_outcome_of(SETTLE_UNKNOWN), TK_RELEASE_TOMBSTONED);
    cr_expect_eq(release_outcome_of(SETTLE_CONFLICT), TK_RELEASE_SOLD);
}

Test(verdict, only_contradictions_are_dead_letters)
{
    cr_expect_not(settle_is_contradiction(SETTLE_APPLIED));
    cr_expect_not(settle_is_contradiction(SETTLE_TOMBSTONED));
    cr_expect_not(settle_is_contradiction(SETTLE_STALE));
    cr_expect(settle_is_contradiction(SETTLE_CONFLICT));
    cr_expect(settle_is_contradiction(SETTLE_UNKNOWN));
}
