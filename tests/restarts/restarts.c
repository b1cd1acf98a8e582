/*
 * How long a program that was killed is away, for promise P15: starts it, asks once a millisecond until it answers 200,
 * lets it work for a while, kills it with SIGKILL, and again.
 *
 *   restarts PORT PATH TIMES REST_MS PROGRAM [ARGUMENT…]
 *
 * Prints the milliseconds of each time, from the kill (of the first, from the start), and then `median M worst W`. The
 * program inherits environment and output; it is gone when this ends.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/str.h"

#define MOST_TIMES     1000
#define PATIENCE_US    (60 * TK_US_PER_S)
#define ANSWER_WAIT_US (200 * TK_US_PER_MS)

struct trial {
    struct sockaddr_in address;
    char request[512];
    char **program;
    pid_t pid;
};

static void pause_us(int64_t us)
{
    const struct timespec wait = {.tv_sec = us / TK_US_PER_S, .tv_nsec = us % TK_US_PER_S * 1000};
    (void)nanosleep(&wait, NULL);
}

static void start(struct trial *trial)
{
    trial->pid = fork();
    if (trial->pid != 0)
        return;
    execvp(trial->program[0], trial->program);
    perror(trial->program[0]);
    _exit(127);
}

static void end(struct trial *trial)
{
    (void)kill(trial->pid, SIGKILL);
    (void)waitpid(trial->pid, NULL, 0);
}

static bool is_gone(const struct trial *trial)
{
    return waitpid(trial->pid, NULL, WNOHANG) == trial->pid;
}

static bool answers_200(const struct trial *trial)
{
    char head[13] = "";
    const struct timeval wait = {.tv_usec = ANSWER_WAIT_US};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    bool good = connect(fd, (const struct sockaddr *)(const void *)&trial->address, sizeof(trial->address)) == 0 &&
                send(fd, trial->request, strlen(trial->request), MSG_NOSIGNAL) > 0 &&
                recv(fd, head, sizeof(head) - 1, MSG_WAITALL) == (ssize_t)sizeof(head) - 1 &&
                strcmp(head, "HTTP/1.1 200") == 0;
    (void)close(fd);
    return good;
}

/** -1: it ended, or does not answer. */
static int64_t ms_until_200(const struct trial *trial, int64_t since_us)
{
    while (!is_gone(trial) && tk_mono_us() < since_us + PATIENCE_US) {
        if (answers_200(trial))
            return (tk_mono_us() - since_us) / TK_US_PER_MS;
        pause_us(TK_US_PER_MS);
    }
    return -1;
}

static int compare(const void *a, const void *b)
{
    const int64_t *x = a;
    const int64_t *y = b;
    return *x < *y ? -1 : *x > *y;
}

static bool run(struct trial *trial, int64_t times, int64_t rest_ms)
{
    int64_t took_ms[MOST_TIMES];
    for (int64_t i = 0; i < times; i++) {
        const int64_t since_us = tk_mono_us();
        if (i > 0)
            end(trial);
        start(trial);
        took_ms[i] = ms_until_200(trial, since_us);
        printf("%lld ", (long long)took_ms[i]);
        (void)fflush(stdout);
        if (took_ms[i] < 0)
            return false;
        pause_us(rest_ms * TK_US_PER_MS);
    }
    qsort(took_ms, (size_t)times, sizeof(took_ms[0]), compare);
    printf("\nmedian %lld worst %lld\n", (long long)took_ms[times / 2], (long long)took_ms[times - 1]);
    return true;
}

int main(int argc, char **argv)
{
    int64_t port, times, rest_ms;
    if (argc < 6 || tk_parse_i64(tk_slice_of(argv[1]), &port) || tk_parse_i64(tk_slice_of(argv[3]), &times) ||
        tk_parse_i64(tk_slice_of(argv[4]), &rest_ms) || times < 1 || times > MOST_TIMES) {
        (void)fprintf(stderr, "usage: restarts PORT PATH TIMES REST_MS PROGRAM [ARGUMENT...]\n");
        return 2;
    }
    struct trial trial = {.program = argv + 5};
    trial.address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    (void)snprintf(trial.request, sizeof(trial.request), "GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
                   argv[2]);
    const bool good = run(&trial, times, rest_ms);
    end(&trial);
    return good ? 0 : 1;
}
