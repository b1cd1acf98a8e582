/* The lineage row of event_service, asked again and again. */
#include "event-svc/app/read_only.h"

#include "event-svc/adapters/statements.h"
#include "shared/base/clock.h"
#include "shared/contract/lineage.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"
#include "shared/pg/sync.h"

#define ASK_MS      2000
#define DEADLINE_MS 1000

static struct tk_metric diverged_gauge =
    TK_GAUGE("lineage_diverged", NULL, "1: one database does not belong to the other any more, nothing may be changed");

static void set(struct read_only *state, bool diverged, const char *restored)
{
    tk_metric_set(&diverged_gauge, diverged);
    if (atomic_exchange(&state->on, diverged) == diverged)
        return;
    if (diverged)
        tk_log(TK_LOG_ERROR,
               "the databases do not belong together: read-only until somebody has looked (docs/OPERATIONS.md)",
               TK_KV_STR("restored", restored));
    else
        tk_log(TK_LOG_WARNING, "the databases belong together again", TK_KV_STR("by", "--accept-restore"));
}

enum tk_err read_only_ask(struct read_only *state, const char *database_url, int64_t timeout_ms)
{
    const struct tk_pg_statement *const statements[] = {&sql_lineage_read};
    const struct tk_pgs_config config = {.name = "event-svc start",
                                         .url = database_url,
                                         .timeout_ms = timeout_ms,
                                         .statements = statements,
                                         .statement_count = 1};
    struct tk_pgs *pg = tk_pgs_new(&config);
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    (void)tk_pg_op_step(&op, &sql_lineage_read);
    const bool known = tk_pgs_run(pg, &op) == TK_STEP_OK && PQntuples(op.outcome.rows[0]) == 1;
    tk_metrics_register(&diverged_gauge);
    if (known)
        set(state, tk_lineage_of_row(op.outcome.rows[0]).diverged, "known before this start");
    else
        tk_log(TK_LOG_ERROR, "cannot find out whether the databases belong together",
               TK_KV_STR("reason", op.outcome.message));
    tk_pgs_release(&op);
    tk_pgs_free(pg);
    return known ? TK_OK : TK_ERR_UNAVAILABLE;
}

static void ask(void *arg);

static void ask_later(struct read_only *state)
{
    tk_timer_start(state->loop, &state->timer, ASK_MS, ask, state);
}

/* Postgres away: nothing is known, nothing changes. */
static void on_answer(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct read_only *state = op->arg;
    if (outcome->step == TK_STEP_OK && PQntuples(outcome->rows[0]) == 1 && state->asked_at == state->notes)
        set(state, tk_lineage_of_row(outcome->rows[0]).diverged, "told to another instance, or by hand");
    ask_later(state);
}

static void ask(void *arg)
{
    struct read_only *state = arg;
    tk_pg_op_init(&state->op);
    (void)tk_pg_op_step(&state->op, &sql_lineage_read);
    state->op.done = on_answer;
    state->op.arg = state;
    state->op.deadline_us = tk_mono_us() + DEADLINE_MS * TK_US_PER_MS;
    state->asked_at = state->notes;
    if (tk_pg_submit(state->pg, &state->op) == TK_OK)
        return;
    ask_later(state);
}

void read_only_watch(struct read_only *state, struct tk_loop *loop, struct tk_pg *pg)
{
    state->loop = loop;
    state->pg = pg;
    ask_later(state);
}

void read_only_note(struct read_only *state, bool diverged, bool peer_diverged)
{
    state->notes++;
    set(state, diverged, peer_diverged ? "booking_db" : "event_service");
}
