/*
 * The way of a catalogue request through Postgres and back.
 */
#include "event-svc/http/query.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/app/service.h"
#include "event-svc/http/problems.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"

struct query *query_new(struct tk_http_req *req)
{
    const struct event_service *service = req->app;
    struct query *query = tk_alloc(sizeof(*query));
    tk_pg_op_init(&query->op);
    query->req = req;
    query->keyed = tk_keyed_begin(req, &query->op);
    query->status = 200;
    query->deadline_ms = service->config->request_deadline_ms;
    return query;
}

static void refuse(struct query *query, const struct tk_pg_outcome *outcome)
{
    const struct query_refusal *r = query->refusals;
    for (; r != NULL && r->kind != NULL; r++) {
        bool matches = r->constraint != NULL ? strcmp(outcome->constraint, r->constraint) == 0
                                             : strcmp(outcome->sqlstate, r->sqlstate) == 0;
        if (!matches)
            continue;
        struct tk_json_errors errors = {.arena = &query->req->arena};
        if (r->pointer != NULL)
            tk_json_errors_add(&errors, r->pointer, r->detail);
        tk_http_problem_with(query->req, r->kind, r->detail, r->pointer != NULL ? &errors : NULL, NULL);
        return;
    }
    tk_log(TK_LOG_WARNING, "statement refused", TK_KV_STR("request", query->req->request_id),
           TK_KV_STR("route", query->req->route->path), TK_KV_STR("sqlstate", outcome->sqlstate),
           TK_KV_STR("why", outcome->message));
    tk_http_problem(query->req, &TK_PROBLEM_OVERLOADED, NULL);
}

static void answer(void *arg, const struct tk_pg_outcome *outcome)
{
    struct query *query = arg;
    if (outcome->step == TK_STEP_OK)
        query->answer(query, outcome);
    else if (outcome->step == TK_STEP_REFUSED)
        refuse(query, outcome);
    else
        problem_step(query->req, query->writes ? outcome->step : TK_STEP_FAILED);
}

void query_run(struct query *query, struct tk_pg *pg, query_answer_fn *answer_ok)
{
    query->answer = answer_ok;
    tk_keyed_run(query->keyed, pg, tk_mono_us() + query->deadline_ms * TK_US_PER_MS, answer, free, query);
}

static void set_location(struct query *query, const PGresult *rows)
{
    char value[128];
    struct tk_uuid id = tk_row_uuid(rows, 0, 0);
    snprintf(value, sizeof(value), "%s%s", query->location, TK_UUID_TEXT(&id));
    tk_http_set_header(query->req, "location", value);
}

void query_respond_row(struct query *query, const PGresult *rows)
{
    struct tk_buf body = TK_BUF_INIT(QUERY_MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    if (query->location != NULL)
        set_location(query, rows);
    query->row(&w, rows, 0);
    tk_http_respond_json(query->req, query->status, &body);
}

static void answer_one(struct query *query, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[query->step];
    if (PQntuples(rows) == 0)
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, NULL);
    else
        query_respond_row(query, rows);
}

void query_one(struct query *query, struct tk_pg *pg, int status, query_row_fn *row)
{
    query->status = status;
    query->row = row;
    query_run(query, pg, answer_one);
}

static void answer_list(struct query *query, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[query->step];
    for (size_t i = 0; i < query->step; i++) {
        if (PQntuples(outcome->rows[i]) > 0)
            continue;
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, NULL);
        return;
    }
    struct tk_buf body = TK_BUF_INIT(QUERY_MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    int count = PQntuples(rows) < (int)query->limit ? PQntuples(rows) : (int)query->limit;
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "data");
    for (int row = 0; row < count; row++)
        query->row(&w, rows, row);
    tk_jsonw_end_array(&w);
    const char *cursor = NULL;
    if (PQntuples(rows) > count) {
        struct tk_uuid last = tk_row_uuid(rows, count - 1, 0);
        cursor = tk_http_cursor_text(query->req, &last);
    }
    tk_jsonw_str(&w, "next_cursor", cursor);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 200, &body);
}

void query_list(struct query *query, struct tk_pg *pg, query_row_fn *row)
{
    query->row = row;
    query_run(query, pg, answer_list);
}

enum tk_err query_page(struct tk_http_req *req, struct tk_uuid *after, int64_t *limit)
{
    enum tk_err err = tk_http_limit(req, QUERY_PAGE_DEFAULT, QUERY_PAGE_MAX, limit);
    return err ? err : tk_http_cursor(req, after);
}

void query_get_one(struct tk_http_req *req, struct tk_pg *pg, query_select_fn *select, query_row_fn *row)
{
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    struct query *query = query_new(req);
    select(&query->op, &id);
    query_one(query, pg, 200, row);
}

void query_get_page(struct tk_http_req *req, struct tk_pg *pg, query_select_page_fn *select, query_row_fn *row)
{
    struct tk_uuid after;
    int64_t limit;
    if (query_page(req, &after, &limit))
        return;
    struct query *query = query_new(req);
    query->limit = limit;
    select(&query->op, &after, limit + 1); /* one more tells whether there is a next page */
    query_list(query, pg, row);
}
