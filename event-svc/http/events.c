/*
 * /api/v1/events
 */
#include "event-svc/adapters/organizers.h"
#include "event-svc/app/service.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

static const struct tk_field create_fields[] = {
    BODY_FIELD(event, title, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(event, description, TK_FIELD_TEXT, TK_FIELD_NULLABLE, 0, TEXT_MAX_BYTES),
    BODY_FIELD(event, event_type, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, 50),
    BODY_FIELD(event, organizer_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
};

static const struct query_refusal no_organizer[] = {
    {"", "events_organizer_fk", &TK_PROBLEM_NOT_FOUND, "/organizer_id", "no such organizer"},
    {0},
};

static void write_event(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct event event = event_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "event_id", &event.event_id);
    tk_jsonw_uuid(w, "organizer_id", &event.organizer_id);
    tk_jsonw_text(w, "title", event.title);
    if (event.description.ptr == NULL)
        tk_jsonw_null(w, "description");
    else
        tk_jsonw_text(w, "description", event.description);
    tk_jsonw_text(w, "event_type", event.event_type);
    tk_jsonw_time(w, "created_at", event.created_at_us);
    tk_jsonw_end_object(w);
}

void events_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct event event = {.event_type = TK_SLICE("other")};
    struct tk_json_errors errors = {.arena = &req->arena};
    if (tk_json_bind(req->json, "", create_fields, BODY_FIELD_COUNT(create_fields), &event, &errors)) {
        problem_invalid(req, &errors);
        return;
    }
    event.event_id = tk_uuid_v7();
    struct query *query = query_new(req);
    query->writes = true;
    query->location = "/api/v1/events/";
    query->refusals = no_organizer;
    event_insert(&query->op, &event);
    query_one(query, service->catalogue, 201, write_event);
}

void events_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_page(req, service->catalogue, event_list, write_event);
}

void events_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, event_select, write_event);
}
