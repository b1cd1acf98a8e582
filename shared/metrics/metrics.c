/*
 * The registry and the exposition. Buckets are stored each for itself, so that an observation is two atomic adds, and
 * summed up while rendering; the count of a histogram is the sum of its buckets and can never disagree with them.
 */
#include "shared/metrics/metrics.h"

#include <assert.h>
#include <dirent.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"

/* Upper bounds in microseconds; the last bucket has none. */
static const int64_t bounds_us[TK_HISTOGRAM_BUCKETS - 1] = {
    100, 250, 500, 1000, 2500, 5000, 10000, 25000, 50000, 100000, 250000, 500000, 1000000, 2500000, 10000000,
};

static struct tk_metric *first;

/* After the last metric of the same name, so that a name's series stand together as the format demands; else at the end. */
static struct tk_metric **place_for(const struct tk_metric *metric)
{
    struct tk_metric **at = &first;
    struct tk_metric **after_namesake = NULL;
    for (; *at != NULL; at = &(*at)->next) {
        assert(*at != metric);
        if (strcmp((*at)->name, metric->name) == 0)
            after_namesake = &(*at)->next;
    }
    return after_namesake ? after_namesake : at;
}

void tk_metrics_register(struct tk_metric *metric)
{
    assert(metric->name != NULL && metric->help != NULL);
    struct tk_metric **place = place_for(metric);
    metric->next = *place;
    *place = metric;
}

void tk_metric_observe_us(struct tk_metric *histogram, int64_t microseconds)
{
    assert(histogram->type == TK_METRIC_HISTOGRAM);
    int64_t value = microseconds > 0 ? microseconds : 0; /* a clock is allowed to stand still, not to run backwards */
    size_t bucket = 0;
    while (bucket < TK_HISTOGRAM_BUCKETS - 1 && value > bounds_us[bucket])
        bucket++;
    atomic_fetch_add_explicit(&histogram->buckets[bucket], 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&histogram->value, value, memory_order_relaxed);
}

/* --- our metrics -------------------------------------------------------------------------------------------------- */

static const char *type_name(enum tk_metric_type type)
{
    static const char *const names[] = {"counter", "gauge", "histogram"};
    return names[type];
}

static void head(struct tk_buf *out, const char *name, const char *help, enum tk_metric_type type)
{
    tk_buf_appendf(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type_name(type));
}

/* Microseconds as seconds: 1500000 → 1.5, 0 → 0. Exact, unlike a detour through a double. */
static void append_seconds(struct tk_buf *out, int64_t microseconds)
{
    tk_buf_append_i64(out, microseconds / TK_US_PER_S);
    int64_t rest = microseconds % TK_US_PER_S;
    if (rest == 0)
        return;
    char digits[8];
    int len = snprintf(digits, sizeof(digits), ".%06" PRId32, (int32_t)rest);
    while (digits[len - 1] == '0')
        len--;
    tk_buf_append(out, digits, (size_t)len);
}

/* `name_suffix{labels} `, ready for the value. */
static void sample(struct tk_buf *out, const struct tk_metric *metric, const char *suffix)
{
    tk_buf_append_str(out, metric->name);
    tk_buf_append_str(out, suffix);
    if (metric->labels != NULL) {
        tk_buf_append_char(out, '{');
        tk_buf_append_str(out, metric->labels);
        tk_buf_append_char(out, '}');
    }
    tk_buf_append_char(out, ' ');
}

static void bucket_sample(struct tk_buf *out, const struct tk_metric *metric, size_t bucket, int64_t count)
{
    tk_buf_append_str(out, metric->name);
    tk_buf_append_str(out, "_bucket{");
    if (metric->labels != NULL) {
        tk_buf_append_str(out, metric->labels);
        tk_buf_append_char(out, ',');
    }
    tk_buf_append_str(out, "le=\"");
    if (bucket < TK_HISTOGRAM_BUCKETS - 1)
        append_seconds(out, bounds_us[bucket]);
    else
        tk_buf_append_str(out, "+Inf");
    tk_buf_append_str(out, "\"} ");
    tk_buf_append_i64(out, count);
    tk_buf_append_char(out, '\n');
}

static void render_histogram(struct tk_buf *out, struct tk_metric *metric)
{
    int64_t count = 0;
    for (size_t i = 0; i < TK_HISTOGRAM_BUCKETS; i++) {
        count += atomic_load_explicit(&metric->buckets[i], memory_order_relaxed);
        bucket_sample(out, metric, i, count);
    }
    sample(out, metric, "_sum");
    append_seconds(out, tk_metric_get(metric));
    tk_buf_append_char(out, '\n');
    sample(out, metric, "_count");
    tk_buf_append_i64(out, count);
    tk_buf_append_char(out, '\n');
}

static void render_metric(struct tk_buf *out, struct tk_metric *metric)
{
    if (metric->type == TK_METRIC_HISTOGRAM) {
        render_histogram(out, metric);
        return;
    }
    sample(out, metric, "");
    tk_buf_append_i64(out, tk_metric_get(metric));
    tk_buf_append_char(out, '\n');
}

/* --- the process -------------------------------------------------------------------------------------------------- */

/* Reads a small file of /proc; the text is NUL-terminated. */
static bool read_proc(const char *path, char *text, size_t cap)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t len = fread(text, 1, cap - 1, file);
    fclose(file);
    text[len] = '\0';
    return len > 0;
}

static int64_t cpu_us(void)
{
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used))
        return 0;
    return (int64_t)used.tv_sec * TK_US_PER_S + used.tv_nsec / 1000;
}

static int64_t resident_bytes(void)
{
    char text[128];
    int64_t pages = 0;
    if (!read_proc("/proc/self/statm", text, sizeof(text)) || sscanf(text, "%*d %" SCNd64, &pages) != 1)
        return 0;
    return pages * sysconf(_SC_PAGESIZE);
}

static int64_t open_fds(void)
{
    DIR *dir = opendir("/proc/self/fd");
    if (dir == NULL)
        return 0;
    int64_t count = -1; /* the directory itself */
    for (const struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir))
        count += entry->d_name[0] != '.';
    closedir(dir);
    return count;
}

/* Field 22 of /proc/self/stat is the start in clock ticks since boot; field 2 is a name that may hold anything but ends at
 * the last parenthesis. */
static int64_t start_unix_s(void)
{
    char text[1024];
    struct timespec boot;
    if (!read_proc("/proc/self/stat", text, sizeof(text)) || clock_gettime(CLOCK_BOOTTIME, &boot))
        return 0;
    const char *at = strrchr(text, ')');
    for (int field = 2; at != NULL && field < 22; field++)
        at = strchr(at + 1, ' ');
    int64_t ticks = 0;
    if (at == NULL || sscanf(at, "%" SCNd64, &ticks) != 1)
        return 0;
    return tk_unix_us() / TK_US_PER_S - boot.tv_sec + ticks / sysconf(_SC_CLK_TCK);
}

static void process_gauge(struct tk_buf *out, const char *name, const char *help, int64_t value)
{
    head(out, name, help, TK_METRIC_GAUGE);
    tk_buf_appendf(out, "%s %" PRId64 "\n", name, value);
}

static void render_process(struct tk_buf *out)
{
    struct rlimit fds;
    head(out, "process_cpu_seconds_total", "User and system CPU time.", TK_METRIC_COUNTER);
    tk_buf_append_str(out, "process_cpu_seconds_total ");
    append_seconds(out, cpu_us());
    tk_buf_append_char(out, '\n');
    process_gauge(out, "process_resident_memory_bytes", "Resident memory.", resident_bytes());
    process_gauge(out, "process_open_fds", "Open file descriptors.", open_fds());
    if (getrlimit(RLIMIT_NOFILE, &fds) == 0)
        process_gauge(out, "process_max_fds", "Limit of open file descriptors.", (int64_t)fds.rlim_cur);
    process_gauge(out, "process_start_time_seconds", "Start of the process, Unix time.", start_unix_s());
}

void tk_metrics_render(struct tk_buf *out)
{
    const char *previous = "";
    for (struct tk_metric *metric = first; metric != NULL; metric = metric->next) {
        if (strcmp(metric->name, previous) != 0)
            head(out, metric->name, metric->help, metric->type);
        previous = metric->name;
        render_metric(out, metric);
    }
    render_process(out);
}
