/**
 * Orphaned holds: the decision.
 */
#include <stddef.h>

#include "booking-worker/domain/orphan.h"

enum orphan_verdict orphan_judge(struct tk_slice status, bool overdue)
{
    if (tk_slice_eq_str(status, "expired") || tk_slice_eq_str(status, "cancelled") || tk_slice_eq_str(status, "refunded"))
        return ORPHAN_VERDICT_RELEASE;
    if (tk_slice_eq_str(status, "confirmed"))
        return ORPHAN_VERDICT_REEMIT;
    if (tk_slice_eq_str(status, "active") && overdue)
        return ORPHAN_VERDICT_REVISIT;
    if (tk_slice_eq_str(status, "paying") && overdue)
        return ORPHAN_VERDICT_SETTLE;
    return ORPHAN_VERDICT_LEAVE;
}

const char *orphan_verdict_name(enum orphan_verdict verdict)
{
    static const char *const names[] = {
        [ORPHAN_VERDICT_LEAVE] = "leave",     [ORPHAN_VERDICT_RELEASE] = "release", [ORPHAN_VERDICT_REEMIT] = "reemit",
        [ORPHAN_VERDICT_REVISIT] = "revisit", [ORPHAN_VERDICT_SETTLE] = "settle",
    };
    return names[verdict];
}
