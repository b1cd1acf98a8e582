/**
 * HTTP client on the service's event loop, for calls to one other service: keep-alive pool, a deadline per call, bounded
 * concurrency, JSON bodies. Built on h2o's http1client; retries and breakers are the caller's business.
 */
#ifndef TK_HTTP_CLIENT_H
#define TK_HTTP_CLIENT_H

#include <stddef.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"
#include "shared/loop/loop.h"

struct tk_http_client;

struct tk_http_client_config {
    const char *base_url;         /* http://host:port, https://host:port or unix:/path */
    const char *ca_file;          /* https: authorities to trust (PEM); "" or NULL: those of the system */
    size_t max_in_flight;         /* calls at a time; also the pool's size */
    size_t max_response;          /* bytes; a longer answer counts as UNKNOWN */
    const char *internal_api_key; /* sent as X-Internal-Api-Key unless "" or NULL */
};

/**
 * OK: an answer came, any status; `body` is valid during the call. FAILED: no connection could be made, nothing was sent.
 * UNKNOWN: sent, and no complete answer before the deadline.
 */
typedef void tk_http_client_done_fn(void *arg, enum tk_step step, int status, struct tk_slice body);

/**
 * TK_ERR_INVALID when the URL or the CA file makes no sense (logged). With https the server's certificate must bear the
 * URL's host as a DNS name: h2o compares no addresses.
 */
TK_MUSTCHECK enum tk_err tk_http_client_open(struct tk_loop *loop, const struct tk_http_client_config *config,
                                             struct tk_http_client **out);

/**
 * Sends `method path` with an optional JSON body (taken over: empty afterwards; NULL for none). `request_id` and
 * `traceparent` are passed on unless "" or NULL. `deadline_ms` (> 0) counts from now. `done` runs exactly once, later,
 * never inside this call. TK_ERR_LIMIT: max_in_flight reached; nothing was sent and `done` will not run. A pooled
 * connection that the server closed before a byte of the answer arrived reports UNKNOWN: ask again with the same id.
 */
TK_MUSTCHECK enum tk_err tk_http_client_call(struct tk_http_client *client, const char *method, const char *path,
                                             struct tk_buf *body, const char *request_id, const char *traceparent,
                                             int64_t deadline_ms, tk_http_client_done_fn *done, void *arg);

size_t tk_http_client_in_flight(const struct tk_http_client *client);

#endif
