/**
 * What this process has learnt a moment ago about seats that cannot be had: seats taken (event-svc's refusals, our own
 * holds), and sections or sessions without so many seats. It lets a request be refused before it costs a hop.
 *
 * Such knowledge is only ever allowed to waste somebody's attempt: it never sells, every entry ends by itself within the
 * times below, and it is dropped as soon as this process gives seats back. So a freed seat can be sold again within a
 * second whoever freed it. Tables are of fixed size; a newcomer takes the place of the entry that ends first.
 *
 * No I/O; time is an argument, monotonic microseconds. Design: docs/FLOWS.md "What is known in memory".
 */
#ifndef BOOKING_DOMAIN_SEAT_MEMORY_H
#define BOOKING_DOMAIN_SEAT_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/contract/seat_api.h"

#define SEAT_MEMORY_TAKEN_US    500000 /* a seat known taken */
#define SEAT_MEMORY_SOLD_OUT_US 200000 /* a section known without so many seats */
#define SEAT_MEMORY_OLDEST_US   900000 /* after the question was put, however late the answer came */
#define SEAT_MEMORY_SECTION_MAX 64     /* bytes; longer names are not remembered */

struct seat_memory;

/** About 1.5 MiB. */
struct seat_memory *seat_memory_new(void);
void seat_memory_free(struct seat_memory *memory);

/** The seat is taken. `asked_us`: when the question was put whose answer says so; a hold of our own: now. */
void seat_memory_learn_taken(struct seat_memory *memory, const struct tk_uuid *seat, enum tk_seat_status status,
                             int64_t asked_us, int64_t now_us);

/** Seats given back. */
void seat_memory_forget_seat(struct seat_memory *memory, const struct tk_uuid *seat);

/** True: the seat is known taken; `status` says how. */
bool seat_memory_is_taken(struct seat_memory *memory, const struct tk_uuid *seat, int64_t now_us,
                          enum tk_seat_status *status);

/** What event-svc said to `best`: SOLD_OUT or NO_ADJACENT_BLOCK, and what it could offer instead. */
void seat_memory_learn_refusal(struct seat_memory *memory, const struct tk_uuid *session,
                               const struct tk_best_available *best, const struct tk_hold_answer *answer, int64_t asked_us,
                               int64_t now_us);

/** Something of this session was given back now: what was asked before no longer counts. */
void seat_memory_forget_session(struct seat_memory *memory, const struct tk_uuid *session, int64_t now_us);

/** Fills outcome and offer of `answer` and returns true when `best` is known to be refused. */
bool seat_memory_refuses(struct seat_memory *memory, const struct tk_uuid *session, const struct tk_best_available *best,
                         int64_t now_us, struct tk_hold_answer *answer);

#endif
