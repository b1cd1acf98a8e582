/* The pulse of booking_db and what is exchanged with event-svc. */
#include "booking-svc/adapters/lineage.h"

#include "booking-svc/adapters/statements.h"
#include "shared/base/clock.h"
#include "shared/contract/lineage.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define PULSE_MS    2000
#define WORRIED_MS  1000
#define EAGER_MS    20 /* at the start, while the first connection is being made and nobody is served */
#define DEADLINE_MS 1000

const struct tk_pg_statement sql_lineage_beat = {"lineage_beat",
                                                 "UPDATE lineage SET epoch = epoch + 1 RETURNING " TK_LINEAGE_COLUMNS};

/* Judged against the row as it is now, not as it was when we asked. */
const struct tk_pg_statement sql_lineage_judge = {"lineage_judge", TK_LINEAGE_JUDGE_SQL};

static struct tk_metric diverged_gauge =
    TK_GAUGE("lineage_diverged", NULL, "1: one database does not belong to the other any more, nothing may be changed");
static struct tk_metric commits_gauge = TK_GAUGE("commit_gate_open", NULL, "1 while booking_db takes writes");

struct lineage {
    struct tk_loop *loop;
    struct tk_pg *pg;
    struct event_client *events;
    struct commit_gate *gate;
    struct tk_timer timer;
    struct tk_pg_op op;
    bool informed; /* event-svc was asked at least once */
    bool diverged;
    bool peer_diverged; /* as it said last: who found it first */
};

static tk_loop_fn beat;

static void rest(struct lineage *lineage)
{
    const bool calm = commit_gate_allows(lineage->gate) && !lineage->diverged;
    const int64_t pause_ms = !calm ? WORRIED_MS : lineage->informed ? PULSE_MS : EAGER_MS;
    tk_metric_set(&diverged_gauge, lineage->diverged);
    tk_metric_set(&commits_gauge, commit_gate_allows(lineage->gate));
    tk_timer_start(lineage->loop, &lineage->timer, pause_ms, beat, lineage);
}

/* event-svc has answered, or cannot: no more can be known now. */
static void rest_informed(struct lineage *lineage)
{
    lineage->informed = true;
    rest(lineage);
}

static void set_diverged(struct lineage *lineage, bool diverged)
{
    if (lineage->diverged == diverged)
        return;
    lineage->diverged = diverged;
    if (diverged)
        tk_log(TK_LOG_ERROR,
               "the databases do not belong together: read-only until somebody has looked (docs/OPERATIONS.md)",
               TK_KV_STR("restored", lineage->peer_diverged ? "event_service" : "booking_db"));
    else
        tk_log(TK_LOG_WARNING, "the databases belong together again", TK_KV_STR("by", "--accept-restore"));
}

static void on_judged(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct lineage *lineage = op->arg;
    if (outcome->step == TK_STEP_OK && PQntuples(outcome->rows[0]) == 1)
        set_diverged(lineage, tk_lineage_of_row(outcome->rows[0]).diverged);
    rest_informed(lineage);
}

static void run(struct lineage *lineage, tk_pg_done_fn *done)
{
    lineage->op.done = done;
    lineage->op.arg = lineage;
    lineage->op.deadline_us = tk_mono_us() + DEADLINE_MS * TK_US_PER_MS;
    if (tk_pg_submit(lineage->pg, &lineage->op) == TK_OK)
        return;
    (void)commit_gate_probed(lineage->gate, TK_STEP_FAILED, tk_mono_us());
    rest(lineage);
}

static void on_answer(void *arg, enum tk_step step, int status, struct tk_slice body)
{
    struct lineage *lineage = arg;
    struct tk_arena arena = {0};
    struct tk_lineage peer;
    if (step != TK_STEP_OK || status != 200 || tk_lineage_decode(body, &arena, &peer) != TK_OK) {
        rest_informed(lineage); /* away, or older than this: nothing is known, nothing changes */
    } else {
        lineage->peer_diverged = peer.diverged;
        tk_pg_op_init(&lineage->op);
        tk_lineage_judge(tk_pg_op_step(&lineage->op, &sql_lineage_judge), &peer);
        run(lineage, on_judged);
    }
    tk_arena_release(&arena);
}

static void ask_event_svc(struct lineage *lineage, const struct tk_lineage *own)
{
    struct tk_buf body = TK_BUF_INIT(TK_LINEAGE_MAX_BYTES);
    tk_lineage_encode(own, &body);
    if (event_client_breaker(lineage->events) == TK_BREAKER_CLOSED &&
        event_client_post(lineage->events, TK_LINEAGE_PATH, &body, DEADLINE_MS, on_answer, lineage) == TK_OK)
        return;
    tk_buf_release(&body);
    rest_informed(lineage);
}

static void on_beaten(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    struct lineage *lineage = op->arg;
    const bool written = outcome->step == TK_STEP_OK && PQntuples(outcome->rows[0]) == 1;
    if (commit_gate_probed(lineage->gate, outcome->step, tk_mono_us()))
        tk_log(TK_LOG_WARNING, written ? "booking_db commits again" : "booking_db does not commit: no new reservations",
               TK_KV_STR("sqlstate", outcome->sqlstate), TK_KV_STR("error", outcome->message));
    if (!written) {
        rest(lineage);
        return;
    }
    const struct tk_lineage own = tk_lineage_of_row(outcome->rows[0]);
    set_diverged(lineage, own.diverged);
    ask_event_svc(lineage, &own);
}

static void beat(void *arg)
{
    struct lineage *lineage = arg;
    tk_pg_op_init(&lineage->op);
    tk_pg_op_step(&lineage->op, &sql_lineage_beat);
    run(lineage, on_beaten);
}

struct lineage *lineage_new(struct tk_loop *loop, struct tk_pg *pg, struct event_client *events, struct commit_gate *gate)
{
    struct lineage *lineage = tk_alloc(sizeof(*lineage));
    lineage->loop = loop;
    lineage->pg = pg;
    lineage->events = events;
    lineage->gate = gate;
    tk_metrics_register(&diverged_gauge);
    tk_metrics_register(&commits_gauge);
    tk_timer_start(loop, &lineage->timer, 0, beat, lineage);
    return lineage;
}

bool lineage_has_diverged(const struct lineage *lineage)
{
    return lineage->diverged;
}

bool lineage_is_known(const struct lineage *lineage)
{
    return lineage->informed;
}
