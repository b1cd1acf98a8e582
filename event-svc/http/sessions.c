/*
 * /api/v1/sessions, what a session costs, and which of many begin soonest.
 */
#include "event-svc/adapters/sessions.h"
#include "event-svc/app/service.h"
#include "event-svc/domain/fields.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"
#include "shared/base/clock.h"
#include "shared/base/money.h"
#include "shared/contract/seat_api.h"

struct session_body {
    struct tk_uuid event_id;
    struct tk_uuid hall_id;
    int64_t start_time;
    int64_t end_time;
    int64_t base_price;
    struct tk_slice currency;
};

static const struct tk_field create_fields[] = {
    BODY_FIELD(session_body, event_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    BODY_FIELD(session_body, hall_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    BODY_FIELD(session_body, start_time, TK_FIELD_TIME, TK_FIELD_REQUIRED, 0, 0),
    BODY_FIELD(session_body, end_time, TK_FIELD_TIME, TK_FIELD_REQUIRED, 0, 0),
    BODY_FIELD(session_body, base_price, TK_FIELD_MONEY, TK_FIELD_REQUIRED, 0, TK_MONEY_MAX_MINOR),
    BODY_FIELD(session_body, currency, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, 3),
};

static const struct query_refusal refusals[] = {
    {"23P01", NULL, &PROBLEM_SESSION_OVERLAP, NULL, "another session is in the hall at that time"},
    {"", "sessions_event_fk", &TK_PROBLEM_NOT_FOUND, "/event_id", "no such event"},
    {0},
};

static void write_session(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct session session = session_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "session_id", &session.session_id);
    tk_jsonw_uuid(w, "event_id", &session.event_id);
    tk_jsonw_uuid(w, "hall_id", &session.hall_id);
    tk_jsonw_time(w, "start_time", session.start_time_us);
    tk_jsonw_time(w, "end_time", session.end_time_us);
    tk_jsonw_money(w, "base_price", session.base_price_minor);
    tk_jsonw_text(w, "currency", session.currency);
    tk_jsonw_i64(w, "seat_count", session.seat_count);
    tk_jsonw_time(w, "created_at", session.created_at_us);
    tk_jsonw_end_object(w);
}

static void write_pricing(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct session session = session_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "session_id", &session.session_id);
    tk_jsonw_uuid(w, "event_id", &session.event_id);
    tk_jsonw_money(w, "base_price", session.base_price_minor);
    tk_jsonw_text(w, "currency", session.currency);
    tk_jsonw_time(w, "start_time", session.start_time_us);
    tk_jsonw_time(w, "end_time", session.end_time_us);
    tk_jsonw_end_object(w);
}

static void answer_created(struct query *query, const struct tk_pg_outcome *outcome)
{
    if (PQntuples(outcome->rows[0]) > 0) {
        query_respond_row(query, outcome->rows[0]);
    } else if (PQntuples(outcome->rows[3]) > 0) {
        tk_http_problem(query->req, &PROBLEM_NO_SEATS, "add seats to the hall before its first session");
    } else {
        struct tk_json_errors errors = {.arena = &query->req->arena};
        tk_json_errors_add(&errors, "/hall_id", "no such hall");
        tk_http_problem_with(query->req, &TK_PROBLEM_NOT_FOUND, "no such hall", &errors, NULL);
    }
}

static enum tk_err read_body(struct tk_http_req *req, struct session_body *body)
{
    struct tk_json_errors errors = {.arena = &req->arena};
    const char *pointer = "";
    *body = (struct session_body){.currency = TK_SLICE("USD")};
    if (tk_json_bind(req->json, "", create_fields, BODY_FIELD_COUNT(create_fields), body, &errors) == TK_OK) {
        body_check(&errors, "/currency", body->currency, field_currency_problem);
        const char *problem = session_times_problem(body->start_time, body->end_time, tk_unix_us(), &pointer);
        if (problem != NULL)
            tk_json_errors_add(&errors, pointer, problem);
    }
    if (errors.count == 0)
        return TK_OK;
    problem_invalid(req, &errors);
    return TK_ERR_INVALID;
}

void sessions_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct session_body body;
    if (read_body(req, &body))
        return;
    const struct session session = {
        .session_id = tk_uuid_v7(),
        .event_id = body.event_id,
        .hall_id = body.hall_id,
        .start_time_us = body.start_time,
        .end_time_us = body.end_time,
        .base_price_minor = body.base_price,
        .currency = body.currency,
    };
    struct query *query = query_new(req);
    query->writes = true;
    query->status = 201;
    query->row = write_session;
    query->location = "/api/v1/sessions/";
    query->refusals = refusals;
    query->deadline_ms = BULK_DEADLINE_MS;
    session_insert(&query->op, &session);
    query_run(query, service->bulk, answer_created);
}

void sessions_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_page(req, service->catalogue, session_list, write_session);
}

void sessions_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, session_select, write_session);
}

void sessions_pricing(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, session_select, write_pricing);
}

/* --- soonest first ------------------------------------------------------------------------------------------------ */

struct soonest_body {
    const struct tk_json *session_ids;
};

static const struct tk_field soonest_fields[] = {
    BODY_FIELD(soonest_body, session_ids, TK_FIELD_ARRAY, TK_FIELD_REQUIRED, 1, TK_SEAT_API_MAX_SESSIONS),
};

static void answer_soonest(struct query *query, const struct tk_pg_outcome *outcome)
{
    const PGresult *rows = outcome->rows[0];
    struct tk_buf body = TK_BUF_INIT(QUERY_MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_begin_array(&w, "session_ids");
    for (int row = 0; row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        tk_jsonw_uuid(&w, NULL, &id);
    }
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 200, &body);
}

void sessions_soonest_first(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct soonest_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    struct tk_uuid *ids;
    size_t count;
    if (tk_json_bind(req->json, "", soonest_fields, BODY_FIELD_COUNT(soonest_fields), &body, &errors) ||
        tk_json_read_uuids(body.session_ids, "/session_ids", 1, TK_SEAT_API_MAX_SESSIONS, &req->arena, &ids, &count,
                           &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    struct query *query = query_new(req);
    sessions_by_start(&query->op, ids, count);
    query_run(query, service->catalogue, answer_soonest);
}
