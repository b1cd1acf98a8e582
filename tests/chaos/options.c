#include "tests/chaos/options.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/str.h"

enum name {
    NAME_SEED = 1,
    NAME_SECONDS,
    NAME_PATIENCE,
    NAME_BUYERS,
    NAME_RATE,
    NAME_APART,
    NAME_SCHEDULE,
    NAME_WITH,
    NAME_PLAN,
    NAME_VERBOSE,
    NAME_REPLAY,
    NAME_OUT,
    NAME_RUN_DIR,
    NAME_SCRIPT,
    NAME_SEATS,
    NAME_PORT,
    NAME_REDIS_PORT,
    NAME_EVENT_DB,
    NAME_BOOKING_DB,
};

static const struct option NAMES[] = {
    {"seed", required_argument, NULL, NAME_SEED},
    {"seconds", required_argument, NULL, NAME_SECONDS},
    {"patience", required_argument, NULL, NAME_PATIENCE},
    {"buyers", required_argument, NULL, NAME_BUYERS},
    {"rate", required_argument, NULL, NAME_RATE},
    {"apart", no_argument, NULL, NAME_APART},
    {"schedule", required_argument, NULL, NAME_SCHEDULE},
    {"with", required_argument, NULL, NAME_WITH},
    {"plan", no_argument, NULL, NAME_PLAN},
    {"verbose", no_argument, NULL, NAME_VERBOSE},
    {"replay", required_argument, NULL, NAME_REPLAY},
    {"out", required_argument, NULL, NAME_OUT},
    {"run-dir", required_argument, NULL, NAME_RUN_DIR},
    {"script", required_argument, NULL, NAME_SCRIPT},
    {"seats", required_argument, NULL, NAME_SEATS},
    {"port", required_argument, NULL, NAME_PORT},
    {"redis-port", required_argument, NULL, NAME_REDIS_PORT},
    {"event-db", required_argument, NULL, NAME_EVENT_DB},
    {"booking-db", required_argument, NULL, NAME_BOOKING_DB},
    {0},
};

static _Noreturn void usage(void)
{
    fputs("usage: driver --seed N --seconds N [--with crash,disk,clock] [--patience SECONDS] --plan\n"
          "       driver … --run-dir DIR --script FILE --out DIR --seats FILE --port N --redis-port N --event-db URL\n"
          "                --booking-db URL [--buyers N] [--rate N] [--apart] [--schedule FILE] [--replay COMMAND] "
          "[--verbose]\n",
          stderr);
    exit(2);
}

static int64_t number(const char *text, int64_t max)
{
    int64_t value;
    if (tk_parse_i64(tk_slice_of(text), &value) || value < 0 || value > max)
        usage();
    return value;
}

static void set_service(struct options *opt, int name, const char *value)
{
    if (name == NAME_OUT)
        opt->out = value;
    else if (name == NAME_RUN_DIR)
        opt->run_dir = value;
    else if (name == NAME_SCRIPT)
        opt->script = value;
    else if (name == NAME_SEATS)
        opt->seats = value;
    else if (name == NAME_PORT)
        opt->port = (int)number(value, UINT16_MAX);
    else if (name == NAME_REDIS_PORT)
        opt->redis_port = (int)number(value, UINT16_MAX);
    else if (name == NAME_EVENT_DB)
        opt->event_db = value;
    else if (name == NAME_BOOKING_DB)
        opt->booking_db = value;
    else
        usage();
}

static void set(struct options *opt, int name, const char *value)
{
    if (name == NAME_SEED)
        opt->seed = (uint64_t)number(value, INT64_MAX);
    else if (name == NAME_SECONDS)
        opt->length_ms = number(value, 100000) * 1000;
    else if (name == NAME_PATIENCE)
        opt->patience_ms = number(value, 600) * 1000;
    else if (name == NAME_BUYERS)
        opt->buyers = (int)number(value, 10000);
    else if (name == NAME_RATE)
        opt->rate = (double)number(value, 100000);
    else if (name == NAME_APART)
        opt->apart = true;
    else if (name == NAME_SCHEDULE)
        opt->schedule = value;
    else if (name == NAME_WITH)
        opt->means = (struct plan_means){.crash_points = strstr(value, "crash") != NULL,
                                         .storm = strstr(value, "storm") != NULL,
                                         .disks = strstr(value, "disk") != NULL,
                                         .clocks = strstr(value, "clock") != NULL};
    else if (name == NAME_PLAN)
        opt->only_plan = true;
    else if (name == NAME_VERBOSE)
        opt->verbose = true;
    else if (name == NAME_REPLAY)
        opt->replay = value;
    else
        set_service(opt, name, value);
}

void options_parse(struct options *opt, int argc, char **argv)
{
    int name;
    *opt = (struct options){
        .seed = 1, .length_ms = 30000, .patience_ms = 30000, .buyers = 200, .rate = 150, .replay = "make chaos"};
    while ((name = getopt_long(argc, argv, "", NAMES, NULL)) != -1) /* NOLINT(concurrency-mt-unsafe): one thread */
        set(opt, name, optarg);
    if (optind != argc || opt->buyers < 1 || opt->rate < 1 || opt->length_ms < 1)
        usage();
    if (!opt->only_plan && !(opt->run_dir && opt->script && opt->out && opt->seats && opt->port && opt->redis_port &&
                             opt->event_db && opt->booking_db))
        usage();
}
