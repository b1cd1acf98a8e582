/**
 * As many buckets as fit: the one that was asked for longest ago makes room for a newcomer. Memory is bounded by the size
 * given at the start, whoever comes; pages are touched only as buckets are made.
 */
#ifndef TK_RATELIMIT_BUCKET_TABLE_H
#define TK_RATELIMIT_BUCKET_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/list.h"

/** A newcomer is all zero but for key and kind: full, nothing untold. */
struct tk_bucket_entry {
    struct tk_uuid key;
    unsigned kind; /* what is limited, and by what: part of the key */
    bool is_due;   /* ratelimit.c: among those to be told next */
    int64_t full_at_ns;
    int64_t untold_ns;            /* taken since Redis was told last */
    struct tk_bucket_entry *next; /* the table's own */
    struct tk_link used;
};

struct tk_bucket_table;

/** `max` > 0. About 100 bytes each, when used. */
struct tk_bucket_table *tk_bucket_table_new(size_t max);
void tk_bucket_table_free(struct tk_bucket_table *table);

/** Finds or makes it. Valid until the next call of this function. */
struct tk_bucket_entry *tk_bucket_table_get(struct tk_bucket_table *table, unsigned kind, const struct tk_uuid *key);

/** NULL when there is none (any more). */
struct tk_bucket_entry *tk_bucket_table_find(const struct tk_bucket_table *table, unsigned kind, const struct tk_uuid *key);

size_t tk_bucket_table_count(const struct tk_bucket_table *table);

#endif
