/*
 * /api/v1/halls/{id}/seats: physical seats, one at a time or in grids.
 */
#include <stdio.h>

#include "event-svc/adapters/places.h"
#include "event-svc/app/service.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

#define MAX_GRIDS       1000
#define DEFAULT_SECTION TK_SLICE("General")
#define DEFAULT_TYPE    TK_SLICE("standard")

static const struct tk_field seat_fields[] = {
    BODY_FIELD(seat, section, TK_FIELD_LABEL, TK_FIELD_OPTIONAL, 1, SECTION_MAX_BYTES),
    BODY_FIELD(seat, row_number, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 1, SEAT_LABEL_MAX_BYTES),
    BODY_FIELD(seat, seat_number, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 1, SEAT_LABEL_MAX_BYTES),
    BODY_FIELD(seat, seat_type, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, SEAT_TYPE_MAX_BYTES),
};

static const struct tk_field grid_fields[] = {
    BODY_FIELD(seat_grid, section, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 1, SECTION_MAX_BYTES),
    BODY_FIELD(seat_grid, row_count, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, HALL_MAX_SEATS),
    BODY_FIELD(seat_grid, col_count, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, HALL_MAX_SEATS),
    BODY_FIELD(seat_grid, seat_type, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, SEAT_TYPE_MAX_BYTES),
};

static const struct query_refusal duplicate[] = {
    {"", "seats_unique_in_hall", &PROBLEM_DUPLICATE_SEAT, NULL, "section, row and seat number must be unique in the hall"},
    {0},
};

static void write_seat(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct seat seat = seat_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "seat_id", &seat.seat_id);
    tk_jsonw_uuid(w, "hall_id", &seat.hall_id);
    tk_jsonw_text(w, "section", seat.section);
    tk_jsonw_text(w, "row_number", seat.row_number);
    tk_jsonw_text(w, "seat_number", seat.seat_number);
    tk_jsonw_text(w, "seat_type", seat.seat_type);
    tk_jsonw_end_object(w);
}

/* Step 0 is the hall. True when it was found; else the request has been answered. */
static bool hall_found(struct query *query, const struct tk_pg_outcome *outcome)
{
    if (PQntuples(outcome->rows[0]) > 0)
        return true;
    tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, "no such hall");
    return false;
}

static void answer_capacity(struct query *query, const struct tk_pg_outcome *outcome)
{
    char detail[96];
    struct hall hall = hall_read(outcome->rows[0], 0);
    snprintf(detail, sizeof(detail), "the hall's capacity is %lld seats", (long long)hall.capacity);
    tk_http_problem(query->req, &PROBLEM_CAPACITY_EXCEEDED, detail);
}

static void answer_created(struct query *query, const struct tk_pg_outcome *outcome)
{
    if (!hall_found(query, outcome))
        return;
    if (PQntuples(outcome->rows[1]) == 0)
        answer_capacity(query, outcome);
    else
        query_respond_row(query, outcome->rows[1]);
}

void hall_seats_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct seat seat = {.section = DEFAULT_SECTION, .seat_type = DEFAULT_TYPE};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_http_param_uuid(req, 0, &seat.hall_id))
        return;
    if (tk_json_bind(req->json, "", seat_fields, BODY_FIELD_COUNT(seat_fields), &seat, &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    seat.seat_id = tk_uuid_v7();
    struct query *query = query_new(req);
    query->writes = true;
    query->status = 201;
    query->row = write_seat;
    query->refusals = duplicate;
    query->deadline_ms = BULK_DEADLINE_MS;
    seat_insert(&query->op, &seat);
    query_run(query, service->bulk, answer_created);
}

/* --- grids -------------------------------------------------------------------------------------------------------- */

/* Reads the array; *total is the number of seats. */
static void read_grids(struct tk_http_req *req, struct seat_grid *grids, int64_t *total, struct tk_json_errors *errors)
{
    size_t i = 0;
    char pointer[32];
    *total = 0;
    for (const struct tk_json *item = req->json->child; item != NULL; item = item->next, i++) {
        snprintf(pointer, sizeof(pointer), "/%zu", i);
        grids[i] = (struct seat_grid){.seat_type = DEFAULT_TYPE};
        if (tk_json_bind(item, pointer, grid_fields, BODY_FIELD_COUNT(grid_fields), &grids[i], errors) == TK_OK)
            *total += grids[i].row_count * grids[i].col_count; /* at most 1000 × 10^10: no overflow */
    }
    if (errors->count == 0 && *total > HALL_MAX_SEATS)
        tk_json_errors_add(errors, "", "must not make more than 100000 seats");
}

static void answer_grids(struct query *query, const struct tk_pg_outcome *outcome)
{
    struct tk_buf body = TK_BUF_INIT(1024);
    struct tk_jsonw w = TK_JSONW(&body);
    if (!hall_found(query, outcome))
        return;
    int64_t created = tk_row_i64(outcome->rows[1], 0, 0);
    if (created == 0) {
        answer_capacity(query, outcome);
        return;
    }
    struct hall hall = hall_read(outcome->rows[0], 0);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "hall_id", &hall.hall_id);
    tk_jsonw_i64(&w, "created", created);
    tk_jsonw_end_object(&w);
    tk_http_respond_json(query->req, 201, &body);
}

void hall_seats_create_bulk(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_json_errors errors = {.arena = &req->arena};
    struct tk_uuid hall_id;
    int64_t total = 0;
    if (tk_http_param_uuid(req, 0, &hall_id))
        return;
    size_t count = req->json->count;
    if (req->json->type != TK_JSON_ARRAY || count == 0 || count > MAX_GRIDS) {
        problem_at(req, "", "must be an array of 1 to 1000 grids");
        return;
    }
    struct seat_grid *grids = tk_arena_alloc(&req->arena, count * sizeof(*grids));
    read_grids(req, grids, &total, &errors);
    if (errors.count > 0) {
        problem_invalid(req, &errors);
        return;
    }
    struct query *query = query_new(req);
    query->writes = true;
    query->refusals = duplicate;
    query->deadline_ms = BULK_DEADLINE_MS;
    seat_insert_grids(&query->op, &hall_id, grids, count, total);
    query_run(query, service->bulk, answer_grids);
}

void hall_seats_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid hall_id;
    struct tk_uuid after;
    int64_t limit;
    if (tk_http_param_uuid(req, 0, &hall_id) || query_page(req, &after, &limit))
        return;
    struct query *query = query_new(req);
    query->limit = limit;
    query->step = 1;
    seat_list(&query->op, &hall_id, &after, limit + 1);
    query_list(query, service->catalogue, write_seat);
}
