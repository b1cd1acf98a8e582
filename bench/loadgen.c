/*
 * Open-loop load generator: requests are due at fixed times whether or not the server keeps up, and latency counts from the
 * time a request was due, so that a stall is seen by every request it delayed (no coordinated omission). With --rate 0 it
 * is a closed loop instead: every connection asks again as soon as it is answered, which finds the ceiling.
 *
 * One thread, one epoll. A *job* is one buyer: a single request, or a reservation and its confirmation. Seats come from a
 * file of "session_id session_seat_id" lines and are handed out once, so that refusals are the server's doing, not ours.
 *
 *   loadgen --port 8001 --seats seats.txt --workload booking --connections 64 --rate 0 --seconds 10
 *
 * Prints one JSON object. Successes and refusals are counted apart and never summed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "bench/connection.h"
#include "bench/histogram.h"
#include "shared/base/clock.h"
#include "shared/base/id.h"
#include "shared/base/list.h"
#include "shared/base/mem.h"

#define MAX_EVENTS    256
#define DRAIN_SECONDS 5
#define MAX_SLEEP_US  1000

enum workload { WORKLOAD_RESERVE, WORKLOAD_BOOKING, WORKLOAD_REFUSE, WORKLOAD_GET };

struct options {
    int port;
    const char *seats_file;
    const char *ids_file; /* where ids of answered reservations go, for the correctness check */
    const char *path;     /* WORKLOAD_GET */
    const char *etag;     /* WORKLOAD_GET: sent as If-None-Match */
    enum workload workload;
    int connections;
    double rate; /* jobs per second; 0: closed loop */
    double seconds;
    double warmup;
    int seats_min;
    int seats_max;
};

struct seat {
    char session[TK_UUID_TEXT_LEN + 1];
    char seat[TK_UUID_TEXT_LEN + 1];
};

struct worker {
    struct connection conn;
    struct tk_link idle;
    int64_t due_us;     /* when the job was due */
    int64_t confirm_us; /* when its confirmation was sent */
    bool confirming;
};

struct counts {
    uint64_t sent, created, confirmed, ok, refused, overloaded, failed, broken;
};

struct generator {
    struct options opt;
    struct sockaddr_in address;
    int epoll;
    struct seat *seats;
    size_t seat_count;
    size_t next_seat;
    struct worker *workers;
    struct tk_link idle;
    int64_t start_us; /* of the measured part */
    int64_t end_us;
    uint64_t jobs_due;
    uint64_t random;
    char user[TK_UUID_TEXT_LEN + 1];
    struct counts counts;
    struct histogram first; /* reserve, or the only request */
    struct histogram confirm;
    FILE *ids;
    bool out_of_seats;
};

static void fatal(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- seats -------------------------------------------------------------------------------------------------------- */

static void load_seats(struct generator *g)
{
    FILE *file = fopen(g->opt.seats_file, "r");
    size_t cap = 0;
    struct seat seat;
    if (!file)
        fatal(g->opt.seats_file);
    while (fscanf(file, "%36s %36s", seat.session, seat.seat) == 2) {
        if (g->seat_count == cap) {
            cap = cap ? cap * 2 : 4096;
            g->seats = tk_realloc(g->seats, cap * sizeof(*g->seats));
        }
        g->seats[g->seat_count++] = seat;
    }
    fclose(file);
}

static uint64_t next_random(struct generator *g) /* xorshift64: quick, and the same in every run */
{
    g->random ^= g->random << 13;
    g->random ^= g->random >> 7;
    g->random ^= g->random << 17;
    return g->random;
}

/* Takes up to the wanted number of seats of one session; *count is 0 when all are handed out. */
static const struct seat *take_seats(struct generator *g, size_t *count)
{
    size_t wanted = (size_t)g->opt.seats_min + next_random(g) % (size_t)(g->opt.seats_max - g->opt.seats_min + 1);
    if (g->opt.workload == WORKLOAD_REFUSE && g->next_seat + wanted > g->seat_count)
        g->next_seat = 0;
    const struct seat *first = &g->seats[g->next_seat];
    size_t n = 0;
    while (n < wanted && g->next_seat + n < g->seat_count && strcmp(first[n].session, first->session) == 0)
        n++;
    g->next_seat += n;
    *count = n;
    return first;
}

/* --- requests ----------------------------------------------------------------------------------------------------- */

static void put_head(struct tk_buf *out, const char *method, const char *path, const char *user, size_t body_len)
{
    tk_buf_append_str(out, method);
    tk_buf_append_char(out, ' ');
    tk_buf_append_str(out, path);
    tk_buf_append_str(out, " HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: ");
    tk_buf_append_str(out, user);
    if (body_len > 0)
        tk_buf_append_str(out, "\r\ncontent-type: application/json");
    tk_buf_append_str(out, "\r\ncontent-length: ");
    tk_buf_append_i64(out, (int64_t)body_len);
    tk_buf_append_str(out, "\r\n\r\n");
}

static bool build_reserve(struct generator *g, struct tk_buf *out)
{
    static struct tk_buf body = TK_BUF_INIT(65536);
    size_t count;
    const struct seat *seats = take_seats(g, &count);
    if (count == 0)
        return false;
    tk_buf_reset(&body);
    tk_buf_append_str(&body, "{\"session_id\":\"");
    tk_buf_append_str(&body, seats->session);
    tk_buf_append_str(&body, "\",\"seats\":[");
    for (size_t i = 0; i < count; i++) {
        tk_buf_append_str(&body, i ? ",{\"session_seat_id\":\"" : "{\"session_seat_id\":\"");
        tk_buf_append_str(&body, seats[i].seat);
        tk_buf_append_str(&body, "\"}");
    }
    tk_buf_append_str(&body, "]}");
    put_head(out, "POST", "/api/v1/reservations", g->user, body.len);
    tk_buf_append_slice(out, tk_buf_slice(&body));
    return true;
}

static void build_get(struct generator *g, struct tk_buf *out)
{
    tk_buf_append_str(out, "GET ");
    tk_buf_append_str(out, g->opt.path);
    tk_buf_append_str(out, " HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    if (g->opt.etag) {
        tk_buf_append_str(out, "if-none-match: ");
        tk_buf_append_str(out, g->opt.etag);
        tk_buf_append_str(out, "\r\n");
    }
    tk_buf_append_str(out, "\r\n");
}

static void build_confirm(struct generator *g, struct tk_buf *out, const char *reservation)
{
    char path[96];
    snprintf(path, sizeof(path), "/api/v1/reservations/%s/confirm", reservation);
    put_head(out, "POST", path, g->user, 0);
}

/* --- the life of a job -------------------------------------------------------------------------------------------- */

static bool measuring(const struct generator *g, int64_t due_us)
{
    return due_us >= g->start_us && due_us < g->end_us;
}

static void open_worker(struct generator *g, struct worker *w)
{
    if (connection_open(&w->conn, &g->address) != TK_OK)
        fatal("connect");
    w->conn.user = w;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = w};
    if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, w->conn.fd, &event) != 0)
        fatal("epoll_ctl");
    tk_list_push_back(&g->idle, &w->idle);
}

static void worker_broke(struct generator *g, struct worker *w)
{
    g->counts.broken++;
    tk_list_remove(&w->idle);
    connection_close(&w->conn);
    w->confirming = false;
    open_worker(g, w);
}

static void start_job(struct generator *g, struct worker *w, int64_t due_us)
{
    tk_buf_reset(&w->conn.out);
    if (g->opt.workload == WORKLOAD_GET) {
        build_get(g, &w->conn.out);
    } else if (!build_reserve(g, &w->conn.out)) {
        g->out_of_seats = true;
        return;
    }
    tk_list_remove(&w->idle);
    w->due_us = due_us;
    if (measuring(g, due_us))
        g->counts.sent++;
    if (connection_send(&w->conn) != TK_OK)
        worker_broke(g, w);
}

/* The id is the first member of the answer; the contract fixes the name, not the place. */
static bool find_id(struct tk_slice body, char out[TK_UUID_TEXT_LEN + 1])
{
    static const char KEY[] = "\"id\":\"";
    const char *at = memmem(body.ptr, body.len, KEY, sizeof(KEY) - 1);
    if (!at || (size_t)(body.ptr + body.len - at) < sizeof(KEY) - 1 + TK_UUID_TEXT_LEN)
        return false;
    memcpy(out, at + sizeof(KEY) - 1, TK_UUID_TEXT_LEN);
    out[TK_UUID_TEXT_LEN] = '\0';
    return true;
}

static void count(struct generator *g, const struct worker *w, int status)
{
    struct counts *c = &g->counts;
    if (!measuring(g, w->due_us))
        return;
    if (status == 201)
        c->created++;
    else if (status == 200 && w->confirming)
        c->confirmed++;
    else if (status == 200 || status == 304)
        c->ok++;
    else if (status == 409)
        c->refused++;
    else if (status == 503)
        c->overloaded++;
    else
        c->failed++;
}

static void send_confirm(struct generator *g, struct worker *w, const char *reservation)
{
    w->confirming = true;
    w->confirm_us = tk_mono_us();
    tk_buf_reset(&w->conn.out);
    build_confirm(g, &w->conn.out, reservation);
    if (connection_send(&w->conn) != TK_OK)
        worker_broke(g, w);
}

static void on_response(struct generator *g, struct worker *w, const struct response *response)
{
    int64_t now = tk_mono_us();
    char reservation[TK_UUID_TEXT_LEN + 1];
    count(g, w, response->status);
    if (measuring(g, w->due_us)) {
        if (w->confirming)
            histogram_record(&g->confirm, now - w->confirm_us);
        else
            histogram_record(&g->first, now - w->due_us);
    }
    bool created = response->status == 201 && find_id(response->body, reservation);
    if (created && g->ids)
        fprintf(g->ids, "%s\n", reservation);
    if (created && g->opt.workload == WORKLOAD_BOOKING) {
        send_confirm(g, w, reservation);
        return;
    }
    w->confirming = false;
    tk_list_push_back(&g->idle, &w->idle);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

/* Starts what is due and can be started; returns how long to sleep, in microseconds. */
static int64_t start_due_jobs(struct generator *g, int64_t begin_us)
{
    int64_t now = tk_mono_us();
    if (now >= g->end_us || g->out_of_seats)
        return MAX_SLEEP_US;
    while (!tk_list_is_empty(&g->idle) && !g->out_of_seats) {
        int64_t due_us = now;
        if (g->opt.rate > 0) {
            due_us = begin_us + (int64_t)((double)g->jobs_due * 1e6 / g->opt.rate);
            if (due_us > now)
                return due_us - now < MAX_SLEEP_US ? due_us - now : MAX_SLEEP_US;
        }
        g->jobs_due++;
        start_job(g, TK_CONTAINER_OF(g->idle.next, struct worker, idle), due_us);
    }
    return MAX_SLEEP_US;
}

static bool any_busy(const struct generator *g)
{
    for (int i = 0; i < g->opt.connections; i++)
        if (g->workers[i].conn.busy)
            return true;
    return false;
}

static void take_event(struct generator *g, struct worker *w)
{
    struct response response;
    enum tk_err err = connection_receive(&w->conn, &response);
    if (err == TK_OK)
        on_response(g, w, &response);
    else if (err != TK_ERR_TIMEOUT)
        worker_broke(g, w);
}

static void run(struct generator *g)
{
    int64_t begin_us = tk_mono_us();
    g->start_us = begin_us + (int64_t)(g->opt.warmup * 1e6);
    g->end_us = g->start_us + (int64_t)(g->opt.seconds * 1e6);
    struct epoll_event events[MAX_EVENTS];
    for (;;) {
        struct timespec wait = {.tv_nsec = (long)start_due_jobs(g, begin_us) * 1000};
        int n = epoll_pwait2(g->epoll, events, MAX_EVENTS, &wait, NULL);
        for (int i = 0; i < n; i++)
            take_event(g, events[i].data.ptr);
        int64_t now = tk_mono_us();
        bool over = now >= g->end_us || g->out_of_seats;
        if (over && (!any_busy(g) || now > g->end_us + DRAIN_SECONDS * TK_US_PER_S))
            break;
    }
    if (g->out_of_seats && tk_mono_us() < g->end_us)
        g->end_us = tk_mono_us();
}

/* --- report ------------------------------------------------------------------------------------------------------- */

static void print_latency(const char *name, const struct histogram *h)
{
    printf(",\"%s\":{\"count\":%llu,\"p50_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}", name,
           (unsigned long long)h->count, (double)histogram_quantile_us(h, 0.5) / 1e3,
           (double)histogram_quantile_us(h, 0.99) / 1e3, (double)histogram_quantile_us(h, 0.999) / 1e3,
           (double)h->max_us / 1e3);
}

static void report(const struct generator *g)
{
    const struct counts *c = &g->counts;
    double seconds = (double)(g->end_us - g->start_us) / 1e6;
    printf("{\"seconds\":%.2f,\"sent\":%llu,\"created\":%llu,\"confirmed\":%llu,\"ok\":%llu,\"refused\":%llu,"
           "\"overloaded\":%llu,\"failed\":%llu,\"broken\":%llu",
           seconds, (unsigned long long)c->sent, (unsigned long long)c->created, (unsigned long long)c->confirmed,
           (unsigned long long)c->ok, (unsigned long long)c->refused, (unsigned long long)c->overloaded,
           (unsigned long long)c->failed, (unsigned long long)c->broken);
    printf(",\"created_per_s\":%.1f,\"confirmed_per_s\":%.1f,\"ok_per_s\":%.1f,\"refused_per_s\":%.1f",
           (double)c->created / seconds, (double)c->confirmed / seconds, (double)c->ok / seconds,
           (double)c->refused / seconds);
    print_latency("first", &g->first);
    print_latency("confirm", &g->confirm);
    printf(",\"out_of_seats\":%s}\n", g->out_of_seats ? "true" : "false");
}

/* --- options ------------------------------------------------------------------------------------------------------ */

static enum workload workload_of(const char *name)
{
    static const char *const names[] = {"reserve", "booking", "refuse", "get"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i], name) == 0)
            return (enum workload)i;
    fprintf(stderr, "loadgen: --workload is reserve, booking, refuse or get\n");
    exit(2);
}

static int whole(const char *text)
{
    int64_t value;
    if (tk_parse_i64(tk_slice_of(text), &value) != TK_OK || value < 0 || value > 1000000) {
        fprintf(stderr, "loadgen: \"%s\" is not a whole number below a million\n", text);
        exit(2);
    }
    return (int)value;
}

static void set_option(struct options *opt, int letter, const char *value)
{
    switch (letter) {
    case 'p':
        opt->port = whole(value);
        break;
    case 'f':
        opt->seats_file = value;
        break;
    case 'i':
        opt->ids_file = value;
        break;
    case 'g':
        opt->path = value;
        break;
    case 'e':
        opt->etag = value;
        break;
    case 'w':
        opt->workload = workload_of(value);
        break;
    case 'c':
        opt->connections = whole(value);
        break;
    case 'r':
        opt->rate = strtod(value, NULL);
        break;
    case 's':
        opt->seconds = strtod(value, NULL);
        break;
    case 'u':
        opt->warmup = strtod(value, NULL);
        break;
    case 'm':
        opt->seats_min = whole(value);
        break;
    case 'x':
        opt->seats_max = whole(value);
        break;
    default:
        exit(2);
    }
}

static void parse_options(struct options *opt, int argc, char **argv)
{
    static const struct option rows[] = {
        {"port", 1, NULL, 'p'},    {"seats", 1, NULL, 'f'},    {"ids", 1, NULL, 'i'},  {"path", 1, NULL, 'g'},
        {"etag", 1, NULL, 'e'},    {"workload", 1, NULL, 'w'}, {"rate", 1, NULL, 'r'}, {"connections", 1, NULL, 'c'},
        {"seconds", 1, NULL, 's'}, {"warmup", 1, NULL, 'u'},   {"min", 1, NULL, 'm'},  {"max", 1, NULL, 'x'},
        {NULL, 0, NULL, 0},
    };
    *opt = (struct options){.port = 8001, .connections = 64, .seconds = 10, .warmup = 2, .seats_min = 1, .seats_max = 4};
    int letter;
    while ((letter = getopt_long(argc, argv, "", rows, NULL)) != -1)
        set_option(opt, letter, optarg);
    bool needs_seats = opt->workload != WORKLOAD_GET;
    if (opt->connections < 1 || opt->seats_min < 1 || opt->seats_max < opt->seats_min ||
        (needs_seats && !opt->seats_file) || (!needs_seats && !opt->path)) {
        fprintf(stderr, "loadgen: --seats FILE (or --path for get), --connections >= 1, 1 <= --min <= --max\n");
        exit(2);
    }
}

int main(int argc, char **argv)
{
    static struct generator g;
    parse_options(&g.opt, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    g.random = UINT64_C(88172645463325252);
    struct tk_uuid user = tk_uuid_v7();
    tk_uuid_format(&user, g.user);
    if (g.opt.seats_file)
        load_seats(&g);
    if (g.opt.ids_file && !(g.ids = fopen(g.opt.ids_file, "w")))
        fatal(g.opt.ids_file);
    g.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)g.opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    g.epoll = epoll_create1(EPOLL_CLOEXEC);
    tk_list_init(&g.idle);
    g.workers = tk_alloc((size_t)g.opt.connections * sizeof(*g.workers));
    for (int i = 0; i < g.opt.connections; i++)
        open_worker(&g, &g.workers[i]);
    run(&g);
    report(&g);
    if (g.ids)
        fclose(g.ids);
    return g.counts.failed > 0 ? 3 : 0;
}
