/*
 * Ending a connection whose client is not asking at the moment. He may be about to: a request can always be on its way
 * while the server hangs up, and a mere close leaves him in doubt, or with a reset. So he is answered beforehand: 503
 * `overloaded`, which promises that nothing was applied, then the end of our side; what still comes is read and forgotten
 * (linger.c). Who has asked takes that as his answer; who has not must forget it together with the connection (RFC 9112
 * section 9.2).
 */
#include <fcntl.h>
#include <sys/ioctl.h>

#include "shared/http/server_private.h"

#define MAX_GOODBYE 1024

void tk_http_goodbye_open(struct tk_http_server *server)
{
    struct tk_buf body = TK_BUF_INIT(MAX_GOODBYE);
    tk_problem_write(&body, &TK_PROBLEM_OVERLOADED, "this instance is shutting down", (struct tk_slice){NULL, 0}, NULL,
                     NULL, NULL);
    server->goodbye = TK_BUF_INIT(2 * MAX_GOODBYE);
    tk_buf_appendf(&server->goodbye,
                   "HTTP/1.1 503 %s\r\nConnection: close\r\nRetry-After: %d\r\n"
                   "Content-Type: application/problem+json\r\nContent-Length: %zu\r\n\r\n",
                   tk_http_reason(503), TK_PROBLEM_OVERLOADED.retry_after_s, body.len);
    tk_buf_append_slice(&server->goodbye, tk_buf_slice(&body));
    tk_buf_release(&body);
}

/** h2o 2.2.5 has no call that closes an idle connection, but closes one whose socket reports an error. */
static void on_said(h2o_socket_t *sock, const char *err)
{
    struct tk_http_conn *conn = sock->on_close.data;
    (void)err;
    conn->hang_up(sock, "the server ends");
}

/** Nothing of a request has been read, and nothing waits to be read. */
static bool is_idle(const struct tk_http_conn *conn)
{
    int waiting = 0;
    return !conn->busy && conn->sock->input->size == 0 && h2o_socket_is_reading(conn->sock) &&
           ioctl(h2o_socket_get_fd(conn->sock), FIONREAD, &waiting) == 0 && waiting == 0;
}

static void say_it(struct tk_http_conn *conn)
{
    h2o_iovec_t bytes = h2o_iovec_init(conn->server->goodbye.ptr, conn->server->goodbye.len);
    conn->linger_fd = fcntl(h2o_socket_get_fd(conn->sock), F_DUPFD_CLOEXEC, 0);
    conn->hang_up = conn->sock->_cb.read;
    h2o_socket_read_stop(conn->sock); /* from here on nothing is taken in */
    h2o_socket_write(conn->sock, &bytes, 1, on_said);
}

void tk_http_say_goodbye(struct tk_http_conn *conn)
{
    int fd = h2o_socket_get_fd(conn->sock);
    if (conn->hang_up != NULL)
        (void)shutdown(fd, SHUT_RDWR); /* he has not taken it since the last time */
    else if (!is_idle(conn))
        return;
    else if (conn->sock->ssl != NULL && !conn->has_asked)
        (void)shutdown(fd, SHUT_RD); /* the handshake is not over */
    else
        say_it(conn);
}
