/**
 * The verdict: what the clients saw (history.h) against both databases.
 *
 *   lost        an acknowledged hold, payment or cancellation that the database does not show
 *   unasked     a row, a state or a dead letter that no request accounts for
 *   untrue      an answer that the database contradicts: refused but stored, another id, other seats
 *   overlaps    a seat that two purchases had for sure at the same time
 *   unresolved  a step nobody could be told about after the last fault
 *   early       a hold that expired before its time
 *   disagree    rows on which the two databases differ
 */
#ifndef CHAOS_CHECK_H
#define CHAOS_CHECK_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/base/result.h"
#include "tests/chaos/history.h"

struct verdict {
    uint64_t acknowledged; /* holds, payments and cancellations the clients were told of */
    uint64_t recovered;    /* of them, those nobody knew about for a while */
    uint64_t lost;
    uint64_t duplicated; /* users with more than one reservation */
    uint64_t unasked;
    uint64_t untrue;
    uint64_t overlaps;
    uint64_t unresolved;
    uint64_t early;
    uint64_t disagree;
    uint64_t tombstones;
    uint64_t dead_letters;
    uint64_t expired;
    int64_t expiry_lag_p99_ms;
};

struct databases {
    const char *event_url;
    const char *booking_url;
};

/** One look: outbox empty, nobody paying, both databases show the same seats for the same reservations. */
bool check_agrees(const struct databases *databases);

/** Everything; prints the first violations of each kind. TK_ERR_UNAVAILABLE when a database cannot be read. */
TK_MUSTCHECK enum tk_err check_all(const struct databases *databases, const struct history *history, struct verdict *out);

/** Violations of all kinds. */
uint64_t verdict_violations(const struct verdict *verdict);
void verdict_print(const struct verdict *verdict, FILE *file);

#endif
