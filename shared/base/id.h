/**
 * Identifiers are UUIDs, version 7 (RFC 9562 section 5.7): 48 bits of Unix milliseconds, then a counter and random bits.
 * Time-ordered keys keep B-tree inserts local, worth about a third of the write throughput (docs/PERFORMANCE.md).
 */
#ifndef TK_BASE_ID_H
#define TK_BASE_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_UUID_TEXT_LEN 36

struct tk_uuid {
    uint8_t bytes[16]; /* network order, as in Postgres' binary format */
};

/** A new UUIDv7, greater than every id this thread made before. Random bits from getrandom(2). Thread-safe. */
struct tk_uuid tk_uuid_v7(void);

/** No id made at `unix_us` or later is smaller than this one: the lower end of a range of ids by time. */
struct tk_uuid tk_uuid_v7_since(int64_t unix_us);

/** Canonical form only: 8-4-4-4-12 hex digits, either case. Any version is accepted. */
TK_MUSTCHECK enum tk_err tk_uuid_parse(struct tk_slice text, struct tk_uuid *out);

/** Writes 36 lower-case characters and a NUL; returns `out`. */
char *tk_uuid_format(const struct tk_uuid *id, char out[TK_UUID_TEXT_LEN + 1]);

/** Text of `id` as a temporary that lives to the end of the enclosing block: TK_UUID_TEXT(&id). */
#define TK_UUID_TEXT(id) tk_uuid_format((id), (char[TK_UUID_TEXT_LEN + 1]){0})

int tk_uuid_cmp(const struct tk_uuid *a, const struct tk_uuid *b); /* memcmp order, the order Postgres sorts by */
int tk_uuid_order(const void *a, const void *b);                   /* the same for qsort() and bsearch() */
bool tk_uuid_eq(const struct tk_uuid *a, const struct tk_uuid *b);
bool tk_uuid_is_nil(const struct tk_uuid *id); /* all zero */

/** UUID → pointer, open addressing. Zero-initialised is an empty map. Keys are copied, values are the caller's. */
struct tk_uuid_map {
    struct tk_uuid_map_entry *entries;
    size_t count;
    size_t used; /* entries ever taken, removed ones included; at most 3/4 of `cap` */
    size_t cap;
};

void *tk_uuid_map_get(const struct tk_uuid_map *map, const struct tk_uuid *key);       /* NULL when absent */
void tk_uuid_map_put(struct tk_uuid_map *map, const struct tk_uuid *key, void *value); /* replaces; value not NULL */
void *tk_uuid_map_remove(struct tk_uuid_map *map, const struct tk_uuid *key);          /* the value, NULL when absent */
void tk_uuid_map_clear(struct tk_uuid_map *map);   /* forgets the entries, keeps the memory */
void tk_uuid_map_release(struct tk_uuid_map *map); /* frees the table; the map is empty and usable again */

#endif
