/*
 * Clients that are slow on purpose, for promise P18: some send a request header a byte every two seconds (slowloris), the
 * others ask for a large answer and never read it. Who is cut off comes back at once. They call from many addresses of
 * 127.0.0.0/8, a hundred connections each, as strangers would.
 *
 *   slow_clients PORT SENDERS SILENT PATH SECONDS
 *
 * Prints how many were connected at the end, how often one had to come back, and what processor time all that took here:
 * one thread, one epoll, a hundred small steps a second, so that it does not hold up those whom it only wants to annoy.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"

#define PER_ADDRESS    100
#define TICK_US        10000 /* a two-hundredth of the senders sends at each */
#define TICKS_PER_BYTE 200
#define SMALL_BUFFER   4096
#define OPEN_PER_TICK  11 /* all within ten seconds, and from then on as many return each second as are cut off */

struct slow {
    int fd; /* -1: to be opened */
    size_t sent;
};

struct crowd {
    int epoll;
    uint16_t port;
    size_t senders;
    size_t count;
    struct slow *all;
    size_t *absent; /* a ring of `count`: who is to be opened, longest away first */
    size_t absent_first;
    size_t absent_count;
    char header[256]; /* of senders; never ends in an empty line */
    char request[512];
    unsigned long returns;
};

static bool is_sender(const struct crowd *crowd, size_t i)
{
    return i < crowd->senders;
}

static void say(const struct slow *slow, const char *bytes, size_t len)
{
    if (send(slow->fd, bytes, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno != EAGAIN)
        (void)shutdown(slow->fd, SHUT_RDWR); /* epoll reports it */
}

static void leaves(struct crowd *crowd, size_t i)
{
    crowd->all[i].fd = -1;
    crowd->absent[(crowd->absent_first + crowd->absent_count++) % crowd->count] = i;
}

static void open_one(struct crowd *crowd, size_t i)
{
    struct slow *slow = &crowd->all[i];
    const int small = SMALL_BUFFER;
    const struct sockaddr_in from = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f010001 + (uint32_t)(i / PER_ADDRESS))}};
    const struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(crowd->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    struct epoll_event event = {.events = EPOLLRDHUP | EPOLLHUP | EPOLLERR, .data = {.u64 = i}};
    slow->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (slow->fd < 0) {
        leaves(crowd, i);
        return;
    }
    if (!is_sender(crowd, i))
        (void)setsockopt(slow->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
    if (bind(slow->fd, (const struct sockaddr *)(const void *)&from, sizeof(from)) != 0 ||
        connect(slow->fd, (const struct sockaddr *)(const void *)&to, sizeof(to)) != 0) {
        (void)close(slow->fd);
        leaves(crowd, i);
        return;
    }
    (void)epoll_ctl(crowd->epoll, EPOLL_CTL_ADD, slow->fd, &event);
    slow->sent = 1;
    say(slow, is_sender(crowd, i) ? crowd->header : crowd->request, is_sender(crowd, i) ? 1 : strlen(crowd->request));
}

static void reap(struct crowd *crowd)
{
    struct epoll_event events[512];
    int ready;
    while ((ready = epoll_wait(crowd->epoll, events, 512, 0)) > 0) {
        for (int e = 0; e < ready; e++) {
            (void)close(crowd->all[events[e].data.u64].fd);
            leaves(crowd, events[e].data.u64);
            crowd->returns++;
        }
    }
}

static void reopen(struct crowd *crowd)
{
    for (size_t opened = 0; opened < OPEN_PER_TICK && crowd->absent_count > 0; opened++) {
        size_t i = crowd->absent[crowd->absent_first];
        crowd->absent_first = (crowd->absent_first + 1) % crowd->count;
        crowd->absent_count--;
        open_one(crowd, i);
    }
}

static void drip(struct crowd *crowd, unsigned long number)
{
    for (size_t i = number % TICKS_PER_BYTE; i < crowd->senders; i += TICKS_PER_BYTE) {
        struct slow *slow = &crowd->all[i];
        if (slow->fd < 0)
            continue;
        say(slow, &crowd->header[slow->sent % strlen(crowd->header)], 1);
        slow->sent++;
    }
}

static void tick(struct crowd *crowd, unsigned long number)
{
    reap(crowd);
    reopen(crowd);
    drip(crowd, number);
}

static size_t connected(const struct crowd *crowd, size_t from, size_t to)
{
    size_t count = 0;
    for (size_t i = from; i < to; i++)
        count += crowd->all[i].fd >= 0;
    return count;
}

static void run(struct crowd *crowd, int64_t seconds)
{
    const int64_t end_us = tk_mono_us() + seconds * TK_US_PER_S;
    for (unsigned long number = 0; tk_mono_us() < end_us; number++) {
        const int64_t next_us = tk_mono_us() + TICK_US;
        tick(crowd, number);
        const int64_t left_us = next_us - tk_mono_us();
        if (left_us > 0)
            (void)usleep((useconds_t)left_us);
    }
}

static double cpu_s(void)
{
    struct rusage used;
    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int main(int argc, char **argv)
{
    int64_t numbers[4] = {0};
    struct rlimit files;
    for (int i = 0; i < 4; i++) {
        if (argc != 6 || tk_parse_i64(tk_slice_of(argv[i < 3 ? i + 1 : 5]), &numbers[i])) {
            (void)fprintf(stderr, "usage: slow_clients PORT SENDERS SILENT PATH SECONDS\n");
            return 2;
        }
    }
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
    struct crowd crowd = {.port = (uint16_t)numbers[0],
                          .senders = (size_t)numbers[1],
                          .count = (size_t)(numbers[1] + numbers[2]),
                          .epoll = epoll_create1(EPOLL_CLOEXEC)};
    (void)snprintf(crowd.header, sizeof(crowd.header), "GET /livez HTTP/1.1\r\nHost: slow.example\r\nX-Slow: %0100d", 0);
    (void)snprintf(crowd.request, sizeof(crowd.request), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", argv[4]);
    crowd.all = tk_alloc((crowd.count + 1) * sizeof(*crowd.all));
    crowd.absent = tk_alloc((crowd.count + 1) * sizeof(*crowd.absent));
    for (size_t i = 0; i < crowd.count; i++)
        leaves(&crowd, i);
    run(&crowd, numbers[3]);
    printf("senders %zu silent %zu returns %lu cpu %.2f s\n", connected(&crowd, 0, crowd.senders),
           connected(&crowd, crowd.senders, crowd.count), crowd.returns, cpu_s());
    free(crowd.absent);
    free(crowd.all);
    return 0;
}
