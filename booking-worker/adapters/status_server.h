/**
 * The worker's own little HTTP server: /health, /livez, /readyz, /metrics. libmicrohttpd with a thread of its own, so that
 * it answers whatever the jobs are doing.
 */
#ifndef BOOKING_WORKER_ADAPTERS_STATUS_SERVER_H
#define BOOKING_WORKER_ADAPTERS_STATUS_SERVER_H

#include "shared/base/result.h"
#include "shared/base/str.h"

struct status_server;

/** Fills `body` and returns the HTTP status. Called on the server's thread, possibly several times at once: never blocks.
 */
typedef unsigned status_page_fn(void *arg, struct tk_buf *body);

struct status_page {
    const char *path;
    const char *content_type;
    status_page_fn *render;
    void *arg;
};

/** Listens on `host` (an address or name) and `port`. `pages` must outlive the server. TK_ERR_IO: logged. */
TK_MUSTCHECK enum tk_err status_server_start(const char *host, int64_t port, const struct status_page *pages, size_t count,
                                             struct status_server **out);
void status_server_stop(struct status_server *server);

#endif
