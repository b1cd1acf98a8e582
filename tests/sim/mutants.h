/**
 * Deliberate mistakes, one at a time, to prove that the checker can fail. Each stands where the right thing is done, as
 * `sim.mutant == MUTANT_…`; the product's own code is never changed.
 */
#ifndef TESTS_SIM_MUTANTS_H
#define TESTS_SIM_MUTANTS_H

/** Not a mistake but a missing layer: the next one must hold. */
#define HARMLESS 0

#define MUTANTS(M)                                                                                                         \
    M(NONE, "none", 0)                                                                                                     \
    M(NO_SEAT_CHECK, "reserve trusts the Redis lock and does not look at the seat", 50)                                    \
    M(LAPSED_IS_FREE, "reserve takes a held seat whose deadline has passed", 400)                                          \
    M(NO_FENCE, "consume frees the seats a message names, whoever holds them", 400)                                        \
    M(NO_EVENT_TOMBSTONE, "a release of an unknown hold leaves no tombstone", 400)                                         \
    M(HALF_HOLDS, "reserve takes what is free of the seats asked for", 100)                                                \
    M(ACK_BEFORE_COMMIT, "consumer acknowledges before its commit", 200)                                                   \
    M(POISON_STOPS, "consumer retries poison instead of dead-lettering it", 200)                                           \
    M(DELETE_BEFORE_CONFIRM, "relay deletes rows the broker has not confirmed", 200)                                       \
    M(OUTBOX_APART, "a confirmation's outbox row is not in its transaction, and the sweep repeats what was lost",          \
      HARMLESS)                                                                                                            \
    M(RELEASE_AFTER_UNKNOWN, "seats are released after a commit of unknown outcome", 200)                                  \
    M(RELEASE_UNFENCED, "seats of a keyed request are released without a tombstone first", 1000)                           \
    M(FORGET_DOUBT, "a second persist's certain no is taken for the first one's", 2000)                                    \
    M(KEY_NOT_BOUND, "the idempotency key is not bound to an id before the hold", 200)                                     \
    M(ANSWER_NOT_STORED, "the answer is not stored under the key with the reservation", 200)                               \
    M(SWEEP_NO_TOMBSTONE, "the sweep writes no tombstone, and inserts that are late are neither dropped nor refused",      \
      8000)                                                                                                                \
    M(SWEEP_RELEASES_PAYING, "the sweep releases holds that are being paid for", 400)                                      \
    M(EXPIRE_PAYING, "expiry ignores that a reservation is being paid for", 200)                                           \
    M(EXPIRE_EARLY, "expiry compares with the worker's own clock", 200)                                                    \
    M(CONFIRM_LATE, "confirm does not compare the deadline", 200)                                                          \
    M(SETTLE_ON_GUESS, "a charge without an answer counts as not taken", 200)                                              \
    M(RESUME_FORGETS, "settling again takes not sent for not charged", 1000)                                               \
    M(NEW_ATTEMPT, "asking the provider again makes a new attempt", 400)                                                   \
    M(NO_REVISION, "cancel does not compare the revision it read", 2000)                                                   \
    M(NO_STATUS, "settle does not compare the status it found", 1000)                                                      \
    M(SWEEP_OFF, "nobody sweeps orphaned holds", 200)                                                                      \
    M(SETTLE_OFF, "nobody settles stuck payments", 200)                                                                    \
    M(NO_TAKE_OVER, "settling again leaves the reservation as whoever slept has read it", 30000)                           \
    M(TOLD_TOO_SOON, "overdue is an answer although an earlier try is on its way", 40000)                                  \
    M(NO_ROW_LOCK, "expiry does not lock the rows it has chosen", 1000)                                                    \
    M(ONLY_TOMBSTONES, "late inserts are neither dropped nor refused, but the tombstones are there", HARMLESS)

#define MUTANT_ENUM(name, text, seeds) MUTANT_##name,
enum mutant { MUTANTS(MUTANT_ENUM) MUTANT_COUNT };

#endif
