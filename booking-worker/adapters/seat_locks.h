/**
 * Redis seat locks: removal after a hold has expired. A lock is only a courtesy to the losers of a race and ends by itself
 * after ten seconds, so failures are logged and forgotten.
 */
#ifndef BOOKING_WORKER_ADAPTERS_SEAT_LOCKS_H
#define BOOKING_WORKER_ADAPTERS_SEAT_LOCKS_H

#include <stddef.h>

#include "shared/contract/message.h"

struct seat_locks;

/** Connects when first used. TK_ERR_INVALID: not a Redis URL. */
TK_MUSTCHECK enum tk_err seat_locks_new(const char *redis_url, struct seat_locks **out);
void seat_locks_free(struct seat_locks *locks);

/** Deletes the locks of these reservations' seats, each only while it still carries the reservation's id. */
TK_MUSTCHECK enum tk_err seat_locks_release(struct seat_locks *locks, const struct tk_reservation_message *holds,
                                            size_t count);

/** For /health: asks Redis for a sign of life, at most every few seconds; in between answers as before. */
bool seat_locks_is_up(struct seat_locks *locks);

#endif
