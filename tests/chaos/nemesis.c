#include "tests/chaos/nemesis.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "tests/chaos/proctree.h"

#define MAX_PATH       512
#define LOOK_EVERY_MS  25
#define MAX_RUNNING    32  /* faults under way at the same time */
#define RESTART_GAP_MS 300 /* between two attempts to start what does not stay up */

static const char *const LINK_MODES[FAULT_COUNT] = {
    [FAULT_DELAY] = "delay", [FAULT_STALL] = "stall",       [FAULT_HOLE] = "hole", [FAULT_CUT] = "cut",
    [FAULT_RESET] = "reset", [FAULT_TRUNCATE] = "truncate", [FAULT_CHOP] = "chop",
};

struct member {
    char pid_file[MAX_PATH];
    pid_t pid;     /* 0 while it is down */
    pid_t starter; /* the child that starts it, 0 when there is none */
    int64_t not_before_ms;
    int64_t down_ms; /* how long to wait once it is seen dead */
    bool asked_for;  /* its death is ours */
    int64_t term_us; /* SIGTERM was sent, and it still runs */
    struct nemesis_deaths deaths;
};

struct nemesis {
    struct nemesis_config config;
    const struct plan *plan;
    size_t next;
    struct {
        const struct event *event;
        int64_t until_ms;
    } running[MAX_RUNNING];
    int running_count;
    struct member members[PROCESS_COUNT];
    struct tk_fault_control *controls[PROCESS_COUNT]; /* of our own three programs, else NULL */
    uint32_t crashes_seen[PROCESS_COUNT];
    int proxy;
    int64_t looked_ms;
    int64_t slowest_stop_ms;
    bool healed;
};

/* --- means --------------------------------------------------------------------------------------------------------- */

static pid_t run_script(struct nemesis *n, const char *verb, const char *name)
{
    pid_t pid = fork();
    if (pid != 0)
        return pid > 0 ? pid : 0;
    execl(n->config.script, n->config.script, verb, n->config.run_dir, name, (char *)NULL);
    _exit(127);
}

static void tell_proxy(struct nemesis *n, int link, const char *mode, int64_t argument)
{
    char line[128];
    int len = snprintf(line, sizeof(line), "%s %s %" PRId64, LINK_NAMES[link], mode, argument);
    if (send(n->proxy, line, (size_t)len, MSG_NOSIGNAL) < 0)
        fprintf(stderr, "chaos: the proxy does not listen: %s\n", strerror(errno));
}

static enum tk_err open_proxy(struct nemesis *n)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    int len = snprintf(to.sun_path, sizeof(to.sun_path), "%s/proxy.socket", n->config.run_dir);
    n->proxy = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (len >= (int)sizeof(to.sun_path) || n->proxy < 0 || connect(n->proxy, (struct sockaddr *)&to, sizeof(to)) != 0)
        return TK_ERR_IO;
    return TK_OK;
}

/* The file exists only where the programs have crash points. */
static struct tk_fault_control *map_control(const char *run_dir, const char *name)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "%s/fault/%s", run_dir, name);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return NULL;
    void *at = ftruncate(fd, sizeof(struct tk_fault_control)) == 0
                   ? mmap(NULL, sizeof(struct tk_fault_control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0)
                   : MAP_FAILED;
    close(fd);
    return at == MAP_FAILED ? NULL : at;
}

static void flush_redis(const struct nemesis *n)
{
    static const char COMMAND[] = "FLUSHALL\r\n";
    struct sockaddr_in to = {
        .sin_family = AF_INET, .sin_port = htons(n->config.redis_port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0) {
        char answer[16];
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){.tv_usec = 50000}, sizeof(struct timeval));
        if (send(fd, COMMAND, sizeof(COMMAND) - 1, MSG_NOSIGNAL) > 0)
            (void)!recv(fd, answer, sizeof(answer), 0);
    }
    if (fd >= 0)
        close(fd);
}

static void set_clock(const struct nemesis *n, int process, int64_t offset_ms, int64_t speed)
{
    char path[MAX_PATH];
    snprintf(path, sizeof(path), "%s/clock/%s", n->config.run_dir, PROCESS_NAMES[process]);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return;
    fprintf(file, "%+.3f x%" PRId64 "\n", (double)offset_ms / 1000, speed);
    fclose(file);
}

/* --- faults -------------------------------------------------------------------------------------------------------- */

static void end_process(struct nemesis *n, int process, int signal, int64_t down_ms)
{
    struct member *m = &n->members[process];
    m->pid = proctree_pid(m->pid_file);
    if (m->pid == 0)
        return;
    m->asked_for = true;
    m->down_ms = down_ms;
    if (signal == SIGKILL) {
        m->deaths.killed++;
        proctree_signal(m->pid, SIGKILL);
    } else {
        m->term_us = tk_mono_us();
        kill(m->pid, signal);
    }
}

static void pause_process(struct nemesis *n, int process, int signal)
{
    pid_t pid = proctree_pid(n->members[process].pid_file);
    if (pid > 0)
        proctree_signal(pid, signal);
}

static void arm(struct nemesis *n, int point, int32_t countdown)
{
    for (int i = 0; i < PROCESS_COUNT; i++)
        if (n->controls[i] != NULL)
            __atomic_store_n(&n->controls[i]->points[point].countdown, countdown, __ATOMIC_RELAXED);
}

static void begin_fault(struct nemesis *n, const struct event *event)
{
    switch (event->fault) {
    case FAULT_KILL:
        end_process(n, event->target, SIGKILL, event->for_ms);
        return;
    case FAULT_TERM:
        end_process(n, event->target, SIGTERM, event->for_ms);
        return;
    case FAULT_STOP:
        pause_process(n, event->target, SIGSTOP);
        return;
    case FAULT_FLUSH:
        flush_redis(n);
        return;
    case FAULT_CRASH:
        arm(n, event->target, (int32_t)event->argument);
        return;
    case FAULT_FILL:
        (void)run_script(n, "fill", PROCESS_NAMES[event->target]);
        return;
    case FAULT_CLOCK:
        set_clock(n, event->target, event->argument, 1);
        return;
    case FAULT_DRIFT:
        set_clock(n, event->target, 0, event->argument);
        return;
    case FAULT_POISON:
        (void)run_script(n, "poison", PROCESS_NAMES[event->target]);
        return;
    default:
        tell_proxy(n, event->target, LINK_MODES[event->fault], event->argument);
    }
}

/* What was killed comes back by the supervisor; a crash point stays armed until it is passed or armed anew. */
static void end_fault(struct nemesis *n, const struct event *event)
{
    if (event->fault == FAULT_STOP)
        pause_process(n, event->target, SIGCONT);
    else if (event->fault == FAULT_FILL)
        (void)run_script(n, "free", PROCESS_NAMES[event->target]);
    else if (event->fault == FAULT_CLOCK || event->fault == FAULT_DRIFT)
        set_clock(n, event->target, 0, 1);
    else if (LINK_MODES[event->fault] != NULL)
        tell_proxy(n, event->target, "pass", 0);
}

static void begin_due(struct nemesis *n, int64_t now_ms)
{
    while (!n->healed && n->next < n->plan->count && n->plan->events[n->next].at_ms <= now_ms &&
           n->running_count < MAX_RUNNING) {
        const struct event *event = &n->plan->events[n->next++];
        if (n->config.verbose)
            event_print(event, stdout);
        begin_fault(n, event);
        n->running[n->running_count].event = event;
        n->running[n->running_count++].until_ms = now_ms + event->for_ms;
    }
}

static void end_due(struct nemesis *n, int64_t now_ms)
{
    for (int i = 0; i < n->running_count;) {
        if (n->running[i].until_ms > now_ms) {
            i++;
            continue;
        }
        end_fault(n, n->running[i].event);
        n->running[i] = n->running[--n->running_count];
    }
}

/* --- the supervisor ------------------------------------------------------------------------------------------------ */

static uint32_t crashes_of(const struct nemesis *n, int process)
{
    uint32_t sum = 0;
    for (int point = 0; n->controls[process] != NULL && point < TK_FAULT_POINT_COUNT; point++)
        sum += __atomic_load_n(&n->controls[process]->points[point].crashed, __ATOMIC_RELAXED);
    return sum;
}

static void note_death(struct nemesis *n, int process, int64_t now_ms)
{
    struct member *m = &n->members[process];
    uint32_t crashes = crashes_of(n, process);
    if (m->term_us != 0) {
        int64_t took_ms = (tk_mono_us() - m->term_us) / TK_US_PER_MS;
        n->slowest_stop_ms = took_ms > n->slowest_stop_ms ? took_ms : n->slowest_stop_ms;
    }
    if (crashes > n->crashes_seen[process])
        m->deaths.crashed += crashes - n->crashes_seen[process];
    else if (!m->asked_for && m->starter == 0) /* who does not get up yet has not died anew */
        m->deaths.others++;
    n->crashes_seen[process] = crashes;
    m->not_before_ms = now_ms + m->down_ms;
    m->pid = 0;
    m->term_us = 0;
    m->down_ms = 0;
    m->asked_for = false;
}

static void look_after(struct nemesis *n, int process, int64_t now_ms)
{
    struct member *m = &n->members[process];
    pid_t pid = proctree_pid(m->pid_file);
    if (m->starter != 0 && waitpid(m->starter, NULL, WNOHANG) == m->starter)
        m->starter = 0;
    if (m->pid != 0 && pid != m->pid)
        note_death(n, process, now_ms);
    m->pid = pid;
    if (pid == 0 && m->starter == 0 && now_ms >= m->not_before_ms) {
        m->starter = run_script(n, "start", PROCESS_NAMES[process]);
        m->not_before_ms = now_ms + RESTART_GAP_MS;
    }
}

void nemesis_turn(struct nemesis *nemesis, int64_t now_ms)
{
    end_due(nemesis, now_ms);
    begin_due(nemesis, now_ms);
    if (now_ms < nemesis->looked_ms + LOOK_EVERY_MS)
        return;
    nemesis->looked_ms = now_ms;
    for (int i = 0; i < PROCESS_COUNT; i++)
        look_after(nemesis, i, now_ms);
}

void nemesis_heal(struct nemesis *nemesis)
{
    nemesis->healed = true;
    end_due(nemesis, INT64_MAX);
    for (int point = 0; point < TK_FAULT_POINT_COUNT; point++)
        arm(nemesis, point, 0);
    for (int link = 0; link < LINK_COUNT; link++)
        tell_proxy(nemesis, link, "pass", 0);
}

bool nemesis_is_whole(const struct nemesis *nemesis)
{
    for (int i = 0; i < PROCESS_COUNT; i++)
        if (nemesis->members[i].pid == 0 || nemesis->members[i].starter != 0)
            return false;
    return true;
}

/* --- accounts ------------------------------------------------------------------------------------------------------ */

struct nemesis_point nemesis_point(const struct nemesis *nemesis, enum tk_fault_point point)
{
    struct nemesis_point sum = {0};
    for (int i = 0; i < PROCESS_COUNT; i++) {
        if (nemesis->controls[i] == NULL)
            continue;
        sum.passed += nemesis->controls[i]->points[point].passed;
        sum.crashed += nemesis->controls[i]->points[point].crashed;
    }
    return sum;
}

struct nemesis_deaths nemesis_deaths(const struct nemesis *nemesis, enum process process)
{
    return nemesis->members[process].deaths;
}

int64_t nemesis_slowest_stop_ms(const struct nemesis *nemesis)
{
    return nemesis->slowest_stop_ms;
}

size_t nemesis_begun(const struct nemesis *nemesis)
{
    return nemesis->next;
}

int64_t nemesis_memory_kb(const struct nemesis *nemesis, enum process process)
{
    pid_t pid = nemesis->members[process].pid;
    return pid > 0 ? proctree_memory_kb(pid) : 0;
}

enum tk_err nemesis_new(const struct nemesis_config *config, const struct plan *plan, struct nemesis **out)
{
    struct nemesis *n = tk_alloc(sizeof(*n));
    *n = (struct nemesis){.config = *config, .plan = plan};
    if (open_proxy(n)) {
        free(n);
        return TK_ERR_IO;
    }
    for (int i = 0; i < PROCESS_COUNT; i++) {
        struct member *m = &n->members[i];
        snprintf(m->pid_file, sizeof(m->pid_file), "%s/pid/%s", config->run_dir, PROCESS_NAMES[i]);
        m->pid = proctree_pid(m->pid_file);
        n->controls[i] = map_control(config->run_dir, PROCESS_NAMES[i]);
    }
    *out = n;
    return TK_OK;
}

void nemesis_free(struct nemesis *nemesis)
{
    for (int i = 0; i < PROCESS_COUNT; i++)
        if (nemesis->controls[i] != NULL)
            munmap(nemesis->controls[i], sizeof(struct tk_fault_control));
    close(nemesis->proxy);
    free(nemesis);
}
