/*
 * Closing a connection whose client is still sending. close() with unread bytes makes the kernel send a reset, and a reset
 * may overtake the answer (a 413, say) in the client's receive queue. So: say that we are done writing, read and forget
 * what still comes for a moment, then close (RFC 9112 section 9.6).
 */
#include <fcntl.h>
#include <unistd.h>

#include "shared/http/server_private.h"

#define LINGER_MS    2000
#define LINGER_BYTES (32u << 20) /* a client that goes on beyond this is cut off */
#define LINGER_MAX   256         /* connections lingering at a time, unless draining; further ones are closed at once */

struct farewell {
    struct tk_http_server *server;
    h2o_socket_t *sock;
    struct tk_timer timer;
    size_t budget;
};

static void linger_end(void *arg)
{
    struct farewell *farewell = arg;
    tk_timer_stop(farewell->server->loop, &farewell->timer);
    farewell->server->linger_count--;
    h2o_socket_close(farewell->sock);
    free(farewell);
}

static void on_read(h2o_socket_t *sock, const char *err)
{
    struct farewell *farewell = sock->data;
    size_t got = sock->input->size;
    h2o_buffer_consume(&sock->input, got);
    if (err != NULL || got > farewell->budget) {
        linger_end(farewell);
        return;
    }
    farewell->budget -= got;
}

void tk_http_close_gently(h2o_req_t *req)
{
    struct tk_http_conn *conn = tk_http_conn_of(req);
    req->http1_is_persistent = 0;
    if (conn->linger_fd < 0)
        conn->linger_fd = fcntl(h2o_socket_get_fd(conn->sock), F_DUPFD_CLOEXEC, 0);
}

void tk_http_linger(struct tk_http_server *server, int fd)
{
    if (server->linger_count >= LINGER_MAX && !server->draining) {
        (void)close(fd);
        return;
    }
    (void)shutdown(fd, SHUT_WR);
    struct farewell *farewell = tk_alloc(sizeof(*farewell));
    farewell->server = server;
    farewell->budget = LINGER_BYTES;
    farewell->sock = h2o_evloop_socket_create(tk_loop_h2o_clients(server->loop), fd, 0);
    farewell->sock->data = farewell;
    server->linger_count++;
    h2o_socket_read_start(farewell->sock, on_read);
    tk_timer_start(server->loop, &farewell->timer, LINGER_MS, linger_end, farewell);
}
