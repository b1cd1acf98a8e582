/*
 * Own buckets, and telling Redis.
 *
 * A key of Redis holds the time (its own clock, microseconds) at which the bucket is full, and ends at that very time. What
 * we tell is the time taken, not tokens, and never more than is missing in our own bucket at that moment: after an hour
 * without Redis nobody is presented with the sum of it.
 *
 * What could not be told is forgotten: each process has counted its own. An answer that never came may have been counted
 * by Redis all the same; that is right, since the tokens were taken.
 */
#include "shared/ratelimit/ratelimit.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/ratelimit/bucket_table.h"

#define MAX_BUCKETS    65536
#define TELL_SHARE     16  /* of a bucket taken before Redis hears of it */
#define CALL_MAX       128 /* buckets in one call; the others wait for the next */
#define KEY_MAX        112
#define NUMBER_MAX     24
#define FIXED_ARGS     3 /* EVALSHA, script, number of keys */
#define NS_PER_US      1000
#define ARGS_PER_ENTRY 3 /* a key, and two numbers */

/*
 * Per key: what was taken, and the window. Answers per key how long until the bucket is full. More than two windows is
 * never missing: somebody who was let through by many processes at once waits for two at most.
 */
static const char script[] = "local t = redis.call('TIME') "
                             "local now = t[1] * 1000000 + t[2] "
                             "local missing = {} "
                             "for i, key in ipairs(KEYS) do "
                             "  local full = math.max(tonumber(redis.call('GET', key) or 0), now) + ARGV[2 * i - 1] "
                             "  full = math.min(full, now + 2 * ARGV[2 * i]) "
                             "  redis.call('SET', key, string.format('%.0f', full), 'PX', "
                             "    math.max(1, math.ceil((full - now) / 1000))) "
                             "  missing[i] = full - now "
                             "end "
                             "return missing";

struct due {
    enum tk_ratelimit_kind kind;
    struct tk_uuid key;
};

struct tk_ratelimit {
    struct tk_loop *loop;
    struct tk_redis *redis;
    const char *service;
    struct tk_bucket_rule rules[TK_RATELIMIT_KINDS];
    struct tk_bucket_table *table;
    struct tk_deferred tell;
    struct due due[CALL_MAX]; /* to be told next */
    size_t due_count;
    struct due told[CALL_MAX]; /* in the call on its way */
    size_t told_count;         /* 0: none is on its way */
    bool by_text;              /* the call carries the script itself: Redis did not know its digest */
    char sha[2 * SHA_DIGEST_LENGTH + 1];
    char keys[CALL_MAX][KEY_MAX];
    char numbers[2 * CALL_MAX][NUMBER_MAX];
};

static struct tk_metric refused[TK_RATELIMIT_KINDS] = {
    TK_COUNTER("rate_limited_total", "limit=\"user_writes\"", "Requests refused with 429"),
    TK_COUNTER("rate_limited_total", "limit=\"user_reads\"", "Requests refused with 429"),
    TK_COUNTER("rate_limited_total", "limit=\"address_writes\"", "Requests refused with 429"),
    TK_COUNTER("rate_limited_total", "limit=\"address_reads\"", "Requests refused with 429"),
};
static struct tk_metric buckets = TK_GAUGE("rate_limit_buckets", NULL, "Users and addresses this process counts");
static struct tk_metric shared_calls =
    TK_COUNTER("rate_limit_calls_total", "result=\"answered\"", "Calls that told Redis what was taken");
static struct tk_metric lost_calls =
    TK_COUNTER("rate_limit_calls_total", "result=\"lost\"", "Calls that told Redis what was taken");

static void register_metrics(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    for (size_t i = 0; i < TK_RATELIMIT_KINDS; i++)
        tk_metrics_register(&refused[i]);
    tk_metrics_register(&buckets);
    tk_metrics_register(&shared_calls);
    tk_metrics_register(&lost_calls);
}

struct tk_ratelimit *tk_ratelimit_new(struct tk_loop *loop, const struct tk_ratelimit_config *config)
{
    unsigned char sha[SHA_DIGEST_LENGTH];
    struct tk_ratelimit *limits = tk_alloc(sizeof(*limits));
    limits->loop = loop;
    limits->redis = config->redis;
    limits->service = config->service;
    limits->table = tk_bucket_table_new(config->max_buckets > 0 ? config->max_buckets : MAX_BUCKETS);
    for (size_t i = 0; i < TK_RATELIMIT_KINDS; i++)
        limits->rules[i] = tk_bucket_rule(config->per_second[i], config->burst_seconds);
    SHA1((const unsigned char *)script, sizeof(script) - 1, sha);
    for (size_t i = 0; i < sizeof(sha); i++)
        (void)snprintf(limits->sha + 2 * i, 3, "%02x", sha[i]);
    register_metrics();
    return limits;
}

void tk_ratelimit_free(struct tk_ratelimit *limits)
{
    tk_deferred_cancel(&limits->tell);
    tk_bucket_table_free(limits->table);
    free(limits);
}

bool tk_ratelimit_is_on(const struct tk_ratelimit *limits, enum tk_ratelimit_kind kind)
{
    return limits->rules[kind].cost_ns > 0;
}

/* --- telling Redis ------------------------------------------------------------------------------------------------- */

static void on_tell(void *arg);

static void tell_soon(struct tk_ratelimit *limits)
{
    if (limits->due_count > 0 && limits->told_count == 0)
        tk_loop_defer(limits->loop, &limits->tell, on_tell, limits);
}

static void learn(struct tk_ratelimit *limits, const struct due *told, int64_t missing_us, int64_t now_ns)
{
    struct tk_bucket_entry *entry = tk_bucket_table_find(limits->table, told->kind, &told->key);
    if (entry == NULL)
        return;
    const int64_t full_at_ns = now_ns + missing_us * NS_PER_US + entry->untold_ns;
    if (full_at_ns > entry->full_at_ns)
        entry->full_at_ns = full_at_ns;
}

static enum tk_err send_call(struct tk_ratelimit *limits, size_t count);

static void learn_all(struct tk_ratelimit *limits, const redisReply *reply)
{
    const int64_t now_ns = tk_mono_us() * NS_PER_US;
    for (size_t i = 0; i < limits->told_count; i++) {
        if (reply->element[i]->type == REDIS_REPLY_INTEGER)
            learn(limits, &limits->told[i], reply->element[i]->integer, now_ns);
    }
}

static void on_told(void *arg, enum tk_step step, const redisReply *reply)
{
    struct tk_ratelimit *limits = arg;
    const bool understood = step == TK_STEP_OK && reply->type == REDIS_REPLY_ARRAY && reply->elements == limits->told_count;
    if (step == TK_STEP_REFUSED && strncmp(reply->str, "NOSCRIPT", 8) == 0 && !limits->by_text) {
        limits->by_text = true; /* the same call again */
        if (send_call(limits, limits->told_count) == TK_OK)
            return;
    } else if (step == TK_STEP_REFUSED) {
        tk_log(TK_LOG_WARNING, "redis refused the rate limit script", TK_KV_STR("error", reply->str));
    }
    if (understood)
        learn_all(limits, reply);
    tk_metric_add(understood ? &shared_calls : &lost_calls, 1);
    limits->by_text = false;
    limits->told_count = 0;
    tell_soon(limits);
}

/** Microseconds of `entry` that Redis should hear of now; they count as told. */
static int64_t untold_us(struct tk_bucket_entry *entry, int64_t now_ns)
{
    const int64_t missing_ns = entry->full_at_ns > now_ns ? entry->full_at_ns - now_ns : 0;
    const int64_t told_ns = entry->untold_ns < missing_ns ? entry->untold_ns : missing_ns;
    entry->untold_ns = 0;
    entry->is_due = false;
    return told_ns / NS_PER_US;
}

static void write_entry(struct tk_ratelimit *limits, size_t at, const struct due *due, int64_t taken_us)
{
    static const char *const names[TK_RATELIMIT_KINDS] = {"user-writes", "user-reads", "address-writes", "address-reads"};
    (void)snprintf(limits->keys[at], KEY_MAX, "ratelimit:{%s}:%s:%s", limits->service, names[due->kind],
                   TK_UUID_TEXT(&due->key));
    (void)snprintf(limits->numbers[2 * at], NUMBER_MAX, "%lld", (long long)taken_us);
    (void)snprintf(limits->numbers[2 * at + 1], NUMBER_MAX, "%lld",
                   (long long)(limits->rules[due->kind].window_ns / NS_PER_US));
}

/** Moves what is due into the call; some of it may have been forgotten meanwhile. */
static size_t write_call(struct tk_ratelimit *limits)
{
    const int64_t now_ns = tk_mono_us() * NS_PER_US;
    size_t count = 0;
    for (size_t i = 0; i < limits->due_count; i++) {
        const struct due *due = &limits->due[i];
        struct tk_bucket_entry *entry = tk_bucket_table_find(limits->table, due->kind, &due->key);
        const int64_t taken_us = entry != NULL ? untold_us(entry, now_ns) : 0;
        if (taken_us == 0)
            continue;
        write_entry(limits, count, due, taken_us);
        limits->told[count++] = *due;
    }
    limits->due_count = 0;
    return count;
}

static enum tk_err send_call(struct tk_ratelimit *limits, size_t count)
{
    const char *argv[FIXED_ARGS + ARGS_PER_ENTRY * CALL_MAX];
    size_t lengths[FIXED_ARGS + ARGS_PER_ENTRY * CALL_MAX];
    char key_count[NUMBER_MAX];
    size_t argc = 0;
    (void)snprintf(key_count, sizeof(key_count), "%zu", count);
    argv[argc++] = limits->by_text ? "EVAL" : "EVALSHA";
    argv[argc++] = limits->by_text ? script : limits->sha;
    argv[argc++] = key_count;
    for (size_t i = 0; i < count; i++)
        argv[argc++] = limits->keys[i];
    for (size_t i = 0; i < 2 * count; i++)
        argv[argc++] = limits->numbers[i];
    for (size_t i = 0; i < argc; i++)
        lengths[i] = strlen(argv[i]);
    return tk_redis_command(limits->redis, (int)argc, argv, lengths, on_told, limits);
}

/** End of the turn. */
static void on_tell(void *arg)
{
    struct tk_ratelimit *limits = arg;
    const size_t count = write_call(limits);
    if (count > 0 && send_call(limits, count) == TK_OK)
        limits->told_count = count;
    tk_metric_set(&buckets, (int64_t)tk_bucket_table_count(limits->table));
}

/** A full list is no loss: whoever is not in it is asked again at the next token. */
static void note_taken(struct tk_ratelimit *limits, struct tk_bucket_entry *entry)
{
    const struct tk_bucket_rule *rule = &limits->rules[entry->kind];
    entry->untold_ns += rule->cost_ns;
    if (limits->redis == NULL || entry->is_due || entry->untold_ns * TELL_SHARE < rule->window_ns ||
        limits->due_count == CALL_MAX || !tk_redis_is_up(limits->redis))
        return;
    entry->is_due = true;
    limits->due[limits->due_count++] = (struct due){.kind = (enum tk_ratelimit_kind)entry->kind, .key = entry->key};
    tell_soon(limits);
}

/* --- deciding ------------------------------------------------------------------------------------------------------ */

bool tk_ratelimit_take(struct tk_ratelimit *limits, enum tk_ratelimit_kind kind, const struct tk_uuid *key, int64_t now_us,
                       struct tk_bucket_level *level)
{
    if (!tk_ratelimit_is_on(limits, kind))
        return true;
    const int64_t now_ns = now_us * NS_PER_US;
    struct tk_bucket_entry *entry = tk_bucket_table_get(limits->table, kind, key);
    if (entry->full_at_ns <= now_ns)
        entry->untold_ns = 0; /* what was taken has flowed in again: nobody need hear of it */
    const bool taken = tk_bucket_take(&limits->rules[kind], &entry->full_at_ns, now_ns);
    if (taken)
        note_taken(limits, entry);
    else
        tk_metric_add(&refused[kind], 1);
    *level = tk_bucket_level(&limits->rules[kind], entry->full_at_ns, now_ns);
    return taken;
}
