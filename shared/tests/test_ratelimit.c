/*
 * Token buckets: the arithmetic, the table of them, one process alone, and several that share a Redis which is stopped,
 * emptied and brought back.
 */
#include <criterion/criterion.h>
#include <signal.h>

#include "shared/base/clock.h"
#include "shared/ratelimit/bucket_table.h"
#include "shared/ratelimit/ratelimit.h"
#include "shared/tests/redis_fixture.h"

#define NS_PER_S    INT64_C(1000000000)
#define DEADLINE_MS 1000 /* a busy machine's Redis may take its time */
#define WRITES      TK_RATELIMIT_USER_WRITES

/* --- one bucket ---------------------------------------------------------------------------------------------------- */

Test(bucket, a_burst_and_then_the_rate)
{
    const struct tk_bucket_rule rule = tk_bucket_rule(20, 10);
    int64_t full_at = 0;
    int64_t now = 5 * NS_PER_S;
    for (int i = 0; i < 200; i++)
        cr_assert(tk_bucket_take(&rule, &full_at, now), "token %d", i);
    cr_assert_not(tk_bucket_take(&rule, &full_at, now));
    now += NS_PER_S / 20 - 1;
    cr_assert_not(tk_bucket_take(&rule, &full_at, now), "not a nanosecond early");
    now += 1;
    cr_assert(tk_bucket_take(&rule, &full_at, now));
    cr_assert_not(tk_bucket_take(&rule, &full_at, now));
    now += 3600 * NS_PER_S;
    for (int i = 0; i < 200; i++)
        cr_assert(tk_bucket_take(&rule, &full_at, now));
    cr_assert_not(tk_bucket_take(&rule, &full_at, now), "an hour saves no more than a burst");
}

Test(bucket, who_waits_as_told_is_not_refused)
{
    static const int64_t rates[] = {1, 3, 7, 20, 999, 50000, 1000000};
    for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
        const struct tk_bucket_rule rule = tk_bucket_rule(rates[i], 2);
        int64_t full_at = 0;
        struct tk_bucket_level level = tk_bucket_level(&rule, full_at, NS_PER_S);
        cr_expect_eq(level.limit, 2 * rates[i]);
        cr_expect_eq(level.remaining, level.limit);
        cr_expect_eq(level.reset_s, 0);
        for (int64_t left = level.limit; left > 0; left--)
            cr_assert(tk_bucket_take(&rule, &full_at, NS_PER_S), "%lld of %lld", (long long)left, (long long)level.limit);
        cr_assert_not(tk_bucket_take(&rule, &full_at, NS_PER_S));
        level = tk_bucket_level(&rule, full_at, NS_PER_S);
        cr_expect_eq(level.remaining, 0);
        cr_expect_eq(level.retry_s, 1);
        cr_expect_eq(level.reset_s, 2);
        cr_expect(tk_bucket_take(&rule, &full_at, (1 + level.retry_s) * NS_PER_S));
    }
}

/* --- many ---------------------------------------------------------------------------------------------------------- */

static struct tk_uuid key(unsigned n)
{
    return (struct tk_uuid){{[0] = 7, [14] = (uint8_t)(n >> 8), [15] = (uint8_t)n}};
}

Test(bucket_table, memory_is_bounded_and_the_longest_unused_goes)
{
    struct tk_bucket_table *table = tk_bucket_table_new(100);
    for (unsigned n = 0; n < 1000; n++) {
        const struct tk_uuid k = key(n);
        const struct tk_uuid regular = key(0);
        tk_bucket_table_get(table, 1, &k)->full_at_ns = n + 1;
        tk_bucket_table_get(table, 1, &regular);
    }
    cr_assert_eq(tk_bucket_table_count(table), 100);
    for (unsigned n = 0; n < 1000; n++) {
        const struct tk_uuid k = key(n);
        const struct tk_bucket_entry *entry = tk_bucket_table_find(table, 1, &k);
        cr_assert_eq(entry != NULL, n == 0 || n > 900, "entry %u", n);
        cr_assert(entry == NULL || entry->full_at_ns == n + 1);
    }
    tk_bucket_table_free(table);
}

Test(bucket_table, kinds_are_counted_apart)
{
    struct tk_bucket_table *table = tk_bucket_table_new(4);
    const struct tk_uuid k = key(1);
    tk_bucket_table_get(table, 0, &k)->full_at_ns = 1;
    cr_expect_null(tk_bucket_table_find(table, 1, &k));
    cr_expect_eq(tk_bucket_table_get(table, 1, &k)->full_at_ns, 0);
    cr_expect_eq(tk_bucket_table_get(table, 0, &k)->full_at_ns, 1);
    tk_bucket_table_free(table);
}

/* --- one process --------------------------------------------------------------------------------------------------- */

static struct tk_loop *loop;
static struct redis_process process;

/** Not freed, since calls may be on their way, but not lost either: the leak checker finds them here. */
static struct tk_ratelimit *volatile opened[2];

static struct tk_ratelimit *open_limits(struct tk_redis *redis, int64_t per_second)
{
    const struct tk_ratelimit_config config = {
        .service = "test", .redis = redis, .per_second = {[WRITES] = per_second}, .burst_seconds = 10};
    static size_t count;
    if (loop == NULL)
        loop = tk_loop_create();
    struct tk_ratelimit *limits = tk_ratelimit_new(loop, &config);
    opened[count++ % 2] = limits;
    return limits;
}

/** How many of `count` requests pass, `turn` of them in a turn of the loop. */
static int passed(struct tk_ratelimit *limits, unsigned who, int count, int turn)
{
    const struct tk_uuid k = key(who);
    struct tk_bucket_level level;
    int passes = 0;
    for (int i = 0; i < count; i++) {
        passes += tk_ratelimit_take(limits, WRITES, &k, tk_mono_us(), &level);
        if (i % turn == turn - 1)
            tk_loop_turn(loop, 1);
    }
    return passes;
}

Test(ratelimit, alone)
{
    struct tk_ratelimit *limits = open_limits(NULL, 2);
    struct tk_bucket_level level = {.limit = 99};
    const struct tk_uuid k = key(1);
    cr_expect_eq(passed(limits, 1, 100, 100), 20);
    cr_expect_eq(passed(limits, 2, 100, 100), 20, "another has a bucket of his own");
    cr_expect(tk_ratelimit_take(limits, TK_RATELIMIT_USER_READS, &k, tk_mono_us(), &level), "0 is no limit");
    cr_expect_eq(level.limit, 99);
    cr_expect(tk_ratelimit_take(limits, WRITES, &k, tk_mono_us() + 60 * TK_US_PER_S, &level));
    cr_expect_eq(level.remaining, 19);
    tk_ratelimit_free(limits);
}

/* --- several, with Redis ------------------------------------------------------------------------------------------- */

static void wait_until_up(struct tk_redis *redis)
{
    for (int i = 0; i < 10000 && !tk_redis_is_up(redis); i++)
        tk_loop_turn(loop, 2);
    cr_assert(tk_redis_is_up(redis));
}

static struct tk_redis *connect_redis(void)
{
    const struct tk_redis_config config = {
        .url = process.url, .deadline_ms = DEADLINE_MS, .retry_ms = 50, .max_pending = 10};
    struct tk_redis *redis;
    if (loop == NULL)
        loop = tk_loop_create();
    cr_assert_eq(tk_redis_open(loop, &config, &redis), TK_OK);
    wait_until_up(redis);
    return redis;
}

/** How many tokens came since, at the ten a second of these tests. */
static int came_since(int64_t start_us)
{
    return (int)((tk_mono_us() - start_us) * 10 / TK_US_PER_S) + 1;
}

static void turn_for(int64_t milliseconds)
{
    const int64_t end = tk_mono_us() + milliseconds * TK_US_PER_MS;
    while (tk_mono_us() < end)
        tk_loop_turn(loop, 1);
}

static void open_redis(void)
{
    redis_process_open(&process);
}

static void close_redis(void)
{
    redis_process_close(&process);
}

TestSuite(ratelimit_shared, .init = open_redis, .fini = close_redis);

Test(ratelimit_shared, processes_share_what_they_allow)
{
    struct tk_ratelimit *a = open_limits(connect_redis(), 10);
    struct tk_ratelimit *b = open_limits(connect_redis(), 10);
    const int64_t start_us = tk_mono_us();
    int passes = 0;
    for (int i = 0; i < 60; i++)
        passes += passed(a, 1, 3, 3) + passed(b, 1, 3, 3);
    const int most = 100 + 2 * 7 + came_since(start_us);
    cr_expect(passes >= 100 && passes <= most, "100, what each had not told yet, and what came meanwhile: %d", passes);
}

/** What two let through in the same instant is missing afterwards, as soon as they have told each other. */
Test(ratelimit_shared, too_much_at_once_is_waited_for)
{
    struct tk_ratelimit *a = open_limits(connect_redis(), 10);
    struct tk_ratelimit *b = open_limits(connect_redis(), 10);
    const struct tk_uuid k = key(1);
    struct tk_bucket_level level;
    const int64_t start_us = tk_mono_us();
    int passes = passed(a, 1, 200, 200) + passed(b, 1, 200, 200);
    cr_expect(passes >= 200 && passes <= 200 + 2 * came_since(start_us));
    passes = 0;
    while (tk_mono_us() < start_us + 3 * TK_US_PER_S)
        passes += passed(a, 1, 2, 2) + passed(b, 1, 2, 2);
    cr_expect_leq(passes, 2 * 7, "%d more in three seconds", passes);
    cr_expect_not(tk_ratelimit_take(a, WRITES, &k, tk_mono_us(), &level));
    cr_expect(level.retry_s > 5 && level.retry_s <= 11, "%lld s", (long long)level.retry_s);
}

Test(ratelimit_shared, the_many_who_ask_for_little_are_not_told_of)
{
    struct tk_redis *redis = connect_redis();
    struct tk_ratelimit *limits = open_limits(redis, 10);
    static int calls_before;
    for (unsigned who = 0; who < 500; who++)
        calls_before += passed(limits, who, 3, 3);
    cr_expect_eq(calls_before, 1500);
    redis_process_signal(&process, SIGSTOP); /* a command would run into its deadline */
    for (unsigned who = 500; who < 1000; who++)
        (void)passed(limits, who, 3, 3);
    turn_for(2 * DEADLINE_MS);
    cr_expect(tk_redis_is_up(redis), "somebody was told of");
    redis_process_signal(&process, SIGCONT);
}

Test(ratelimit_shared, a_redis_that_hangs_or_goes_costs_nobody_his_limit)
{
    struct tk_redis *redis = connect_redis();
    struct tk_ratelimit *limits = open_limits(redis, 10);
    redis_process_signal(&process, SIGSTOP);
    const int64_t before_us = tk_mono_us();
    int passes = passed(limits, 1, 300, 300);
    cr_expect_lt(tk_mono_us() - before_us, DEADLINE_MS * TK_US_PER_MS, "nobody waits for Redis");
    turn_for(2 * DEADLINE_MS);
    passes += passed(limits, 1, 300, 100);
    cr_expect(passes >= 100 && passes <= 100 + came_since(before_us), "%d", passes);
    redis_process_signal(&process, SIGCONT);
    redis_process_kill(&process);
    const int64_t killed_us = tk_mono_us();
    passes = passed(limits, 2, 300, 100);
    cr_expect_leq(passes, 100 + came_since(killed_us));
    redis_process_start(&process, NULL); /* it has forgotten everything, the script as well */
    wait_until_up(redis);
    passes += passed(limits, 2, 100, 10);
    cr_expect_leq(passes, 100 + came_since(killed_us), "our own bucket still counts");
    cr_expect_eq(passed(limits, 3, 90, 5), 90);
    struct tk_ratelimit *other = open_limits(connect_redis(), 10);
    turn_for(50);
    (void)passed(other, 3, 7, 1); /* enough to be told of, and so to be told */
    const struct tk_uuid k = key(3);
    struct tk_bucket_level level = {.remaining = 100};
    for (int i = 0; i < 30 && level.remaining >= 60; i++) {
        turn_for(50);
        (void)tk_ratelimit_take(other, WRITES, &k, tk_mono_us(), &level);
    }
    cr_expect_lt(level.remaining, 60, "the others' share is known again: %lld", (long long)level.remaining);
}
