/**
 * What happens to a hold past its deadline: the whole table.
 */
#include <criterion/criterion.h>

#include "booking-worker/domain/orphan.h"

TestSuite(orphan);

Test(orphan, every_status)
{
    static const struct {
        const char *status;
        enum orphan_verdict in_time;
        enum orphan_verdict overdue;
    } cases[] = {
        {"expired", ORPHAN_VERDICT_RELEASE, ORPHAN_VERDICT_RELEASE},
        {"cancelled", ORPHAN_VERDICT_RELEASE, ORPHAN_VERDICT_RELEASE},
        {"confirmed", ORPHAN_VERDICT_REEMIT, ORPHAN_VERDICT_REEMIT},
        {"active", ORPHAN_VERDICT_LEAVE, ORPHAN_VERDICT_REVISIT},
        {"paying", ORPHAN_VERDICT_LEAVE, ORPHAN_VERDICT_SETTLE},
        {"refunded", ORPHAN_VERDICT_RELEASE, ORPHAN_VERDICT_RELEASE},
        {"", ORPHAN_VERDICT_LEAVE, ORPHAN_VERDICT_LEAVE},        /* the row could not be read */
        {"EXPIRED", ORPHAN_VERDICT_LEAVE, ORPHAN_VERDICT_LEAVE}, /* not a word of ours */
        {"a status of tomorrow", ORPHAN_VERDICT_LEAVE, ORPHAN_VERDICT_LEAVE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tk_slice status = tk_slice_of(cases[i].status);
        cr_expect_eq(orphan_judge(status, false), cases[i].in_time, "%s", cases[i].status);
        cr_expect_eq(orphan_judge(status, true), cases[i].overdue, "%s, overdue", cases[i].status);
    }
}

Test(orphan, verdicts_have_names)
{
    cr_expect_str_eq(orphan_verdict_name(ORPHAN_VERDICT_LEAVE), "leave");
    cr_expect_str_eq(orphan_verdict_name(ORPHAN_VERDICT_RELEASE), "release");
    cr_expect_str_eq(orphan_verdict_name(ORPHAN_VERDICT_REEMIT), "reemit");
    cr_expect_str_eq(orphan_verdict_name(ORPHAN_VERDICT_REVISIT), "revisit");
    cr_expect_str_eq(orphan_verdict_name(ORPHAN_VERDICT_SETTLE), "settle");
}
