/*
 * UUIDv7 and the map keyed by it.
 *
 * Layout of a new id (RFC 9562 section 6.2, method 1: a fixed-length counter):
 *
 *   48 bits Unix milliseconds | 0111 | counter, 12 high bits | 10 | counter, 6 low bits | 56 random bits
 *
 * Each thread has its own state. In a new millisecond the counter starts at a random value below half its range; within one
 * it counts up, and should it ever run out, the thread's time runs a millisecond ahead. A clock that steps back is ignored
 * until it catches up. So ids of one thread always grow; ids of different threads differ by 56 + 17 random bits.
 */
#include "shared/base/id.h"

#include <assert.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "shared/base/clock.h"

/* --- making ------------------------------------------------------------------------------------------------------- */

#define COUNTER_MAX      ((1u << 18) - 1)
#define COUNTER_SEED_MAX ((1u << 17) - 1)

/* getrandom(2) hands out up to 256 bytes without ever being interrupted: about 30 ids per system call. */
#define POOL_BYTES 256

struct id_state {
    uint64_t last_ms;
    uint32_t counter;
    unsigned forks; /* of the process when the pool was filled */
    size_t pool_left;
    uint8_t pool[POOL_BYTES];
};

static _Thread_local struct id_state id_state;

/* A forked child inherits the pool and would hand out its parent's ids again. */
static atomic_uint fork_count;

static void on_fork_in_child(void)
{
    atomic_fetch_add_explicit(&fork_count, 1, memory_order_relaxed);
}

__attribute__((constructor)) static void watch_forks(void)
{
    pthread_atfork(NULL, NULL, on_fork_in_child);
}

static void fill_random(void *out, size_t len)
{
    if (getrandom(out, len, 0) == (ssize_t)len)
        return;
    perror("getrandom"); /* an id that is not random is worse than no service */
    abort();
}

static const uint8_t *take_random(struct id_state *state, size_t len)
{
    unsigned forks = atomic_load_explicit(&fork_count, memory_order_relaxed);
    if (state->pool_left < len || state->forks != forks) {
        fill_random(state->pool, sizeof(state->pool));
        state->pool_left = sizeof(state->pool);
        state->forks = forks;
    }
    state->pool_left -= len;
    return state->pool + state->pool_left;
}

static void start_millisecond(struct id_state *state, uint64_t ms)
{
    const uint8_t *random = take_random(state, 3);
    state->last_ms = ms;
    state->counter = ((uint32_t)random[0] << 16 | (uint32_t)random[1] << 8 | random[2]) & COUNTER_SEED_MAX;
}

static void tick(struct id_state *state)
{
    uint64_t now_ms = (uint64_t)(tk_unix_us() / TK_US_PER_MS);
    if (now_ms > state->last_ms)
        start_millisecond(state, now_ms);
    else if (state->counter < COUNTER_MAX)
        state->counter++;
    else
        start_millisecond(state, state->last_ms + 1);
}

static void put_time(struct tk_uuid *id, uint64_t unix_ms)
{
    for (int i = 0; i < 6; i++)
        id->bytes[i] = (uint8_t)(unix_ms >> (40 - 8 * i));
}

struct tk_uuid tk_uuid_v7_since(int64_t unix_us)
{
    struct tk_uuid id = {{0}};
    put_time(&id, (uint64_t)(unix_us / TK_US_PER_MS));
    id.bytes[6] = 0x70;
    id.bytes[8] = 0x80;
    return id;
}

struct tk_uuid tk_uuid_v7(void)
{
    struct id_state *state = &id_state;
    tick(state);
    struct tk_uuid id;
    put_time(&id, state->last_ms);
    id.bytes[6] = (uint8_t)(0x70 | state->counter >> 14);
    id.bytes[7] = (uint8_t)(state->counter >> 6);
    id.bytes[8] = (uint8_t)(0x80 | (state->counter & 0x3F));
    memcpy(id.bytes + 9, take_random(state, 7), 7);
    return id;
}

/* --- text --------------------------------------------------------------------------------------------------------- */

/* The digit's value plus one; 0 is not a digit. */
static const uint8_t hex_values[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

/* Where each byte's two digits stand; the gaps are the hyphens. */
static const uint8_t text_positions[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
static const uint8_t hyphen_positions[4] = {8, 13, 18, 23};

enum tk_err tk_uuid_parse(struct tk_slice text, struct tk_uuid *out)
{
    if (text.len != TK_UUID_TEXT_LEN)
        return TK_ERR_INVALID;
    for (size_t i = 0; i < sizeof(hyphen_positions); i++) {
        if (text.ptr[hyphen_positions[i]] != '-')
            return TK_ERR_INVALID;
    }
    struct tk_uuid id;
    for (size_t i = 0; i < sizeof(id.bytes); i++) {
        uint8_t high = hex_values[(uint8_t)text.ptr[text_positions[i]]];
        uint8_t low = hex_values[(uint8_t)text.ptr[text_positions[i] + 1]];
        if (high == 0 || low == 0)
            return TK_ERR_INVALID;
        id.bytes[i] = (uint8_t)((high - 1) << 4 | (low - 1));
    }
    *out = id;
    return TK_OK;
}

char *tk_uuid_format(const struct tk_uuid *id, char out[TK_UUID_TEXT_LEN + 1])
{
    static const char digits[16] = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    for (size_t i = 0; i < sizeof(id->bytes); i++) {
        out[text_positions[i]] = digits[id->bytes[i] >> 4];
        out[text_positions[i] + 1] = digits[id->bytes[i] & 15];
    }
    for (size_t i = 0; i < sizeof(hyphen_positions); i++)
        out[hyphen_positions[i]] = '-';
    out[TK_UUID_TEXT_LEN] = '\0';
    return out;
}

int tk_uuid_cmp(const struct tk_uuid *a, const struct tk_uuid *b)
{
    return memcmp(a->bytes, b->bytes, sizeof(a->bytes));
}

int tk_uuid_order(const void *a, const void *b)
{
    return tk_uuid_cmp(a, b);
}

bool tk_uuid_eq(const struct tk_uuid *a, const struct tk_uuid *b)
{
    return tk_uuid_cmp(a, b) == 0;
}

bool tk_uuid_is_nil(const struct tk_uuid *id)
{
    static const struct tk_uuid nil;
    return tk_uuid_eq(id, &nil);
}

/* --- map ---------------------------------------------------------------------------------------------------------- */

#define FIRST_MAP ((size_t)16)

/* value NULL: never used, ends a probe. value `removed`: keeps the probes behind it alive. */
struct tk_uuid_map_entry {
    struct tk_uuid key;
    void *value;
};

static char removed_mark;
static void *const removed = &removed_mark;

/* Clients choose some of the ids we look up: a secret keeps them from choosing collisions. */
static uint64_t map_secret[2];

__attribute__((constructor)) static void draw_map_secret(void)
{
    fill_random(map_secret, sizeof(map_secret));
}

/* Both halves, each with its secret, multiplied to 128 bits and folded. */
static size_t hash(const struct tk_uuid *key)
{
    uint64_t halves[2];
    memcpy(halves, key->bytes, sizeof(halves));
    unsigned __int128 product = (unsigned __int128)(halves[0] ^ map_secret[0]) * (halves[1] ^ map_secret[1]);
    return (size_t)(product ^ product >> 64);
}

static bool is_live(const struct tk_uuid_map_entry *entry)
{
    return entry->value != NULL && entry->value != removed;
}

/* The entry of `key`, or the free one that ends its probe. At least a quarter of the table is free, so it ends. */
static struct tk_uuid_map_entry *probe(const struct tk_uuid_map *map, const struct tk_uuid *key)
{
    size_t mask = map->cap - 1;
    size_t i = hash(key) & mask;
    while (map->entries[i].value != NULL) {
        if (map->entries[i].value != removed && tk_uuid_eq(&map->entries[i].key, key))
            break;
        i = (i + 1) & mask;
    }
    return &map->entries[i];
}

void *tk_uuid_map_get(const struct tk_uuid_map *map, const struct tk_uuid *key)
{
    return map->count > 0 ? probe(map, key)->value : NULL;
}

/* Room for one more, at most half full afterwards; removed entries are dropped on the way. */
static void rehash(struct tk_uuid_map *map)
{
    struct tk_uuid_map old = *map;
    size_t cap = FIRST_MAP;
    while (cap < (old.count + 1) * 2)
        cap *= 2;
    *map = (struct tk_uuid_map){.entries = tk_alloc(cap * sizeof(*map->entries)), .cap = cap};
    for (size_t i = 0; i < old.cap; i++) {
        if (is_live(&old.entries[i]))
            *probe(map, &old.entries[i].key) = old.entries[i];
    }
    map->count = old.count;
    map->used = old.count;
    free(old.entries);
}

void tk_uuid_map_put(struct tk_uuid_map *map, const struct tk_uuid *key, void *value)
{
    assert(value != NULL);
    if (map->used + 1 > map->cap / 4 * 3)
        rehash(map);
    struct tk_uuid_map_entry *entry = probe(map, key);
    if (entry->value == NULL) {
        map->count++;
        map->used++;
    }
    *entry = (struct tk_uuid_map_entry){.key = *key, .value = value};
}

void *tk_uuid_map_remove(struct tk_uuid_map *map, const struct tk_uuid *key)
{
    if (map->count == 0)
        return NULL;
    struct tk_uuid_map_entry *entry = probe(map, key);
    void *value = entry->value;
    if (value == NULL)
        return NULL;
    entry->value = removed;
    map->count--;
    return value;
}

void tk_uuid_map_clear(struct tk_uuid_map *map)
{
    if (map->used > 0)
        memset(map->entries, 0, map->cap * sizeof(*map->entries));
    map->count = 0;
    map->used = 0;
}

void tk_uuid_map_release(struct tk_uuid_map *map)
{
    free(map->entries);
    *map = (struct tk_uuid_map){0};
}
