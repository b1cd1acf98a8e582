/*
 * Open-loop load generator: requests are due at random times of a Poisson process whether or not the server keeps up, and
 * latency counts from the time a request was due, so that a stall is seen by every request it delayed (no coordinated
 * omission). With --rate 0 it is a closed loop instead: every connection asks again as soon as it is answered, which finds
 * the ceiling.
 *
 * One thread, one epoll. A *job* is one buyer: a single request, or a reservation and its confirmation, which is a second
 * request on the same connection.
 *
 *   loadgen --workload booking --port 8001 --seats seats.txt --connections 64 --rate 1000 --seconds 10
 *
 * Prints one JSON object. Throughput counts answers that arrived inside the measured time, latency the requests that were
 * due or answered inside it. Successes and refusals are counted apart and never summed. `cpu_us_per_request` is what this
 * program itself cost.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>

#include "bench/connection.h"
#include "bench/histogram.h"
#include "bench/options.h"
#include "bench/seats.h"
#include "shared/base/clock.h"
#include "shared/base/list.h"
#include "shared/base/mem.h"

#define MAX_EVENTS     512
#define DRAIN_SECONDS  5
#define MAX_SLEEP_US   1000
#define GATHER_US      200
#define RETRY_AFTER_US 50000 /* closed loop: how long a buyer who was answered 503 waits; real ones would wait longer */

struct worker {
    struct connection conn;
    struct tk_link idle;
    int64_t due_us;     /* when the job was due */
    int64_t confirm_us; /* when its confirmation was sent */
    int64_t rested_us;  /* a 503 was the last answer: not to be used before this time */
    bool confirming;
    struct seat_range seats;
    char user[TK_UUID_TEXT_LEN + 1];
};

struct counts {
    uint64_t requests, created, confirmed, ok, not_modified, refused, overloaded, failed, broken;
};

struct generator {
    struct options opt;
    struct sockaddr_in address;
    int epoll;
    struct seats seats;
    struct worker *workers;
    struct tk_link idle;
    int64_t start_us; /* of the measured part */
    int64_t end_us;
    int64_t cpu_us; /* spent in it */
    double next_due_us;
    uint64_t random;
    struct counts counts;
    struct histogram first; /* reserve, or the only request */
    struct histogram confirm;
    FILE *answers;
    bool out_of_seats;
};

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "loadgen: %s: %s\n", what, strerror(errno));
    exit(1);
}

static int64_t cpu_time_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * TK_US_PER_S + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

/* --- the life of a job -------------------------------------------------------------------------------------------- */

static bool measured(const struct generator *g, int64_t when_us)
{
    return when_us >= g->start_us && when_us < g->end_us;
}

static void open_worker(struct generator *g, struct worker *w)
{
    if (connection_open(&w->conn, &g->address) != TK_OK)
        fatal("connect");
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = w};
    if (epoll_ctl(g->epoll, EPOLL_CTL_ADD, w->conn.fd, &event) != 0)
        fatal("epoll_ctl");
    tk_list_push_back(&g->idle, &w->idle);
}

/* The connection broke or spoke nonsense; an idle one that the server closed is no failed request. */
static void worker_broke(struct generator *g, struct worker *w)
{
    if (w->conn.busy)
        g->counts.broken++;
    tk_list_remove(&w->idle);
    connection_close(&w->conn);
    w->confirming = false;
    open_worker(g, w);
}

/* Every job is another buyer. */
static void new_user(struct generator *g, struct worker *w)
{
    uint64_t bits[2] = {random_next(&g->random), random_next(&g->random)};
    struct tk_uuid id;
    memcpy(id.bytes, bits, sizeof(id.bytes));
    tk_uuid_format(&id, w->user);
}

static void start_job(struct generator *g, struct worker *w, int64_t due_us)
{
    tk_buf_reset(&w->conn.out);
    if (g->opt.workload == WORKLOAD_GET) {
        request_get(&g->opt, &w->conn.out);
    } else {
        w->seats = seats_take(&g->seats, &g->opt, &g->random);
        if (w->seats.count == 0) {
            g->out_of_seats = true;
            return;
        }
        new_user(g, w);
        if (g->opt.workload == WORKLOAD_BEST)
            request_best(&g->seats, w->seats, w->user, &w->conn.out);
        else
            request_reserve(&g->seats, w->seats, w->user, &w->conn.out);
    }
    tk_list_remove(&w->idle);
    w->due_us = due_us;
    if (connection_send(&w->conn) != TK_OK)
        worker_broke(g, w);
}

/* The first "id" of the answer is the reservation's. */
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

static void count(struct counts *c, int status, bool confirming)
{
    c->requests++;
    if (status == 201)
        c->created++;
    else if (status == 200 && confirming)
        c->confirmed++;
    else if (status == 200)
        c->ok++;
    else if (status == 304)
        c->not_modified++;
    else if (status == 409)
        c->refused++;
    else if (status == 503)
        c->overloaded++;
    else
        c->failed++;
}

static void measure(struct generator *g, const struct worker *w, int status)
{
    int64_t now = tk_mono_us();
    bool good = status < 400 || status == 409; /* a quick 503 must not make the latency look better */
    bool arrived = measured(g, now);
    if (arrived)
        count(&g->counts, status, w->confirming);
    if (!good || !(arrived || measured(g, w->due_us)))
        return;
    if (w->confirming)
        histogram_record(&g->confirm, now - w->confirm_us);
    else
        histogram_record(&g->first, now - w->due_us);
}

static void note_answer(struct generator *g, const char *what, struct tk_slice body, char id[TK_UUID_TEXT_LEN + 1])
{
    if (!find_id(body, id))
        fatal("an answer without an id");
    if (g->answers) {
        fputs_unlocked(what, g->answers);
        fputs_unlocked(id, g->answers);
        putc_unlocked('\n', g->answers);
    }
}

static void send_confirm(struct generator *g, struct worker *w, const char *reservation)
{
    w->confirming = true;
    w->confirm_us = tk_mono_us();
    tk_buf_reset(&w->conn.out);
    request_confirm(reservation, w->user, &w->conn.out);
    if (connection_send(&w->conn) != TK_OK)
        worker_broke(g, w);
}

static bool is_selling(const struct options *opt)
{
    return opt->workload == WORKLOAD_RESERVE || opt->workload == WORKLOAD_BOOKING;
}

/*
 * Who has to rest queues behind those who need not. In an open loop the next buyer is another one who comes anyway: he gets
 * the connection that was used last, as from the pool of a reverse proxy, so that no more are in use than are needed.
 * Requests that sell nothing take turns.
 */
static void job_ended(struct generator *g, struct worker *w, bool must_rest)
{
    const bool open_loop = g->opt.rate > 0;
    const bool rests = must_rest && !open_loop;
    w->rested_us = rests ? tk_mono_us() + RETRY_AFTER_US : 0;
    if (rests || (open_loop && !is_selling(&g->opt)))
        tk_list_push_back(&g->idle, &w->idle);
    else
        tk_list_push_front(&g->idle, &w->idle);
}

static void on_response(struct generator *g, struct worker *w, const struct response *response)
{
    char id[TK_UUID_TEXT_LEN + 1];
    measure(g, w, response->status);
    if (response->status == 201) {
        note_answer(g, "created ", response->body, id);
        if (g->opt.workload == WORKLOAD_BOOKING) {
            send_confirm(g, w, id);
            return;
        }
    } else if (response->status == 200 && w->confirming) {
        note_answer(g, "confirmed ", response->body, id);
    }
    if (response->status == 503 && !w->confirming && g->opt.workload != WORKLOAD_GET) {
        seats_return(&g->seats, w->seats);
        g->out_of_seats = false;
    }
    w->confirming = false;
    job_ended(g, w, response->status == 503);
}

/* --- the clock ---------------------------------------------------------------------------------------------------- */

/* Exponential gaps: arrivals of independent buyers. */
static void schedule_next(struct generator *g)
{
    double uniform = ((double)(random_next(&g->random) >> 11) + 1.0) / 9007199254740993.0;
    g->next_due_us += -log(uniform) * 1e6 / g->opt.rate;
}

/* Starts what is due and can be started; returns how long to sleep, in microseconds. */
static int64_t start_due_jobs(struct generator *g)
{
    int64_t now = tk_mono_us();
    if (now >= g->end_us)
        return MAX_SLEEP_US;
    while (!tk_list_is_empty(&g->idle) && !g->out_of_seats) {
        int64_t due_us = now;
        if (g->opt.rate > 0) {
            due_us = (int64_t)g->next_due_us;
            if (due_us > now)
                return due_us - now < MAX_SLEEP_US ? due_us - now : MAX_SLEEP_US;
            schedule_next(g);
        }
        struct worker *w = TK_CONTAINER_OF(g->idle.next, struct worker, idle);
        if (g->opt.rate <= 0 && w->rested_us > now)
            return MAX_SLEEP_US;
        start_job(g, w, due_us);
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

/* Out of seats or of requests: the measured part ends with the last answer. */
static bool is_over(struct generator *g, int64_t now)
{
    if (g->out_of_seats && g->end_us > now && !any_busy(g))
        g->end_us = now;
    return now >= g->end_us && (!any_busy(g) || now > g->end_us + DRAIN_SECONDS * TK_US_PER_S);
}

/*
 * What falls due and what is answered within GATHER_US is handled in one turn: waking up for each of them costs as much as
 * handling it, and takes the processor from those who are measured. It can only make latencies longer. Not where answers
 * come from memory: there the connections are waiting for us.
 */
static void gather(const struct generator *g)
{
    const struct timespec pause = {.tv_nsec = GATHER_US * 1000};
    if (is_selling(&g->opt))
        (void)nanosleep(&pause, NULL);
}

static void run(struct generator *g)
{
    int64_t now = tk_mono_us();
    struct epoll_event events[MAX_EVENTS];
    bool started = false;
    bool ended = false;
    g->next_due_us = (double)now;
    g->start_us = now + (int64_t)(g->opt.warmup * 1e6);
    g->end_us = g->start_us + (int64_t)(g->opt.seconds * 1e6);
    while (!is_over(g, now)) {
        struct timespec wait = {.tv_nsec = (long)start_due_jobs(g) * 1000};
        int n = epoll_pwait2(g->epoll, events, MAX_EVENTS, &wait, NULL);
        for (int i = 0; i < n; i++)
            take_event(g, events[i].data.ptr);
        now = tk_mono_us();
        if (!started && now >= g->start_us) {
            started = true;
            g->cpu_us -= cpu_time_us();
        }
        if (!ended && now >= g->end_us) {
            ended = true;
            g->cpu_us += cpu_time_us();
        }
        gather(g);
    }
    if (!ended)
        g->cpu_us += cpu_time_us();
}

/* --- report ------------------------------------------------------------------------------------------------------- */

static void print_count(const char *name, uint64_t value, double seconds)
{
    printf(",\"%s\":%" PRIu64 ",\"%s_per_s\":%.1f", name, value, name, (double)value / seconds);
}

static double quantile_ms(const struct histogram *h, double fraction)
{
    return (double)histogram_quantile_us(h, fraction) / 1e3;
}

static void print_latency(const char *name, const struct histogram *h)
{
    printf(",\"%s\":{\"count\":%" PRIu64
           ",\"p50_ms\":%.3f,\"p90_ms\":%.3f,\"p99_ms\":%.3f,\"p999_ms\":%.3f,\"max_ms\":%.3f}",
           name, h->count, quantile_ms(h, 0.5), quantile_ms(h, 0.9), quantile_ms(h, 0.99), quantile_ms(h, 0.999),
           (double)h->max_us / 1e3);
}

/* For gnuplot: 1/(1-quantile), quantile, milliseconds. Steps shrink towards 1, as in HdrHistogram's own plots. */
static void write_quantiles(const struct generator *g)
{
    FILE *file = fopen(g->opt.quantiles_file, "w");
    if (!file)
        fatal(g->opt.quantiles_file);
    double rest = 1;
    for (int i = 0; (double)g->first.count * rest >= 1; i++, rest = exp2(-i / 4.0))
        fprintf(file, "%.3f %.6f %.3f %.3f\n", 1 / rest, 1 - rest, quantile_ms(&g->first, 1 - rest),
                quantile_ms(&g->confirm, 1 - rest));
    fclose(file);
}

static void report(const struct generator *g)
{
    const struct counts *c = &g->counts;
    double seconds = (double)(g->end_us - g->start_us) / 1e6;
    double end = (double)(tk_unix_us() - tk_mono_us() + g->end_us) / 1e6;
    printf("{\"seconds\":%.3f,\"start_epoch\":%.6f,\"end_epoch\":%.6f", seconds, end - seconds, end);
    print_count("requests", c->requests, seconds);
    print_count("created", c->created, seconds);
    print_count("confirmed", c->confirmed, seconds);
    print_count("ok", c->ok, seconds);
    print_count("not_modified", c->not_modified, seconds);
    print_count("refused", c->refused, seconds);
    print_count("overloaded", c->overloaded, seconds);
    printf(",\"failed\":%" PRIu64 ",\"broken\":%" PRIu64, c->failed, c->broken);
    print_latency("first", &g->first);
    print_latency("confirm", &g->confirm);
    printf(",\"cpu_us_per_request\":%.2f", c->requests ? (double)g->cpu_us / (double)c->requests : 0.0);
    printf(",\"seats_used\":%zu,\"out_of_seats\":%s}\n", g->seats.next, g->out_of_seats ? "true" : "false");
}

static void prepare(struct generator *g)
{
    g->random = UINT64_C(88172645463325252) + (uint64_t)g->opt.skip; /* other buyers in the next run */
    if (g->opt.seats_file)
        seats_load(&g->seats, g->opt.seats_file, g->opt.skip);
    if (g->opt.answers_file && !(g->answers = fopen(g->opt.answers_file, "a")))
        fatal(g->opt.answers_file);
    g->address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)g->opt.port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    g->epoll = epoll_create1(EPOLL_CLOEXEC);
    tk_list_init(&g->idle);
    g->workers = tk_alloc((size_t)g->opt.connections * sizeof(*g->workers));
    for (int i = 0; i < g->opt.connections; i++)
        open_worker(g, &g->workers[i]);
}

int main(int argc, char **argv)
{
    static struct generator g;
    options_parse(&g.opt, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    prepare(&g);
    run(&g);
    report(&g);
    if (g.opt.quantiles_file)
        write_quantiles(&g);
    if (g.answers)
        fclose(g.answers);
    return 0;
}
