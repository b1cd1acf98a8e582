/**
 * One keep-alive HTTP/1.1 connection of the load generator: at most one request outstanding, never blocking. It understands
 * exactly what our services send — a status line, headers, a body with Content-Length — and treats anything else as an
 * error.
 */
#ifndef BENCH_CONNECTION_H
#define BENCH_CONNECTION_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

#define CONNECTION_MAX_RESPONSE (16u << 20) /* bytes, head and body */

struct connection {
    int fd; /* -1 when closed */
    struct tk_buf out;
    size_t sent;
    struct tk_buf in;
    bool busy;
};

struct response {
    int status;
    struct tk_slice body; /* valid until the next request on the connection */
    bool closes;          /* the server closes the connection: the next request needs another one */
};

/** Connects (blocking: done before the clock starts) and makes the socket non-blocking. TK_ERR_IO when refused. */
TK_MUSTCHECK enum tk_err connection_open(struct connection *c, const struct sockaddr_in *address);
void connection_close(struct connection *c);

/** Starts a request: the caller has filled c->out. TK_ERR_IO: the connection broke. */
TK_MUSTCHECK enum tk_err connection_send(struct connection *c);

/**
 * Reads what has arrived. TK_ERR_TIMEOUT: not complete yet. TK_OK: `out` is filled and the connection is idle again.
 * TK_ERR_IO: it is over, which is no loss when it was idle.
 */
TK_MUSTCHECK enum tk_err connection_receive(struct connection *c, struct response *out);

#endif
