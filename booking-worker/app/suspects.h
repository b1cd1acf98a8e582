/**
 * What looked wrong, kept until it has been looked at again. Bounded: what does not fit is counted.
 */
#ifndef BOOKING_WORKER_APP_SUSPECTS_H
#define BOOKING_WORKER_APP_SUSPECTS_H

#include <stddef.h>

#include "booking-worker/domain/ledger.h"

#define SUSPECTS_MAX 50000 /* some 12 MB; several seconds of sales at full speed */

struct suspect {
    struct tk_uuid id;         /* reservation, seat or message: what the kind is about */
    uint32_t kinds;            /* found in every look so far */
    uint32_t again;            /* found in this one */
    struct ledger_entry entry; /* as last seen; empty for kinds that are not about a reservation */
};

/** Zero-initialised is empty. */
struct suspects {
    struct tk_uuid_map by_id; /* → index + 1 */
    struct suspect *items;
    size_t count;
    size_t cap;
    size_t dropped; /* in the first look, for want of room */
    bool collecting;
};

/** Forgets everything; the look that follows is the first. */
void suspects_begin(struct suspects *suspects);

/** The look that follows confirms or clears. */
void suspects_begin_again(struct suspects *suspects);

/** `kinds` as of ledger_judge(), not 0. `entry` may be NULL. */
void suspects_note(struct suspects *suspects, const struct tk_uuid *id, uint32_t kinds, const struct ledger_entry *entry);

/** A look that was not the first is over: only what was found again stays. */
void suspects_settle(struct suspects *suspects);

void suspects_release(struct suspects *suspects);

#endif
