/**
 * One pass of the shared relay. The expiry job nudges this job once its rows are old enough, so that an expired seat is
 * back even when booking-svc is down; with booking-svc up, the two take turns by the outbox's lock.
 */
#include "booking-worker/app/relay_outbox.h"
#include "booking-worker/domain/pace.h"

#define PAUSE_MS           1000
#define LONGEST_BACKOFF_MS 2000
#define MAX_BATCHES        50 /* per run: 10,000 messages, then the scheduler gets a look at us */

struct job_outcome relay_outbox_run(void *arg, const atomic_bool *stopping)
{
    struct relay_outbox *job = arg;
    size_t relayed = 0;
    (void)stopping; /* a pass is short, and bounded by the timeouts of Postgres and the broker */
    bool ok = tk_outbox_relay_run(job->relay, MAX_BATCHES, &relayed) == TK_OK;
    health_note(job->health, HEALTH_DEPENDENCY_RABBITMQ, tk_outbox_relay_broker_up(job->relay));
    job->failures = ok ? 0 : job->failures + 1;
    int64_t pause_ms = relayed > 0 ? 1 : PAUSE_MS;
    return (struct job_outcome){.ok = ok, .next_ms = ok ? pause_ms : pace_after_failure(job->failures, LONGEST_BACKOFF_MS)};
}
