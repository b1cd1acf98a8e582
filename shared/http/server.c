/*
 * Opening, accepting, draining. h2o parses HTTP/1.1; around it stands what its version 2.2.5 lacks:
 *
 *   - a cap on connections: counted here, those beyond it are closed at once;
 *   - a write timeout: an answer the client does not take in time (io_timeout plus a second per 32 KiB) makes the upkeep
 *     timer shut the socket down, which h2o then sees as an error. What the kernel has already taken is covered by
 *     TCP_USER_TIMEOUT;
 *   - a bound on the memory of answers on their way, since a few thousand who read slowly can ask for megabytes each:
 *     beyond it large answers to GET are 503 (respond.c);
 *   - a drain for HTTP/1: for a second everybody is still served, with `Connection: close`. Under load that alone empties
 *     the house. Then who is idle is told goodbye (goodbye.c). Last the listener takes in whoever waits in its backlog,
 *     and closes; the kernel would reset them.
 *
 * HTTP/2 stays off: 2.2.5 lacks the fix for CVE-2023-44487, and over cleartext it would accept the preface unasked. With
 * TLS h2o asks which protocol ALPN chose; tls.c never chooses that one.
 */
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/http/server_private.h"
#include "shared/http/tls.h"
#include "shared/log/log.h"

#define ACCEPTS_PER_WAKEUP  32                  /* fairness between new and existing connections */
#define LAST_ACCEPTS        8192                /* before a listener closes: more than a backlog */
#define ACCEPT_RETRY_MS     100                 /* pause after accept() ran out of descriptors */
#define DRAIN_GRACE_MS      1000                /* connections that are idle so long when draining are closed */
#define UPKEEP_MS           500                 /* resolution of the write timeout */
#define SLOWEST_BYTES_PER_S 32768               /* a client slower than this over a whole answer counts as stalled */
#define MAX_SENDING_BYTES   ((size_t)256 << 20) /* of copies made for clients who have not taken them yet */

/* --- connections --------------------------------------------------------------------------------------------------- */

struct tk_http_conn *tk_http_conn_of(h2o_req_t *req)
{
    return req->conn->callbacks->get_socket(req->conn)->on_close.data;
}

static void on_conn_closed(void *arg)
{
    struct tk_http_conn *conn = arg;
    struct tk_http_server *server = conn->server;
    tk_http_forget_connection(conn);
    tk_list_remove(&conn->link);
    server->conn_count--;
    tk_metric_set(&server->connections, (int64_t)server->conn_count);
    if (conn->linger_fd >= 0)
        tk_http_linger(server, conn->linger_fd);
    SSL_CTX_free(conn->tls);
    free(conn);
}

static void adopt(struct tk_http_listener *listener, h2o_socket_t *sock)
{
    struct tk_http_server *server = listener->server;
    /* Our own services get in whatever the crowd at the public door. */
    if (!listener->internal && server->conn_count >= server->config.max_connections) {
        tk_metric_add(&server->turned_away, 1);
        h2o_socket_close(sock);
        return;
    }
    struct tk_http_conn *conn = tk_alloc(sizeof(*conn));
    conn->server = server;
    conn->listener = listener;
    conn->sock = sock;
    conn->linger_fd = -1;
    conn->tls = listener->accept_ctx.ssl_ctx;
    if (conn->tls != NULL)
        SSL_CTX_up_ref(conn->tls);
    tk_list_push_back(&server->conns, &conn->link);
    server->conn_count++;
    tk_metric_set(&server->connections, (int64_t)server->conn_count);
    sock->on_close.cb = on_conn_closed;
    sock->on_close.data = conn;
    if (!listener->internal && !tk_http_count_connection(conn)) {
        tk_metric_add(&server->crowded_out, 1);
        h2o_socket_close(sock);
        return;
    }
    h2o_accept(&listener->accept_ctx, sock);
}

static void on_accept(h2o_socket_t *sock, const char *err);

static void accept_again(void *arg)
{
    struct tk_http_listener *listener = arg;
    if (listener->sock != NULL)
        h2o_socket_read_start(listener->sock, on_accept);
}

/** The connection stays in the backlog, so the listener stays readable: without a pause this would spin. */
static void pause_accepting(struct tk_http_listener *listener)
{
    struct tk_http_server *server = listener->server;
    tk_log(TK_LOG_ERROR, "cannot accept connections", TK_KV_STR("service", server->config.service),
           TK_KV_STR("reason", strerror(errno)), TK_KV_INT("connections", server->conn_count));
    h2o_socket_read_stop(listener->sock);
    tk_timer_start(server->loop, &listener->accept_retry, ACCEPT_RETRY_MS, accept_again, listener);
}

static void accept_up_to(struct tk_http_listener *listener, int count)
{
    for (int i = 0; i < count; i++) {
        h2o_socket_t *sock = h2o_evloop_socket_accept(listener->sock);
        if (sock != NULL) {
            adopt(listener, sock);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
            pause_accepting(listener);
        return;
    }
}

static void on_accept(h2o_socket_t *sock, const char *err)
{
    if (err == NULL)
        accept_up_to(sock->data, ACCEPTS_PER_WAKEUP);
}

/* --- answers on their way -------------------------------------------------------------------------------------------- */

void tk_http_begin_sending(struct tk_http_exchange *exchange, size_t bytes)
{
    struct tk_http_server *server = exchange->server;
    int64_t allowance_us = (int64_t)(bytes / server->slowest_bytes_per_s) * TK_US_PER_S;
    exchange->began_us = tk_mono_us();
    exchange->deadline_us = exchange->began_us + server->config.io_timeout_ms * TK_US_PER_MS + allowance_us;
    tk_list_push_back(&server->sending, &exchange->link);
}

/** Who takes nothing at all is given up by the kernel (TCP_USER_TIMEOUT), which looks like an answer that has left. */
static bool was_given_up(const struct tk_http_exchange *exchange)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof(info);
    int64_t took_us = tk_mono_us() - exchange->began_us;
    if (took_us < exchange->server->config.io_timeout_ms * TK_US_PER_MS / 2)
        return false;
    return getsockopt(h2o_socket_get_fd(exchange->conn->sock), IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_CLOSE;
}

static void cut_off(struct tk_http_exchange *exchange)
{
    exchange->deadline_us = INT64_MAX;
    (void)shutdown(h2o_socket_get_fd(exchange->conn->sock), SHUT_RDWR);
}

void tk_http_end_sending(struct tk_http_exchange *exchange)
{
    tk_list_remove(&exchange->link);
    if (exchange->deadline_us == INT64_MAX || was_given_up(exchange))
        tk_metric_add(&exchange->server->stalled, 1);
}

static void cut_off_stalled(struct tk_http_server *server)
{
    int64_t now = tk_mono_us();
    TK_LIST_FOREACH(link, &server->sending)
    {
        struct tk_http_exchange *exchange = TK_CONTAINER_OF(link, struct tk_http_exchange, link);
        if (exchange->deadline_us <= now)
            cut_off(exchange);
    }
}

/* --- upkeep, draining ------------------------------------------------------------------------------------------------ */

static void close_idle(struct tk_http_server *server)
{
    TK_LIST_FOREACH(link, &server->conns)
    {
        tk_http_say_goodbye(TK_CONTAINER_OF(link, struct tk_http_conn, link)); /* closes it later, not now */
    }
}

static void close_listener(struct tk_http_listener *listener)
{
    if (listener->sock == NULL)
        return;
    if (listener->path[0] != '\0')
        (void)unlink(listener->path);
    accept_up_to(listener, LAST_ACCEPTS);
    tk_timer_stop(listener->server->loop, &listener->accept_retry);
    h2o_socket_close(listener->sock);
    listener->sock = NULL;
}

/** Again and again: an answer that had left in part when draining began does not close its connection. */
static void end_grace(struct tk_http_server *server)
{
    close_idle(server); /* first: who comes out of the backlog has had no time to ask */
    for (int which = 0; which < TK_HTTP_LISTENERS; which++)
        close_listener(&server->listeners[which]);
}

static void on_upkeep(void *arg)
{
    struct tk_http_server *server = arg;
    cut_off_stalled(server);
    if (server->draining)
        end_grace(server);
    tk_timer_start(server->loop, &server->upkeep, UPKEEP_MS, on_upkeep, server);
}

/* --- opening ------------------------------------------------------------------------------------------------------- */

/** The largest body any route takes: what h2o may buffer for one request. */
static size_t largest_body(const struct tk_http_config *config)
{
    size_t largest = 0;
    for (size_t i = 0; i < config->route_count; i++) {
        size_t limit = config->routes[i].max_body != 0 ? config->routes[i].max_body : config->max_body;
        if ((config->routes[i].flags & TK_ROUTE_JSON_BODY) != 0 && limit > largest)
            largest = limit;
    }
    return largest > 0 ? largest : config->max_body;
}

static void add_handler(struct tk_http_server *server, h2o_pathconf_t *path)
{
    struct tk_http_handler_data *handler = (void *)h2o_create_handler(path, sizeof(*handler));
    handler->super.on_req = tk_http_on_request;
    handler->server = server;
}

static void configure_h2o(struct tk_http_server *server)
{
    h2o_globalconf_t *global = &server->globalconf;
    h2o_config_init(global);
    global->server_name = h2o_iovec_init(H2O_STRLIT(""));
    global->http1.upgrade_to_http2 = 0;
    global->http1.req_timeout = (uint64_t)server->config.io_timeout_ms;
    global->handshake_timeout = (uint64_t)server->config.io_timeout_ms;
    /* One more than the limit: h2o refuses a chunked body that reaches its maximum, we refuse one that exceeds ours. */
    global->max_request_entity_size = largest_body(&server->config) + 1;
    h2o_hostconf_t *host = h2o_config_register_host(global, h2o_iovec_init(H2O_STRLIT("default")), 65535);
    add_handler(server, h2o_config_register_path(host, "/", 0));
    add_handler(server, &host->fallback_path); /* `OPTIONS *` and other targets that do not start with a slash */
    tk_http_own_errors_install(server, &host->fallback_path);
    h2o_context_init(&server->ctx, tk_loop_h2o_clients(server->loop), global);
}

/** Starts accepting on `fd`. */
static void open_listener(struct tk_http_server *server, enum tk_http_listeners which, int fd,
                          const struct tk_http_address *address)
{
    struct tk_http_listener *listener = &server->listeners[which];
    listener->server = server;
    listener->internal = which == TK_HTTP_LISTENER_INTERNAL;
    listener->accept_ctx.ctx = &server->ctx;
    listener->accept_ctx.hosts = server->globalconf.hosts;
    listener->accept_ctx.ssl_ctx = address->is_unix ? NULL : server->tls;
    memcpy(listener->path, address->path, sizeof(listener->path));
    listener->sock = h2o_evloop_socket_create(tk_loop_h2o_clients(server->loop), fd, H2O_SOCKET_FLAG_DONT_READ);
    listener->sock->data = listener;
    h2o_socket_read_start(listener->sock, on_accept);
}

/** Both sockets or none, so that a service never runs half reachable. */
static enum tk_err listen_all(const struct tk_http_config *config, struct tk_http_address addresses[TK_HTTP_LISTENERS],
                              int fds[TK_HTTP_LISTENERS])
{
    struct tk_http_address *internal = &addresses[TK_HTTP_LISTENER_INTERNAL];
    struct tk_http_address *public = &addresses[TK_HTTP_LISTENER_PUBLIC];
    public->port = (uint16_t)config->port;
    (void)snprintf(public->host, sizeof(public->host), "%s", config->host);
    bool split = config->internal_bind != NULL && config->internal_bind[0] != '\0';
    if (split && tk_http_address_parse(config->internal_bind, internal)) {
        tk_log(TK_LOG_ERROR, "bad INTERNAL_BIND, expected host:port or unix:/path",
               TK_KV_STR("value", config->internal_bind));
        return TK_ERR_INVALID;
    }
    enum tk_err err = tk_http_listen(config, public, &fds[TK_HTTP_LISTENER_PUBLIC]);
    if (err || !split)
        return err;
    err = tk_http_listen(config, internal, &fds[TK_HTTP_LISTENER_INTERNAL]);
    if (err)
        (void)close(fds[TK_HTTP_LISTENER_PUBLIC]);
    return err;
}

/** *tls stays NULL when none is configured. */
static enum tk_err read_tls(const struct tk_http_config *config, SSL_CTX **tls)
{
    if (config->tls_cert == NULL || config->tls_cert[0] == '\0')
        return TK_OK;
    return tk_tls_server_context(config->tls_cert, config->tls_key, tls);
}

enum tk_err tk_http_server_open(struct tk_loop *loop, const struct tk_http_config *config, struct tk_http_server **out)
{
    struct tk_http_address addresses[TK_HTTP_LISTENERS] = {0};
    int fds[TK_HTTP_LISTENERS] = {-1, -1};
    SSL_CTX *tls = NULL;
    enum tk_err err = read_tls(config, &tls);
    if (!err)
        err = listen_all(config, addresses, fds);
    if (err) {
        SSL_CTX_free(tls);
        return err;
    }
    struct tk_http_server *server = tk_alloc(sizeof(*server));
    server->loop = loop;
    server->config = *config;
    server->port = tk_http_bound_port(fds[TK_HTTP_LISTENER_PUBLIC]);
    server->is_split = fds[TK_HTTP_LISTENER_INTERNAL] >= 0;
    server->slowest_bytes_per_s = SLOWEST_BYTES_PER_S;
    server->max_sending_bytes = MAX_SENDING_BYTES;
    tk_list_init(&server->conns);
    tk_list_init(&server->sending);
    tk_http_stats_open(server);
    tk_http_goodbye_open(server);
    configure_h2o(server);
    server->tls = tls;
    for (int which = 0; which < TK_HTTP_LISTENERS; which++)
        if (fds[which] >= 0)
            open_listener(server, (enum tk_http_listeners)which, fds[which], &addresses[which]);
    tk_timer_start(loop, &server->upkeep, UPKEEP_MS, on_upkeep, server);
    *out = server;
    return TK_OK;
}

void tk_http_server_reload_tls(struct tk_http_server *server)
{
    SSL_CTX *fresh = NULL;
    if (read_tls(&server->config, &fresh) != TK_OK || fresh == NULL)
        return;
    for (int which = 0; which < TK_HTTP_LISTENERS; which++)
        if (server->listeners[which].accept_ctx.ssl_ctx != NULL)
            server->listeners[which].accept_ctx.ssl_ctx = fresh;
    SSL_CTX_free(server->tls);
    server->tls = fresh;
    tk_log(TK_LOG_INFO, "certificate read again", TK_KV_STR("service", server->config.service),
           TK_KV_STR("file", server->config.tls_cert));
}

uint16_t tk_http_server_port(const struct tk_http_server *server)
{
    return server->port;
}

size_t tk_http_server_in_flight(const struct tk_http_server *server)
{
    if (!server->draining)
        return server->in_flight;
    /* An open connection may carry a request that has not been read, a lingering one an answer that has not arrived. */
    size_t open = server->conn_count > server->in_flight ? server->conn_count : server->in_flight;
    return open + server->linger_count + (server->listeners[TK_HTTP_LISTENER_PUBLIC].sock != NULL);
}

void tk_http_server_drain(struct tk_http_server *server)
{
    if (server->draining)
        return;
    server->draining = true;
    server->ctx.shutdown_requested = 1; /* requests read from now on are answered with Connection: close */
    for (int which = 0; which < TK_HTTP_LISTENERS; which++)
        if (server->listeners[which].sock != NULL)
            tk_http_listen_undeferred(h2o_socket_get_fd(server->listeners[which].sock));
    if (server->conn_count == 0)
        end_grace(server);
    else
        tk_timer_start(server->loop, &server->upkeep, DRAIN_GRACE_MS, on_upkeep, server);
}
