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

static bool begins(const char *line, const char *end, const char *with, size_t len)
{
    return (size_t)(end - line) > len && strncasecmp(line, with, len) == 0;
}

/* The two lines of interest begin with the same letter, so most lines cost one comparison. */
static void parse_headers(struct tk_slice head, size_t *length, bool *closes)
{
    static const char LENGTH[] = "content-length: ", CLOSE[] = "connection: close\r";
    const char *end = head.ptr + head.len;
    *length = 0;
    *closes = false;
    for (const char *at = head.ptr; (at = memchr(at, '\n', (size_t)(end - at))) != NULL && ++at < end;) {
        if ((*at | 0x20) != 'c')
            continue;
        if (begins(at, end, LENGTH, sizeof(LENGTH) - 1))
            *length = strtoul(at + sizeof(LENGTH) - 1, NULL, 10);
        else if (begins(at, end, CLOSE, sizeof(CLOSE) - 1))
            *closes = true;
    }
}

static enum tk_err complete(struct connection *c, struct response *out)
{
    const char *end = c->in.len > 4 ? memmem(c->in.ptr, c->in.len, "\r\n\r\n", 4) : NULL;
    if (end == NULL)
        return TK_ERR_TIMEOUT;
    struct tk_slice head = {.ptr = c->in.ptr, .len = (size_t)(end - c->in.ptr) + 4};
    if (!parse_status(head, &out->status))
        return TK_ERR_IO;
    size_t length;
    parse_headers(head, &length, &out->closes);
    if (out->status == 304)
        length = 0;
    if (c->in.len < head.len + length)
        return TK_ERR_TIMEOUT;
    out->body = (struct tk_slice){.ptr = c->in.ptr + head.len, .len = length};
    c->busy = false;
    return TK_OK;
}

enum tk_err connection_receive(struct connection *c, struct response *out)
{
    char chunk[READ_CHUNK];
    const size_t known = c->in.len;
    ssize_t got;
    do {
        got = recv(c->fd, chunk, sizeof(chunk), 0);
        if (got == 0 || (got < 0 && errno != EAGAIN))
            return TK_ERR_IO;
        if (got > 0)
            tk_buf_append(&c->in, chunk, (size_t)got);
    } while (got == (ssize_t)sizeof(chunk)); /* a short read has drained the socket: edge-triggered epoll needs no more */
    if (!c->busy) /* an answer to nothing is a server's goodbye; a late event for what was read already is nothing */
        return c->in.len > known ? TK_ERR_IO : TK_ERR_TIMEOUT;
    return c->in.overflow ? TK_ERR_IO : complete(c, out);
}
