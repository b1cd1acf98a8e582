/**
 * Command line of the driver; `driver --help` prints the list. tests/chaos/run.sh fills in what belongs to the stack.
 */
#ifndef CHAOS_OPTIONS_H
#define CHAOS_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "tests/chaos/plan.h"

struct options {
    uint64_t seed;
    int64_t length_ms;
    int64_t patience_ms; /* from the end of the last fault until both databases must agree */
    int buyers;
    double rate;          /* purchases per second */
    bool apart;           /* buyers keep out of each other's way */
    const char *schedule; /* file to read instead of drawing one */
    struct plan_means means;
    bool only_plan; /* print the schedule and end */
    bool verbose;
    const char *replay; /* the command that repeats this run, printed after a failure */
    const char *out;    /* directory for history, tally and plan */
    const char *run_dir;
    const char *script;
    const char *seats;
    int port; /* booking-svc, as clients reach it */
    int redis_port;
    const char *event_db;
    const char *booking_db;
};

/** Prints what is wrong and ends the program when the command line makes no sense. */
void options_parse(struct options *opt, int argc, char **argv);

#endif
