/*
 * HTTP client for calls to one other service, on h2o's http1client and socket pool.
 *
 * Life of a call: a pooled connection, or a new one → request sent → head → body until its end → done. Each call owns its
 * deadline; when it passes, h2o's side is cancelled, which closes the connection. Before the request was handed to the
 * socket the outcome is FAILED, afterwards and without a complete answer UNKNOWN.
 *
 * Traps of h2o 2.2.5 fenced off here: a pool without a timeout dereferences a NULL loop; connect errors may be reported
 * inside the connect call (they are deferred); a name with several addresses is resolved to a random one, so that
 * "localhost" would fail half the time on IPv6 (it is taken as 127.0.0.1); the pool never refuses (max_in_flight bounds
 * it).
 */
#include "shared/http/client.h"

#include <h2o.h>
#include <h2o/http1client.h>
#include <string.h>
#include <sys/un.h>

#include "shared/http/address.h"
#include "shared/http/tls.h"
#include "shared/log/log.h"

/* Below the 10 s after which our servers close an idle connection, so that we seldom write into a closing one. */
#define POOL_IDLE_MS 5000
/* h2o insists on an I/O timeout; each call's own deadline comes first. */
#define BACKSTOP_MS 120000
#define MAX_HEAD    4096

struct tk_http_client {
    struct tk_loop *loop;
    size_t max_in_flight;
    size_t max_response;
    size_t in_flight;
    char *authority;  /* host:port as in the URL */
    bool down_logged; /* one warning per outage */
    char *internal_api_key;
    h2o_socketpool_t pool;
    h2o_timeout_t io_timeout;
    h2o_multithread_queue_t *queue; /* brings name lookups back to the loop */
    h2o_multithread_receiver_t receiver;
    h2o_http1client_ctx_t ctx;
};

struct call {
    struct tk_http_client *client;
    h2o_http1client_t *h2o; /* NULL once h2o is done with it */
    struct tk_buf head;
    struct tk_buf body;
    h2o_iovec_t out[2];
    struct tk_timer deadline;
    struct tk_deferred late; /* for outcomes known inside tk_http_client_call() */
    bool submitting;
    bool sent;
    int status;
    tk_http_client_done_fn *done;
    void *done_arg;
};

/* --- ends of a call ------------------------------------------------------------------------------------------------ */

/** h2o frees its side by itself after a callback; only the deadline has to cancel. */
static void call_end(struct call *call, enum tk_step step, struct tk_slice body)
{
    tk_timer_stop(call->client->loop, &call->deadline);
    call->client->in_flight--;
    call->done(call->done_arg, step, step == TK_STEP_OK ? call->status : 0, body);
    tk_buf_release(&call->head);
    tk_buf_release(&call->body);
    free(call);
}

static void call_fail(struct call *call)
{
    call_end(call, call->sent ? TK_STEP_UNKNOWN : TK_STEP_FAILED, (struct tk_slice){NULL, 0});
}

static void on_late(void *arg)
{
    call_fail(arg);
}

static void on_deadline(void *arg)
{
    struct call *call = arg;
    if (call->h2o != NULL)
        h2o_http1client_cancel(call->h2o);
    call->h2o = NULL;
    tk_deferred_cancel(&call->late);
    call_fail(call);
}

static void note_down(struct tk_http_client *client, const char *reason)
{
    tk_log(client->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "cannot connect to a service",
           TK_KV_STR("service", client->authority), TK_KV_STR("reason", reason));
    client->down_logged = true;
}

/* --- h2o's callbacks ------------------------------------------------------------------------------------------------ */

static int on_body(h2o_http1client_t *h2o, const char *errstr)
{
    struct call *call = h2o->data;
    const h2o_buffer_t *input = h2o->sock->input;
    if (errstr == NULL && input->size <= call->client->max_response)
        return 0;
    call->h2o = NULL;
    if (errstr == h2o_http1client_error_is_eos && input->size <= call->client->max_response)
        call_end(call, TK_STEP_OK, (struct tk_slice){.ptr = input->bytes, .len = input->size});
    else
        call_fail(call);
    return -1; /* h2o closes the connection */
}

static h2o_http1client_body_cb on_head(h2o_http1client_t *h2o, const char *errstr, int minor_version, int status,
                                       h2o_iovec_t msg, h2o_header_t *headers, size_t num_headers, int rlen)
{
    struct call *call = h2o->data;
    (void)minor_version;
    (void)msg;
    (void)headers;
    (void)num_headers;
    (void)rlen;
    call->status = status;
    if (errstr == NULL)
        return on_body;
    call->h2o = NULL;
    if (errstr == h2o_http1client_error_is_eos)
        call_end(call, TK_STEP_OK, (struct tk_slice){NULL, 0});
    else
        call_fail(call);
    return NULL;
}

static h2o_http1client_head_cb on_connect(h2o_http1client_t *h2o, const char *errstr, h2o_iovec_t **reqbufs,
                                          size_t *reqbufcnt, int *method_is_head)
{
    struct call *call = h2o->data;
    if (errstr != NULL) {
        call->h2o = NULL;
        note_down(call->client, errstr);
        if (call->submitting)
            tk_loop_defer(call->client->loop, &call->late, on_late, call);
        else
            call_fail(call);
        return NULL;
    }
    call->sent = true;
    call->client->down_logged = false;
    call->out[0] = h2o_iovec_init(call->head.ptr, call->head.len);
    call->out[1] = h2o_iovec_init(call->body.ptr, call->body.len);
    *reqbufs = call->out;
    *reqbufcnt = call->body.len > 0 ? 2 : 1;
    *method_is_head = 0;
    return on_head;
}

/* --- calling --------------------------------------------------------------------------------------------------------- */

static void add_header(struct tk_buf *head, const char *name, const char *value)
{
    if (value == NULL || value[0] == '\0')
        return;
    tk_buf_append_str(head, name);
    tk_buf_append_str(head, ": ");
    tk_buf_append_str(head, value);
    tk_buf_append_str(head, "\r\n");
}

static void write_head(struct call *call, const char *method, const char *path, const char *request_id,
                       const char *traceparent)
{
    struct tk_buf *head = &call->head;
    tk_buf_append_str(head, method);
    tk_buf_append_char(head, ' ');
    tk_buf_append_str(head, path);
    tk_buf_append_str(head, " HTTP/1.1\r\n");
    add_header(head, "Host", call->client->authority);
    add_header(head, "X-Internal-Api-Key", call->client->internal_api_key);
    add_header(head, "X-Request-ID", request_id);
    add_header(head, "traceparent", traceparent);
    if (call->body.len > 0)
        add_header(head, "Content-Type", "application/json");
    if (call->body.len > 0 || strcmp(method, "GET") != 0) {
        tk_buf_append_str(head, "Content-Length: ");
        tk_buf_append_i64(head, (int64_t)call->body.len);
        tk_buf_append_str(head, "\r\n");
    }
    tk_buf_append_str(head, "\r\n");
}

enum tk_err tk_http_client_call(struct tk_http_client *client, const char *method, const char *path, struct tk_buf *body,
                                const char *request_id, const char *traceparent, int64_t deadline_ms,
                                tk_http_client_done_fn *done, void *arg)
{
    if (client->in_flight >= client->max_in_flight || (body != NULL && body->overflow))
        return TK_ERR_LIMIT;
    struct call *call = tk_alloc(sizeof(*call));
    call->client = client;
    call->done = done;
    call->done_arg = arg;
    call->head = TK_BUF_INIT(MAX_HEAD);
    if (body != NULL) {
        call->body = *body;
        *body = TK_BUF_INIT(body->max);
    }
    write_head(call, method, path, request_id, traceparent);
    client->in_flight++;
    tk_timer_start(client->loop, &call->deadline, deadline_ms > 0 ? deadline_ms : 1, on_deadline, call);
    call->submitting = true;
    h2o_http1client_connect_with_pool(&call->h2o, call, &client->ctx, &client->pool, on_connect);
    call->submitting = false;
    return TK_OK;
}

size_t tk_http_client_in_flight(const struct tk_http_client *client)
{
    return client->in_flight;
}

/* --- opening --------------------------------------------------------------------------------------------------------- */

static enum tk_err refuse_url(const char *url)
{
    tk_log(TK_LOG_ERROR, "bad service URL, expected http[s]://host[:port] or unix:/path", TK_KV_STR("url", url));
    return TK_ERR_INVALID;
}

static void open_tcp_pool(struct tk_http_client *client, const h2o_url_t *url)
{
    h2o_iovec_t host = url->host;
    int is_ssl = url->scheme == &H2O_URL_SCHEME_HTTPS;
    if (h2o_memis(host.base, host.len, H2O_STRLIT("localhost")))
        host = h2o_iovec_init(H2O_STRLIT("127.0.0.1"));
    client->authority = strndup(url->authority.base, url->authority.len);
    h2o_socketpool_init_by_hostport(&client->pool, host, h2o_url_get_port(url), is_ssl, client->max_in_flight);
    if (host.base != url->host.base) { /* the certificate is asked for the name all the same */
        free(client->pool.peer.host.base);
        client->pool.peer.host = h2o_strdup(NULL, url->host.base, url->host.len);
    }
}

static enum tk_err open_unix_pool(struct tk_http_client *client, const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(address.sun_path))
        return TK_ERR_INVALID;
    memcpy(address.sun_path, path, strlen(path));
    client->authority = strdup("localhost");
    h2o_socketpool_init_by_address(&client->pool, (struct sockaddr *)&address, sizeof(address), 0, client->max_in_flight);
    return TK_OK;
}

static bool is_base_url(const h2o_url_t *url)
{
    return (url->scheme == &H2O_URL_SCHEME_HTTP || url->scheme == &H2O_URL_SCHEME_HTTPS) && url->host.len > 0 &&
           url->path.len == 1 && url->path.base[0] == '/';
}

static enum tk_err read_authorities(struct tk_http_client *client, const char *ca_file, const h2o_url_t *url)
{
    if (url->scheme != &H2O_URL_SCHEME_HTTPS)
        return TK_OK;
    char *host = strndup(url->host.base, url->host.len);
    enum tk_err err = tk_tls_client_context(ca_file != NULL ? ca_file : "", host, &client->ctx.ssl_ctx);
    free(host);
    return err;
}

static enum tk_err open_pool(struct tk_http_client *client, const char *text, const char *ca_file)
{
    h2o_url_t url;
    const char *path = tk_http_unix_path(text);
    if (path != NULL)
        return open_unix_pool(client, path);
    if (h2o_url_parse(text, SIZE_MAX, &url) != 0 || !is_base_url(&url))
        return TK_ERR_INVALID;
    enum tk_err err = read_authorities(client, ca_file, &url);
    if (!err)
        open_tcp_pool(client, &url);
    return err;
}

static void open_context(struct tk_http_client *client)
{
    h2o_loop_t *h2o_loop = tk_loop_h2o(client->loop);
    h2o_socketpool_set_timeout(&client->pool, h2o_loop, POOL_IDLE_MS);
    h2o_timeout_init(h2o_loop, &client->io_timeout, BACKSTOP_MS);
    client->queue = h2o_multithread_create_queue(h2o_loop);
    h2o_multithread_register_receiver(client->queue, &client->receiver, h2o_hostinfo_getaddr_receiver);
    client->ctx.loop = h2o_loop;
    client->ctx.getaddr_receiver = &client->receiver;
    client->ctx.io_timeout = &client->io_timeout;
}

enum tk_err tk_http_client_open(struct tk_loop *loop, const struct tk_http_client_config *config,
                                struct tk_http_client **out)
{
    const char *url = config->base_url != NULL ? config->base_url : "";
    struct tk_http_client *client = tk_alloc(sizeof(*client));
    client->loop = loop;
    client->max_in_flight = config->max_in_flight;
    client->max_response = config->max_response;
    if (open_pool(client, url, config->ca_file)) {
        free(client);
        return refuse_url(url);
    }
    client->internal_api_key = strdup(config->internal_api_key != NULL ? config->internal_api_key : "");
    open_context(client);
    *out = client;
    return TK_OK;
}
