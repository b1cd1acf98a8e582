/* The exposition: shape, histogram sums, labels, process metrics. */
#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "shared/metrics/metrics.h"

static struct tk_metric requests_ok = TK_COUNTER("requests_total", "status=\"ok\"", "Requests.");
static struct tk_metric requests_bad = TK_COUNTER("requests_total", "status=\"bad\"", "Requests.");
static struct tk_metric depth = TK_GAUGE("queue_depth", NULL, "Items waiting.");
static struct tk_metric took = TK_HISTOGRAM("took_seconds", "queue=\"reserve\"", "Time taken.");

static struct tk_buf text = TK_BUF_INIT(1 << 20);

static const char *rendered(void)
{
    tk_buf_reset(&text);
    tk_metrics_render(&text);
    tk_buf_append_char(&text, '\0');
    cr_assert_not(text.overflow);
    return text.ptr;
}

static void expect_line(const char *exposition, const char *line)
{
    const char *at = strstr(exposition, line);
    cr_expect_not_null(at, "%s\nis not in\n%s", line, exposition);
}

static size_t occurrences(const char *haystack, const char *needle)
{
    size_t count = 0;
    for (const char *at = strstr(haystack, needle); at != NULL; at = strstr(at + 1, needle))
        count++;
    return count;
}

Test(metrics, counters_and_gauges)
{
    tk_metrics_register(&requests_ok);
    tk_metrics_register(&requests_bad);
    tk_metrics_register(&depth);
    tk_metric_add(&requests_ok, 2);
    tk_metric_add(&requests_bad, 1);
    tk_metric_set(&depth, 5);
    tk_metric_add(&depth, -7);
    const char *out = rendered();
    expect_line(out, "# HELP requests_total Requests.\n# TYPE requests_total counter\n"
                     "requests_total{status=\"ok\"} 2\nrequests_total{status=\"bad\"} 1\n");
    expect_line(out, "# TYPE queue_depth gauge\nqueue_depth -2\n");
    cr_expect_eq(occurrences(out, "# TYPE requests_total"), 1);
    cr_expect_eq(tk_metric_get(&depth), -2);
    tk_buf_release(&text);
}

Test(metrics, histogram_buckets_are_cumulative)
{
    tk_metrics_register(&took);
    tk_metric_observe_us(&took, -5);       /* counts as 0 */
    tk_metric_observe_us(&took, 100);      /* on the bound: inside */
    tk_metric_observe_us(&took, 101);      /* just above */
    tk_metric_observe_us(&took, 1000000);  /* 1 s */
    tk_metric_observe_us(&took, 60000000); /* beyond all */
    const char *out = rendered();
    expect_line(out, "# TYPE took_seconds histogram\ntook_seconds_bucket{queue=\"reserve\",le=\"0.0001\"} 2\n"
                     "took_seconds_bucket{queue=\"reserve\",le=\"0.00025\"} 3\n");
    expect_line(out, "{queue=\"reserve\",le=\"0.5\"} 3\n");
    expect_line(out, "{queue=\"reserve\",le=\"1\"} 4\n");
    expect_line(out, "{queue=\"reserve\",le=\"10\"} 4\n");
    expect_line(out, "{queue=\"reserve\",le=\"+Inf\"} 5\n");
    expect_line(out, "took_seconds_sum{queue=\"reserve\"} 61.000201\ntook_seconds_count{queue=\"reserve\"} 5\n");
    cr_expect_eq(occurrences(out, "took_seconds_bucket"), TK_HISTOGRAM_BUCKETS);
    tk_buf_release(&text);
}

static double value_of(const char *exposition, const char *name)
{
    const char *at = strstr(exposition, name);
    cr_assert_not_null(at, "%s", name);
    return strtod(at + strlen(name), NULL);
}

Test(metrics, process)
{
    const char *out = rendered();
    cr_expect_gt(value_of(out, "\nprocess_resident_memory_bytes "), 100000);
    cr_expect_gt(value_of(out, "\nprocess_open_fds "), 2);
    cr_expect_gt(value_of(out, "\nprocess_max_fds "), 2);
    cr_expect_geq(value_of(out, "\nprocess_cpu_seconds_total "), 0);
    double age = (double)time(NULL) - value_of(out, "\nprocess_start_time_seconds ");
    cr_expect(age >= -2 && age < 600, "started %f s ago", age);
    tk_buf_release(&text);
}
