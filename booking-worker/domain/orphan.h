/**
 * What to do about a hold that event-svc still has although its deadline has passed. Pure.
 *
 * Booking's reservation row is the only judge. Whenever that row does not clearly say "over", the seat stays held: late is
 * better than twice.
 *
 *     reservation reads            hold is kept because                        verdict
 *     expired, cancelled, refunded the release was lost or is on its way       RELEASE (idempotent)
 *     confirmed                    the confirmation was lost or is on its way  REEMIT
 *     active, overdue              the expiry job has missed it                REVISIT: let that job look again
 *     paying, overdue              its payment got stuck, and was not settled  SETTLE: ask booking-svc once more
 *     active, paying, in time      it is being decided                         LEAVE
 *     nothing, or unreadable       -                                           LEAVE
 */
#ifndef BOOKING_WORKER_DOMAIN_ORPHAN_H
#define BOOKING_WORKER_DOMAIN_ORPHAN_H

#include <stdbool.h>

#include "shared/base/str.h"

enum orphan_verdict {
    ORPHAN_VERDICT_LEAVE,
    ORPHAN_VERDICT_RELEASE,
    ORPHAN_VERDICT_REEMIT,
    ORPHAN_VERDICT_REVISIT,
    ORPHAN_VERDICT_SETTLE,
};

/** `status` as the database names it, the empty slice when the row could not be read; `overdue` by the database's now(). */
enum orphan_verdict orphan_judge(struct tk_slice status, bool overdue);

/** "leave", "release", "reemit", "revisit", "settle". */
const char *orphan_verdict_name(enum orphan_verdict verdict);

#endif
