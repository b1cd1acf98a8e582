/*
 * POST /api/internal/lineage: booking-svc says how far its database has got and what it remembers of ours.
 */
#include "shared/contract/lineage.h"

#include "event-svc/app/service.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

static void answer(struct query *query, const struct tk_pg_outcome *outcome)
{
    struct event_service *service = query->req->app;
    const bool *peer_diverged = query->arg;
    const struct tk_lineage own = tk_lineage_of_row(outcome->rows[0]);
    struct tk_buf body = TK_BUF_INIT(TK_LINEAGE_MAX_BYTES);
    read_only_note(&service->read_only, own.diverged, *peer_diverged);
    tk_lineage_encode(&own, &body);
    tk_http_respond_json(query->req, 200, &body);
}

void lineage_exchange(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_lineage *peer = tk_arena_alloc(&req->arena, sizeof(*peer));
    if (tk_lineage_decode(req->body, &req->arena, peer) != TK_OK) {
        tk_http_problem(req, &TK_PROBLEM_VALIDATION, "expected system_id, epoch, peer_system_id, peer_epoch, diverged");
        return;
    }
    struct query *query = query_new(req);
    query->writes = true;
    query->arg = &peer->diverged;
    tk_lineage_judge(tk_pg_op_step(&query->op, &sql_lineage_judge), peer);
    query_run(query, service->catalogue, answer);
}
