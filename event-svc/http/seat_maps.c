/*
 * GET /api/v1/sessions/{id}/seats and /seat-map: the same bytes, once as an array, once inside an object.
 */
#include "event-svc/app/service.h"
#include "event-svc/domain/etag.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/routes.h"
#include "shared/http/gzip.h"

static void on_left(void *map)
{
    seat_map_free(map);
}

static void on_map(struct seat_map_call *call, enum seat_map_outcome outcome, struct tk_slice bytes)
{
    struct tk_http_req *req = call->arg;
    if (outcome == SEAT_MAP_NO_SESSION) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "no such session");
        return;
    }
    if (outcome == SEAT_MAP_OVERLOADED) {
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, NULL);
        return;
    }
    struct etag tag = etag_of(call->version, call->gzip);
    tk_http_set_header(req, "etag", tag.text);
    tk_http_set_header(req, "cache-control", "no-cache");
    tk_http_set_header(req, "vary", "accept-encoding");
    if (outcome == SEAT_MAP_UNCHANGED) {
        tk_http_respond_empty(req, 304);
        return;
    }
    if (call->gzip)
        tk_http_set_header(req, "content-encoding", "gzip");
    tk_http_respond_shared(req, 200, "application/json", bytes, on_left, seat_map_share(call->map));
}

static void get_map(struct tk_http_req *req, enum seat_map_form form)
{
    struct event_service *service = req->app;
    struct tk_uuid session_id;
    if (tk_http_param_uuid(req, 0, &session_id))
        return;
    struct tk_slice tags = tk_http_header(req, "if-none-match");
    struct seat_map_call *call = tk_arena_alloc(&req->arena, sizeof(*call));
    *call = (struct seat_map_call){
        .session_id = session_id,
        .form = form,
        .gzip = tk_gzip_accepted(tk_http_header(req, "accept-encoding")),
        .if_none_match = tk_slice_copy(&req->arena, tags),
        .done = on_map,
        .arg = req,
    };
    if (seat_maps_get(service->maps, call))
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, NULL);
}

void session_seats_get(struct tk_http_req *req)
{
    get_map(req, SEAT_MAP_ARRAY);
}

void session_seat_map_get(struct tk_http_req *req)
{
    get_map(req, SEAT_MAP_OBJECT);
}
