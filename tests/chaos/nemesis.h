/**
 * Does to the stack what the schedule says, and undoes it in time. It also plays the supervisor that every installation
 * has: a process that is gone, for whatever reason, is started again.
 *
 * Nothing here waits: starting a server is left to a child (tests/chaos/stack.sh) that is looked after in nemesis_turn().
 */
#ifndef CHAOS_NEMESIS_H
#define CHAOS_NEMESIS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/fault.h"
#include "shared/base/result.h"
#include "tests/chaos/plan.h"

struct nemesis_config {
    const char *run_dir; /* of the stack */
    const char *script;  /* tests/chaos/stack.sh */
    uint16_t redis_port;
    bool verbose; /* a line for every fault as it happens */
};

struct nemesis;

/** TK_ERR_IO: the proxy's control socket is not there. `plan` must outlive the nemesis. */
TK_MUSTCHECK enum tk_err nemesis_new(const struct nemesis_config *config, const struct plan *plan, struct nemesis **out);
void nemesis_free(struct nemesis *nemesis);

/** Begins and ends what is due, `now_ms` after the start of the run. */
void nemesis_turn(struct nemesis *nemesis, int64_t now_ms);

/** Ends everything at once and arms nothing more; what is down comes back in later turns. */
void nemesis_heal(struct nemesis *nemesis);

/** All processes run, and none is being started. */
bool nemesis_is_whole(const struct nemesis *nemesis);

/** A crash point of the three programs together. */
struct nemesis_point {
    uint32_t passed;
    uint32_t crashed;
};
struct nemesis_point nemesis_point(const struct nemesis *nemesis, enum tk_fault_point point);

/** How often each process was ended by SIGKILL or a crash point, and how often it died otherwise. */
struct nemesis_deaths {
    uint32_t killed;
    uint32_t crashed;
    uint32_t others; /* nobody asked for it: a full disk, or a bug */
};
struct nemesis_deaths nemesis_deaths(const struct nemesis *nemesis, enum process process);

/** Longest time between SIGTERM and the end, ms; 0 when there was none. */
int64_t nemesis_slowest_stop_ms(const struct nemesis *nemesis);

/** How many faults of the schedule have begun. */
size_t nemesis_begun(const struct nemesis *nemesis);

/** Resident memory now, without children; 0 while it is down. */
int64_t nemesis_memory_kb(const struct nemesis *nemesis, enum process process);

#endif
