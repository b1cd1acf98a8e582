/**
 * HTTP server: h2o on a tk_loop, one routing table, problem+json for every error our code answers.
 *
 * Life of a request: h2o parses it → the route is found, method, content type, size and identity are checked → the handler
 * runs on the loop's thread → sooner or later exactly one tk_http_respond*() call answers it and ends its life. The client
 * may leave in between; the handler need not care: the answer then goes nowhere.
 *
 * With `internal_bind` the server has a second listener. Routes with TK_ROUTE_INTERNAL or TK_ROUTE_INSIDE exist only there,
 * all others only on the public one (404), except those with TK_ROUTE_BOTH. Without it there is one listener for all.
 *
 * Off by design: HTTP/2 (docs/DECISIONS.md 28), with TLS as without, and the Server header.
 */
#ifndef TK_HTTP_SERVER_H
#define TK_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/auth/auth.h"
#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/http/problem.h"
#include "shared/json/reader.h"
#include "shared/loop/loop.h"
#include "shared/ratelimit/peer.h"
#include "shared/ratelimit/ratelimit.h"

#define TK_HTTP_MAX_PARAMS 3

struct tk_http_server;
struct tk_http_req;

typedef void tk_http_handler(struct tk_http_req *req);

/** Route flags. */
#define TK_ROUTE_JSON_BODY     1u   /* a JSON object or array body is required: 415, 400 before the handler runs */
#define TK_ROUTE_OPTIONAL_BODY 2u   /* with JSON_BODY: an empty body is fine whatever the content type */
#define TK_ROUTE_INTERNAL      4u   /* requires INTERNAL_API_KEY when one is configured (header X-Internal-Api-Key) */
#define TK_ROUTE_USER          8u   /* a user is required: 401 otherwise */
#define TK_ROUTE_UNDOCUMENTED  16u  /* not part of openapi.json (assets of /docs) */
#define TK_ROUTE_PREFIX        32u  /* `path` ends in `/` and matches everything below it */
#define TK_ROUTE_INSIDE        64u  /* on the internal listener only, when there is one; INTERNAL implies it */
#define TK_ROUTE_BOTH          128u /* on either listener */
#define TK_ROUTE_USER_IF_JWT   256u /* as USER when there are tokens; the local stack answers without a user too */
/* Rights a token must carry, by position in struct tk_token_rules.scopes; nothing is checked without tokens. */
#define TK_ROUTE_SCOPE(bit)       (1u << (16 + (bit)))
#define TK_ROUTE_SCOPES_OF(flags) ((flags) >> 16)

/** One row of a service's routing table; the same path may appear once per method. */
struct tk_route {
    const char *method; /* "GET", "POST", … GET routes answer HEAD too */
    const char *path;   /* "/api/v1/reservations/{id}/confirm"; {…} matches one segment */
    tk_http_handler *handler;
    unsigned flags;
    size_t max_body;   /* bytes; 0: the server's default */
    const char *query; /* names of query parameters, spaces between; others, and one given twice, are 422. NULL: none.
                        * Paths outside /api/ take any. */
};

struct tk_http_config {
    const char *service; /* metrics label and log object */
    const char *host;    /* address to listen on */
    int64_t port;        /* 0: any free port, see tk_http_server_port() */
    const struct tk_route *routes;
    size_t route_count;
    size_t max_body;                                   /* default limit, bytes: 1 MiB */
    int64_t io_timeout_ms;                             /* header, body and idle time of a connection: 10 s */
    size_t max_connections;                            /* beyond it new connections are closed at once */
    size_t max_connections_per_address;                /* the same for one client; 0: no limit of its own */
    struct tk_ratelimit *limits;                       /* of requests to public routes; NULL: none */
    const struct tk_peer_networks *trusted_proxies;    /* whose X-Forwarded-For is believed; NULL: nobody's */
    const struct tk_peer_networks *unlimited_networks; /* not limited by address; NULL: none */
    const char *internal_api_key;                      /* "" or NULL: internal routes are open */
    const char *internal_api_key_previous;             /* accepted as well; "" or NULL: there is none */
    const char *internal_bind;                         /* "" or NULL: no internal listener, else see address.h */
    struct tk_auth *auth;                              /* users come from bearer tokens; NULL: X-User-ID is trusted */
    const char *tls_cert; /* PEM files of certificate chain and key, for TCP listeners; "" or NULL: plain HTTP */
    const char *tls_key;
    void *app; /* handed to handlers as req->app */
    /** Asked before a request's body is looked at; true: it is answered 503 `overloaded`. May be NULL. */
    bool (*is_overloaded)(void *app, const struct tk_route *route);
};

/** What handlers see. Allocated by the server, freed by the answer. */
struct tk_http_req {
    void *app;
    struct tk_loop *loop;
    const struct tk_route *route;
    struct tk_arena arena;                      /* request lifetime */
    struct tk_slice params[TK_HTTP_MAX_PARAMS]; /* path segments in {…} order, arena memory, percent-decoded */
    size_t param_count;
    struct tk_slice query;      /* raw query string without '?', arena memory */
    struct tk_slice body;       /* raw bytes; valid only during the handler call */
    const struct tk_json *json; /* parsed body in the arena; NULL when there is none */
    struct tk_uuid user_id;     /* who asks, when has_user */
    bool has_user;
    /* Of a POST that is not internal, checked: 1 to 255 visible ASCII characters; {NULL, 0} when there is none. Like
     * `body`. */
    struct tk_slice idempotency_key;
    char request_id[64];  /* X-Request-ID if acceptable (visible ASCII, at most 63), else a UUIDv7 */
    char traceparent[56]; /* W3C trace context, "" when absent or malformed */
    int64_t received_us;  /* monotonic */
    struct tk_http_req_private *priv;
};

/**
 * Listens. TK_ERR_CONFLICT: the address is in use; TK_ERR_INVALID: no such address, or the TLS files are of no use. Logs
 * the reason.
 */
TK_MUSTCHECK enum tk_err tk_http_server_open(struct tk_loop *loop, const struct tk_http_config *config,
                                             struct tk_http_server **out);

uint16_t tk_http_server_port(const struct tk_http_server *server);

/**
 * Reads the TLS files again, for new connections; those that exist keep what they have. On an error (logged) everything
 * stays as it was. A no-op without TLS.
 */
void tk_http_server_reload_tls(struct tk_http_server *server);

/**
 * Every answer from now on ends its connection. For a second new connections and requests on existing ones are still taken,
 * then what is idle is closed and nobody listens any more; at once when there is no connection. Requests in flight are
 * still answered.
 */
void tk_http_server_drain(struct tk_http_server *server);

/**
 * Requests not answered yet, and answers that have not left completely; once draining also every connection still open, as
 * it may carry a request that has not been read, and the open listener. 0 means that nothing accepted is left to answer.
 */
size_t tk_http_server_in_flight(const struct tk_http_server *server);

/* --- inside a handler --------------------------------------------------------------------------------------------- */

/** The request's path as received, without the query; valid until the answer. */
struct tk_slice tk_http_path(const struct tk_http_req *req);

/** A request header by lower-case name; empty slice when absent. Valid only during the handler call. */
struct tk_slice tk_http_header(const struct tk_http_req *req, const char *lower_case_name);

/** Decoded value of a query parameter (first occurrence), arena memory; {NULL, 0} when absent. */
struct tk_slice tk_http_query(struct tk_http_req *req, const char *name);

/** Path parameter `index` as a UUID; on failure the request has been answered 404 and TK_ERR_NOT_FOUND is returned. */
TK_MUSTCHECK enum tk_err tk_http_param_uuid(struct tk_http_req *req, size_t index, struct tk_uuid *out);

/** `?limit=` (1..max, else `fallback`); on nonsense the request has been answered 422 and TK_ERR_INVALID is returned. */
TK_MUSTCHECK enum tk_err tk_http_limit(struct tk_http_req *req, int64_t fallback, int64_t max, int64_t *out);

/**
 * `?cursor=`: an opaque token around the id of the last row of the page before; nil UUID when absent. Answered 422 on
 * nonsense, as above. The writer's side is tk_http_cursor_text().
 */
TK_MUSTCHECK enum tk_err tk_http_cursor(struct tk_http_req *req, struct tk_uuid *after);

/** The token for `next_cursor`, arena memory, NUL-terminated. */
const char *tk_http_cursor_text(struct tk_http_req *req, const struct tk_uuid *last);

/* --- answering: exactly one of these ends the request, `req` is gone afterwards ------------------------------------ */

/** Adds a response header; `value` is copied. Call before the answer. */
void tk_http_set_header(struct tk_http_req *req, const char *lower_case_name, const char *value);

/** Sends `body` (taken over: the buffer is empty afterwards) as application/json. */
void tk_http_respond_json(struct tk_http_req *req, int status, struct tk_buf *body);

/** The same with any content type. `content_type` must be a constant. */
void tk_http_respond(struct tk_http_req *req, int status, const char *content_type, struct tk_buf *body);

/** Sends bytes that live as long as the process (embedded files). */
void tk_http_respond_static(struct tk_http_req *req, int status, const char *content_type, struct tk_slice body);

/** Sends bytes that others send, too: `release(owner)` runs once, when they have left or the client has gone. */
void tk_http_respond_shared(struct tk_http_req *req, int status, const char *content_type, struct tk_slice body,
                            tk_loop_fn *release, void *owner);

/** Status without body: 204, 304. */
void tk_http_respond_empty(struct tk_http_req *req, int status);

/** An error, as application/problem+json. `detail` may be NULL. */
void tk_http_problem(struct tk_http_req *req, const struct tk_problem_kind *kind, const char *detail);

/** The same with validation errors and ready-made extra members (`"lost_seats":[…]`, no braces); both may be NULL. */
void tk_http_problem_with(struct tk_http_req *req, const struct tk_problem_kind *kind, const char *detail,
                          const struct tk_json_errors *errors, const struct tk_buf *members);

/* --- answers that are kept before they are given -------------------------------------------------------------------- */

#define TK_HTTP_LOCATION_MAX 128 /* bytes, with the NUL */

/** An answer that has not been given yet. */
struct tk_http_answer {
    int status;                          /* 0: none */
    const char *content_type;            /* a constant */
    char location[TK_HTTP_LOCATION_MAX]; /* "": none */
    struct tk_buf body;                  /* release, unless it is given */
};

/**
 * From now on an answer to `req` does not end it but is put into `answer`; of its headers only Location is kept. NULL ends
 * that.
 */
void tk_http_capture(struct tk_http_req *req, struct tk_http_answer *answer);

/** Answers with what was captured, or stored; `answer` is empty afterwards. */
void tk_http_give(struct tk_http_req *req, struct tk_http_answer *answer);

#endif
