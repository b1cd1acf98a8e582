/*
 * /api/internal/sessions/{id}/seats/…: one reservation at a time. The work is the desk's, shared with the batch endpoints.
 */
#include <assert.h>

#include "event-svc/adapters/seat_reads.h"
#include "event-svc/app/service.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

#define MAX_ANSWER       (256u << 10)
#define HOLD_SECONDS_MAX 86400

/* --- check-availability --------------------------------------------------------------------------------------------- */

struct check_body {
    const struct tk_json *session_seat_ids;
};

static const struct tk_field check_fields[] = {
    BODY_FIELD(check_body, session_seat_ids, TK_FIELD_ARRAY, TK_FIELD_REQUIRED, 1, TK_SEAT_API_MAX_SEATS),
};

static enum tk_err read_seats(struct tk_http_req *req, const struct tk_json *array, struct tk_json_errors *errors,
                              struct tk_uuid **seats, size_t *count)
{
    return tk_json_read_uuids(array, "/session_seat_ids", 1, TK_SEAT_API_MAX_SEATS, &req->arena, seats, count, errors);
}

static void answer_check(struct query *query, const struct tk_pg_outcome *outcome)
{
    struct tk_buf body = TK_BUF_INIT(MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    const PGresult *rows = outcome->rows[1];
    if (PQntuples(outcome->rows[0]) == 0) {
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, "no such session");
        return;
    }
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_bool(&w, "available", PQntuples(rows) == 0);
    tk_jsonw_begin_array(&w, "unavailable_seats");
    for (int row = 0; row < PQntuples(rows); row++) {
        struct tk_uuid id = tk_row_uuid(rows, row, 0);
        tk_jsonw_begin_object(&w, NULL);
        tk_jsonw_uuid(&w, "session_seat_id", &id);
        tk_jsonw_text(&w, "status", tk_row_text(rows, row, 1));
        tk_jsonw_end_object(&w);
    }
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 200, &body);
}

void seats_check_availability(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct check_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    struct tk_uuid session_id;
    struct tk_uuid *seats;
    size_t count;
    if (tk_http_param_uuid(req, 0, &session_id))
        return;
    if (tk_json_bind(req->json, "", check_fields, BODY_FIELD_COUNT(check_fields), &body, &errors) ||
        read_seats(req, body.session_seat_ids, &errors, &seats, &count)) {
        problem_invalid(req, &errors);
        return;
    }
    struct query *query = query_new(req);
    seats_unavailable(&query->op, &session_id, seats, count);
    query_run(query, service->catalogue, answer_check);
}

/* --- reserve -------------------------------------------------------------------------------------------------------- */

struct reserve_body {
    struct tk_uuid reservation_id;
    const struct tk_json *session_seat_ids;
    int64_t hold_seconds;
};

static const struct tk_field reserve_fields[] = {
    BODY_FIELD(reserve_body, reservation_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    BODY_FIELD(reserve_body, session_seat_ids, TK_FIELD_ARRAY, TK_FIELD_REQUIRED, 1, TK_SEAT_API_MAX_SEATS),
    BODY_FIELD(reserve_body, hold_seconds, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, HOLD_SECONDS_MAX),
};

static void problem_taken(struct tk_http_req *req, const struct tk_hold_answer *answer)
{
    struct tk_buf members = TK_BUF_INIT(MAX_ANSWER);
    tk_unavailable_seats_append(&members, answer->seats, answer->seat_count);
    tk_http_problem_with(req, &PROBLEM_SEATS_TAKEN, NULL, NULL, &members);
    tk_buf_release(&members);
}

static void problem_unknown_seats(struct tk_http_req *req, const struct tk_hold_request *request,
                                  const struct tk_hold_answer *answer)
{
    struct tk_json_errors errors = {.arena = &req->arena};
    char pointer[48];
    for (size_t i = 0, lost = 0; i < request->seat_count && lost < answer->seat_count; i++) {
        if (!tk_uuid_eq(&request->seats[i], &answer->seats[lost].session_seat_id))
            continue;
        snprintf(pointer, sizeof(pointer), "/session_seat_ids/%zu", i);
        tk_json_errors_add(&errors, pointer, "is not a seat of this session");
        lost++;
    }
    problem_invalid(req, &errors);
}

static void respond_held(struct tk_http_req *req, const struct hold_call *call)
{
    struct tk_buf body = TK_BUF_INIT(MAX_ANSWER);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_hold_answer_encode(&w, &call->answer);
    tk_http_respond_json(req, 200, &body);
}

static void on_reserved(struct hold_call *call)
{
    struct tk_http_req *req = call->arg;
    if (call->step != TK_STEP_OK) {
        problem_step(req, call->step);
        return;
    }
    switch (call->answer.outcome) {
    case TK_HOLD_HELD:
        respond_held(req, call);
        return;
    case TK_HOLD_SEATS_TAKEN:
        problem_taken(req, &call->answer);
        return;
    case TK_HOLD_UNKNOWN_SEATS:
        problem_unknown_seats(req, &call->request, &call->answer);
        return;
    case TK_HOLD_SESSION_NOT_FOUND:
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "no such session");
        return;
    case TK_HOLD_SALES_CLOSED:
        tk_http_problem(req, &PROBLEM_SALES_CLOSED, NULL);
        return;
    case TK_HOLD_RELEASED:
        tk_http_problem(req, &PROBLEM_WRONG_STATE, "the reservation was released: use a new id");
        return;
    case TK_HOLD_MISMATCH:
        problem_at(req, "/session_seat_ids", "this reservation holds other seats");
        return;
    case TK_HOLD_NO_ADJACENT_BLOCK:
    case TK_HOLD_SOLD_OUT:
        assert(!"best available was not asked for");
        return;
    }
}

void seats_reserve(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct reserve_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    struct hold_call *call = tk_arena_alloc(&req->arena, sizeof(*call));
    struct tk_uuid *seats;
    if (tk_http_param_uuid(req, 0, &call->request.session_id))
        return;
    if (tk_json_bind(req->json, "", reserve_fields, BODY_FIELD_COUNT(reserve_fields), &body, &errors) ||
        read_seats(req, body.session_seat_ids, &errors, &seats, &call->request.seat_count)) {
        problem_invalid(req, &errors);
        return;
    }
    call->request.reservation_id = body.reservation_id;
    call->request.seats = seats;
    call->request.hold_seconds = body.hold_seconds;
    call->request.request_id = tk_slice_of(req->request_id);
    call->arena = &req->arena;
    call->done = on_reserved;
    call->arg = req;
    if (seat_desk_reserve(service->desk, call))
        problem_step(req, TK_STEP_FAILED);
}

/* --- release and confirm -------------------------------------------------------------------------------------------- */

struct settle_body {
    struct tk_uuid reservation_id;
};

static const struct tk_field settle_fields[] = {
    BODY_FIELD(settle_body, reservation_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
};

static void respond_outcome(struct tk_http_req *req, const struct tk_uuid *reservation_id, const char *outcome)
{
    struct tk_buf body = TK_BUF_INIT(1024);
    struct tk_jsonw w = TK_JSONW(&body);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "reservation_id", reservation_id);
    tk_jsonw_str(&w, "outcome", outcome);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(req, 200, &body);
}

static void on_released(struct settle_call *call)
{
    struct tk_http_req *req = call->arg;
    if (call->step != TK_STEP_OK)
        problem_step(req, call->step);
    else if (call->verdict == SETTLE_UNKNOWN)
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "no such session");
    else if (call->verdict == SETTLE_CONFLICT)
        tk_http_problem(req, &PROBLEM_WRONG_STATE, "the seats are sold");
    else
        respond_outcome(req, &call->line.reservation_id, tk_release_outcome_name(release_outcome_of(call->verdict)));
}

static void on_confirmed(struct settle_call *call)
{
    struct tk_http_req *req = call->arg;
    if (call->step != TK_STEP_OK)
        problem_step(req, call->step);
    else if (call->verdict == SETTLE_UNKNOWN)
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "no such session, or the reservation holds no seats in it");
    else if (call->verdict == SETTLE_CONFLICT)
        tk_http_problem(req, &PROBLEM_WRONG_STATE, "the reservation was released");
    else
        respond_outcome(req, &call->line.reservation_id, "sold");
}

static void settle(struct tk_http_req *req, bool sell, settle_call_fn *done)
{
    struct event_service *service = req->app;
    struct settle_body body = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    struct settle_call *call = tk_arena_alloc(&req->arena, sizeof(*call));
    if (tk_http_param_uuid(req, 0, &call->line.session_id))
        return;
    if (tk_json_bind(req->json, "", settle_fields, BODY_FIELD_COUNT(settle_fields), &body, &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    call->line.reservation_id = body.reservation_id;
    call->line.sell = sell;
    call->line.cause = cause_of_call(sell);
    call->line.request_id = tk_slice_of(req->request_id);
    call->done = done;
    call->arg = req;
    if (seat_desk_settle(service->desk, call))
        problem_step(req, TK_STEP_FAILED);
}

void seats_release(struct tk_http_req *req)
{
    settle(req, false, on_released);
}

void seats_confirm(struct tk_http_req *req)
{
    settle(req, true, on_confirmed);
}
