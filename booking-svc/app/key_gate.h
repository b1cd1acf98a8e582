/**
 * Twins in one process: of several requests with the same (user, Idempotency-Key), one runs and the others wait for it,
 * each until its own deadline. Twins in different processes meet in the database instead (idempotency_store.h).
 */
#ifndef BOOKING_APP_KEY_GATE_H
#define BOOKING_APP_KEY_GATE_H

#include "shared/base/id.h"
#include "shared/loop/loop.h"

struct key_gate {
    struct tk_loop *loop;
    struct tk_uuid_map runners; /* slot → struct key_pass * */
};

/** Embedded in each request's flow; zeroed before. */
struct key_pass {
    struct tk_link link;    /* among the waiters of the runner */
    struct tk_link waiters; /* when running */
    struct tk_uuid slot;
    struct tk_timer timer;
    struct tk_deferred deferred;
    struct key_gate *gate;
    void (*done)(struct key_pass *pass, bool entered);
};

/**
 * Asks for the slot. True: it is ours until key_gate_leave(); `done` will not run. False: a twin runs; `done` runs later,
 * once: entered when the twin has left, or not entered after `wait_ms` milliseconds.
 */
bool key_gate_enter(struct key_gate *gate, struct key_pass *pass, const struct tk_uuid *slot, int64_t wait_ms,
                    void (*done)(struct key_pass *pass, bool entered));

/** Lets the next waiter in, on a later turn. */
void key_gate_leave(struct key_pass *pass);

#endif
