/* UUIDv7 and the map keyed by it. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/id.h"

#define COUNT(array)   (sizeof(array) / sizeof((array)[0]))
#define THREADS        4
#define IDS_PER_THREAD 50000

static int64_t milliseconds(const struct tk_uuid *id)
{
    int64_t ms = 0;
    for (int i = 0; i < 6; i++)
        ms = ms << 8 | id->bytes[i];
    return ms;
}

Test(id, v7_has_version_variant_and_time)
{
    int64_t before = tk_unix_us() / TK_US_PER_MS;
    struct tk_uuid id = tk_uuid_v7();
    int64_t after = tk_unix_us() / TK_US_PER_MS;
    cr_assert_eq(id.bytes[6] >> 4, 7);
    cr_assert_eq(id.bytes[8] >> 6, 2);
    cr_assert_geq(milliseconds(&id), before);
    cr_assert_leq(milliseconds(&id), after);
}

/* Many ids share a millisecond here; the counter must keep them in order. */
Test(id, v7_since_is_below_everything_made_then_and_above_what_was_made_before)
{
    const struct tk_uuid before = tk_uuid_v7();
    const int64_t began_us = tk_unix_us() + 2 * TK_US_PER_MS;
    while (tk_unix_us() < began_us)
        continue;
    const struct tk_uuid since = tk_uuid_v7_since(began_us);
    const struct tk_uuid after = tk_uuid_v7();
    cr_assert_lt(tk_uuid_cmp(&before, &since), 0);
    cr_assert_leq(tk_uuid_cmp(&since, &after), 0);
}

Test(id, v7_grows_within_a_millisecond)
{
    struct tk_uuid previous = tk_uuid_v7();
    int same_ms = 0;
    for (int i = 0; i < 500000; i++) {
        struct tk_uuid next = tk_uuid_v7();
        cr_assert_lt(tk_uuid_cmp(&previous, &next), 0, "id %d", i);
        same_ms += milliseconds(&previous) == milliseconds(&next);
        previous = next;
    }
    cr_assert_gt(same_ms, 1000);
}

static void *make_ids(void *arg)
{
    struct tk_uuid *ids = arg;
    for (int i = 0; i < IDS_PER_THREAD; i++)
        ids[i] = tk_uuid_v7();
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return tk_uuid_cmp(a, b);
}

Test(id, v7_is_unique_across_threads)
{
    static struct tk_uuid ids[THREADS * IDS_PER_THREAD];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        cr_assert_eq(pthread_create(&threads[i], NULL, make_ids, &ids[i * IDS_PER_THREAD]), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    qsort(ids, COUNT(ids), sizeof(ids[0]), compare_ids);
    for (size_t i = 1; i < COUNT(ids); i++)
        cr_assert_not(tk_uuid_eq(&ids[i - 1], &ids[i]));
}

/* A child that inherited its parent's random pool would make the same ids. */
Test(id, v7_differs_after_fork)
{
    int ends[2];
    tk_uuid_v7();
    cr_assert_eq(pipe(ends), 0);
    pid_t child = fork();
    cr_assert_geq(child, 0);
    struct tk_uuid id = tk_uuid_v7();
    if (child == 0)
        _exit(write(ends[1], &id, sizeof(id)) == sizeof(id) ? 0 : 1);
    struct tk_uuid other;
    cr_assert_eq(read(ends[0], &other, sizeof(other)), sizeof(other));
    waitpid(child, NULL, 0);
    cr_assert_neq(memcmp(id.bytes + 9, other.bytes + 9, 7), 0, "the same random bits");
}

Test(id, text_round_trip)
{
    static const char text[] = "0194a7f0-1234-7abc-8def-0123456789ab";
    struct tk_uuid id;
    cr_assert_eq(tk_uuid_parse(TK_SLICE("0194A7F0-1234-7AbC-8deF-0123456789aB"), &id), TK_OK);
    cr_assert_str_eq(TK_UUID_TEXT(&id), text);
    cr_assert_eq(id.bytes[0], 0x01);
    cr_assert_eq(id.bytes[15], 0xab);
    cr_assert_eq(tk_uuid_parse(TK_SLICE("00000000-0000-0000-0000-000000000000"), &id), TK_OK);
    cr_assert(tk_uuid_is_nil(&id));
    id.bytes[15] = 1;
    cr_assert_not(tk_uuid_is_nil(&id));
}

Test(id, parse_refuses)
{
    static const char *const rows[] = {
        "",
        "0194a7f0-1234-7abc-8def-0123456789a",
        "0194a7f0-1234-7abc-8def-0123456789abc",
        "0194a7f012347abc8def0123456789ab",
        "{194a7f0-1234-7abc-8def-0123456789a}",
        "0194a7f0-1234-7abc-8def-0123456789ag",
        "0194a7f0-1234-7abc-8def-0123456789a ",
        "0194a7f0_1234-7abc-8def-0123456789ab",
        "0194a7f-01234-7abc-8def-0123456789ab",
        "-194a7f0-1234-7abc-8def-0123456789ab",
        "urn:uuid:0194a7f0-1234-7abc-8def-012",
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_uuid id = {.bytes = {9}};
        cr_expect_eq(tk_uuid_parse(tk_slice_of(rows[i]), &id), TK_ERR_INVALID, "%s", rows[i]);
        cr_expect_eq(id.bytes[0], 9, "output touched by %s", rows[i]);
    }
}

Test(id_map, empty_map_has_nothing)
{
    struct tk_uuid_map map = {0};
    struct tk_uuid id = tk_uuid_v7();
    cr_assert_null(tk_uuid_map_get(&map, &id));
    cr_assert_null(tk_uuid_map_remove(&map, &id));
    tk_uuid_map_clear(&map);
    tk_uuid_map_release(&map);
}

Test(id_map, put_get_replace_remove)
{
    struct tk_uuid_map map = {0};
    struct tk_uuid id = tk_uuid_v7();
    int a;
    int b;
    tk_uuid_map_put(&map, &id, &a);
    tk_uuid_map_put(&map, &id, &b);
    cr_assert_eq(map.count, 1);
    cr_assert_eq(tk_uuid_map_get(&map, &id), &b);
    cr_assert_eq(tk_uuid_map_remove(&map, &id), &b);
    cr_assert_null(tk_uuid_map_remove(&map, &id));
    cr_assert_null(tk_uuid_map_get(&map, &id));
    cr_assert_eq(map.count, 0);
    tk_uuid_map_release(&map);
}

Test(id_map, holds_thousands_through_growth_and_removal)
{
    enum { TOTAL = 20000 };
    static struct tk_uuid ids[TOTAL];
    struct tk_uuid_map map = {0};
    for (size_t i = 0; i < TOTAL; i++) {
        ids[i] = tk_uuid_v7();
        tk_uuid_map_put(&map, &ids[i], &ids[i]);
    }
    for (size_t i = 0; i < TOTAL; i += 2)
        cr_assert_eq(tk_uuid_map_remove(&map, &ids[i]), &ids[i]);
    cr_assert_eq(map.count, TOTAL / 2);
    for (size_t i = 0; i < TOTAL; i++)
        cr_assert_eq(tk_uuid_map_get(&map, &ids[i]), i % 2 ? &ids[i] : NULL);
    tk_uuid_map_clear(&map);
    cr_assert_eq(map.count, 0);
    cr_assert_null(tk_uuid_map_get(&map, &ids[1]));
    tk_uuid_map_release(&map);
}

/* A queue that lives for days: as many come as go. Removed entries must not fill the table. */
Test(id_map, memory_stays_small_under_churn)
{
    struct tk_uuid_map map = {0};
    struct tk_uuid window[8];
    for (size_t i = 0; i < 100000; i++) {
        struct tk_uuid *slot = &window[i % COUNT(window)];
        if (i >= COUNT(window))
            cr_assert_eq(tk_uuid_map_remove(&map, slot), slot);
        *slot = tk_uuid_v7();
        tk_uuid_map_put(&map, slot, slot);
    }
    cr_assert_eq(map.count, COUNT(window));
    cr_assert_leq(map.cap, 64);
    tk_uuid_map_release(&map);
}
