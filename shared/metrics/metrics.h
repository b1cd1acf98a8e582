/**
 * Metrics in Prometheus text format 0.0.4. Metrics are static objects, registered once before threads start; updates are
 * single relaxed atomic adds and may come from any thread.
 *
 * Counter names end in `_total`; times are histograms in seconds, recorded in microseconds.
 */
#ifndef TK_METRICS_METRICS_H
#define TK_METRICS_METRICS_H

#include <stdatomic.h>
#include <stdint.h>

#include "shared/base/str.h"

enum tk_metric_type { TK_METRIC_COUNTER, TK_METRIC_GAUGE, TK_METRIC_HISTOGRAM };

#define TK_HISTOGRAM_BUCKETS 16 /* upper bounds 100 us, 250 us, 500 us, 1 ms … 10 s, +Inf: see metrics.c */

struct tk_metric {
    const char *name;
    const char *labels; /* ready-made, e.g. `queue="reserve"`, or NULL */
    const char *help;
    enum tk_metric_type type;
    _Atomic int64_t value; /* counter, gauge; histogram: sum in microseconds */
    _Atomic int64_t buckets[TK_HISTOGRAM_BUCKETS];
    struct tk_metric *next;
};

#define TK_COUNTER(n, l, h)                                                                                                \
    {                                                                                                                      \
        .name = (n), .labels = (l), .help = (h), .type = TK_METRIC_COUNTER                                                 \
    }
#define TK_GAUGE(n, l, h)                                                                                                  \
    {                                                                                                                      \
        .name = (n), .labels = (l), .help = (h), .type = TK_METRIC_GAUGE                                                   \
    }
#define TK_HISTOGRAM(n, l, h)                                                                                              \
    {                                                                                                                      \
        .name = (n), .labels = (l), .help = (h), .type = TK_METRIC_HISTOGRAM                                               \
    }

/** Adds to the exposition; series of one name (with different labels) are kept together. Not thread-safe: start-up only. */
void tk_metrics_register(struct tk_metric *metric);

static inline void tk_metric_add(struct tk_metric *metric, int64_t amount)
{
    atomic_fetch_add_explicit(&metric->value, amount, memory_order_relaxed);
}

static inline void tk_metric_set(struct tk_metric *metric, int64_t value)
{
    atomic_store_explicit(&metric->value, value, memory_order_relaxed);
}

static inline int64_t tk_metric_get(struct tk_metric *metric)
{
    return atomic_load_explicit(&metric->value, memory_order_relaxed);
}

void tk_metric_observe_us(struct tk_metric *histogram, int64_t microseconds);

/** Appends the whole exposition, process metrics (CPU seconds, resident bytes, open fds, start time) included. */
void tk_metrics_render(struct tk_buf *out);

#endif
