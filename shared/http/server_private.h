/**
 * What the files of the HTTP server share among themselves; nothing outside shared/http includes this.
 *
 * Three objects with three lifetimes:
 *   - struct tk_http_conn: one accepted connection, freed when its socket closes.
 *   - struct tk_http_exchange: one request as h2o sees it; lives in the request's pool and ends with it, i.e. when the
 * answer has left or the client has gone. Owns the bytes being sent.
 *   - struct tk_http_req_private: one request as the handler sees it; ends with the answer. Exchange and request point at
 * each other and whichever ends first clears the other's pointer: that is how a request may outlive its client.
 */
#ifndef TK_HTTP_SERVER_PRIVATE_H
#define TK_HTTP_SERVER_PRIVATE_H

#include <h2o.h>

#include "shared/base/list.h"
#include "shared/http/address.h"
#include "shared/http/router.h"
#include "shared/http/server.h"
#include "shared/metrics/metrics.h"

#define TK_HTTP_STATUS_CLASSES 5 /* 1xx … 5xx */

/** Counters of one route; the last of the server's array takes everything that matched none. */
struct tk_http_stats {
    const char *route;
    const char *method;
    struct tk_metric requests[TK_HTTP_STATUS_CLASSES];
    struct tk_metric duration;
};

/** A listening socket. Connections remember which one they came through: it decides which routes they see. */
struct tk_http_listener {
    struct tk_http_server *server;
    h2o_socket_t *sock; /* NULL: not in use, or drained */
    h2o_accept_ctx_t accept_ctx;
    struct tk_timer accept_retry;
    bool internal;
    char path[sizeof(((struct tk_http_address *)0)->path)]; /* of a unix socket, removed when drained; else "" */
};

enum tk_http_listeners { TK_HTTP_LISTENER_PUBLIC, TK_HTTP_LISTENER_INTERNAL, TK_HTTP_LISTENERS };

struct tk_http_server {
    struct tk_loop *loop;
    struct tk_http_config config; /* strings and routes belong to the caller and live as long as the process */
    h2o_globalconf_t globalconf;
    h2o_context_t ctx;
    SSL_CTX *tls; /* of the TCP listeners; NULL: plain HTTP. A unix socket never has it */
    struct tk_http_listener listeners[TK_HTTP_LISTENERS];
    bool is_split; /* there is an internal listener */
    struct tk_timer upkeep;
    struct tk_link conns;
    size_t conn_count;
    struct tk_uuid_map per_address; /* size_t *: connections of each client address */
    size_t linger_count;
    struct tk_link sending; /* exchanges whose answer has not left completely */
    size_t in_flight;
    size_t sending_bytes; /* memory of the answers in `sending` */
    size_t max_sending_bytes;
    size_t slowest_bytes_per_s;  /* an answer may take io_timeout plus its size divided by this */
    struct tk_http_stats *stats; /* route_count + 1 */
    struct tk_metric connections;
    struct tk_metric turned_away;
    struct tk_metric crowded_out;
    struct tk_metric stalled;
    struct tk_buf goodbye; /* what is said to idle connections when draining */
    uint16_t port;
    bool draining;
};

struct tk_http_conn {
    struct tk_link link;
    struct tk_http_server *server;
    const struct tk_http_listener *listener;
    h2o_socket_t *sock;
    struct tk_peer peer;
    size_t *of_address; /* in server->per_address, this one included; NULL: not counted */
    bool has_peer;
    bool busy; /* a request was read and its answer has not left yet */
    bool has_asked;
    h2o_socket_cb hang_up; /* goodbye is being said; told of an error, this closes the connection. NULL normally */
    SSL_CTX *tls;          /* a reference: h2o looks at it when the first bytes arrive, maybe after a reload */
    int linger_fd;         /* duplicate of the socket's descriptor, to close it gently; -1 normally */
};

struct tk_http_exchange {
    struct tk_link link;                 /* in server->sending */
    struct tk_http_req_private *request; /* NULL once answered */
    struct tk_http_server *server;
    struct tk_http_conn *conn;
    struct tk_buf body;
    tk_loop_fn *release; /* of shared bytes; NULL: `body` has them, or nobody need know */
    void *release_arg;
    int64_t began_us;    /* monotonic: when the answer was handed over */
    int64_t deadline_us; /* a client that has not taken the answer by then is cut off */
    char request_id[64];
};

#define TK_HTTP_INLINE_TARGET 256

struct tk_http_req_private {
    struct tk_http_req pub;
    struct tk_http_server *server;
    h2o_req_t *h2o; /* NULL once the client has gone */
    struct tk_http_exchange *exchange;
    struct tk_http_stats *stats;
    struct tk_http_answer *capture; /* where an answer goes instead of to the client; NULL normally */
    struct tk_slice method;         /* h2o's memory: valid while the handler is being called */
    struct tk_slice path;           /* without the query */
    bool is_head;
    struct { /* headers the server itself looks at; valid while the handler is being called */
        struct tk_slice content_type;
        struct tk_slice user_id;
        struct tk_slice internal_key;
        struct tk_slice idempotency_key;
        struct tk_slice authorization;
        struct tk_slice forwarded_for; /* the last one when there are several */
        bool user_id_twice;
        bool idempotency_key_twice;
        bool authorization_twice;
        bool encoded; /* Content-Encoding other than identity */
    } seen;
    struct tk_bucket_level address_level; /* limit 0: not limited by address */
    char target[TK_HTTP_INLINE_TARGET];   /* path and query, when they fit */
};

/* server.c */
struct tk_http_conn *tk_http_conn_of(h2o_req_t *req);
/** An answer of `bytes` is handed over; it has its time to leave. */
void tk_http_begin_sending(struct tk_http_exchange *exchange, size_t bytes);
/** It has left, or its client is gone. */
void tk_http_end_sending(struct tk_http_exchange *exchange);

/* identity.c: each answers and returns false, or returns true */
bool tk_http_check_internal_key(struct tk_http_req_private *request);
bool tk_http_check_identity(struct tk_http_req_private *request);

/* listen.c */
/** A non-blocking listening socket. TK_ERR_CONFLICT: the address is in use; TK_ERR_INVALID: no such address. Logged. */
TK_MUSTCHECK enum tk_err tk_http_listen(const struct tk_http_config *config, const struct tk_http_address *address,
                                        int *out);
/** From now on who has connected can be accepted before he has sent anything. Before that, closing `fd` resets him. */
void tk_http_listen_undeferred(int fd);
/** The TCP port `fd` is bound to; 0 for a unix socket. */
uint16_t tk_http_bound_port(int fd);

/* request.c: the h2o handler's callback, and the end of a request */
int tk_http_on_request(h2o_handler_t *handler, h2o_req_t *h2o);

struct tk_http_handler_data {
    h2o_handler_t super;
    struct tk_http_server *server;
};

/* stats.c */
void tk_http_stats_open(struct tk_http_server *server);
void tk_http_stats_record(struct tk_http_stats *stats, int status, int64_t took_us);
struct tk_http_stats *tk_http_stats_unmatched(struct tk_http_server *server);

/* own_errors.c: turns the errors h2o answers by itself (413, 417, bad framing) into problem documents */
void tk_http_own_errors_install(struct tk_http_server *server, h2o_pathconf_t *fallback);
extern const struct tk_problem_kind TK_HTTP_BAD_REQUEST; /* 400 bad_request */

/* framing.c */
/** Why another reader might understand the header of `req`, still in the connection's buffer, otherwise; NULL: it is plain.
 */
const char *tk_http_ambiguity(h2o_req_t *req);

/* limits.c */
/** Notes where `conn` comes from; false: that address has more connections than it may. */
bool tk_http_count_connection(struct tk_http_conn *conn);
void tk_http_forget_connection(struct tk_http_conn *conn);
/** Each answers 429 and returns false when the limit is reached. The first needs the route, the second the user too. */
bool tk_http_check_address_limit(struct tk_http_req_private *request);
bool tk_http_check_user_limit(struct tk_http_req_private *request);

/* goodbye.c */
void tk_http_goodbye_open(struct tk_http_server *server);
/** Ends the connection, unless a request has begun to arrive: who is about to ask learns that nothing was applied. */
void tk_http_say_goodbye(struct tk_http_conn *conn);

/* linger.c */
/** The connection ends with the answer to `req`, and gently: what the client still sends is read and forgotten. */
void tk_http_close_gently(h2o_req_t *req);
/** Closes `fd` without a reset that would destroy the answer on its way. Takes `fd` over. */
void tk_http_linger(struct tk_http_server *server, int fd);

/* respond.c */
const char *tk_http_reason(int status);

#endif
