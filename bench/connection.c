#include "bench/connection.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define READ_CHUNK 16384

enum tk_err connection_open(struct connection *c, const struct sockaddr_in *address)
{
    *c = (struct connection){.fd = -1, .out = TK_BUF_INIT(1u << 20), .in = TK_BUF_INIT(CONNECTION_MAX_RESPONSE)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return TK_ERR_IO;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0) {
        close(fd);
        return TK_ERR_IO;
    }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    fcntl(fd, F_SETFL, O_NONBLOCK);
    c->fd = fd;
    return TK_OK;
}

void connection_close(struct connection *c)
{
    if (c->fd >= 0)
        close(c->fd);
    c->fd = -1;
    c->busy = false;
    tk_buf_release(&c->out);
    tk_buf_release(&c->in);
}

enum tk_err connection_send(struct connection *c)
{
    c->busy = true;
    tk_buf_reset(&c->in);
    ssize_t sent = send(c->fd, c->out.ptr, c->out.len, MSG_NOSIGNAL);
    /* Requests are far smaller than a socket buffer: a short write means the peer has stopped reading. */
    return sent == (ssize_t)c->out.len ? TK_OK : TK_ERR_IO;
}

static bool parse_status(struct tk_slice head, int *status)
{
    if (head.len < 12 || memcmp(head.ptr, "HTTP/1.1 ", 9) != 0)
        return false;
    *status = (head.ptr[9] - '0') * 100 + (head.ptr[10] - '0') * 10 + (head.ptr[11] - '0');
    return true;
}

static size_t content_length(struct tk_slice head)
{
    static const char NAME[] = "\r\ncontent-length: ";
    for (const char *at = head.ptr; at + sizeof(NAME) < head.ptr + head.len; at++)
        if (*at == '\r' && strncasecmp(at, NAME, sizeof(NAME) - 1) == 0)
            return strtoul(at + sizeof(NAME) - 1, NULL, 10);
    return 0;
}

static bool says_close(struct tk_slice head)
{
    static const char LINE[] = "\r\nConnection: close\r\n";
    return memmem(head.ptr, head.len, LINE, sizeof(LINE) - 1) != NULL;
}

static enum tk_err complete(struct connection *c, struct response *out)
{
    const char *end = c->in.len > 4 ? memmem(c->in.ptr, c->in.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return TK_ERR_TIMEOUT;
    struct tk_slice head = {.ptr = c->in.ptr, .len = (size_t)(end - c->in.ptr) + 4};
    if (!parse_status(head, &out->status))
        return TK_ERR_IO;
    size_t length = out->status == 304 ? 0 : content_length(head);
    if (c->in.len < head.len + length)
        return TK_ERR_TIMEOUT;
    out->body = (struct tk_slice){.ptr = c->in.ptr + head.len, .len = length};
    out->closes = says_close(head);
    c->busy = false;
    return TK_OK;
}

enum tk_err connection_receive(struct connection *c, struct response *out)
{
    char chunk[READ_CHUNK];
    ssize_t got;
    do {
        got = recv(c->fd, chunk, sizeof(chunk), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return TK_ERR_IO;
        if (got > 0)
            tk_buf_append(&c->in, chunk, (size_t)got);
    } while (got == (ssize_t)sizeof(chunk)); /* a short read has drained the socket: edge-triggered epoll needs no more */
    return c->in.overflow ? TK_ERR_IO : complete(c, out);
}
