/*
 * GET /api/internal/seats/{session_id}/{seat_id}/history: everything that ever happened to a seat.
 * POST /api/internal/purge: what is old goes, a batch at a time; the worker asks.
 */
#include "event-svc/adapters/trail.h"

#include "event-svc/app/service.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"
#include "shared/base/clock.h"

#define PURGE_MAX_ROWS 10000
#define DAYS_MAX       36500

/* --- history ------------------------------------------------------------------------------------------------------ */

/* The cursor is the last entry's place, as it lies in memory here; nobody else reads it. */
static enum tk_err read_place(struct tk_http_req *req, struct trail_place *place)
{
    struct tk_slice text = tk_http_query(req, "cursor");
    size_t len = 0;
    *place = (struct trail_place){.at_us = TK_TIME_NONE};
    if (text.ptr == NULL)
        return TK_OK;
    if (tk_base64url_decode(text, place, sizeof(*place), &len) == TK_OK && len == sizeof(*place) && place->at_us >= 0 &&
        place->at_us < TK_TIME_END_US)
        return TK_OK;
    problem_at(req, "/cursor", "is not a cursor of this list");
    return TK_ERR_INVALID;
}

static void write_entry(struct tk_jsonw *w, const struct trail_entry *entry)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_time(w, "at", entry->place.at_us);
    tk_jsonw_uuid(w, "reservation_id", &entry->place.reservation_id);
    if (entry->from_status.ptr == NULL)
        tk_jsonw_str(w, "from_status", tk_seat_status_name(TK_SEAT_AVAILABLE));
    else
        tk_jsonw_text(w, "from_status", entry->from_status);
    tk_jsonw_text(w, "to_status", entry->to_status);
    tk_jsonw_i64(w, "revision", entry->revision);
    tk_jsonw_text(w, "actor", entry->actor);
    tk_jsonw_text(w, "reason", entry->reason);
    if (entry->request_id.len == 0)
        tk_jsonw_null(w, "request_id");
    else
        tk_jsonw_text(w, "request_id", entry->request_id);
    tk_jsonw_end_object(w);
}

static void write_cursor(struct tk_jsonw *w, const PGresult *rows, int count)
{
    struct tk_buf text = TK_BUF_INIT(64);
    if (PQntuples(rows) <= count) {
        tk_jsonw_null(w, "next_cursor");
        return;
    }
    struct trail_entry last = trail_read(rows, count - 1);
    tk_base64url_append(&text, &last.place, sizeof(last.place));
    tk_jsonw_text(w, "next_cursor", tk_buf_slice(&text));
    tk_buf_release(&text);
}

static void answer_history(struct query *query, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[1];
    struct tk_buf body = TK_BUF_INIT(QUERY_MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    int count = PQntuples(rows) < (int)query->limit ? PQntuples(rows) : (int)query->limit;
    if (PQntuples(outcome->rows[0]) == 0) {
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, "no such seat of this session");
        return;
    }
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "data");
    for (int row = 0; row < count; row++) {
        struct trail_entry entry = trail_read(rows, row);
        write_entry(&w, &entry);
    }
    tk_jsonw_end_array(&w);
    write_cursor(&w, rows, count);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 200, &body);
}

void seat_history_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid session_id;
    struct tk_uuid seat_id;
    struct trail_place after;
    int64_t limit;
    if (tk_http_param_uuid(req, 0, &session_id) || tk_http_param_uuid(req, 1, &seat_id) ||
        tk_http_limit(req, QUERY_PAGE_DEFAULT, QUERY_PAGE_MAX, &limit) || read_place(req, &after))
        return;
    struct query *query = query_new(req);
    query->limit = limit;
    trail_of_seat(&query->op, &session_id, &seat_id, &after, limit + 1);
    query_run(query, service->catalogue, answer_history);
}

/* --- purge -------------------------------------------------------------------------------------------------------- */

struct purge_body {
    int64_t history_days;
    int64_t limit;
};

static const struct tk_field purge_fields[] = {
    BODY_FIELD(purge_body, history_days, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, DAYS_MAX),
    BODY_FIELD(purge_body, limit, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, PURGE_MAX_ROWS),
};

static int64_t deleted(PGresult *result)
{
    int64_t count = 0;
    return tk_parse_i64(tk_slice_of(PQcmdTuples(result)), &count) == TK_OK ? count : 0;
}

static void answer_purged(struct query *query, const struct tk_pg_outcome *outcome)
{
    struct tk_buf body = TK_BUF_INIT(1024);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_i64(&w, "idempotency_keys", deleted(outcome->rows[0]));
    tk_jsonw_i64(&w, "hold_history", deleted(outcome->rows[1]));
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 200, &body);
}

void purge_post(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct purge_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_json_bind(req->json, "", purge_fields, BODY_FIELD_COUNT(purge_fields), &body, &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    struct query *query = query_new(req);
    query->writes = true;
    query->deadline_ms = BULK_DEADLINE_MS;
    trail_purge(&query->op, body.history_days, body.limit);
    query_run(query, service->bulk, answer_purged);
}
