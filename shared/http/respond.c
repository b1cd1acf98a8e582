/*
 * Answers. Exactly one call ends a request: the bytes move to the exchange, which frees them when they have left, and the
 * handler's view is gone at once. When the client left before, the answer is only counted.
 */
#include <string.h>

#include "shared/base/clock.h"
#include "shared/http/server_private.h"
#include "shared/log/log.h"

#define MAX_PROBLEM  (64u << 10)
#define SMALL_ANSWER (16u << 10) /* always sent: 20,000 connections with as much each are 320 MiB */

const char *tk_http_reason(int status)
{
    static const struct {
        int status;
        const char *reason;
    } REASONS[] = {
        {200, "OK"},
        {201, "Created"},
        {202, "Accepted"},
        {204, "No Content"},
        {301, "Moved Permanently"},
        {304, "Not Modified"},
        {400, "Bad Request"},
        {401, "Unauthorized"},
        {402, "Payment Required"},
        {403, "Forbidden"},
        {404, "Not Found"},
        {405, "Method Not Allowed"},
        {409, "Conflict"},
        {410, "Gone"},
        {412, "Precondition Failed"},
        {413, "Content Too Large"},
        {415, "Unsupported Media Type"},
        {422, "Unprocessable Content"},
        {429, "Too Many Requests"},
        {500, "Internal Server Error"},
        {503, "Service Unavailable"},
    };
    for (size_t i = 0; i < sizeof(REASONS) / sizeof(REASONS[0]); i++)
        if (REASONS[i].status == status)
            return REASONS[i].reason;
    return "Status";
}

/** One line per request that changed something; reads and refusals are only counted. */
static void log_request(const struct tk_http_req_private *request, int status, int64_t took_us)
{
    const struct tk_route *route = request->pub.route;
    if (route == NULL || status >= 400 || strcmp(route->method, "GET") == 0)
        return;
    tk_log(TK_LOG_INFO, "request", TK_KV_STR("request", request->pub.request_id), TK_KV_STR("method", route->method),
           TK_KV_STR("route", route->path), TK_KV_INT("status", status), TK_KV_INT("took_us", took_us));
}

static void send_to_client(struct tk_http_req_private *request, int status, const char *content_type, struct tk_slice body,
                           struct tk_buf *owned)
{
    static h2o_generator_t generator = {NULL, NULL};
    struct tk_http_exchange *exchange = request->exchange;
    h2o_req_t *h2o = request->h2o;
    exchange->request = NULL;
    tk_http_begin_sending(exchange, body.len);
    if (owned != NULL) {
        exchange->body = *owned;
        request->server->sending_bytes += owned->cap;
        *owned = TK_BUF_INIT(owned->max);
    }
    if (request->server->draining)
        h2o->http1_is_persistent = 0;
    h2o->res.status = status;
    h2o->res.reason = tk_http_reason(status);
    bool bodiless = status == 204 || status == 304;
    h2o->res.content_length = bodiless ? SIZE_MAX : body.len;
    if (content_type != NULL)
        h2o_add_header(&h2o->pool, &h2o->res.headers, H2O_TOKEN_CONTENT_TYPE, NULL, content_type, strlen(content_type));
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, H2O_STRLIT("x-request-id"), 0, NULL, exchange->request_id,
                          strlen(exchange->request_id));
    h2o_start_response(h2o, &generator);
    h2o_iovec_t bytes = h2o_iovec_init(body.ptr, body.len);
    h2o_send(h2o, &bytes, body.len == 0 || request->is_head || bodiless ? 0 : 1, H2O_SEND_STATE_FINAL);
}

static void keep(struct tk_http_answer *answer, int status, const char *content_type, struct tk_slice body,
                 struct tk_buf *owned)
{
    answer->status = status;
    answer->content_type = content_type;
    answer->body = TK_BUF_INIT(body.len > 0 ? body.len : 1);
    tk_buf_append_slice(&answer->body, body);
    if (owned != NULL)
        tk_buf_release(owned);
}

/** Ends the request, or keeps its answer. `owned`, when given, is the buffer `body` lies in. */
static void finish(struct tk_http_req *req, int status, const char *content_type, struct tk_slice body,
                   struct tk_buf *owned)
{
    struct tk_http_req_private *request = req->priv;
    if (request->capture != NULL) {
        keep(request->capture, status, content_type, body, owned);
        return;
    }
    int64_t took_us = tk_mono_us() - req->received_us;
    tk_http_stats_record(request->stats, status, took_us);
    log_request(request, status, took_us);
    if (request->h2o != NULL)
        send_to_client(request, status, content_type, body, owned);
    else
        request->server->in_flight--; /* otherwise the exchange's end does it */
    if (owned != NULL)
        tk_buf_release(owned);
    tk_arena_release(&req->arena);
    free(request);
}

void tk_http_set_header(struct tk_http_req *req, const char *lower_case_name, const char *value)
{
    h2o_req_t *h2o = req->priv->h2o;
    struct tk_http_answer *capture = req->priv->capture;
    if (capture != NULL && strcmp(lower_case_name, "location") == 0)
        (void)snprintf(capture->location, sizeof(capture->location), "%s", value);
    if (h2o == NULL || capture != NULL)
        return;
    h2o_iovec_t name = h2o_strdup(&h2o->pool, lower_case_name, SIZE_MAX);
    h2o_iovec_t copy = h2o_strdup(&h2o->pool, value, SIZE_MAX);
    h2o_add_header_by_str(&h2o->pool, &h2o->res.headers, name.base, name.len, 1, NULL, copy.base, copy.len);
}

/** Another answer than the one that was begun: its encoding, its caching and its tag are not this one's. */
static void problem_instead(struct tk_http_req *req, struct tk_buf *body, const struct tk_problem_kind *kind)
{
    tk_buf_release(body);
    if (req->priv->h2o != NULL)
        req->priv->h2o->res.headers = (h2o_headers_t){NULL};
    tk_http_problem(req, kind, NULL);
}

/** Only reads may be put off: what was changed has to be told. */
static bool is_too_much(const struct tk_http_req *req, size_t bytes)
{
    const struct tk_http_server *server = req->priv->server;
    return bytes > SMALL_ANSWER && server->sending_bytes + bytes > server->max_sending_bytes &&
           strcmp(req->route->method, "GET") == 0;
}

void tk_http_respond(struct tk_http_req *req, int status, const char *content_type, struct tk_buf *body)
{
    if (body->overflow) {
        tk_log(TK_LOG_ERROR, "answer exceeds its buffer", TK_KV_STR("request", req->request_id),
               TK_KV_STR("route", req->route->path), TK_KV_INT("max", body->max));
        problem_instead(req, body, &TK_PROBLEM_INTERNAL);
        return;
    }
    if (is_too_much(req, body->len)) {
        problem_instead(req, body, &TK_PROBLEM_OVERLOADED);
        return;
    }
    finish(req, status, content_type, tk_buf_slice(body), body);
}

void tk_http_respond_json(struct tk_http_req *req, int status, struct tk_buf *body)
{
    tk_http_respond(req, status, "application/json", body);
}

void tk_http_respond_static(struct tk_http_req *req, int status, const char *content_type, struct tk_slice body)
{
    finish(req, status, content_type, body, NULL);
}

void tk_http_respond_shared(struct tk_http_req *req, int status, const char *content_type, struct tk_slice body,
                            tk_loop_fn *release, void *owner)
{
    struct tk_http_exchange *exchange = req->priv->exchange;
    const bool leaves = exchange != NULL && req->priv->capture == NULL;
    if (leaves) {
        exchange->release = release;
        exchange->release_arg = owner;
    }
    finish(req, status, content_type, body, NULL);
    if (!leaves)
        release(owner);
}

void tk_http_respond_empty(struct tk_http_req *req, int status)
{
    finish(req, status, NULL, (struct tk_slice){NULL, 0}, NULL);
}

void tk_http_problem(struct tk_http_req *req, const struct tk_problem_kind *kind, const char *detail)
{
    tk_http_problem_with(req, kind, detail, NULL, NULL);
}

void tk_http_problem_with(struct tk_http_req *req, const struct tk_problem_kind *kind, const char *detail,
                          const struct tk_json_errors *errors, const struct tk_buf *members)
{
    struct tk_buf body = TK_BUF_INIT(MAX_PROBLEM);
    tk_problem_write(&body, kind, detail, req->priv->path, req->request_id, errors, members);
    if (body.overflow) { /* thousands of extra members: the bare problem still tells what happened */
        tk_buf_release(&body);
        tk_problem_write(&body, kind, detail, req->priv->path, req->request_id, NULL, NULL);
    }
    if (kind->retry_after_s > 0) {
        char seconds[16];
        (void)snprintf(seconds, sizeof(seconds), "%d", kind->retry_after_s);
        tk_http_set_header(req, "retry-after", seconds);
    }
    if (kind->status >= 500 && kind->status != 503)
        tk_log(TK_LOG_ERROR, "internal error", TK_KV_STR("request", req->request_id), TK_KV_STR("code", kind->code),
               TK_KV_STR("route", req->route != NULL ? req->route->path : ""));
    finish(req, kind->status, "application/problem+json", tk_buf_slice(&body), &body);
}

void tk_http_capture(struct tk_http_req *req, struct tk_http_answer *answer)
{
    req->priv->capture = answer;
}

void tk_http_give(struct tk_http_req *req, struct tk_http_answer *answer)
{
    if (answer->location[0] != '\0')
        tk_http_set_header(req, "location", answer->location);
    tk_http_respond(req, answer->status, answer->content_type, &answer->body);
}
