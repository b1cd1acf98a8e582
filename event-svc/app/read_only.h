/**
 * Whether anything may be changed: not while event_service and booking_db do not belong together
 * (shared/contract/lineage.h). The database's own row says it. It is read before the service listens, every two seconds
 * afterwards, so that each of several instances learns what one of them was told, and answered by every exchange with
 * booking-svc.
 */
#ifndef EVENT_SVC_APP_READ_ONLY_H
#define EVENT_SVC_APP_READ_ONLY_H

#include <stdatomic.h>
#include <stdbool.h>

#include "shared/loop/loop.h"
#include "shared/pg/pg.h"

/** Zero-initialised; lives as long as the process. */
struct read_only {
    atomic_bool on; /* readable by any thread */
    struct tk_loop *loop;
    struct tk_pg *pg;
    struct tk_timer timer;
    struct tk_pg_op op;
    unsigned notes; /* news since the start: what was asked before the last of them is old */
    unsigned asked_at;
};

/** Asks once, blocking, before anybody is served. TK_ERR_UNAVAILABLE: Postgres did not say; logged. */
TK_MUSTCHECK enum tk_err read_only_ask(struct read_only *state, const char *database_url, int64_t timeout_ms);

/** Goes on asking. `pg` prepares sql_lineage_read. */
void read_only_watch(struct read_only *state, struct tk_loop *loop, struct tk_pg *pg);

/** News from an exchange: our row says so, and, for the log, whether booking_db had said so before. On the loop's thread.
 */
void read_only_note(struct read_only *state, bool diverged, bool peer_diverged);

#endif
