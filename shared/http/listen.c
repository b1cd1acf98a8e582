/*
 * Opening listening sockets, TCP and unix.
 *
 * A unix socket's file is readable and writable for owner and group only, and gets that mode before listen(), so nobody
 * connects earlier. A file that a killed process left behind is recognised by nobody answering there, and replaced.
 */
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/http/server_private.h"
#include "shared/log/log.h"

#define BACKLOG      4096 /* the kernel caps it at net.core.somaxconn */
#define UNSENT_BYTES (128 << 10)
#define UNIX_MODE    0660

static void set_options(int fd, int64_t timeout_ms)
{
    int on = 1;
    int io_timeout_ms = (int)timeout_ms;
    int defer_s = io_timeout_ms / 1000 > 0 ? io_timeout_ms / 1000 : 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    /* Accepted sockets inherit these; without the first, a peer that vanished holds our answer for a quarter of an hour. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &io_timeout_ms, sizeof(io_timeout_ms));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &defer_s, sizeof(defer_s));
    /* Else it takes megabytes for a client who does not read: the copies cost more than the answer, and the memory is
     * shared with everybody on the machine. */
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &(int){UNSENT_BYTES}, sizeof(int));
}

static enum tk_err refuse(const struct tk_http_config *config, const struct tk_http_address *address, const char *reason,
                          enum tk_err err)
{
    tk_log(TK_LOG_ERROR, "cannot listen", TK_KV_STR("service", config->service),
           TK_KV_STR("host", address->is_unix ? address->path : address->host), TK_KV_INT("port", address->port),
           TK_KV_STR("reason", reason));
    return err;
}

static enum tk_err refuse_errno(const struct tk_http_config *config, const struct tk_http_address *address, int fd)
{
    int error = errno;
    if (fd >= 0)
        (void)close(fd);
    return refuse(config, address, strerror(error), error == EADDRINUSE ? TK_ERR_CONFLICT : TK_ERR_INVALID);
}

static enum tk_err listen_tcp(const struct tk_http_config *config, const struct tk_http_address *address, int *out)
{
    struct addrinfo hints = {.ai_flags = AI_PASSIVE | AI_NUMERICSERV, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char port[24];
    (void)snprintf(port, sizeof(port), "%u", (unsigned)address->port);
    int rc = getaddrinfo(address->host, port, &hints, &found);
    if (rc != 0)
        return refuse(config, address, gai_strerror(rc), TK_ERR_INVALID);
    enum tk_err err = TK_OK;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        set_options(fd, config->io_timeout_ms);
    if (fd < 0 || bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)
        err = refuse_errno(config, address, fd);
    freeaddrinfo(found);
    *out = fd;
    return err;
}

/** Removes the socket file of a process that is gone; a living one, and anything that is no socket, stays. */
static void remove_stale(const struct sockaddr_un *address)
{
    struct stat info;
    if (lstat(address->sun_path, &info) != 0 || !S_ISSOCK(info.st_mode))
        return;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return;
    if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) != 0 && errno == ECONNREFUSED)
        (void)unlink(address->sun_path);
    (void)close(fd);
}

static enum tk_err listen_unix(const struct tk_http_config *config, const struct tk_http_address *address, int *out)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, address->path, sizeof(name.sun_path));
    remove_stale(&name);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&name, sizeof(name)) != 0 || chmod(address->path, UNIX_MODE) != 0 ||
        listen(fd, BACKLOG) != 0)
        return refuse_errno(config, address, fd);
    *out = fd;
    return TK_OK;
}

enum tk_err tk_http_listen(const struct tk_http_config *config, const struct tk_http_address *address, int *out)
{
    return address->is_unix ? listen_unix(config, address, out) : listen_tcp(config, address, out);
}

void tk_http_listen_undeferred(int fd)
{
    (void)setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){0}, sizeof(int)); /* a unix socket knows no such thing */
}

uint16_t tk_http_bound_port(int fd)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
    } address = {.any = {0}};
    socklen_t len = sizeof(address);
    if (getsockname(fd, &address.any, &len) != 0)
        return 0;
    if (address.any.sa_family != AF_INET && address.any.sa_family != AF_INET6)
        return 0;
    return ntohs(address.any.sa_family == AF_INET6 ? address.v6.sin6_port : address.v4.sin_port);
}
