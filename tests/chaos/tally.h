/**
 * What happened in each second of a run, so that the effect of a fault can be read off beside its time.
 */
#ifndef CHAOS_TALLY_H
#define CHAOS_TALLY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define TALLY_SERVICES 3 /* our own, in the order of enum process */

struct second {
    uint32_t held;      /* 201 */
    uint32_t confirmed; /* 200 to a confirm */
    uint32_t cancelled;
    uint32_t refused; /* 4xx */
    uint32_t busy;    /* 503, nothing applied */
    uint32_t unknown; /* 503, outcome unknown */
    uint32_t silent;  /* no answer within the client's patience */
    uint32_t broken;  /* the connection ended without one */
    int64_t worst_us; /* slowest answer that came */
    int64_t memory_kb[TALLY_SERVICES];
};

/** What a process' memory did over a run. */
struct memory_trend {
    int64_t most_kb;
    double kb_per_hour; /* of a straight line through the second half: the first half fills caches and buffers */
};

struct tally {
    int64_t start_us; /* monotonic */
    struct second *seconds;
    size_t count;
    size_t cap;
};

/** The second that is running now. */
struct second *tally_now(struct tally *tally);
/** The sum over [from_ms, to_ms) after the start; worst_us is the maximum. */
struct second tally_sum(const struct tally *tally, int64_t from_ms, int64_t to_ms);
/** Seconds of the longest time before `to_ms` in which nobody got a hold. */
size_t tally_longest_pause(const struct tally *tally, int64_t to_ms);
struct memory_trend tally_memory(const struct tally *tally, int service, int64_t to_ms);
void tally_print(const struct tally *tally, FILE *file);

#endif
