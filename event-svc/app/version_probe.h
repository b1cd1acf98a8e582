/**
 * What version is this session at? Asked before anything in memory is trusted: one statement for all sessions asked for in
 * one turn of the loop, at most one on its way.
 */
#ifndef EVENT_SVC_APP_VERSION_PROBE_H
#define EVENT_SVC_APP_VERSION_PROBE_H

#include "shared/base/id.h"
#include "shared/pg/batch.h"
#include "shared/pg/pg.h"

struct version_probe;
struct version_ask;

#define VERSION_NO_SESSION 0 /* versions start at 1 */
#define VERSION_FAILED     (-1)

typedef void version_fn(struct version_ask *ask, int64_t version);

/** Caller-owned until `done` runs: exactly once, later. Fill session_id and done. */
struct version_ask {
    struct tk_uuid session_id;
    version_fn *done;
    int64_t sent_us; /* out: every commit answered before this moment (monotonic) counts */
    struct tk_batch_item item;
};

/** `pg` prepares catalogue_statements. Lives as long as the process. */
struct version_probe *version_probe_new(struct tk_loop *loop, struct tk_pg *pg, int64_t deadline_ms);

/** TK_ERR_LIMIT: too many are waiting; `done` will not run. */
TK_MUSTCHECK enum tk_err version_probe_ask(struct version_probe *probe, struct version_ask *ask);

#endif
