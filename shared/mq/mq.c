/**
 * Broker connection: connect, announce what we understand, open a channel in confirm mode, declare the topology.
 *
 * Every wait is bounded: connecting and RPCs by librabbitmq's own timeouts (config.timeout_ms), reading by tk_mq_pump(),
 * writing because unconfirmed data is kept smaller than the socket's send buffer (window.h) and, as the last resort, by
 * TCP_USER_TIMEOUT. A connection that misbehaves is dropped, never repaired.
 */
#include <amqp_ssl_socket.h>
#include <amqp_tcp_socket.h>
#include <assert.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "shared/base/clock.h"
#include "shared/log/log.h"
#include "shared/mq/internal.h"

#define CLOSE_TIMEOUT_MS 500
#define FRAME_MAX        131072

static struct timeval to_timeval(int64_t ms)
{
    return (struct timeval){.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * TK_US_PER_MS};
}

enum tk_err tk_mq_new(const struct tk_mq_config *config, struct tk_mq **out)
{
    struct tk_mq_url url;
    assert(config->timeout_ms > 0 && config->heartbeat_s > 0);
    if (tk_mq_url_parse(config->url, &url) != TK_OK) {
        tk_log(TK_LOG_ERROR, "not a broker URL (amqp[s]://user:password@host:port/vhost)",
               TK_KV_STR("connection", config->name));
        return TK_ERR_INVALID;
    }
    struct tk_mq *mq = tk_alloc(sizeof(*mq));
    mq->config = *config;
    mq->url = url;
    mq->content.body = TK_BUF_INIT(TK_MQ_MAX_BODY);
    tk_mq_window_reset(&mq->window);
    *out = mq;
    return TK_OK;
}

void tk_mq_free(struct tk_mq *mq)
{
    if (mq == NULL)
        return;
    tk_mq_disconnect(mq);
    tk_mq_url_release(&mq->url);
    tk_buf_release(&mq->content.body);
    free(mq);
}

bool tk_mq_is_up(const struct tk_mq *mq)
{
    return mq->link != NULL;
}

void tk_mq_drop(struct tk_mq *mq)
{
    if (mq->link != NULL)
        amqp_destroy_connection(mq->link);
    mq->link = NULL;
    mq->blocked = false;
    mq->consuming = false;
    mq->content.kind = TK_MQ_CONTENT_NONE;
    tk_mq_window_abandon(&mq->window);
}

void tk_mq_disconnect(struct tk_mq *mq)
{
    if (mq->link != NULL) {
        struct timeval limit = to_timeval(CLOSE_TIMEOUT_MS);
        amqp_set_rpc_timeout(mq->link, &limit);
        amqp_connection_close(mq->link, AMQP_REPLY_SUCCESS);
    }
    tk_mq_drop(mq);
}

enum tk_err tk_mq_lost(struct tk_mq *mq, int amqp_status, const char *doing)
{
    tk_log(mq->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "broker connection lost",
           TK_KV_STR("connection", mq->config.name), TK_KV_STR("while", doing),
           TK_KV_STR("reason", amqp_error_string2(amqp_status)));
    mq->down_logged = true;
    tk_mq_drop(mq);
    if (amqp_status == AMQP_STATUS_TIMEOUT || amqp_status == AMQP_STATUS_HEARTBEAT_TIMEOUT)
        return TK_ERR_TIMEOUT;
    return TK_ERR_UNAVAILABLE;
}

/* The broker's own words when it closed the channel or the connection on us. */
static struct tk_slice close_text(const amqp_rpc_reply_t *reply)
{
    if (reply->reply.id == AMQP_CHANNEL_CLOSE_METHOD) {
        const amqp_channel_close_t *close = reply->reply.decoded;
        return (struct tk_slice){.ptr = close->reply_text.bytes, .len = close->reply_text.len};
    }
    if (reply->reply.id == AMQP_CONNECTION_CLOSE_METHOD) {
        const amqp_connection_close_t *close = reply->reply.decoded;
        return (struct tk_slice){.ptr = close->reply_text.bytes, .len = close->reply_text.len};
    }
    return TK_SLICE("unexpected answer");
}

enum tk_err tk_mq_check_reply(struct tk_mq *mq, amqp_rpc_reply_t reply, const char *doing)
{
    struct tk_slice reason = TK_SLICE("no answer");
    if (reply.reply_type == AMQP_RESPONSE_NORMAL)
        return TK_OK;
    if (reply.reply_type == AMQP_RESPONSE_SERVER_EXCEPTION)
        reason = close_text(&reply);
    else if (reply.reply_type == AMQP_RESPONSE_LIBRARY_EXCEPTION)
        reason = tk_slice_of(amqp_error_string2(reply.library_error));
    tk_log(mq->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "broker is away", TK_KV_STR("connection", mq->config.name),
           TK_KV_STR("while", doing), TK_KV_SLICE("reason", reason));
    mq->down_logged = true;
    return TK_ERR_UNAVAILABLE;
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

static void bound_socket(const struct tk_mq *mq)
{
    int fd = amqp_get_sockfd(mq->link);
    int buffer = (int)(4 * TK_MQ_WINDOW_BYTES);
    unsigned user_timeout_ms = (unsigned)mq->config.timeout_ms;
    struct timeval limit = to_timeval(mq->config.timeout_ms);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
    setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &user_timeout_ms, sizeof(user_timeout_ms));
}

/** NULL: the authorities cannot be read. Whether the peer and its name are right is checked by default. */
static amqp_socket_t *tls_socket(struct tk_mq *mq)
{
    amqp_socket_t *socket = amqp_ssl_socket_new(mq->link);
    assert(socket != NULL);
    const char *file = mq->config.ca_file != NULL ? mq->config.ca_file : "";
    SSL_CTX *ctx = amqp_ssl_socket_get_context(socket);
    int loaded = file[0] != '\0' ? SSL_CTX_load_verify_file(ctx, file) : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1)
        return NULL;
    (void)amqp_ssl_socket_set_ssl_versions(socket, AMQP_TLSv1_2, AMQP_TLSvLATEST);
    return socket;
}

static enum tk_err open_socket(struct tk_mq *mq)
{
    struct timeval limit = to_timeval(mq->config.timeout_ms);
    amqp_socket_t *socket = mq->url.tls ? tls_socket(mq) : amqp_tcp_socket_new(mq->link);
    if (socket == NULL)
        return tk_mq_lost(mq, AMQP_STATUS_SSL_ERROR, "reading the authorities' certificates");
    amqp_set_handshake_timeout(mq->link, &limit);
    amqp_set_rpc_timeout(mq->link, &limit);
    int status = amqp_socket_open_noblock(socket, mq->url.host, mq->url.port, &limit);
    if (status != AMQP_STATUS_OK)
        return tk_mq_lost(mq, status, "connecting");
    bound_socket(mq);
    return TK_OK;
}

static amqp_table_entry_t table_entry(const char *key, amqp_field_value_kind_t kind)
{
    return (amqp_table_entry_t){.key = amqp_cstring_bytes(key), .value = {.kind = (uint8_t)kind}};
}

static enum tk_err log_in(struct tk_mq *mq)
{
    amqp_table_entry_t capabilities[] = {
        table_entry("connection.blocked", AMQP_FIELD_KIND_BOOLEAN),
        table_entry("consumer_cancel_notify", AMQP_FIELD_KIND_BOOLEAN),
        table_entry("publisher_confirms", AMQP_FIELD_KIND_BOOLEAN),
    };
    for (size_t i = 0; i < sizeof(capabilities) / sizeof(capabilities[0]); i++)
        capabilities[i].value.value.boolean = 1;
    amqp_table_entry_t properties[] = {
        table_entry("capabilities", AMQP_FIELD_KIND_TABLE),
        table_entry("connection_name", AMQP_FIELD_KIND_UTF8),
    };
    properties[0].value.value.table = (amqp_table_t){.num_entries = 3, .entries = capabilities};
    properties[1].value.value.bytes = amqp_cstring_bytes(mq->config.name);
    amqp_table_t table = {.num_entries = 2, .entries = properties};
    amqp_rpc_reply_t reply = amqp_login_with_properties(mq->link, mq->url.vhost, 0, FRAME_MAX, (int)mq->config.heartbeat_s,
                                                        &table, AMQP_SASL_METHOD_PLAIN, mq->url.user, mq->url.password);
    return tk_mq_check_reply(mq, reply, "logging in");
}

static enum tk_err open_channel(struct tk_mq *mq)
{
    amqp_channel_open(mq->link, TK_MQ_CHANNEL);
    enum tk_err err = tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "opening a channel");
    if (err)
        return err;
    amqp_confirm_select(mq->link, TK_MQ_CHANNEL);
    return tk_mq_check_reply(mq, amqp_get_rpc_reply(mq->link), "asking for confirms");
}

static enum tk_err establish(struct tk_mq *mq)
{
    enum tk_err err = open_socket(mq);
    if (!err)
        err = log_in(mq);
    if (!err)
        err = open_channel(mq);
    if (!err)
        err = tk_mq_declare_topology(mq);
    return err;
}

/* After a returned message: the queue or a binding has been deleted behind our back. */
static enum tk_err repair_topology(struct tk_mq *mq)
{
    if (!mq->topology_suspect)
        return TK_OK;
    enum tk_err err = tk_mq_declare_topology(mq);
    if (err)
        tk_mq_drop(mq);
    else
        mq->topology_suspect = false;
    return err;
}

enum tk_err tk_mq_connect(struct tk_mq *mq)
{
    if (mq->link != NULL)
        return repair_topology(mq);
    mq->link = amqp_new_connection();
    assert(mq->link != NULL);
    if (establish(mq) != TK_OK) {
        tk_mq_drop(mq);
        return TK_ERR_UNAVAILABLE;
    }
    tk_mq_window_reset(&mq->window);
    mq->topology_suspect = false;
    mq->down_logged = false;
    tk_log(TK_LOG_INFO, "broker connected", TK_KV_STR("connection", mq->config.name));
    return TK_OK;
}
