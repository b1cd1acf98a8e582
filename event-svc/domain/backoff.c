/*
 * Back-off of the consumer.
 */
#include "event-svc/domain/backoff.h"

#include <string.h>

enum apply_end apply_end_of(enum tk_step step, const char *sqlstate)
{
    if (step == TK_STEP_OK)
        return APPLY_END_DONE;
    if (step == TK_STEP_REFUSED && (strncmp(sqlstate, "22", 2) == 0 || strncmp(sqlstate, "23", 2) == 0))
        return APPLY_END_AT_FAULT;
    return APPLY_END_NOT_NOW;
}

int64_t backoff_next_ms(int64_t backoff_ms, int64_t most_ms)
{
    return backoff_ms * 2 < most_ms ? backoff_ms * 2 : most_ms;
}

int64_t backoff_jitter_ms(int64_t backoff_ms, uint32_t random)
{
    return backoff_ms - (int64_t)(random % (uint32_t)(backoff_ms / 2 + 1));
}
