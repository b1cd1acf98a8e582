/*
 * Threads and queues under ThreadSanitizer (`make tsan`); also runs, and checks its results, without it.
 * A plain program because Criterion's forking does not go together with that sanitizer. Needs no server.
 *
 *   ids      several threads make ids: each thread's grow, all differ
 *   metrics  several threads count while another renders: nothing is lost
 *   log      several threads log into one pipe: every record arrives whole
 *   post     several threads post to one loop: every message runs once, in its sender's order, on the loop's thread
 *   relay    several threads notify an outbox relay that can reach neither server, while it is stopped
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/id.h"
#include "shared/log/log.h"
#include "shared/loop/loop.h"
#include "shared/metrics/metrics.h"
#include "shared/outbox/outbox.h"

#define THREADS       4
#define IDS_EACH      50000
#define COUNTS_EACH   300000
#define RECORDS_EACH  2000
#define POSTS_EACH    50000
#define NOTIFIES_EACH 50000
#define RENDERS       200

static int failures;

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "FAILED: %s\n", what);
    failures++;
}

/* Runs `fn` on THREADS threads with their numbers, and waits for them. */
static void run_threads(void *(*fn)(void *number))
{
    static size_t numbers[THREADS];
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        numbers[i] = i;
        if (pthread_create(&threads[i], NULL, fn, &numbers[i]) != 0)
            abort();
    }
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static size_t number_of(const void *arg)
{
    return *(const size_t *)arg;
}

/* --- ids ---------------------------------------------------------------------------------------------------------- */

static struct tk_uuid ids[THREADS * IDS_EACH];

static void *make_ids(void *arg)
{
    struct tk_uuid *mine = &ids[number_of(arg) * IDS_EACH];
    for (size_t i = 0; i < IDS_EACH; i++)
        mine[i] = tk_uuid_v7();
    return NULL;
}

static int compare_ids(const void *a, const void *b)
{
    return tk_uuid_cmp(a, b);
}

static void stress_ids(void)
{
    run_threads(make_ids);
    bool growing = true;
    for (size_t i = 1; i < THREADS * IDS_EACH; i++)
        growing &= i % IDS_EACH == 0 || tk_uuid_cmp(&ids[i - 1], &ids[i]) < 0;
    check(growing, "ids of one thread grow");
    qsort(ids, THREADS * IDS_EACH, sizeof(ids[0]), compare_ids);
    bool distinct = true;
    for (size_t i = 1; i < THREADS * IDS_EACH; i++)
        distinct &= !tk_uuid_eq(&ids[i - 1], &ids[i]);
    check(distinct, "ids of all threads differ");
}

/* --- metrics ------------------------------------------------------------------------------------------------------ */

static struct tk_metric counted = TK_COUNTER("stress_counted_total", NULL, "Adds of all threads.");
static struct tk_metric timed = TK_HISTOGRAM("stress_timed_seconds", NULL, "Observations of all threads.");

static void *count(void *arg)
{
    size_t number = number_of(arg);
    for (size_t i = 0; i < COUNTS_EACH; i++) {
        tk_metric_add(&counted, 1);
        tk_metric_observe_us(&timed, (int64_t)(i * number));
    }
    return NULL;
}

static void *render(void *arg)
{
    (void)arg;
    for (int i = 0; i < RENDERS; i++) {
        struct tk_buf text = TK_BUF_INIT(1 << 20);
        tk_metrics_render(&text);
        if (text.overflow || text.len == 0)
            abort();
        tk_buf_release(&text);
    }
    return NULL;
}

static void stress_metrics(void)
{
    pthread_t reader;
    tk_metrics_register(&counted);
    tk_metrics_register(&timed);
    if (pthread_create(&reader, NULL, render, NULL) != 0)
        abort();
    run_threads(count);
    pthread_join(reader, NULL);
    int64_t observed = 0;
    for (size_t i = 0; i < TK_HISTOGRAM_BUCKETS; i++)
        observed += atomic_load(&timed.buckets[i]);
    check(tk_metric_get(&counted) == THREADS * COUNTS_EACH, "no add is lost");
    check(observed == THREADS * COUNTS_EACH, "no observation is lost");
}

/* --- log ---------------------------------------------------------------------------------------------------------- */

static void *write_records(void *arg)
{
    char filler[200];
    memset(filler, 'x', sizeof(filler));
    for (size_t i = 0; i < RECORDS_EACH; i++) {
        struct tk_slice some = {.ptr = filler, .len = i % sizeof(filler)};
        tk_log(TK_LOG_INFO, "stress", TK_KV_INT("thread", number_of(arg)), TK_KV_SLICE("filler", some),
               TK_KV_STR("end", "here"));
    }
    return NULL;
}

struct log_reader {
    FILE *records; /* what is logged */
    FILE *rest;    /* where everything else goes, the sanitizer's reports above all */
    size_t whole;
};

static void *read_records(void *arg)
{
    static const char tail[] = "end=here\n";
    struct log_reader *reader = arg;
    char *line = NULL;
    size_t cap = 0;
    for (ssize_t len = getline(&line, &cap, reader->records); len > 0; len = getline(&line, &cap, reader->records)) {
        size_t tail_at = (size_t)len < sizeof(tail) - 1 ? 0 : (size_t)len - (sizeof(tail) - 1);
        bool whole =
            strncmp(line, "time=", 5) == 0 && strcmp(line + tail_at, tail) == 0 && strstr(line + 5, "time=") == NULL;
        reader->whole += whole;
        if (!whole)
            fputs(line, reader->rest);
    }
    free(line);
    return NULL;
}

static void stress_log(void)
{
    int ends[2];
    pthread_t thread;
    int true_stderr = dup(STDERR_FILENO);
    if (true_stderr < 0 || pipe(ends) != 0)
        abort();
    struct log_reader reader = {.records = fdopen(ends[0], "r"), .rest = fdopen(dup(true_stderr), "w")};
    if (reader.records == NULL || reader.rest == NULL || dup2(ends[1], STDERR_FILENO) < 0)
        abort();
    close(ends[1]);
    if (pthread_create(&thread, NULL, read_records, &reader) != 0)
        abort();
    run_threads(write_records);
    dup2(true_stderr, STDERR_FILENO); /* closes the last writer: the reader ends */
    close(true_stderr);
    pthread_join(thread, NULL);
    fclose(reader.records);
    fclose(reader.rest);
    check(reader.whole == THREADS * RECORDS_EACH, "every record arrives whole");
}

/* --- post --------------------------------------------------------------------------------------------------------- */

struct parcel {
    struct tk_loop_message message;
    size_t sender;
    size_t sequence;
};

static struct tk_loop *loop;
static struct parcel parcels[THREADS][POSTS_EACH];

/* Touched by the loop's thread only: an error in the hand-over shows up here as a race. */
static size_t next_sequence[THREADS];
static size_t arrived;
static bool in_order = true;

static void on_parcel(void *arg)
{
    const struct parcel *parcel = arg;
    in_order &= parcel->sequence == next_sequence[parcel->sender]++;
    if (++arrived == THREADS * POSTS_EACH)
        tk_loop_stop(loop);
}

static void *post_parcels(void *arg)
{
    size_t sender = number_of(arg);
    for (size_t i = 0; i < POSTS_EACH; i++) {
        struct parcel *parcel = &parcels[sender][i];
        parcel->sender = sender;
        parcel->sequence = i;
        parcel->message.fn = on_parcel;
        parcel->message.arg = parcel;
        tk_loop_post(loop, &parcel->message);
    }
    return NULL;
}

static void *run_senders(void *arg)
{
    (void)arg;
    run_threads(post_parcels);
    return NULL;
}

static void on_stuck(void *arg)
{
    (void)arg;
    check(false, "every posted message arrives within a minute");
    tk_loop_stop(loop);
}

static void stress_post(void)
{
    pthread_t senders;
    struct tk_timer watchdog = {0};
    loop = tk_loop_create();
    tk_timer_start(loop, &watchdog, 60000, on_stuck, NULL);
    if (pthread_create(&senders, NULL, run_senders, NULL) != 0)
        abort();
    tk_loop_run(loop);
    tk_timer_stop(loop, &watchdog);
    pthread_join(senders, NULL);
    check(arrived == THREADS * POSTS_EACH, "every posted message runs once");
    check(in_order, "the messages of one sender keep their order");
}

/* --- relay -------------------------------------------------------------------------------------------------------- */

static struct tk_outbox_relay *relay;
static atomic_size_t seen_up;

static void *notify_relay(void *arg)
{
    (void)arg;
    for (size_t i = 0; i < NOTIFIES_EACH; i++) {
        tk_outbox_relay_notify(relay);
        atomic_fetch_add(&seen_up, tk_outbox_relay_broker_up(relay));
    }
    return NULL;
}

static void stress_relay(void)
{
    struct tk_outbox_config config = {
        .name = "stress",
        .database_url = "postgresql://nobody@127.0.0.1:1/nothing?connect_timeout=1",
        .mq = {.name = "stress",
               .url = "amqp://127.0.0.1:1/%2F",
               .exchange = "e",
               .queue = "q",
               .timeout_ms = 500,
               .heartbeat_s = 5},
        .poll_ms = 10,
    };
    if (tk_outbox_relay_new(&config, &relay) != TK_OK) {
        check(false, "a relay can be made without its servers");
        return;
    }
    tk_log_init("stress", TK_LOG_ERROR, false); /* its warnings are expected here */
    tk_outbox_relay_start(relay);
    run_threads(notify_relay);
    tk_outbox_relay_stop(relay, 10000);
    check(atomic_load(&seen_up) == 0, "a broker that is away is never reported up");
}

int main(void)
{
    static const struct {
        const char *name;
        void (*run)(void);
    } parts[] = {{"ids", stress_ids},
                 {"metrics", stress_metrics},
                 {"log", stress_log},
                 {"post", stress_post},
                 {"relay", stress_relay}};
    tk_log_init("stress", TK_LOG_INFO, false);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        int before = failures;
        int64_t start_us = tk_mono_us();
        parts[i].run();
        printf("%-8s %s (%lld ms)\n", parts[i].name, failures == before ? "ok" : "FAILED",
               (long long)((tk_mono_us() - start_us) / TK_US_PER_MS));
    }
    return failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
