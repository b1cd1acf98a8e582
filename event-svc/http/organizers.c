/*
 * /api/v1/organizers
 */
#include "event-svc/adapters/organizers.h"
#include "event-svc/app/service.h"
#include "event-svc/domain/fields.h"
#include "event-svc/http/body.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/query.h"
#include "event-svc/http/routes.h"

static const struct tk_field create_fields[] = {
    BODY_FIELD(organizer, name, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, NAME_MAX_BYTES),
    BODY_FIELD(organizer, description, TK_FIELD_TEXT, TK_FIELD_NULLABLE, 0, TEXT_MAX_BYTES),
    BODY_FIELD(organizer, contact_email, TK_FIELD_TEXT, TK_FIELD_NULLABLE, 1, NAME_MAX_BYTES),
    BODY_FIELD(organizer, contact_phone, TK_FIELD_TEXT, TK_FIELD_NULLABLE, 1, NAME_MAX_BYTES),
};

static const struct tk_field patch_fields[] = {
    BODY_FIELD(organizer, name, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, NAME_MAX_BYTES),
    BODY_FIELD(organizer, description, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 0, TEXT_MAX_BYTES),
    BODY_FIELD(organizer, contact_email, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, NAME_MAX_BYTES),
    BODY_FIELD(organizer, contact_phone, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, NAME_MAX_BYTES),
};

static const struct query_refusal still_used[] = {
    {"", "events_organizer_fk", &TK_PROBLEM_IN_USE, NULL, "the organizer has events"},
    {0},
};

static void write_text_or_null(struct tk_jsonw *w, const char *key, struct tk_slice text)
{
    if (text.ptr == NULL)
        tk_jsonw_null(w, key);
    else
        tk_jsonw_text(w, key, text);
}

static void write_organizer(struct tk_jsonw *w, const PGresult *rows, int row)
{
    struct organizer organizer = organizer_read(rows, row);
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "organizer_id", &organizer.organizer_id);
    tk_jsonw_text(w, "name", organizer.name);
    write_text_or_null(w, "description", organizer.description);
    write_text_or_null(w, "contact_email", organizer.contact_email);
    write_text_or_null(w, "contact_phone", organizer.contact_phone);
    tk_jsonw_time(w, "created_at", organizer.created_at_us);
    tk_jsonw_time(w, "updated_at", organizer.updated_at_us);
    tk_jsonw_end_object(w);
}

static enum tk_err read_body(struct tk_http_req *req, const struct tk_field *fields, size_t count, struct organizer *out)
{
    struct tk_json_errors errors = {.arena = &req->arena};
    *out = (struct organizer){0};
    if (tk_json_bind(req->json, "", fields, count, out, &errors) == TK_OK) {
        body_check(&errors, "/contact_email", out->contact_email, field_email_problem);
        body_check(&errors, "/contact_phone", out->contact_phone, field_phone_problem);
    }
    if (errors.count == 0)
        return TK_OK;
    problem_invalid(req, &errors);
    return TK_ERR_INVALID;
}

void organizers_create(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct organizer organizer;
    if (read_body(req, create_fields, BODY_FIELD_COUNT(create_fields), &organizer))
        return;
    organizer.organizer_id = tk_uuid_v7();
    struct query *query = query_new(req);
    query->writes = true;
    query->location = "/api/v1/organizers/";
    organizer_insert(&query->op, &organizer);
    query_one(query, service->catalogue, 201, write_organizer);
}

void organizers_list(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_page(req, service->catalogue, organizer_list, write_organizer);
}

void organizers_get(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    query_get_one(req, service->catalogue, organizer_select, write_organizer);
}

void organizers_patch(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid id;
    struct organizer organizer;
    if (tk_http_param_uuid(req, 0, &id) || read_body(req, patch_fields, BODY_FIELD_COUNT(patch_fields), &organizer))
        return;
    organizer.organizer_id = id;
    struct query *query = query_new(req);
    query->writes = true;
    organizer_update(&query->op, &organizer);
    query_one(query, service->catalogue, 200, write_organizer);
}

static void answer_deleted(struct query *query, const struct tk_pg_outcome *outcome)
{
    if (PQntuples(outcome->rows[0]) == 0)
        tk_http_problem(query->req, &TK_PROBLEM_NOT_FOUND, NULL);
    else
        tk_http_respond_empty(query->req, 204);
}

void organizers_delete(struct tk_http_req *req)
{
    struct event_service *service = req->app;
    struct tk_uuid id;
    if (tk_http_param_uuid(req, 0, &id))
        return;
    struct query *query = query_new(req);
    query->writes = true;
    query->refusals = still_used;
    organizer_delete(&query->op, &id);
    query_run(query, service->catalogue, answer_deleted);
}
