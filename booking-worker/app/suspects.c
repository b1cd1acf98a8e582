/**
 * List and index of suspects.
 */
#include <stdlib.h>

#include "booking-worker/app/suspects.h"

void suspects_begin(struct suspects *suspects)
{
    tk_uuid_map_clear(&suspects->by_id);
    suspects->count = 0;
    suspects->dropped = 0;
    suspects->collecting = true;
}

void suspects_begin_again(struct suspects *suspects)
{
    suspects->collecting = false;
    for (size_t i = 0; i < suspects->count; i++)
        suspects->items[i].again = 0;
}

/* Values of the map are not NULL: indices count from one. */
static void put_index(struct suspects *suspects, size_t i)
{
    tk_uuid_map_put(&suspects->by_id, &suspects->items[i].id, (void *)(uintptr_t)(i + 1));
}

static struct suspect *find(const struct suspects *suspects, const struct tk_uuid *id)
{
    size_t index = (size_t)(uintptr_t)tk_uuid_map_get(&suspects->by_id, id);
    return index == 0 ? NULL : &suspects->items[index - 1];
}

static struct suspect *add(struct suspects *suspects, const struct tk_uuid *id)
{
    if (suspects->count == SUSPECTS_MAX) {
        suspects->dropped++;
        return NULL;
    }
    if (suspects->count == suspects->cap) {
        suspects->cap = suspects->cap == 0 ? 64 : suspects->cap * 2;
        suspects->items = tk_realloc(suspects->items, suspects->cap * sizeof(*suspects->items));
    }
    struct suspect *suspect = &suspects->items[suspects->count];
    *suspect = (struct suspect){.id = *id};
    put_index(suspects, suspects->count++);
    return suspect;
}

void suspects_note(struct suspects *suspects, const struct tk_uuid *id, uint32_t kinds, const struct ledger_entry *entry)
{
    struct suspect *suspect = find(suspects, id);
    if (suspect == NULL && suspects->collecting)
        suspect = add(suspects, id);
    if (suspect == NULL)
        return;
    if (suspects->collecting)
        suspect->kinds |= kinds;
    suspect->again |= kinds;
    if (entry != NULL)
        suspect->entry = *entry;
}

void suspects_settle(struct suspects *suspects)
{
    size_t kept = 0;
    tk_uuid_map_clear(&suspects->by_id);
    for (size_t i = 0; i < suspects->count; i++) {
        suspects->items[i].kinds &= suspects->items[i].again;
        if (suspects->items[i].kinds == 0)
            continue;
        suspects->items[kept] = suspects->items[i];
        put_index(suspects, kept++);
    }
    suspects->count = kept;
}

void suspects_release(struct suspects *suspects)
{
    tk_uuid_map_release(&suspects->by_id);
    free(suspects->items);
    *suspects = (struct suspects){0};
}
