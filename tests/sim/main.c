/*
 * The program: many seeds, one seed with its trace, or the suite that `make sim` runs. The last line of a suite is
 * `N passed, N failed`, as of all test programs here.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/sim/sim.h"

#define SAME_SEEDS     40
#define SUITE_SEEDS    4000
#define COVER_SEEDS    2000
#define HARMLESS_SEEDS 1000

static const struct {
    const char *name, *text;
    int seeds;
} mutants[MUTANT_COUNT] = {
#define MUTANT_ROW(name, text, seeds) {#name, text, seeds},
    MUTANTS(MUTANT_ROW)};

struct options {
    uint64_t from, seeds, seed;
    bool one, trace, suite;
    int jobs;
    enum mutant mutant;
};

struct totals {
    uint64_t runs, bookings, tries, stored, confirmed, unknown, crashes, events, broken;
};

static double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/** Of finished children: what others do on this machine does not count. */
static double cpu_seconds(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void add(struct totals *t)
{
    t->runs++;
    t->bookings += sim.attempts_made;
    t->tries += sim.tries_made;
    t->stored += sim.stored_total;
    t->confirmed += sim.confirmed_total;
    t->unknown += sim.unknown_total;
    t->crashes += sim.crashes_total;
    t->events += sim.events_run;
}

static void complain(uint64_t seed, const char *rule)
{
    printf("seed %llu: %s\n    to see it: build/release/tests/sim/sim --seed %llu --trace\n", (unsigned long long)seed,
           rule, (unsigned long long)seed);
    fflush(stdout);
}

/** Every jobs-th seed. */
static void run_share(const struct options *o, uint64_t first, struct totals *t)
{
    for (uint64_t i = first; i < o->seeds; i += (uint64_t)o->jobs) {
        const char *rule = sim_run(o->from + i, o->mutant, false);
        add(t);
        if (rule == NULL)
            continue;
        if (t->broken++ < 5)
            complain(o->from + i, rule);
    }
}

static void sum(struct totals *all, const struct totals *one)
{
    const uint64_t *from = (const uint64_t *)one;
    uint64_t *to = (uint64_t *)all;
    for (size_t i = 0; i < sizeof(*all) / sizeof(*to); i++)
        to[i] += from[i];
}

/** A process per job: the world is one static structure. A child that dies counts as a broken run. */
static struct totals run_many(const struct options *o)
{
    struct totals all = {0};
    int pipes[64][2];
    for (int job = 0; job < o->jobs; job++) {
        if (pipe(pipes[job]) != 0)
            abort();
        if (fork() == 0) {
            struct totals mine = {0};
            run_share(o, (uint64_t)job, &mine);
            _exit(write(pipes[job][1], &mine, sizeof(mine)) == (ssize_t)sizeof(mine) ? 0 : 1);
        }
        close(pipes[job][1]);
    }
    for (int job = 0; job < o->jobs; job++) {
        struct totals one = {0};
        if (read(pipes[job][0], &one, sizeof(one)) != (ssize_t)sizeof(one))
            one.broken = 1;
        close(pipes[job][0]);
        sum(&all, &one);
    }
    while (wait(NULL) > 0)
        continue;
    return all;
}

static void print_totals(const struct totals *t, double wall, double cpu)
{
    const double minutes = (cpu > 0.001 ? cpu : 0.001) / 60;
    printf(
        "%llu seeds: %llu bookings in %llu requests, %llu stored, %llu sold, %llu answers lost or unknown, %llu crashes, "
        "%llu events\n%.1f s, %.1f s of CPU: %.2f million bookings (%.2f million requests) per minute and core\n",
        (unsigned long long)t->runs, (unsigned long long)t->bookings, (unsigned long long)t->tries,
        (unsigned long long)t->stored, (unsigned long long)t->confirmed, (unsigned long long)t->unknown,
        (unsigned long long)t->crashes, (unsigned long long)t->events, wall, cpu, (double)t->bookings / minutes / 1e6,
        (double)t->tries / minutes / 1e6);
}

static bool many(const struct options *o)
{
    const double began = wall_seconds(), used = cpu_seconds();
    fflush(stdout);
    const struct totals t = run_many(o);
    print_totals(&t, wall_seconds() - began, cpu_seconds() - used);
    return t.broken == 0;
}

/* --- the suite -------------------------------------------------------------------------------------------------- */

static int passed, failed;

static void report(bool good, const char *name, const char *detail)
{
    printf("%s  %s%s%s\n", good ? "  ok" : "FAIL", name, detail[0] != '\0' ? ": " : "", detail);
    good ? passed++ : failed++;
    fflush(stdout);
}

static void same_seed_same_trace(void)
{
    bool same = true, different = true;
    uint64_t previous = 0;
    for (uint64_t seed = 1; seed <= SAME_SEEDS; seed++) {
        sim_run(seed, MUTANT_NONE, false);
        const uint64_t first = sim.hash;
        sim_run(seed + 1000, MUTANT_NONE, false); /* something else in between */
        sim_run(seed, MUTANT_NONE, false);
        same = same && sim.hash == first;
        different = different && sim.hash != previous;
        previous = first;
    }
    report(same, "the same seed makes the same trace", "");
    report(different, "another seed makes another trace", "");
}

static void mutant_is_caught(enum mutant mutant)
{
    char detail[256] = "not caught";
    const char *rule = NULL;
    int seed = 0;
    while (rule == NULL && seed < mutants[mutant].seeds)
        rule = sim_run((uint64_t)++seed, mutant, false);
    if (rule != NULL)
        snprintf(detail, sizeof(detail), "caught by seed %d: %s", seed, rule);
    report(rule != NULL, mutants[mutant].text, detail);
}

/** Layers: what is missing here must be made up for elsewhere. */
static void is_harmless(enum mutant mutant)
{
    const char *rule = NULL;
    for (uint64_t seed = 1; rule == NULL && seed <= HARMLESS_SEEDS; seed++)
        rule = sim_run(seed, mutant, false);
    report(rule == NULL, mutants[mutant].text, rule == NULL ? "nothing comes of it" : rule);
}

/** Everything the machines can come to must have come to pass, or the seeds prove less than they seem to. */
static void everything_happens(void)
{
    static const char *const wanted[] = {"created",
                                         "replayed",
                                         "seats_taken",
                                         "hold_expired",
                                         "overloaded",
                                         "outcome_unknown",
                                         "REBINDING",
                                         "FENCING",
                                         "RELEASING",
                                         "UNLOCKING",
                                         "confirmed",
                                         "payment_failed",
                                         "payment_unavailable",
                                         "payment_in_progress",
                                         "wrong_state",
                                         "nothing_to_settle",
                                         "cancelled",
                                         "expired",
                                         "cancel: expired",
                                         "cancel: paying",
                                         "cancel: unknown",
                                         "cancel: overloaded",
                                         "cancel: wrong state",
                                         "applied",
                                         "stale",
                                         "tombstoned",
                                         "release",
                                         "reemit",
                                         "settle",
                                         "tombstone",
                                         "charged",
                                         "declined",
                                         "redis flushed",
                                         "stopped",
                                         "calm",
                                         "dead letter",
                                         "delivered too often",
                                         "rolled back after idling",
                                         "a deletion undone by a crash",
                                         "a twin waited in vain"};
    char missing[256] = "";
    sim.covering = true;
    for (uint64_t seed = 1; seed <= COVER_SEEDS; seed++)
        sim_run(seed, MUTANT_NONE, false);
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
        if (!sim_was_noted(wanted[i]))
            snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing), "%s%s",
                     missing[0] ? ", " : "never: ", wanted[i]);
    report(missing[0] == '\0', "everything that can happen has happened", missing);
}

static int suite(struct options *o)
{
    char detail[64];
    snprintf(detail, sizeof(detail), "%llu seeds", (unsigned long long)o->seeds);
    report(many(o), "nothing is sold twice, lost or stranded", detail);
    same_seed_same_trace();
    everything_happens();
    for (enum mutant m = MUTANT_NONE + 1; m < MUTANT_COUNT; m++)
        mutants[m].seeds == HARMLESS ? is_harmless(m) : mutant_is_caught(m);
    printf("%d passed, %d failed\n", passed, failed);
    return failed == 0 ? 0 : 1;
}

/* --- the command line ------------------------------------------------------------------------------------------- */

static int usage(void)
{
    puts("sim [--suite] [--seeds N] [--from SEED] [--jobs N] [--mutant NAME]   many runs\n"
         "sim --seed SEED [--trace] [--mutant NAME]                            one run\n"
         "mutants:");
    for (int i = 1; i < MUTANT_COUNT; i++)
        printf("  %-22s %s\n", mutants[i].name, mutants[i].text);
    return 2;
}

static bool parse_mutant(struct options *o, const char *name)
{
    for (int i = 0; i < MUTANT_COUNT; i++)
        if (strcmp(mutants[i].name, name) == 0) {
            o->mutant = (enum mutant)i;
            return true;
        }
    return false;
}

static bool parse(struct options *o, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--trace") == 0) {
            o->trace = true;
            continue;
        }
        if (strcmp(argv[i], "--suite") == 0) {
            o->suite = true;
            continue;
        }
        i++;
        if (strcmp(argv[i - 1], "--seeds") == 0)
            o->seeds = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--from") == 0)
            o->from = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--jobs") == 0)
            o->jobs = (int)strtol(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--seed") == 0)
            o->one = true, o->seed = strtoull(value, NULL, 10);
        else if (strcmp(argv[i - 1], "--mutant") != 0 || !parse_mutant(o, value))
            return false;
    }
    return o->jobs >= 1 && o->jobs <= 64 && o->seeds >= 1;
}

static int one_run(const struct options *o)
{
    const char *rule = sim_run(o->seed, o->mutant, o->trace);
    printf("seed %llu: %s (trace %016llx, %llu events)\n", (unsigned long long)o->seed, rule != NULL ? rule : "all is well",
           (unsigned long long)sim.hash, (unsigned long long)sim.events_run);
    return rule == NULL ? 0 : 1;
}

int main(int argc, char **argv)
{
    struct options o = {.from = 1, .seeds = SUITE_SEEDS, .jobs = 1};
    if (!parse(&o, argc, argv))
        return usage();
    if (o.one)
        return one_run(&o);
    return o.suite ? suite(&o) : many(&o) ? 0 : 1;
}
