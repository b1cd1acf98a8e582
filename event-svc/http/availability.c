/*
 * GET /api/v1/sessions/{id}/availability, and the geometry it names.
 */
#include "event-svc/app/geometry.h"
#include "event-svc/app/service.h"
#include "event-svc/domain/etag.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/routes.h"
#include "shared/http/gzip.h"

struct availability_get {
    struct picture_wait wait;
    struct geometry_call geometry;
    struct tk_http_req *req;
    struct session_picture *session;
    int64_t since; /* -1: everything */
    bool gzip;
    struct tk_slice if_none_match;
    struct tk_slice hash;
};

static void respond_bytes(struct tk_http_req *req, struct tk_slice bytes)
{
    struct tk_buf body = TK_BUF_INIT(bytes.len);
    tk_buf_append_slice(&body, bytes);
    tk_http_respond_json(req, 200, &body);
}

static void problem_of(struct tk_http_req *req, enum tk_err err)
{
    if (err == TK_ERR_NOT_FOUND)
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "no such session");
    else
        tk_http_problem(req, &TK_PROBLEM_OVERLOADED, NULL);
}

static struct availability_get *get_new(struct tk_http_req *req, const struct tk_uuid *session_id, picture_wait_fn *done)
{
    struct event_service *service = req->app;
    struct tk_slice tags = tk_http_header(req, "if-none-match");
    struct availability_get *get = tk_arena_alloc(&req->arena, sizeof(*get));
    get->req = req;
    get->wait = (struct picture_wait){.done = done, .exact = true};
    get->session = seat_pictures_pin(service->pictures, session_id);
    get->since = -1;
    get->if_none_match = tk_slice_copy(&req->arena, tags);
    get->gzip = tk_gzip_accepted(tk_http_header(req, "accept-encoding"));
    return get;
}

/* --- availability ------------------------------------------------------------------------------------------------- */

static void respond_availability(struct availability_get *get)
{
    struct tk_http_req *req = get->req;
    const struct seat_picture *picture = get->session->picture;
    struct etag tag = etag_of(picture->version, false);
    tk_http_set_header(req, "etag", tag.text);
    tk_http_set_header(req, "cache-control", "no-cache");
    if (etag_matches(get->if_none_match, picture->version))
        tk_http_respond_empty(req, 304);
    else
        respond_bytes(req, availability_render(&get->session->texts, picture, get->since));
}

static void on_looked(struct picture_wait *wait, enum tk_err err)
{
    struct availability_get *get = TK_CONTAINER_OF(wait, struct availability_get, wait);
    struct session_picture *session = get->session;
    if (err)
        problem_of(get->req, err);
    else
        respond_availability(get);
    seat_pictures_unpin(session);
}

/* `?since=`; on nonsense the request has been answered. */
static enum tk_err read_since(struct tk_http_req *req, int64_t *since)
{
    struct tk_slice text = tk_http_query(req, "since");
    *since = -1;
    if (text.ptr == NULL || (tk_parse_i64(text, since) == TK_OK && *since >= 0))
        return TK_OK;
    tk_http_problem(req, &TK_PROBLEM_VALIDATION, "query parameter since: expected a version, as an earlier answer told it");
    return TK_ERR_INVALID;
}

void session_availability_get(struct tk_http_req *req)
{
    struct tk_uuid session_id;
    int64_t since;
    if (tk_http_param_uuid(req, 0, &session_id) || read_since(req, &since))
        return;
    struct availability_get *get = get_new(req, &session_id, on_looked);
    get->since = since;
    seat_pictures_look(get->session, &get->wait);
}

/* --- geometry ----------------------------------------------------------------------------------------------------- */

static void on_geometry(struct geometry_call *call, enum tk_err err)
{
    struct availability_get *get = TK_CONTAINER_OF(call, struct availability_get, geometry);
    struct tk_http_req *req = get->req;
    struct session_picture *session = get->session;
    (void)err;
    tk_http_set_header(req, "cache-control", "public, max-age=31536000, immutable");
    tk_http_set_header(req, "vary", "accept-encoding");
    if (get->gzip)
        tk_http_set_header(req, "content-encoding", "gzip");
    respond_bytes(req, tk_buf_slice(get->gzip ? &session->geometry.gzipped : &session->geometry.json));
    seat_pictures_unpin(session);
}

static void respond_geometry(struct availability_get *get)
{
    if (!tk_slice_eq_str(get->hash, get->session->picture->plan->hash)) {
        struct session_picture *session = get->session;
        tk_http_problem(get->req, &TK_PROBLEM_NOT_FOUND, "the session has another geometry; its availability names it");
        seat_pictures_unpin(session);
        return;
    }
    get->geometry = (struct geometry_call){.session = get->session, .done = on_geometry};
    geometry_want(&get->geometry);
}

static void on_plan(struct picture_wait *wait, enum tk_err err)
{
    struct availability_get *get = TK_CONTAINER_OF(wait, struct availability_get, wait);
    struct session_picture *session = get->session;
    if (!err) {
        respond_geometry(get);
        return;
    }
    problem_of(get->req, err);
    seat_pictures_unpin(session);
}

void session_geometry_get(struct tk_http_req *req)
{
    struct tk_uuid session_id;
    if (tk_http_param_uuid(req, 0, &session_id))
        return;
    struct availability_get *get = get_new(req, &session_id, on_plan);
    get->hash = req->params[1];
    get->wait.exact = false;
    if (get->session->picture != NULL)
        respond_geometry(get);
    else
        seat_pictures_look(get->session, &get->wait);
}
