/**
 * Who changes a hold, and why: what the trail says of each change (hold_history).
 */
#ifndef EVENT_SVC_DOMAIN_CAUSE_H
#define EVENT_SVC_DOMAIN_CAUSE_H

#include "shared/contract/message.h"
#include "shared/contract/seat_api.h"

struct cause {
    const char *actor;  /* "user", "worker", "system"; constants */
    const char *reason; /* one or two words */
};

struct cause cause_of_release(enum tk_release_reason reason);

/** A message is about a change that booking_db has made already. */
struct cause cause_of_message(enum tk_reservation_event event);

/** A call about one reservation that does not say why. */
struct cause cause_of_call(bool sell);

#endif
