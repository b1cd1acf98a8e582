/**
 * Job: the gauges that must stay at nothing. `verify` reads everything when it is asked; this reads a slice of the holds
 * each time, round and round, so that its cost does not grow with the tables, and looks again at what seemed wrong.
 */
#ifndef BOOKING_WORKER_APP_AUDIT_H
#define BOOKING_WORKER_APP_AUDIT_H

#include "booking-worker/adapters/booking_ledger.h"
#include "booking-worker/adapters/event_ledger.h"
#include "booking-worker/domain/job.h"

#define AUDIT_SLICE    2000 /* holds per run */
#define AUDIT_SUSPECTS 1000 /* looked at again in each run; more of them would say nothing new */

struct audit_suspect {
    struct hold_key key;
    int64_t since_us; /* monotonic; counts once this is the grace ago */
};

struct audit {
    struct event_ledger *events;
    struct booking_ledger *bookings;
    struct ledger_patience patience;
    int64_t grace_us;
    int64_t interval_ms;

    /* the job's own */
    struct hold_key cursor; /* the last hold of the slice before */
    int64_t round_began_us; /* 0: none has begun */
    struct audit_suspect suspects[AUDIT_SUSPECTS];
    size_t suspect_count;
    struct ledger_entry entries[AUDIT_SLICE];
};

void audit_register_metrics(void);
job_fn audit_run; /* arg: struct audit */

#endif
