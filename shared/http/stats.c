/*
 * Request counters and latency, per route. Everything is allocated and registered once, when the server opens; recording is
 * two relaxed atomic adds.
 */
#include <stdio.h>
#include <stdlib.h>

#include "shared/http/server_private.h"

static const char *const CLASS_NAMES[TK_HTTP_STATUS_CLASSES] = {"1xx", "2xx", "3xx", "4xx", "5xx"};

/** Process lifetime: metrics are never unregistered. */
static char *make_labels(const struct tk_http_stats *stats, const char *service, const char *status)
{
    char *labels = NULL;
    int len = status != NULL
                  ? asprintf(&labels, "service=\"%s\",method=\"%s\",route=\"%s\",status=\"%s\"", service, stats->method,
                             stats->route, status)
                  : asprintf(&labels, "service=\"%s\",method=\"%s\",route=\"%s\"", service, stats->method, stats->route);
    if (len < 0)
        abort();
    return labels;
}

static void open_server_metrics(struct tk_http_server *server)
{
    char *labels = NULL;
    if (asprintf(&labels, "service=\"%s\"", server->config.service) < 0)
        abort();
    server->connections = (struct tk_metric)TK_GAUGE("http_connections", labels, "Open client connections.");
    server->turned_away = (struct tk_metric)TK_COUNTER("http_connections_turned_away_total", labels,
                                                       "Connections closed at once because max_connections was reached.");
    server->crowded_out = (struct tk_metric)TK_COUNTER("http_connections_crowded_out_total", labels,
                                                       "Connections closed at once because their address had too many.");
    server->stalled = (struct tk_metric)TK_COUNTER("http_stalled_clients_total", labels,
                                                   "Connections cut because the client did not take its answer.");
    tk_metrics_register(&server->connections);
    tk_metrics_register(&server->turned_away);
    tk_metrics_register(&server->crowded_out);
    tk_metrics_register(&server->stalled);
}

static void open_route_metrics(struct tk_http_stats *stats, const char *service)
{
    for (size_t i = 0; i < TK_HTTP_STATUS_CLASSES; i++) {
        stats->requests[i] = (struct tk_metric)TK_COUNTER(
            "http_requests_total", make_labels(stats, service, CLASS_NAMES[i]), "Requests answered, by status class.");
        if (i > 0) /* 1xx answers are h2o's business */
            tk_metrics_register(&stats->requests[i]);
    }
}

void tk_http_stats_open(struct tk_http_server *server)
{
    size_t count = server->config.route_count + 1;
    server->stats = tk_alloc(count * sizeof(*server->stats));
    open_server_metrics(server);
    for (size_t i = 0; i < count; i++) {
        struct tk_http_stats *stats = &server->stats[i];
        bool unmatched = i == server->config.route_count;
        stats->route = unmatched ? "unmatched" : server->config.routes[i].path;
        stats->method = unmatched ? "any" : server->config.routes[i].method;
        open_route_metrics(stats, server->config.service);
    }
    /* One name's metrics stand together in the exposition, hence a second pass. */
    for (size_t i = 0; i < count; i++) {
        struct tk_http_stats *stats = &server->stats[i];
        stats->duration = (struct tk_metric)TK_HISTOGRAM("http_request_duration_seconds",
                                                         make_labels(stats, server->config.service, NULL),
                                                         "From the request read to its answer handed over.");
        tk_metrics_register(&stats->duration);
    }
}

struct tk_http_stats *tk_http_stats_unmatched(struct tk_http_server *server)
{
    return &server->stats[server->config.route_count];
}

void tk_http_stats_record(struct tk_http_stats *stats, int status, int64_t took_us)
{
    int class = status / 100 - 1;
    if (class < 0 || class >= TK_HTTP_STATUS_CLASSES)
        class = TK_HTTP_STATUS_CLASSES - 1;
    tk_metric_add(&stats->requests[class], 1);
    tk_metric_observe_us(&stats->duration, took_us);
}
