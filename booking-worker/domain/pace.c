/**
 * Sleep computations of the jobs.
 */
#include <assert.h>

#include "booking-worker/domain/pace.h"

#define FIRST_RETRY_MS 200

int64_t pace_until_expiry(int64_t until_next_ms, int64_t interval_ms)
{
    assert(interval_ms >= 1);
    if (until_next_ms < 0 || until_next_ms >= interval_ms)
        return interval_ms;
    int64_t pause_ms = until_next_ms + 1; /* the answer was rounded down; waking before the moment would find nothing */
    if (pause_ms < PACE_SHORTEST_MS)
        pause_ms = PACE_SHORTEST_MS;
    return pause_ms < interval_ms ? pause_ms : interval_ms;
}

int64_t pace_after_failure(unsigned failures, int64_t longest_ms)
{
    int64_t pause_ms = FIRST_RETRY_MS;
    assert(failures >= 1 && longest_ms >= 1);
    for (unsigned i = 1; i < failures && pause_ms < longest_ms; i++)
        pause_ms *= 2;
    return pause_ms < longest_ms ? pause_ms : longest_ms;
}
