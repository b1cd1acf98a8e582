/*
 * The driver: buyers buy while the nemesis breaks the stack after a schedule; then everything heals, doubts are settled,
 * and what the buyers were told is compared with both databases. README.md beside this file has the whole picture.
 */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "tests/chaos/buyers.h"
#include "tests/chaos/check.h"
#include "tests/chaos/history.h"
#include "tests/chaos/nemesis.h"
#include "tests/chaos/options.h"
#include "tests/chaos/plan.h"
#include "tests/chaos/tally.h"

#define TURN_MS        2
#define BACK_WITHIN_MS 180000 /* processes that were killed last: a RabbitMQ needs its quarter of a minute, or several */
#define LOOK_EVERY_MS  500
#define LINGER_MS      2000 /* around a fault, when its effect is reported */

#define POINT_NAME(name, program) #name,
static const char *const POINT_NAMES[] = {TK_FAULT_POINTS(POINT_NAME)};

struct run {
    struct options opt;
    struct plan plan;
    struct history history;
    struct tally tally;
    struct buyers *buyers;
    struct nemesis *nemesis;
    int64_t healed_ms;
    int64_t agreed_ms; /* after healing; -1: never */
    int in_doubt;      /* steps nobody knew about when everything had healed */
    uint64_t failures;
};

static int64_t now_ms(const struct run *run)
{
    return (tk_mono_us() - run->tally.start_us) / TK_US_PER_MS;
}

static void weigh(struct run *run)
{
    struct second *second = tally_now(&run->tally);
    for (int i = 0; i < TALLY_SERVICES; i++)
        if (second->memory_kb[i] == 0)
            second->memory_kb[i] = nemesis_memory_kb(run->nemesis, (enum process)i);
}

static void turn(struct run *run)
{
    buyers_turn(run->buyers, TURN_MS);
    nemesis_turn(run->nemesis, now_ms(run));
    weigh(run);
}

static void fail(struct run *run, const char *what)
{
    run->failures++;
    printf("FAILED %s\n", what);
}

/* --- phases -------------------------------------------------------------------------------------------------------- */

static void prepare(struct run *run)
{
    const struct options *opt = &run->opt;
    const struct nemesis_config nemesis = {
        .run_dir = opt->run_dir, .script = opt->script, .redis_port = (uint16_t)opt->redis_port, .verbose = opt->verbose};
    const struct buyers_config buyers = {
        .port = (uint16_t)opt->port, .buyers = opt->buyers, .rate = opt->rate, .seed = ~opt->seed, .apart = opt->apart};
    if (history_open(&run->history, opt->seats)) {
        fprintf(stderr, "chaos: no seats in %s\n", opt->seats);
        exit(2);
    }
    if (nemesis_new(&nemesis, &run->plan, &run->nemesis)) {
        fprintf(stderr, "chaos: no proxy in %s\n", opt->run_dir);
        exit(2);
    }
    run->tally.start_us = tk_mono_us();
    run->buyers = buyers_new(&buyers, &run->history, &run->tally);
}

static void suffer(struct run *run)
{
    while (now_ms(run) < run->plan.length_ms)
        turn(run);
    nemesis_heal(run->nemesis);
    int64_t deadline_ms = now_ms(run) + BACK_WITHIN_MS;
    while (!nemesis_is_whole(run->nemesis) && now_ms(run) < deadline_ms)
        turn(run);
    if (!nemesis_is_whole(run->nemesis))
        fail(run, "a process does not come back");
    run->healed_ms = now_ms(run);
}

/* Purchases under way end, doubts are settled, the databases come to agree: all that within the promised time. */
static void settle(struct run *run)
{
    struct databases databases = {.event_url = run->opt.event_db, .booking_url = run->opt.booking_db};
    int64_t deadline_ms = run->healed_ms + run->opt.patience_ms;
    int64_t looked_ms = 0;
    bool settling = false;
    run->agreed_ms = -1;
    buyers_close_shop(run->buyers);
    while (now_ms(run) < deadline_ms && run->agreed_ms < 0) {
        turn(run);
        if (buyers_busy(run->buyers) > 0 || now_ms(run) < looked_ms + LOOK_EVERY_MS)
            continue;
        looked_ms = now_ms(run);
        if (!settling)
            run->in_doubt = buyers_settle(run->buyers);
        else if (check_agrees(&databases))
            run->agreed_ms = now_ms(run) - run->healed_ms;
        settling = true;
    }
    if (run->agreed_ms < 0)
        fail(run, "no agreement in time after the last fault healed");
}

static void judge(struct run *run)
{
    struct databases databases = {.event_url = run->opt.event_db, .booking_url = run->opt.booking_db};
    struct verdict verdict;
    if (check_all(&databases, &run->history, &verdict))
        fail(run, "the databases cannot be read");
    printf("purchases %zu, payments read back %" PRIu64 "; in doubt when healed %d; back %" PRId64
           " ms after the last fault, agreed %" PRId64 " ms after that\n",
           run->history.count, run->history.reads, run->in_doubt, run->healed_ms - run->plan.length_ms, run->agreed_ms);
    verdict_print(&verdict, stdout);
    if (verdict_violations(&verdict) > 0)
        fail(run, "what the clients were told is not what is stored");
    if (verdict.acknowledged == 0)
        fail(run, "nobody bought anything: the run proves nothing");
}

/* --- report -------------------------------------------------------------------------------------------------------- */

static void report_deaths(const struct run *run)
{
    uint32_t total = 0;
    printf("deaths (SIGKILL, at a crash point, other):");
    for (int i = 0; i < PROCESS_COUNT; i++) {
        struct nemesis_deaths deaths = nemesis_deaths(run->nemesis, (enum process)i);
        printf(" %s %u+%u+%u", PROCESS_NAMES[i], deaths.killed, deaths.crashed, deaths.others);
        total += deaths.killed + deaths.crashed;
    }
    printf("; kills survived %u\n", total);
    if (nemesis_slowest_stop_ms(run->nemesis) > 0)
        printf("slowest end after SIGTERM %" PRId64 " ms\n", nemesis_slowest_stop_ms(run->nemesis));
}

static void report_points(const struct run *run)
{
    int fired = 0;
    if (!run->opt.means.crash_points)
        return;
    printf("crash points that fired:");
    for (int i = 0; i < TK_FAULT_POINT_COUNT; i++) {
        struct nemesis_point point = nemesis_point(run->nemesis, (enum tk_fault_point)i);
        fired += point.crashed > 0;
        if (point.crashed > 0)
            printf(" %s %u", POINT_NAMES[i], point.crashed);
    }
    printf("\ncrash points: %d of %d fired; never:", fired, TK_FAULT_POINT_COUNT);
    for (int i = 0; i < TK_FAULT_POINT_COUNT; i++) {
        struct nemesis_point point = nemesis_point(run->nemesis, (enum tk_fault_point)i);
        if (point.crashed == 0)
            printf(" %s (passed %u)", POINT_NAMES[i], point.passed);
    }
    printf("\n");
}

/* A trend only of who lived through all of it. */
static void report_memory(const struct run *run)
{
    printf("longest time without a hold %zu s; memory at most:", tally_longest_pause(&run->tally, run->plan.length_ms));
    for (int i = 0; i < TALLY_SERVICES; i++) {
        struct memory_trend trend = tally_memory(&run->tally, i, run->plan.length_ms);
        struct nemesis_deaths deaths = nemesis_deaths(run->nemesis, (enum process)i);
        printf(" %s %.1f MB", PROCESS_NAMES[i], (double)trend.most_kb / 1024);
        if (deaths.killed + deaths.crashed + deaths.others == 0)
            printf(" (%+.1f MB/h)", trend.kb_per_hour / 1024);
    }
    printf("\n");
}

static void report_effects(const struct run *run, FILE *file)
{
    fputs("# each fault, and what the seconds around it saw\n", file);
    for (size_t i = 0; i < run->plan.count; i++) {
        const struct event *event = &run->plan.events[i];
        struct second sum = tally_sum(&run->tally, event->at_ms, event->at_ms + event->for_ms + LINGER_MS);
        event_print(event, file);
        fprintf(file,
                "        held %u confirmed %u cancelled %u refused %u busy %u unknown %u silent %u broken %u worst %" PRId64
                " ms\n",
                sum.held, sum.confirmed, sum.cancelled, sum.refused, sum.busy, sum.unknown, sum.silent, sum.broken,
                sum.worst_us / TK_US_PER_MS);
    }
}

static FILE *open_out(const struct run *run, const char *name)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", run->opt.out, name);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        perror(path);
        exit(2);
    }
    return file;
}

static void write_files(const struct run *run)
{
    char path[512];
    FILE *file = open_out(run, "plan");
    plan_print(&run->plan, file);
    fclose(file);
    file = open_out(run, "effects");
    report_effects(run, file);
    fclose(file);
    file = open_out(run, "tally");
    tally_print(&run->tally, file);
    fclose(file);
    snprintf(path, sizeof(path), "%s/history", run->opt.out);
    if (history_write(&run->history, path))
        perror(path);
}

static void report(struct run *run)
{
    struct second all = tally_sum(&run->tally, 0, INT64_MAX);
    printf("answers: held %u, confirmed %u, cancelled %u, refused %u, busy %u, unknown %u; none: silent %u, broken %u; "
           "slowest %" PRId64 " ms\n",
           all.held, all.confirmed, all.cancelled, all.refused, all.busy, all.unknown, all.silent, all.broken,
           all.worst_us / TK_US_PER_MS);
    printf("schedule %016" PRIx64 ": %zu of %zu faults begun\n", plan_digest(&run->plan), nemesis_begun(run->nemesis),
           run->plan.count);
    report_deaths(run);
    report_points(run);
    report_memory(run);
    write_files(run);
    if (run->failures > 0)
        printf("seed %" PRIu64 " failed; again: %s\n", run->opt.seed, run->opt.replay);
    printf("%d passed, %d failed\n", run->failures == 0, run->failures > 0);
}

static void make_plan(struct run *run)
{
    const struct options *opt = &run->opt;
    if (opt->schedule == NULL) {
        plan_make(&run->plan, opt->seed, opt->length_ms, opt->means);
        return;
    }
    FILE *file = fopen(opt->schedule, "r");
    if (file == NULL || plan_read(&run->plan, file)) {
        fprintf(stderr, "chaos: no schedule in %s\n", opt->schedule);
        exit(2);
    }
    fclose(file);
    if (run->plan.length_ms < opt->length_ms)
        run->plan.length_ms = opt->length_ms;
}

int main(int argc, char **argv)
{
    static struct run run;
    signal(SIGPIPE, SIG_IGN);
    setvbuf(stdout, NULL, _IOLBF, 0);
    options_parse(&run.opt, argc, argv);
    make_plan(&run);
    printf("seed %" PRIu64 "\n", run.opt.seed);
    plan_print(&run.plan, stdout);
    if (run.opt.only_plan)
        return 0;
    prepare(&run);
    suffer(&run);
    settle(&run);
    judge(&run);
    report(&run);
    buyers_free(run.buyers);
    nemesis_free(run.nemesis);
    history_close(&run.history);
    plan_free(&run.plan);
    return run.failures > 0;
}
