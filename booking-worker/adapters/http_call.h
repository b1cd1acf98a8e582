/**
 * Blocking HTTP calls to one of our services, with a limit on time and size. libcurl, since h2o's client lives only on
 * h2o's own loop (docs/DECISIONS.md). One thread at a time per caller.
 */
#ifndef BOOKING_WORKER_ADAPTERS_HTTP_CALL_H
#define BOOKING_WORKER_ADAPTERS_HTTP_CALL_H

#include "shared/base/result.h"
#include "shared/base/str.h"

struct http_caller;

struct http_caller_config {
    const char *base_url;         /* http://host:port, https://host:port or unix:/path */
    const char *ca_file;          /* https: authorities to trust (PEM); "": those of the system */
    const char *internal_api_key; /* sent as X-Internal-Api-Key unless "" */
    int64_t timeout_ms;           /* per call, connecting included */
    size_t max_answer;            /* bytes */
};

/** Once per process, before threads start. */
TK_MUSTCHECK enum tk_err http_call_global_init(void);

struct http_caller *http_caller_new(const struct http_caller_config *config);
void http_caller_free(struct http_caller *caller);

/**
 * Calls `method path`, with a JSON body unless `body` is empty. TK_OK: an answer came, any status; `*answer` is valid until
 * the next call. TK_ERR_TIMEOUT / TK_ERR_UNAVAILABLE: no complete answer; the request may have been carried out.
 */
TK_MUSTCHECK enum tk_err http_call(struct http_caller *caller, const char *method, const char *path, struct tk_slice body,
                                   long *status, struct tk_slice *answer);

#endif
