/* One runner per (user, key). */
#include "booking-svc/app/key_gate.h"

#include <assert.h>

static void on_turn(void *arg)
{
    struct key_pass *pass = arg;
    pass->done(pass, true);
}

static void on_timeout(void *arg)
{
    struct key_pass *pass = arg;
    tk_list_remove(&pass->link);
    pass->done(pass, false);
}

bool key_gate_enter(struct key_gate *gate, struct key_pass *pass, const struct tk_uuid *slot, int64_t wait_ms,
                    void (*done)(struct key_pass *pass, bool entered))
{
    struct key_pass *runner = tk_uuid_map_get(&gate->runners, slot);
    pass->gate = gate;
    pass->slot = *slot;
    pass->done = done;
    tk_list_init(&pass->waiters);
    if (runner == NULL) {
        tk_uuid_map_put(&gate->runners, slot, pass);
        return true;
    }
    tk_list_push_back(&runner->waiters, &pass->link);
    tk_timer_start(gate->loop, &pass->timer, wait_ms, on_timeout, pass);
    return false;
}

void key_gate_leave(struct key_pass *pass)
{
    struct key_gate *gate = pass->gate;
    assert(tk_uuid_map_get(&gate->runners, &pass->slot) == pass);
    struct tk_link *first = tk_list_pop_front(&pass->waiters);
    if (first == NULL) {
        tk_uuid_map_remove(&gate->runners, &pass->slot);
        return;
    }
    struct key_pass *next = TK_CONTAINER_OF(first, struct key_pass, link);
    struct tk_link *waiting;
    while ((waiting = tk_list_pop_front(&pass->waiters)) != NULL)
        tk_list_push_back(&next->waiters, waiting);
    tk_timer_stop(gate->loop, &next->timer);
    tk_uuid_map_put(&gate->runners, &pass->slot, next);
    tk_loop_defer(gate->loop, &next->deferred, on_turn, next);
}
