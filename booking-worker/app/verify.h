/**
 * Do both databases agree? A look walks through both at once, by the reservations' ids, each in a snapshot of its own. What
 * looks wrong is suspected, and looked at again until the grace is over; what still looks wrong then is reported. So it can
 * be asked while the system sells. Reads only; memory is bounded whatever the databases hold.
 */
#ifndef BOOKING_WORKER_APP_VERIFY_H
#define BOOKING_WORKER_APP_VERIFY_H

#include <stdio.h>

#include "booking-worker/adapters/booking_ledger.h"
#include "booking-worker/adapters/event_ledger.h"
#include "booking-worker/app/suspects.h"

struct verify {
    struct event_ledger *events;
    struct booking_ledger *bookings;
    struct ledger_patience patience;
    int64_t grace_us;      /* how long a suspect has to clear itself */
    int64_t message_age_s; /* how old a message in the outbox may become */
    size_t limit;          /* divergences printed */
    FILE *out;

    /* verify_run's own */
    struct suspects suspects;
    int64_t reservations; /* of the last look */
    int64_t seats;
    int looks;
};

/** 0: they agree · 1: they diverge, one line for each on `out` · 2: could not be found out, see the log. */
int verify_run(struct verify *verify);

#endif
