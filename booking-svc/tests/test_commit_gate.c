/* What shuts the gate before event-svc, and what opens it. */
#include <criterion/criterion.h>

#include "booking-svc/domain/commit_gate.h"

#define SECOND INT64_C(1000000)

static struct commit_gate fresh(void)
{
    struct commit_gate gate;
    commit_gate_init(&gate);
    return gate;
}

Test(commit_gate, one_refusal_for_want_of_a_database_shuts_it)
{
    static const char *const states[] = {"53100", "25006", "58030", "XX000"};
    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        struct commit_gate gate = fresh();
        cr_expect(commit_gate_note(&gate, TK_STEP_REFUSED, states[i], 0), "%s", states[i]);
        cr_expect_not(commit_gate_allows(&gate));
        cr_expect_not(commit_gate_note(&gate, TK_STEP_REFUSED, states[i], 0), "said once");
    }
}

Test(commit_gate, items_and_unsent_writes_say_nothing)
{
    struct commit_gate gate = fresh();
    for (int i = 0; i < 100; i++) {
        (void)commit_gate_note(&gate, TK_STEP_REFUSED, "23505", 0);
        (void)commit_gate_note(&gate, TK_STEP_REFUSED, "40P01", 0);
        (void)commit_gate_note(&gate, TK_STEP_FAILED, "", 0);
    }
    cr_expect(commit_gate_allows(&gate));
}

Test(commit_gate, two_lost_answers_in_a_row_shut_it)
{
    struct commit_gate gate = fresh();
    for (int i = 0; i < 10; i++) {
        cr_expect_not(commit_gate_note(&gate, TK_STEP_UNKNOWN, "", 0));
        cr_expect_not(commit_gate_note(&gate, TK_STEP_OK, "", 0));
    }
    cr_expect_not(commit_gate_note(&gate, TK_STEP_REFUSED, "57014", 0));
    cr_expect(commit_gate_note(&gate, TK_STEP_UNKNOWN, "", 0));
}

Test(commit_gate, only_the_periodic_write_opens_it)
{
    struct commit_gate gate = fresh();
    cr_expect_not(commit_gate_probed(&gate, TK_STEP_FAILED, SECOND), "never sent: a long queue is no full disk");
    cr_expect_not(commit_gate_probed(&gate, TK_STEP_UNKNOWN, SECOND), "one lost answer");
    cr_expect_not(commit_gate_probed(&gate, TK_STEP_OK, SECOND));
    cr_expect(commit_gate_allows(&gate));
    cr_expect(commit_gate_probed(&gate, TK_STEP_REFUSED, SECOND), "an idle service notices by itself");
    cr_expect_not(commit_gate_note(&gate, TK_STEP_OK, "", SECOND), "one that was on its way");
    cr_expect_not(commit_gate_allows(&gate));
    cr_expect_not(commit_gate_probed(&gate, TK_STEP_FAILED, 2 * SECOND));
    cr_expect_not(commit_gate_allows(&gate));
    cr_expect(commit_gate_probed(&gate, TK_STEP_OK, 3 * SECOND));
    cr_expect(commit_gate_allows(&gate));
}
