/*
 * A TCP proxy that misbehaves when told to. One process serves every link of the stack:
 *
 *   proxy CONTROL-SOCKET NAME=LISTEN-PORT:TARGET-PORT…      (all on 127.0.0.1)
 *
 * Commands are datagrams to the control socket, "NAME MODE [ARGUMENT]":
 *
 *   pass            bytes flow. Connections that lost bytes meanwhile are reset, as a peer would that never saw them.
 *   delay MS        every chunk arrives MS milliseconds later, in order
 *   stall           nothing is read and nothing sent; with `pass` everything arrives, late
 *   hole            half-open: connections are accepted and whatever is sent disappears, in both directions
 *   cut             all connections are reset, new ones as well
 *   reset           all connections are reset once, new ones work
 *   truncate BYTES  each connection is reset after BYTES more bytes of answers
 *   chop BYTES      each connection is reset after BYTES more bytes of requests
 *
 * No thread, no signal, no state on disk: it ends with SIGTERM.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/list.h"
#include "shared/base/mem.h"
#include "shared/base/str.h"

#define MAX_LINKS   16
#define MAX_EVENTS  256
#define CHUNK       16384
#define MAX_WAITING (256u << 10) /* bytes on their way in one direction; then reading waits */
#define NO_LIMIT    INT64_MAX

enum mode { MODE_PASS, MODE_DELAY, MODE_STALL, MODE_HOLE, MODE_CUT, MODE_RESET, MODE_TRUNCATE, MODE_CHOP, MODE_COUNT };
static const char *const MODE_NAMES[MODE_COUNT] = {"pass", "delay", "stall", "hole", "cut", "reset", "truncate", "chop"};

enum kind { KIND_CONTROL, KIND_LISTENER, KIND_END };

struct chunk {
    struct chunk *next;
    int64_t due_us;
    size_t len;
    size_t sent;
    char bytes[];
};

/* What epoll points to: the control socket, a listener, or one end of a connection. */
struct source {
    enum kind kind;
    int fd;
};

struct end {
    struct source source;
    struct pair *pair;
    struct chunk *out;   /* to be sent to this end, oldest first */
    struct chunk **last; /* where the next one goes */
    size_t waiting;      /* their bytes */
    int64_t left;        /* bytes this end may still send before the connection is reset */
    bool finished;       /* it has sent its last byte */
    bool closed;         /* that was passed on */
    uint32_t watched;
};

struct pair {
    struct tk_link link;
    struct pair *buried_before;
    struct proxy_link *owner;
    struct end client;
    struct end server;
    bool tainted; /* bytes were swallowed */
    bool dead;
};

struct proxy_link {
    struct source source;
    const char *name;
    uint16_t target;
    enum mode mode;
    int64_t argument;
    struct tk_link pairs;
};

static struct proxy_link links[MAX_LINKS];
static int link_count;
static int epoll_fd;
static struct source control = {.kind = KIND_CONTROL};
static struct pair *graveyard; /* pairs whose events may still be in the current batch */

static _Noreturn void fatal(const char *what)
{
    fprintf(stderr, "proxy: %s: %s\n", what, strerror(errno));
    exit(1);
}

/* --- connections --------------------------------------------------------------------------------------------------- */

static void watch(struct end *end, uint32_t events)
{
    if (end->watched == events)
        return;
    struct epoll_event event = {.events = events, .data.ptr = &end->source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_MOD, end->source.fd, &event) == 0)
        end->watched = events;
}

static struct end *other(struct end *end)
{
    return end == &end->pair->client ? &end->pair->server : &end->pair->client;
}

/* A stalled link reads nothing; neither does an end whose peer is behind. */
static void watch_pair(struct pair *pair)
{
    struct end *ends[2] = {&pair->client, &pair->server};
    for (int i = 0; i < 2 && !pair->dead; i++) {
        struct end *end = ends[i];
        uint32_t events = 0;
        if (pair->owner->mode != MODE_STALL) {
            if (!end->finished && ends[1 - i]->waiting < MAX_WAITING)
                events |= EPOLLIN;
            if (end->out != NULL && end->out->due_us <= tk_mono_us())
                events |= EPOLLOUT;
        }
        watch(end, events);
    }
}

static void drop_first(struct end *end)
{
    struct chunk *first = end->out;
    end->out = first->next;
    if (end->out == NULL)
        end->last = &end->out;
    free(first);
}

static void close_end(struct end *end, bool reset)
{
    if (reset)
        setsockopt(end->source.fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
    close(end->source.fd);
    while (end->out != NULL)
        drop_first(end);
}

static void pair_end(struct pair *pair, bool reset)
{
    if (pair->dead)
        return;
    pair->dead = true;
    close_end(&pair->client, reset);
    close_end(&pair->server, reset);
    tk_list_remove(&pair->link);
    pair->buried_before = graveyard;
    graveyard = pair;
}

static void end_all(struct proxy_link *owner, bool only_tainted)
{
    for (struct tk_link *at = owner->pairs.next, *next; at != &owner->pairs; at = next) {
        next = at->next;
        struct pair *pair = TK_CONTAINER_OF(at, struct pair, link);
        if (!only_tainted || pair->tainted)
            pair_end(pair, true);
    }
}

static void set_limits(struct pair *pair)
{
    const struct proxy_link *owner = pair->owner;
    pair->server.left = owner->mode == MODE_TRUNCATE ? owner->argument : NO_LIMIT;
    pair->client.left = owner->mode == MODE_CHOP ? owner->argument : NO_LIMIT;
}

static void open_end(struct pair *pair, struct end *end, int fd)
{
    *end = (struct end){.source = {.kind = KIND_END, .fd = fd}, .pair = pair};
    end->last = &end->out;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct epoll_event event = {.data.ptr = &end->source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event) != 0)
        fatal("epoll_ctl");
}

static int connect_to(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

static void on_accept(struct proxy_link *owner)
{
    int fd;
    while ((fd = accept4(owner->source.fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        int to = owner->mode == MODE_CUT ? -1 : connect_to(owner->target);
        if (to < 0) {
            setsockopt(fd, SOL_SOCKET, SO_LINGER, &(struct linger){.l_onoff = 1}, sizeof(struct linger));
            close(fd);
            continue;
        }
        struct pair *pair = tk_alloc(sizeof(*pair));
        pair->owner = owner;
        open_end(pair, &pair->client, fd);
        open_end(pair, &pair->server, to);
        set_limits(pair);
        tk_list_push_back(&owner->pairs, &pair->link);
        watch_pair(pair);
    }
}

/* --- bytes --------------------------------------------------------------------------------------------------------- */

static bool send_due(struct end *end)
{
    while (end->out != NULL) {
        struct chunk *chunk = end->out;
        if (chunk->due_us > tk_mono_us())
            return true;
        ssize_t sent = send(end->source.fd, chunk->bytes + chunk->sent, chunk->len - chunk->sent, MSG_NOSIGNAL);
        if (sent < 0)
            return errno == EAGAIN || errno == ENOTCONN;
        chunk->sent += (size_t)sent;
        end->waiting -= (size_t)sent;
        if (chunk->sent < chunk->len)
            return true;
        drop_first(end);
    }
    if (other(end)->finished && !end->closed) {
        end->closed = true;
        shutdown(end->source.fd, SHUT_WR);
    }
    return !(end->closed && other(end)->closed);
}

static void pass_on(struct end *from, const char *bytes, size_t len)
{
    struct end *to = other(from);
    const struct proxy_link *owner = from->pair->owner;
    struct chunk *chunk = tk_alloc(sizeof(*chunk) + len);
    chunk->due_us = tk_mono_us() + (owner->mode == MODE_DELAY ? owner->argument * TK_US_PER_MS : 0);
    chunk->len = len;
    memcpy(chunk->bytes, bytes, len);
    to->waiting += len;
    *to->last = chunk;
    to->last = &chunk->next;
}

/* Returns false when the connection is over. */
static bool on_readable(struct end *end)
{
    char bytes[CHUNK];
    ssize_t got = recv(end->source.fd, bytes, sizeof(bytes), 0);
    if (got < 0)
        return errno == EAGAIN;
    if (got == 0) {
        end->finished = true;
        return true;
    }
    if (end->pair->owner->mode == MODE_HOLE) {
        end->pair->tainted = true;
        return true;
    }
    size_t len = got < end->left ? (size_t)got : (size_t)end->left;
    if (len > 0)
        pass_on(end, bytes, len);
    if (end->left != NO_LIMIT && (end->left -= (int64_t)len) == 0) {
        (void)send_due(other(end));
        return false;
    }
    return true;
}

static void on_end(struct end *end, uint32_t events)
{
    struct pair *pair = end->pair;
    if (pair->dead)
        return;
    bool alive = true;
    if ((events & (EPOLLERR | EPOLLHUP)) && pair->owner->mode == MODE_STALL)
        alive = false; /* who gave up waiting is gone whatever the link does */
    if (alive && (events & (EPOLLIN | EPOLLERR | EPOLLHUP)))
        alive = on_readable(end);
    if (alive && pair->owner->mode != MODE_STALL)
        alive = send_due(&pair->client) && send_due(&pair->server);
    if (alive)
        watch_pair(pair);
    else
        pair_end(pair, !(pair->client.closed && pair->server.closed));
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

static void set_mode(struct proxy_link *owner, enum mode mode, int64_t argument)
{
    owner->mode = mode == MODE_RESET ? MODE_PASS : mode;
    owner->argument = argument;
    if (mode == MODE_CUT || mode == MODE_RESET)
        end_all(owner, false);
    else if (mode != MODE_HOLE)
        end_all(owner, true);
    TK_LIST_FOREACH(at, &owner->pairs)
    {
        struct pair *pair = TK_CONTAINER_OF(at, struct pair, link);
        set_limits(pair);
        watch_pair(pair);
    }
}

static void on_command(void)
{
    char line[128];
    char name[64];
    char word[16];
    long long argument = 0;
    ssize_t got = recv(control.fd, line, sizeof(line) - 1, 0);
    if (got <= 0)
        return;
    line[got] = '\0';
    if (sscanf(line, "%63s %15s %lld", name, word, &argument) < 2) /* NOLINT(cert-err34-c): nothing follows from overflow */
        return;
    for (int i = 0; i < link_count; i++)
        for (int mode = 0; mode < MODE_COUNT; mode++)
            if (strcmp(links[i].name, name) == 0 && strcmp(MODE_NAMES[mode], word) == 0)
                set_mode(&links[i], (enum mode)mode, argument);
}

/* --- the loop ------------------------------------------------------------------------------------------------------ */

/* Sends what has become due; returns the milliseconds until the next chunk is. */
static int flush_delayed(void)
{
    int64_t now = tk_mono_us();
    int64_t next = now + TK_US_PER_S;
    for (int i = 0; i < link_count; i++) {
        if (links[i].mode == MODE_STALL)
            continue;
        for (struct tk_link *at = links[i].pairs.next, *after; at != &links[i].pairs; at = after) {
            after = at->next;
            struct pair *pair = TK_CONTAINER_OF(at, struct pair, link);
            if (pair->client.waiting + pair->server.waiting == 0)
                continue;
            on_end(&pair->client, 0);
            if (!pair->dead && pair->client.out != NULL) {
                int64_t due = pair->client.out->due_us;
                next = due > now && due < next ? due : next;
            }
            if (!pair->dead && pair->server.out != NULL) {
                int64_t due = pair->server.out->due_us;
                next = due > now && due < next ? due : next;
            }
        }
    }
    return (int)((next - now) / TK_US_PER_MS) + 1;
}

static void bury(void)
{
    while (graveyard != NULL) {
        struct pair *pair = graveyard;
        graveyard = pair->buried_before;
        free(pair);
    }
}

static void add(struct source *source)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = source};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, source->fd, &event) != 0)
        fatal("epoll_ctl");
}

static void open_link(char *text)
{
    struct proxy_link *owner = &links[link_count++];
    unsigned listen_port = 0;
    unsigned target = 0;
    char *equals = strchr(text, '=');
    if (equals == NULL || sscanf(equals + 1, "%u:%u", &listen_port, &target) != 2) /* NOLINT(cert-err34-c) */
        fatal(text);
    *equals = '\0';
    *owner = (struct proxy_link){.source.kind = KIND_LISTENER, .name = text, .target = (uint16_t)target};
    tk_list_init(&owner->pairs);
    owner->source.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    setsockopt(owner->source.fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    struct sockaddr_in at = {
        .sin_family = AF_INET, .sin_port = htons((uint16_t)listen_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(owner->source.fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(owner->source.fd, 1024) != 0)
        fatal("listen");
    add(&owner->source);
}

static void open_control(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(at.sun_path))
        fatal("control socket: path too long");
    memcpy(at.sun_path, path, strlen(path));
    unlink(path);
    control.fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (control.fd < 0 || bind(control.fd, (struct sockaddr *)&at, sizeof(at)) != 0)
        fatal(path);
    add(&control);
}

static void dispatch(const struct epoll_event *event)
{
    struct source *source = event->data.ptr;
    if (source->kind == KIND_CONTROL)
        on_command();
    else if (source->kind == KIND_LISTENER)
        on_accept(TK_CONTAINER_OF(source, struct proxy_link, source));
    else
        on_end(TK_CONTAINER_OF(source, struct end, source), event->events);
}

int main(int argc, char **argv)
{
    struct epoll_event events[MAX_EVENTS];
    if (argc < 3 || argc - 2 > MAX_LINKS) {
        fprintf(stderr, "usage: proxy CONTROL-SOCKET NAME=LISTEN-PORT:TARGET-PORT...\n");
        return 2;
    }
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (int i = 2; i < argc; i++)
        open_link(argv[i]);
    open_control(argv[1]);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, flush_delayed());
        for (int i = 0; i < n; i++)
            dispatch(&events[i]);
        bury();
    }
}
