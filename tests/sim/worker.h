/**
 * booking-worker in the simulator: one job at a time, as booking-worker/adapters/schedule.c has it.
 */
#ifndef TESTS_SIM_WORKER_H
#define TESTS_SIM_WORKER_H

#include "tests/sim/sim.h"

#define WORKER_DB_TIMEOUT   (5 * SECOND)
#define WORKER_CALL_TIMEOUT (5 * SECOND)
#define SETTLE_TIMEOUT      (15 * SECOND)

enum walk { FORWARD, ONCE_MORE };

struct worker {
    int process;
    int64_t expire_at, sweep_at, settle_at;
    /* backlog.h: ids[0 … tried) are undecided, ids[tried … count) wait for their turn */
    int ids[IDS], count, tried;
    /* expiry_store.c */
    enum walk walk;
    struct {
        int rows;
        int64_t from, end;
        bool full, more;
    } walks[2];
    int pieces;
    int64_t look_at, walked_again, call_again;
    /* sweep_orphans.c */
    int64_t cursor, reemitted_since;
    int cursor_id;
    bool reemitted[IDS];
};

/** The jobs; each ends in worker_job_ends(). */
void worker_expire(struct worker *w);
void worker_sweep(struct worker *w);
void worker_settle(struct worker *w);
void worker_job_ends(struct worker *w);

/** worker_boot()'s part of expiry.c. */
void worker_expiry_reset(struct worker *w);

#endif
