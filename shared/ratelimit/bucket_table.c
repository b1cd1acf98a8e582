/* A hash table of fixed size with a list of its entries in the order of their use. */
#include "shared/ratelimit/bucket_table.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/base/mem.h"

struct tk_bucket_table {
    struct tk_bucket_entry *entries;
    struct tk_bucket_entry **heads;
    size_t max;
    size_t count;
    size_t mask;
    uint64_t seed;       /* clients choose the keys: they must not be able to choose the chain */
    struct tk_link used; /* the longest unused first */
};

struct tk_bucket_table *tk_bucket_table_new(size_t max)
{
    assert(max > 0);
    struct tk_bucket_table *table = tk_alloc(sizeof(*table));
    size_t heads = 1;
    while (heads < max)
        heads *= 2;
    table->entries = tk_alloc(max * sizeof(*table->entries));
    table->heads = tk_alloc(heads * sizeof(struct tk_bucket_entry *));
    table->max = max;
    table->mask = heads - 1;
    if (getrandom(&table->seed, sizeof(table->seed), 0) != (ssize_t)sizeof(table->seed))
        table->seed = (uintptr_t)table; /* address space randomization is better than nothing */
    tk_list_init(&table->used);
    return table;
}

void tk_bucket_table_free(struct tk_bucket_table *table)
{
    free(table->entries);
    free(table->heads);
    free(table);
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    x = (x ^ (x >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return x ^ (x >> 32);
}

static struct tk_bucket_entry **head_of(const struct tk_bucket_table *table, unsigned kind, const struct tk_uuid *key)
{
    uint64_t halves[2];
    memcpy(halves, key->bytes, sizeof(halves));
    return &table->heads[mix(mix(mix(table->seed ^ halves[0]) ^ halves[1]) + kind) & table->mask];
}

struct tk_bucket_entry *tk_bucket_table_find(const struct tk_bucket_table *table, unsigned kind, const struct tk_uuid *key)
{
    struct tk_bucket_entry *entry = *head_of(table, kind, key);
    while (entry != NULL && (entry->kind != kind || !tk_uuid_eq(&entry->key, key)))
        entry = entry->next;
    return entry;
}

static void unchain(struct tk_bucket_table *table, const struct tk_bucket_entry *entry)
{
    struct tk_bucket_entry **at = head_of(table, entry->kind, &entry->key);
    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
}

/** A free entry, or the one that was used longest ago. */
static struct tk_bucket_entry *make_room(struct tk_bucket_table *table)
{
    if (table->count < table->max)
        return &table->entries[table->count++];
    struct tk_bucket_entry *oldest = TK_CONTAINER_OF(table->used.next, struct tk_bucket_entry, used);
    unchain(table, oldest);
    tk_list_remove(&oldest->used);
    return oldest;
}

struct tk_bucket_entry *tk_bucket_table_get(struct tk_bucket_table *table, unsigned kind, const struct tk_uuid *key)
{
    struct tk_bucket_entry *entry = tk_bucket_table_find(table, kind, key);
    if (entry != NULL) {
        tk_list_remove(&entry->used);
    } else {
        entry = make_room(table);
        struct tk_bucket_entry **head = head_of(table, kind, key);
        *entry = (struct tk_bucket_entry){.key = *key, .kind = kind, .next = *head};
        *head = entry;
    }
    tk_list_push_back(&table->used, &entry->used);
    return entry;
}

size_t tk_bucket_table_count(const struct tk_bucket_table *table)
{
    return table->count;
}
