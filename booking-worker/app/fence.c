/* The look, and the passage. */
#include "booking-worker/app/fence.h"

#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define LOOK_MS    1000
#define UNKNOWN_MS 50 /* for the first look: it takes a few milliseconds */

static struct tk_metric diverged_gauge =
    TK_GAUGE("lineage_diverged", NULL, "1: one database does not belong to the other any more, nothing is tidied");

void fence_register_metrics(void)
{
    tk_metrics_register(&diverged_gauge);
}

static void set(struct fence *fence, enum fence_state state)
{
    const int before = atomic_exchange(&fence->state, (int)state);
    if (state == FENCE_STATE_UNKNOWN || before == (int)state)
        return;
    tk_metric_set(&diverged_gauge, state == FENCE_STATE_DIVERGED);
    if (state == FENCE_STATE_DIVERGED)
        tk_log(TK_LOG_ERROR, "the databases do not belong together: nothing is tidied (docs/OPERATIONS.md)",
               TK_KV_STR("until", "--accept-restore of both services"));
    else
        tk_log(TK_LOG_INFO, "the databases belong together", TK_KV_STR("jobs", "run"));
}

struct job_outcome fence_look(void *arg, const atomic_bool *stopping)
{
    struct fence *fence = arg;
    bool diverged = true;
    bool booking_up = false;
    (void)stopping; /* three rows */
    const bool known = lineage_store_compare(fence->store, &diverged, &booking_up) == TK_OK;
    set(fence, !known ? FENCE_STATE_UNKNOWN : diverged ? FENCE_STATE_DIVERGED : FENCE_STATE_OPEN);
    health_note(fence->health, HEALTH_DEPENDENCY_POSTGRES, booking_up);
    return (struct job_outcome){.ok = known, .next_ms = LOOK_MS};
}

struct job_outcome fence_pass(void *arg, const atomic_bool *stopping)
{
    const struct fenced_job *job = arg;
    const int state = atomic_load(&job->fence->state);
    if (state == FENCE_STATE_OPEN)
        return job->run(job->arg, stopping);
    return (struct job_outcome){.ok = true, .next_ms = state == FENCE_STATE_UNKNOWN ? UNKNOWN_MS : LOOK_MS};
}

bool fence_is_open(const struct fence *fence)
{
    return atomic_load(&fence->state) == FENCE_STATE_OPEN;
}

bool fence_has_diverged(const struct fence *fence)
{
    return atomic_load(&fence->state) == FENCE_STATE_DIVERGED;
}
