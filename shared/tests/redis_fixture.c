#include "shared/tests/redis_fixture.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define SERVER "/usr/bin/redis-server"

static bool accepts(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
    bool accepted = connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    (void)close(fd);
    return accepted;
}

/** Below the ports that clients are given, one of which could have it by the time the server starts. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int port = 30000 + getpid() % 2000;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    do
        address.sin_port = htons((uint16_t)++port);
    while (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 && port < 32700);
    (void)close(fd);
    return port;
}

void redis_process_start(struct redis_process *process, const char *password)
{
    char socket_path[128];
    char port[16];
    (void)snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", process->dir);
    (void)snprintf(port, sizeof(port), "%d", process->port);
    process->pid = fork();
    cr_assert_geq(process->pid, 0);
    if (process->pid == 0) {
        int null = open("/dev/null", O_RDWR | O_CLOEXEC);
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* also when the test crashes */
        (void)dup2(null, STDOUT_FILENO);
        (void)dup2(null, STDERR_FILENO);
        (void)execl(SERVER, SERVER, "--bind", "127.0.0.1", "--port", port, "--unixsocket", socket_path, "--save", "",
                    "--appendonly", "no", "--dir", process->dir, "--requirepass", password != NULL ? password : "",
                    (char *)NULL);
        _exit(127);
    }
    for (int i = 0; i < 3000 && !accepts(socket_path); i++)
        (void)usleep(10000);
    cr_assert(accepts(socket_path), "redis-server did not start");
}

void redis_process_open(struct redis_process *process)
{
    *process = (struct redis_process){.dir = "/tmp/tk-redis-XXXXXX"};
    if (access(SERVER, X_OK) != 0) {
        (void)fprintf(stderr, "SKIPPED: no " SERVER " here, nothing about Redis was tested\n");
        cr_skip_test("no " SERVER);
    }
    (void)signal(SIGPIPE, SIG_IGN);
    process->port = free_port();
    cr_assert_not_null(mkdtemp(process->dir));
    (void)snprintf(process->url, sizeof(process->url), "unix://%s/redis.sock", process->dir);
    redis_process_start(process, NULL);
}

void redis_process_signal(struct redis_process *process, int signal)
{
    cr_assert_eq(kill(process->pid, signal), 0);
}

void redis_process_kill(struct redis_process *process)
{
    if (process->pid <= 0)
        return;
    (void)kill(process->pid, SIGKILL);
    (void)waitpid(process->pid, NULL, 0);
    process->pid = 0;
}

void redis_process_close(struct redis_process *process)
{
    char socket_path[128];
    redis_process_kill(process);
    (void)snprintf(socket_path, sizeof(socket_path), "%s/redis.sock", process->dir);
    (void)unlink(socket_path);
    (void)rmdir(process->dir);
}
