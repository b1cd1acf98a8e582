/*
 * /api/v1/locations and their halls
 */
#include "event-svc/adapters/places.h"
#include "event-svc/app/service.h"
#include "event-svc/domain/fields.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

static const struct tk_field location_fields[] = {
    BODY_FIELD(location, name, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(location, address, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, 500),
    BODY_FIELD(location, city, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(location, country, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(location, timezone, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, 64),
};

static const struct tk_field hall_fields[] = {
    BODY_FIELD(hall, name, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(hall, capacity, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, HALL_MAX_SEATS),
};

static const struct query_refusal no_timezone[] = {
    {"22023", NULL, &TK_PROBLEM_VALIDATION, "/timezone", "is not a known time zone"},
    {0},
};
static const struct query_refusal no_location[] = {
    {"", "halls_location_fk", &TK_PROBLEM_NOT_FOUND, NULL, "no such location"},
    {0},
};

static void write_location(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct location location = location_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "location_id", &location.location_id);
    tk_jsonw_text(w, "name", location.name);
    tk_jsonw_text(w, "address", location.address);
    tk_jsonw_text(w, "city", location.city);
    tk_jsonw_text(w, "country", location.country);
    tk_jsonw_text(w, "timezone", location.timezone);
    tk_jsonw_time(w, "created_at", location.created_at_us);
    tk_jsonw_end_object(w);
}

static void write_hall(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct hall hall = hall_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "hall_id", &hall.hall_id);
    tk_jsonw_uuid(w, "location_id", &hall.location_id);
    tk_jsonw_text(w, "name", hall.name);
    tk_jsonw_i64(w, "capacity", hall.capacity);
    tk_jsonw_time(w, "created_at", hall.created_at_us);
    tk_jsonw_end_object(w);
}

void locations_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct location location = {.timezone = TK_SLICE("UTC")};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_json_bind(req->json, "", location_fields, BODY_FIELD_COUNT(location_fields), &location, &errors) == TK_OK)
        body_check(&errors, "/timezone", location.timezone, field_timezone_problem);
    if (errors.count > 0) {
        problem_invalid(req, &errors);
        return;
    }
    location.location_id = tk_uuid_v7();
    struct query *query = query_new(req);
    query->writes = true;
    query->location = "/api/v1/locations/";
    query->refusals = no_timezone;
    location_insert(&query->op, &location);
    query_one(query, service->catalogue, 201, write_location);
}

void locations_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_page(req, service->catalogue, location_list, write_location);
}

void locations_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, location_select, write_location);
}

void halls_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct hall hall = {0};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_http_param_uuid(req, 0, &hall.location_id))
        return;
    if (tk_json_bind(req->json, "", hall_fields, BODY_FIELD_COUNT(hall_fields), &hall, &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    hall.hall_id = tk_uuid_v7();
    struct query *query = query_new(req);
    query->writes = true;
    query->location = "/api/v1/halls/";
    query->refusals = no_location;
    hall_insert(&query->op, &hall);
    query_one(query, service->catalogue, 201, write_hall);
}

void halls_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid location_id;
    struct tk_uuid after;
    int64_t limit;
    if (tk_http_param_uuid(req, 0, &location_id) || query_page(req, &after, &limit))
        return;
    struct query *query = query_new(req);
    query->limit = limit;
    query->step = 1;
    hall_list(&query->op, &location_id, &after, limit + 1);
    query_list(query, service->catalogue, write_hall);
}

void halls_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, hall_select, write_hall);
}
