/**
 * Routes every service has: /health, /livez, /readyz, /metrics, /openapi.json, /docs. A service includes the rows in its
 * table with TK_STANDARD_ROUTES and points req->app at a structure whose first member is struct tk_standard_app.
 */
#ifndef TK_HTTP_STANDARD_ROUTES_H
#define TK_HTTP_STANDARD_ROUTES_H

#include "shared/http/server.h"
#include "shared/json/writer.h"

/** A line of /health. `check` must be cheap and answer from memory. */
struct tk_health_check {
    const char *name; /* "postgres", "redis", "rabbitmq", "event-svc" */
    bool (*check)(void *arg);
    void *arg;
    bool required; /* /health and /readyz answer 503 when it is down */
};

struct tk_standard_app {
    const char *service;
    struct tk_slice openapi;
    const char *docs_dir; /* directory of swagger-ui-dist; may be missing: /docs then says how to get it */
    const struct tk_health_check *checks;
    size_t check_count;
    bool metrics_enabled;
    bool draining; /* set at shutdown: /readyz answers 503 */
    /** Adds members to "details" of /health. False: something needs a person, the status is "degraded". May be NULL. */
    bool (*details)(const struct tk_standard_app *app, struct tk_jsonw *w);
};

tk_http_handler tk_standard_health, tk_standard_livez, tk_standard_readyz, tk_standard_metrics, tk_standard_openapi,
    tk_standard_docs, tk_standard_docs_asset;

/** Probes are answered on either listener; figures belong to operators, so they move inside when there is an inside. */
#define TK_STANDARD_ROUTES                                                                                                 \
    {"GET", "/health", tk_standard_health, TK_ROUTE_BOTH, 0, NULL},                                                        \
        {"GET", "/livez", tk_standard_livez, TK_ROUTE_BOTH, 0, NULL},                                                      \
        {"GET", "/readyz", tk_standard_readyz, TK_ROUTE_BOTH, 0, NULL},                                                    \
        {"GET", "/metrics", tk_standard_metrics, TK_ROUTE_INSIDE, 0, NULL},                                                \
        {"GET", "/openapi.json", tk_standard_openapi, 0, 0, NULL}, {"GET", "/docs", tk_standard_docs, 0, 0, NULL},         \
    {                                                                                                                      \
        "GET", "/docs/", tk_standard_docs_asset, TK_ROUTE_UNDOCUMENTED | TK_ROUTE_PREFIX, 0, NULL                          \
    }

#endif
