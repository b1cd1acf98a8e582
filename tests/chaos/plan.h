/**
 * What goes wrong and when. A schedule depends on the seed and the profile and on nothing else: the same seed prints the
 * same lines on every machine.
 *
 * A schedule is text, one fault a line, so that a printed one can be edited and run again:
 *
 *   AT-MS  FAULT  TARGET  FOR-MS  ARGUMENT
 */
#ifndef CHAOS_PLAN_H
#define CHAOS_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "shared/base/result.h"

/** Processes of the stack, as deploy/service.sh calls them. */
enum process {
    PROCESS_EVENT_SVC,
    PROCESS_BOOKING_SVC,
    PROCESS_WORKER,
    PROCESS_POSTGRES,
    PROCESS_REDIS,
    PROCESS_RABBITMQ,
    PROCESS_COUNT
};

enum fault {
    FAULT_KILL,     /* SIGKILL, started again after FOR-MS */
    FAULT_STOP,     /* SIGSTOP, SIGCONT after FOR-MS */
    FAULT_TERM,     /* SIGTERM, started again FOR-MS after it ended */
    FAULT_FLUSH,    /* Redis forgets everything */
    FAULT_DELAY,    /* from here on: of a link, see proxy.c; ends after FOR-MS */
    FAULT_STALL,    /* … */
    FAULT_HOLE,     /* … */
    FAULT_CUT,      /* … */
    FAULT_RESET,    /* … at once */
    FAULT_TRUNCATE, /* … */
    FAULT_CHOP,     /* … */
    FAULT_CRASH,    /* arms a crash point: the ARGUMENT-th pass ends the process (programs built with VARIANT=fault) */
    FAULT_FILL,     /* fills the disk of Postgres or RabbitMQ, frees it after FOR-MS */
    FAULT_CLOCK,    /* the process' clock is ARGUMENT ms off for FOR-MS */
    FAULT_DRIFT,    /* the process' clock runs ARGUMENT times as fast for FOR-MS */
    FAULT_POISON,   /* a message that makes no sense, for event-svc */
    FAULT_COUNT
};

struct event {
    int64_t at_ms;
    enum fault fault;
    int target; /* enum process, enum tk_fault_point, or a link by its place in LINK_NAMES */
    int64_t for_ms;
    int64_t argument;
};

struct plan {
    struct event *events; /* in order of time; owned */
    size_t count;
    int64_t length_ms; /* every fault has ended by then */
};

/** What this run can do beyond signals and links. */
struct plan_means {
    bool crash_points;
    bool storm; /* crash points in quick succession: as many deaths as the programs can be started again */
    bool disks;
    bool clocks;
};

extern const char *const PROCESS_NAMES[PROCESS_COUNT];
extern const char *const LINK_NAMES[];
extern const int LINK_COUNT;

/** The schedule of `seed` for a run of `length_ms`. */
void plan_make(struct plan *plan, uint64_t seed, int64_t length_ms, struct plan_means means);

/** Reads a schedule; lines that begin with # and empty ones are skipped. TK_ERR_INVALID names the line on stderr. */
TK_MUSTCHECK enum tk_err plan_read(struct plan *plan, FILE *file);

/** The same number for the same faults at the same times, whether drawn or read, and for nothing else. */
uint64_t plan_digest(const struct plan *plan);

void plan_print(const struct plan *plan, FILE *file);
void event_print(const struct event *event, FILE *file);
void plan_free(struct plan *plan);

/** A stream of random numbers (splitmix64): streams of different seeds have nothing to do with each other. */
uint64_t chance_next(uint64_t *state);
/** Uniform in [low, high]. */
int64_t chance_between(uint64_t *state, int64_t low, int64_t high);

#endif
