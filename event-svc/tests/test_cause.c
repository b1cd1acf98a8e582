/* What the trail says of each way a hold can change. */
#include <criterion/criterion.h>

#include "event-svc/domain/cause.h"

static void expect_cause(struct cause cause, const char *actor, const char *reason)
{
    cr_expect_str_eq(cause.actor, actor);
    cr_expect_str_eq(cause.reason, reason);
}

Test(cause, every_change_has_an_actor_and_a_reason)
{
    expect_cause(cause_of_release(TK_RELEASE_REASON_UNDONE), "system", "undone");
    expect_cause(cause_of_release(TK_RELEASE_REASON_CANCELLED), "user", "cancelled");
    expect_cause(cause_of_release(TK_RELEASE_REASON_EXPIRED), "worker", "expired");
    expect_cause(cause_of_release(TK_RELEASE_REASON_ORPHANED), "worker", "orphaned");
    expect_cause(cause_of_release(TK_RELEASE_REASON_NONE), "system", "released by call");
    expect_cause(cause_of_call(true), "system", "confirmed by call");
    expect_cause(cause_of_message(TK_RESERVATION_CONFIRMED), "user", "confirmed");
}

Test(cause, the_call_and_the_message_about_one_end_agree)
{
    struct cause cancelled = cause_of_message(TK_RESERVATION_CANCELLED);
    struct cause expired = cause_of_message(TK_RESERVATION_EXPIRED);
    expect_cause(cause_of_release(TK_RELEASE_REASON_CANCELLED), cancelled.actor, cancelled.reason);
    expect_cause(cause_of_release(TK_RELEASE_REASON_EXPIRED), expired.actor, expired.reason);
}
