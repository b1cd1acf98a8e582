/**
 * The rules that decide what became of a hold, apart from the SQL that gathers the facts.
 *
 *     (none) --reserve--> held --confirm--> sold
 *       |                  |
 *       `----release----> released            sold and released are final; a released row is a tombstone
 */
#ifndef EVENT_SVC_DOMAIN_VERDICT_H
#define EVENT_SVC_DOMAIN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/contract/seat_api.h"

enum hold_state { HOLD_NONE, HOLD_HELD, HOLD_SOLD, HOLD_RELEASED };

/** As stored: "held", "sold", "released"; an empty text is HOLD_NONE. Any other text is a programming error (asserted). */
enum hold_state hold_state_of(struct tk_slice text);
const char *hold_state_name(enum hold_state state); /* "none" for HOLD_NONE */

/** What one reserve found. The counts concern the requested seats and matter only when `fresh`. */
struct hold_facts {
    bool fresh; /* this request's own row was inserted */
    enum hold_state state;
    bool same_seats; /* the stored row names exactly the requested seats */
    bool session_exists;
    bool session_open;
    size_t wanted;
    size_t found;
    size_t available;
};

/** TK_ERR_CONFLICT: facts that contradict each other; nothing can be said, the caller may ask again. */
TK_MUSTCHECK enum tk_err hold_judge(const struct hold_facts *facts, enum tk_hold_outcome *out);

/** What became of a command (REST) or message that confirms or releases. */
enum settle_verdict {
    SETTLE_APPLIED,    /* the hold is in the wanted state, now or since an earlier request */
    SETTLE_TOMBSTONED, /* a release of something never seen: remembered */
    SETTLE_STALE,      /* a message no newer than what is stored: no effect */
    SETTLE_CONFLICT,   /* contradicts what is stored; nothing was changed */
    SETTLE_UNKNOWN,    /* no such hold (confirm) or no such session (release) */
};

TK_MUSTCHECK enum tk_err settle_verdict_parse(struct tk_slice text, enum settle_verdict *out);
const char *settle_verdict_name(enum settle_verdict verdict);

/** A release's verdict in the words of the seat API. STALE: the message about the same end of the hold came first. */
enum tk_release_outcome release_outcome_of(enum settle_verdict verdict);

/** True for a message that must go to the dead-letter queue: acting on it would overwrite somebody's seats. */
bool settle_is_contradiction(enum settle_verdict verdict);

#endif
