/**
 * What the picture says about one hold before it is sent: which seats it gets, or that there is no point in trying.
 */
#ifndef EVENT_SVC_APP_HOLD_CHOICE_H
#define EVENT_SVC_APP_HOLD_CHOICE_H

#include "event-svc/app/seat_desk.h"

enum hold_choice {
    HOLD_GO,     /* send it: call->seats, sorted_seats and places are set, and its free seats claimed */
    HOLD_REFUSE, /* call->answer says why */
    HOLD_LOOK,   /* it would be refused, but the picture is too old to say so */
};

/** Copies what the seats asked for need; best available needs nothing yet. Once per call. */
void hold_prepare(struct hold_call *call);

/** call->session has its picture. `now_us` is monotonic, `unix_us` the time of day. */
enum hold_choice hold_choose(struct hold_call *call, int64_t now_us, int64_t unix_us);

/** For a call that waits in the queue: have its seats gone meanwhile? Then call->answer says so. */
bool hold_is_overtaken(struct hold_call *call, int64_t now_us);

/** Takes the claims back. Harmless when there are none, or the seats have been committed. */
void hold_unclaim(struct hold_call *call);

/** Marks what the call's answer, SEATS_TAKEN, tells about the picture's seats. True: that was news. */
bool hold_learn(struct hold_call *call);

#endif
