/**
 * The list of overdue holds.
 */
#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/domain/backlog.h"
#include "shared/base/mem.h"

#define FIRST_CAP 1024

void backlog_release(struct backlog *backlog)
{
    tk_uuid_map_release(&backlog->known);
    free(backlog->holds);
    *backlog = (struct backlog){0};
}

void backlog_add(struct backlog *backlog, const struct backlog_hold *hold)
{
    if (tk_uuid_map_get(&backlog->known, &hold->reservation_id) != NULL)
        return;
    if (backlog->count == backlog->cap) {
        backlog->cap = backlog->cap == 0 ? FIRST_CAP : backlog->cap * 2;
        backlog->holds = tk_realloc(backlog->holds, backlog->cap * sizeof(*backlog->holds));
    }
    backlog->holds[backlog->count++] = *hold;
    tk_uuid_map_put(&backlog->known, &hold->reservation_id, backlog);
}

void backlog_retry(struct backlog *backlog)
{
    backlog->tried = 0;
}

size_t backlog_untried(const struct backlog *backlog)
{
    return backlog->count - backlog->tried;
}

const struct backlog_hold *backlog_next(const struct backlog *backlog)
{
    return backlog->holds + backlog->tried;
}

void backlog_settle(struct backlog *backlog, size_t len, const struct tk_uuid *kept, size_t kept_count)
{
    struct backlog_hold *next = backlog->holds + backlog->tried;
    size_t stay = 0;
    assert(len <= backlog_untried(backlog) && kept_count <= len);
    for (size_t i = 0; i < len; i++)
        tk_uuid_map_remove(&backlog->known, &next[i].reservation_id);
    for (size_t i = 0; i < kept_count; i++)
        tk_uuid_map_put(&backlog->known, &kept[i], backlog);
    for (size_t i = 0; i < len; i++)
        if (tk_uuid_map_get(&backlog->known, &next[i].reservation_id) != NULL)
            next[stay++] = next[i];
    assert(stay == kept_count);
    memmove(next + stay, next + len, (backlog_untried(backlog) - len) * sizeof(*next));
    backlog->count -= len - stay;
    backlog->tried += stay;
}

size_t backlog_sessions(const struct backlog *backlog, struct tk_uuid *out, size_t max)
{
    struct tk_uuid_map seen = {0};
    size_t count = 0;
    for (size_t i = backlog->tried; i < backlog->count && count < max; i++) {
        const struct tk_uuid *session_id = &backlog->holds[i].session_id;
        if (tk_uuid_map_get(&seen, session_id) != NULL)
            continue;
        out[count++] = *session_id;
        tk_uuid_map_put(&seen, session_id, out);
    }
    tk_uuid_map_release(&seen);
    return count;
}

/* places[rank + 1] becomes the number of holds of that rank, then places[rank] where the next of them goes. */
static void count_places(const struct backlog *backlog, const struct tk_uuid_map *ranks, size_t *places, size_t count)
{
    for (size_t i = backlog->tried; i < backlog->count; i++) {
        const size_t *rank = tk_uuid_map_get(ranks, &backlog->holds[i].session_id);
        places[(rank != NULL ? (size_t)(rank - places) : count) + 1]++;
    }
    for (size_t rank = 1; rank <= count; rank++)
        places[rank] += places[rank - 1];
}

void backlog_order(struct backlog *backlog, const struct tk_uuid *sessions, size_t count)
{
    size_t untried = backlog_untried(backlog);
    struct backlog_hold *ordered = tk_alloc((untried + 1) * sizeof(*ordered));
    size_t *places = tk_alloc((count + 2) * sizeof(*places));
    struct tk_uuid_map ranks = {0}; /* session → its element of `places` */
    for (size_t i = 0; i < count; i++)
        tk_uuid_map_put(&ranks, &sessions[i], &places[i]);
    count_places(backlog, &ranks, places, count);
    for (size_t i = backlog->tried; i < backlog->count; i++) {
        size_t *place = tk_uuid_map_get(&ranks, &backlog->holds[i].session_id);
        ordered[(*(place != NULL ? place : &places[count]))++] = backlog->holds[i];
    }
    if (untried > 0)
        memcpy(backlog->holds + backlog->tried, ordered, untried * sizeof(*ordered));
    tk_uuid_map_release(&ranks);
    free(places);
    free(ordered);
}
