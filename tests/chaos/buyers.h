/**
 * The clients: a few hundred buyers on keep-alive connections, one thread, one epoll. Each buys again and again: hold one
 * to three seats, think, then pay, cancel, walk away or pay with a bad card; who was told how his payment went reads it
 * back at once. One in fifty asks for more seats than one may hold. Seats are drawn from a window that moves through the
 * hall as it sells, so that buyers collide and seats change hands.
 *
 * Every request carries an Idempotency-Key; who gets no clear answer asks again with the same one.
 */
#ifndef CHAOS_BUYERS_H
#define CHAOS_BUYERS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/chaos/history.h"
#include "tests/chaos/tally.h"

struct buyers_config {
    uint16_t port; /* of booking-svc, or of the proxy before it; on 127.0.0.1 */
    int buyers;
    double rate; /* purchases per second, when nothing is in their way */
    uint64_t seed;
    bool apart; /* nobody wants a seat of another buyer, nor one he has had: how a purchase ends depends on no other */
};

/** Seats one user may hold: MAX_SEATS_HELD_PER_USER of tests/chaos/stack.sh. */
#define BUYERS_SEAT_LIMIT 3

struct buyers;

/** Nobody has connected yet. `history` and `tally` must outlive the buyers. */
struct buyers *buyers_new(const struct buyers_config *config, struct history *history, struct tally *tally);
void buyers_free(struct buyers *buyers);

/** Serves what has arrived and starts what is due; waits at most `wait_ms` for something to happen. */
void buyers_turn(struct buyers *buyers, int wait_ms);

/** From now on nobody begins a purchase; those under way go on. */
void buyers_close_shop(struct buyers *buyers);

/** Purchases whose holder still wants something or waits for an answer. */
int buyers_busy(const struct buyers *buyers);

/**
 * After the last fault: every step that is still unknown is asked about again, with its old key. Returns how many there
 * are; buyers_turn() until buyers_busy() is 0 then settles them.
 */
int buyers_settle(struct buyers *buyers);

/** From `port` instead, for requests that are sent from now on: another instance, or without the proxy. */
void buyers_redirect(struct buyers *buyers, uint16_t port);

#endif
