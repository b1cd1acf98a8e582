/*
 * From h2o's request to the handler's: copy what must outlive the client, then check route, access and body, each check
 * answering by itself when it fails. The order is fixed: 400 (framing), 404/405, 403 (internal key), 429 (address), 503
 * (overload), 401 and 403 (identity), 429 (user), 422 (query), 413, 400 (key), 415, 400, so that one too many costs no
 * signature and a caller without rights no parsing.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/http/server_private.h"
#include "shared/http/text.h"
#include "shared/idempotency/fingerprint.h"

#define QUOTED_NAME_MAX 64 /* bytes of a query parameter's name in an answer */

/* --- reading the request ------------------------------------------------------------------------------------------- */

static struct tk_slice slice_of(h2o_iovec_t v)
{
    return (struct tk_slice){.ptr = v.base, .len = v.len};
}

/** h2o's request ends: the answer has left or the client has gone. */
static void on_exchange_disposed(void *arg)
{
    struct tk_http_exchange *exchange = arg;
    exchange->conn->busy = false;
    if (exchange->request != NULL) {
        exchange->request->h2o = NULL;
        exchange->request->exchange = NULL;
    } else {
        tk_http_end_sending(exchange);
        exchange->server->in_flight--;
        exchange->server->sending_bytes -= exchange->body.cap;
    }
    tk_buf_release(&exchange->body);
    if (exchange->release != NULL)
        exchange->release(exchange->release_arg);
}

static void attach_exchange(struct tk_http_req_private *request, h2o_req_t *h2o)
{
    struct tk_http_exchange *exchange = h2o_mem_alloc_shared(&h2o->pool, sizeof(*exchange), on_exchange_disposed);
    memset(exchange, 0, offsetof(struct tk_http_exchange, request_id));
    exchange->request = request;
    exchange->server = request->server;
    exchange->conn = tk_http_conn_of(h2o);
    exchange->conn->busy = true;
    exchange->conn->has_asked = true;
    request->exchange = exchange;
}

/** Length of `http://` or `https://` at the start of `target`, 0 when it is something else. */
static size_t absolute_prefix(struct tk_slice target)
{
    if (target.len > 7 && strncasecmp(target.ptr, "http://", 7) == 0)
        return 7;
    return target.len > 8 && strncasecmp(target.ptr, "https://", 8) == 0 ? 8 : 0;
}

/** Copies path and query: they are needed after h2o's request is gone. Absolute-form targets lose scheme and host. */
static void copy_target(struct tk_http_req_private *request, struct tk_slice target)
{
    const char *query = memchr(target.ptr, '?', target.len);
    size_t scheme = absolute_prefix(target);
    if (scheme > 0) {
        size_t before_query = query != NULL ? (size_t)(query - target.ptr) : target.len;
        const char *slash = scheme < before_query ? memchr(target.ptr + scheme, '/', before_query - scheme) : NULL;
        size_t skip = slash != NULL ? (size_t)(slash - target.ptr) : 0;
        target = (struct tk_slice){.ptr = target.ptr + skip, .len = target.len - skip};
    }
    char *copy = target.len <= sizeof(request->target) ? request->target : tk_arena_alloc(&request->pub.arena, target.len);
    memcpy(copy, target.ptr, target.len);
    size_t path_len = query != NULL && query >= target.ptr ? (size_t)(query - target.ptr) : target.len;
    request->path = (struct tk_slice){.ptr = copy, .len = path_len};
    if (path_len < target.len)
        request->pub.query = (struct tk_slice){.ptr = copy + path_len + 1, .len = target.len - path_len - 1};
}

static void note_user_id(struct tk_http_req_private *request, struct tk_slice value)
{
    if (request->seen.user_id.ptr != NULL && !tk_slice_eq(request->seen.user_id, value))
        request->seen.user_id_twice = true;
    request->seen.user_id = value;
}

static void note_key(struct tk_http_req_private *request, struct tk_slice value)
{
    if (request->seen.idempotency_key.ptr != NULL && !tk_slice_eq(request->seen.idempotency_key, value))
        request->seen.idempotency_key_twice = true;
    request->seen.idempotency_key = value;
}

static void note_header(struct tk_http_req_private *request, const h2o_header_t *header)
{
    struct tk_slice value = slice_of(header->value);
    if (header->name == &H2O_TOKEN_CONTENT_TYPE->buf) {
        request->seen.content_type = value;
        return;
    }
    if (header->name == &H2O_TOKEN_AUTHORIZATION->buf) {
        request->seen.authorization_twice = request->seen.authorization.ptr != NULL;
        request->seen.authorization = value;
        return;
    }
    if (header->name == &H2O_TOKEN_CONTENT_ENCODING->buf) {
        request->seen.encoded |= !tk_slice_ieq_str(value, "identity");
        return;
    }
    struct tk_slice name = slice_of(*header->name);
    if (tk_slice_eq(name, TK_SLICE("x-user-id")))
        note_user_id(request, value);
    else if (tk_slice_eq(name, TK_SLICE("x-request-id")))
        tk_http_request_id_accept(value, request->pub.request_id);
    else if (tk_slice_eq(name, TK_SLICE("traceparent")))
        tk_http_traceparent_accept(value, request->pub.traceparent);
    else if (tk_slice_eq(name, TK_SLICE("idempotency-key")))
        note_key(request, value);
    else if (tk_slice_eq(name, TK_SLICE("x-internal-api-key")))
        request->seen.internal_key = value;
    else if (tk_slice_eq(name, TK_SLICE("x-forwarded-for")))
        request->seen.forwarded_for = value;
}

static struct tk_http_req_private *request_new(struct tk_http_server *server, h2o_req_t *h2o)
{
    struct tk_http_req_private *request = tk_alloc(sizeof(*request));
    request->server = server;
    request->h2o = h2o;
    request->stats = tk_http_stats_unmatched(server);
    request->method = slice_of(h2o->method);
    request->is_head = tk_slice_eq(request->method, TK_SLICE("HEAD"));
    request->pub.priv = request;
    request->pub.app = server->config.app;
    request->pub.loop = server->loop;
    request->pub.body = slice_of(h2o->entity); /* {NULL, 0} when there is none */
    request->pub.received_us = tk_mono_us();
    attach_exchange(request, h2o);
    copy_target(request, slice_of(h2o->path));
    for (size_t i = 0; i < h2o->headers.size; i++)
        note_header(request, &h2o->headers.entries[i]);
    if (request->pub.request_id[0] == '\0') {
        struct tk_uuid id = tk_uuid_v7();
        (void)tk_uuid_format(&id, request->pub.request_id);
    }
    memcpy(request->exchange->request_id, request->pub.request_id, sizeof(request->exchange->request_id));
    server->in_flight++;
    return request;
}

/* --- checks: each answers and returns false, or returns true --------------------------------------------------------- */

static bool check_framing(struct tk_http_req_private *request)
{
    const char *why = tk_http_ambiguity(request->h2o);
    if (why == NULL)
        return true;
    tk_http_close_gently(request->h2o); /* what follows on this connection may be another's body */
    tk_http_problem(&request->pub, &TK_HTTP_BAD_REQUEST, why);
    return false;
}

static enum tk_router_side side_of(const struct tk_http_req_private *request)
{
    if (!request->server->is_split)
        return TK_ROUTER_SIDE_ANY;
    return request->exchange->conn->listener->internal ? TK_ROUTER_SIDE_INTERNAL : TK_ROUTER_SIDE_PUBLIC;
}

static bool find_route(struct tk_http_req_private *request)
{
    const struct tk_http_config *config = &request->server->config;
    struct tk_route_match match;
    tk_router_match(config->routes, config->route_count, side_of(request), request->method, request->path, &match);
    if (match.route == NULL && match.allow[0] == '\0') {
        tk_http_problem(&request->pub, &TK_PROBLEM_NOT_FOUND, NULL);
        return false;
    }
    if (match.route == NULL) {
        tk_http_set_header(&request->pub, "allow", match.allow);
        tk_http_problem(&request->pub, &TK_PROBLEM_METHOD_NOT_ALLOWED, NULL);
        return false;
    }
    request->pub.route = match.route;
    request->stats = &request->server->stats[match.route - config->routes];
    request->pub.param_count = match.param_count;
    for (size_t i = 0; i < match.param_count; i++)
        request->pub.params[i] = tk_http_percent_decode(&request->pub.arena, match.params[i], false);
    return true;
}

static bool check_size(struct tk_http_req_private *request)
{
    const struct tk_route *route = request->pub.route;
    size_t limit = route->max_body != 0 ? route->max_body : request->server->config.max_body;
    if (request->pub.body.len <= limit)
        return true;
    tk_http_problem(&request->pub, &TK_PROBLEM_TOO_LARGE, NULL);
    return false;
}

/** What a client chose may stand in an answer when it is a word; anything else is not quoted. */
static const char *quotable(struct tk_arena *arena, struct tk_slice name)
{
    bool plain = name.len > 0 && name.len <= QUOTED_NAME_MAX;
    for (size_t i = 0; plain && i < name.len; i++)
        plain = isalnum((unsigned char)name.ptr[i]) || memchr("_-.[]", name.ptr[i], 5) != NULL;
    return plain ? tk_slice_dup(arena, name) : "(unprintable)";
}

/** A parameter that is not known would otherwise be ignored, and `?sicne=5` answered with everything. */
static bool check_query(struct tk_http_req_private *request)
{
    const struct tk_route *route = request->pub.route;
    struct tk_slice name;
    char detail[256];
    if (request->pub.query.len == 0 || strncmp(route->path, "/api/", 5) != 0)
        return true;
    switch (tk_http_query_check(&request->pub.arena, request->pub.query, route->query, &name)) {
    case TK_HTTP_QUERY_FINE:
        return true;
    case TK_HTTP_QUERY_TWICE:
        (void)snprintf(detail, sizeof(detail), "query parameter %s: given more than once",
                       quotable(&request->pub.arena, name));
        break;
    case TK_HTTP_QUERY_UNKNOWN:
        (void)snprintf(detail, sizeof(detail), "query parameter %s: not known here, only: %s",
                       quotable(&request->pub.arena, name), route->query != NULL ? route->query : "none");
        break;
    }
    tk_http_problem(&request->pub, &TK_PROBLEM_VALIDATION, detail);
    return false;
}

static bool check_load(struct tk_http_req_private *request)
{
    const struct tk_http_config *config = &request->server->config;
    if (config->is_overloaded == NULL || !config->is_overloaded(config->app, request->pub.route))
        return true;
    tk_http_problem(&request->pub, &TK_PROBLEM_OVERLOADED, NULL);
    return false;
}

/** Only a POST creates; internal ones are idempotent by the ids they carry. Elsewhere the header means nothing. */
static bool check_key(struct tk_http_req_private *request)
{
    const struct tk_route *route = request->pub.route;
    const struct tk_slice key = request->seen.idempotency_key;
    if (key.ptr == NULL || strcmp(route->method, "POST") != 0 || (route->flags & TK_ROUTE_INTERNAL) != 0)
        return true;
    if (request->seen.idempotency_key_twice || tk_idempotency_key_check(key)) {
        tk_http_problem(&request->pub, &TK_PROBLEM_BAD_KEY, "one Idempotency-Key of 1 to 255 visible ASCII characters");
        return false;
    }
    request->pub.idempotency_key = key;
    return true;
}

static bool parse_body(struct tk_http_req_private *request)
{
    const char *why = NULL;
    if (tk_json_parse(&request->pub.arena, request->pub.body, &request->pub.json, &why)) {
        request->pub.json = NULL;
        tk_http_problem(&request->pub, &TK_PROBLEM_NOT_JSON, why);
        return false;
    }
    if (request->pub.json->type != TK_JSON_OBJECT && request->pub.json->type != TK_JSON_ARRAY) {
        struct tk_json_errors errors = {.arena = &request->pub.arena};
        tk_json_errors_add(&errors, "", "expected an object or an array");
        tk_http_problem_with(&request->pub, &TK_PROBLEM_VALIDATION, NULL, &errors, NULL);
        return false;
    }
    return true;
}

static bool check_body(struct tk_http_req_private *request)
{
    unsigned flags = request->pub.route->flags;
    struct tk_slice type = request->seen.content_type;
    bool optional = (flags & TK_ROUTE_OPTIONAL_BODY) != 0;
    if ((flags & TK_ROUTE_JSON_BODY) == 0 || (optional && request->pub.body.len == 0))
        return true;
    /* An empty body without a type is a missing body, not one of the wrong type. */
    bool type_missing_ok = type.len == 0 && (optional || request->pub.body.len == 0);
    if (request->seen.encoded || (!type_missing_ok && !tk_http_is_json_type(type))) {
        tk_http_problem(&request->pub, &TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE, NULL);
        return false;
    }
    if (request->pub.body.len == 0) {
        tk_http_problem(&request->pub, &TK_PROBLEM_NOT_JSON, "a JSON body is required");
        return false;
    }
    return parse_body(request);
}

int tk_http_on_request(h2o_handler_t *handler, h2o_req_t *h2o)
{
    struct tk_http_server *server = ((struct tk_http_handler_data *)(void *)handler)->server;
    struct tk_http_req_private *request = request_new(server, h2o);
    if (check_framing(request) && find_route(request) && tk_http_check_internal_key(request) &&
        tk_http_check_address_limit(request) && check_load(request) && tk_http_check_identity(request) &&
        tk_http_check_user_limit(request) && check_query(request) && check_size(request) && check_key(request) &&
        check_body(request))
        request->pub.route->handler(&request->pub);
    return 0;
}
