/*
 * From the request line and the headers to a route: router, percent-decoding, query, content type, request id, trace
 * context. The input is `METHOD target`, as on the wire.
 */
#include <string.h>

#include "shared/http/router.h"
#include "shared/http/text.h"
#include "tests/fuzz/fuzz.h"

static void handler(struct tk_http_req *req)
{
    (void)req;
}

static const struct tk_route ROUTES[] = {
    {"GET", "/health", handler, TK_ROUTE_BOTH, 0, NULL},
    {"GET", "/docs/", handler, TK_ROUTE_PREFIX | TK_ROUTE_UNDOCUMENTED, 0, NULL},
    {"POST", "/api/v1/reservations", handler, TK_ROUTE_JSON_BODY, 0, NULL},
    {"GET", "/api/v1/reservations", handler, 0, 0, NULL},
    {"GET", "/api/v1/reservations/{id}", handler, 0, 0, NULL},
    {"DELETE", "/api/v1/reservations/{id}", handler, 0, 0, NULL},
    {"POST", "/api/v1/reservations/{id}/confirm", handler, TK_ROUTE_JSON_BODY | TK_ROUTE_OPTIONAL_BODY, 0, NULL},
    {"GET", "/api/v1/tickets/user/{user_id}", handler, 0, 0, NULL},
    {"GET", "/api/v1/tickets/{id}/qr", handler, 0, 0, NULL},
    {"GET", "/api/v1/sessions/{id}/geometry/{hash}", handler, 0, 0, NULL},
    {"POST", "/api/internal/sessions/{id}/seats/reserve", handler, TK_ROUTE_JSON_BODY | TK_ROUTE_INTERNAL, 0, NULL},
};

#define ROUTE_COUNT (sizeof(ROUTES) / sizeof(ROUTES[0]))

static bool lies_in(struct tk_slice part, struct tk_slice whole)
{
    return part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len;
}

static void match(struct tk_arena *arena, struct tk_slice method, struct tk_slice path)
{
    struct tk_route_match any, side;
    tk_router_match(ROUTES, ROUTE_COUNT, TK_ROUTER_SIDE_ANY, method, path, &any);
    MUST(any.param_count <= TK_HTTP_MAX_PARAMS);
    MUST(any.route == NULL || any.allow[0] == '\0');
    MUST(memchr(any.allow, '\0', sizeof(any.allow)) != NULL);
    for (size_t i = 0; any.route != NULL && i < any.param_count; i++) {
        MUST(lies_in(any.params[i], path) && memchr(any.params[i].ptr, '/', any.params[i].len) == NULL);
        MUST(tk_http_percent_decode(arena, any.params[i], false).len <= any.params[i].len);
    }
    tk_router_match(ROUTES, ROUTE_COUNT, TK_ROUTER_SIDE_PUBLIC, method, path, &side);
    MUST(side.route == NULL || (side.route->flags & TK_ROUTE_INTERNAL) == 0);
    tk_router_match(ROUTES, ROUTE_COUNT, TK_ROUTER_SIDE_INTERNAL, method, path, &side);
    MUST(side.route == NULL || (side.route->flags & (TK_ROUTE_INTERNAL | TK_ROUTE_BOTH)) != 0);
}

static void read_headers(struct tk_slice value)
{
    char request_id[64] = "";
    char traceparent[56] = "";
    tk_http_request_id_accept(value, request_id);
    MUST(request_id[0] == '\0' || tk_slice_eq_str(value, request_id));
    tk_http_traceparent_accept(value, traceparent);
    MUST(memchr(traceparent, '\0', sizeof(traceparent)) != NULL);
    (void)tk_http_is_json_type(value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_arena arena = {0};
    struct tk_slice line = input_slice(data, size);
    const char *space = size > 0 ? memchr(line.ptr, ' ', line.len) : NULL;
    if (space == NULL)
        return 0;
    struct tk_slice method = {.ptr = line.ptr, .len = (size_t)(space - line.ptr)};
    struct tk_slice target = {.ptr = space + 1, .len = line.len - method.len - 1};
    const char *query = target.len > 0 ? memchr(target.ptr, '?', target.len) : NULL;
    struct tk_slice path = {.ptr = target.ptr, .len = query != NULL ? (size_t)(query - target.ptr) : target.len};
    match(&arena, method, path);
    if (query != NULL) {
        struct tk_slice rest = {.ptr = query + 1, .len = target.len - path.len - 1};
        MUST(tk_http_query_find(&arena, rest, "limit").len <= rest.len);
        (void)tk_http_query_find(&arena, rest, "cursor");
        struct tk_slice name = {0};
        MUST(tk_http_query_check(&arena, rest, "limit cursor", &name) == TK_HTTP_QUERY_FINE || name.len <= rest.len);
    }
    read_headers(target);
    tk_arena_release(&arena);
    return 0;
}
