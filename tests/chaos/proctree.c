#include "tests/chaos/proctree.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_PROCESSES 4096
#define MAX_PATH      64

struct process_stat {
    pid_t pid;
    pid_t parent;
    char state;
    unsigned long long birth;
};

static bool read_stat(pid_t pid, struct process_stat *out)
{
    char path[MAX_PATH];
    char text[1024];
    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    size_t got = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[got] = '\0';
    const char *rest = strrchr(text, ')'); /* the name before it may contain anything */
    int parent;
    *out = (struct process_stat){.pid = pid};
    if (rest == NULL || sscanf(rest, /* NOLINT(cert-err34-c): the kernel's own numbers */
                               ") %c %d %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
                               &out->state, &parent, &out->birth) != 3)
        return false;
    out->parent = (pid_t)parent;
    return true;
}

pid_t proctree_pid(const char *pid_file)
{
    FILE *file = fopen(pid_file, "r");
    int pid = 0;
    unsigned long long birth = 0;
    struct process_stat stat;
    if (file == NULL)
        return 0;
    int got = fscanf(file, "%d %llu", &pid, &birth); /* NOLINT(cert-err34-c): checked against /proc */
    fclose(file);
    if (got != 2 || pid <= 0 || !read_stat((pid_t)pid, &stat))
        return 0;
    return stat.birth == birth && stat.state != 'Z' && stat.state != 'X' ? (pid_t)pid : 0;
}

static size_t list_processes(struct process_stat *out)
{
    DIR *dir = opendir("/proc");
    const struct dirent *entry;
    size_t count = 0;
    if (dir == NULL)
        return 0;
    while (count < MAX_PROCESSES && (entry = readdir(dir)) != NULL) { /* NOLINT(concurrency-mt-unsafe): one thread */
        pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10);
        if (pid > 0 && read_stat(pid, &out[count]))
            count++;
    }
    closedir(dir);
    return count;
}

static void signal_children(const struct process_stat *all, size_t count, pid_t parent, int signal)
{
    for (size_t i = 0; i < count; i++) {
        if (all[i].parent != parent)
            continue;
        kill(all[i].pid, signal);
        signal_children(all, count, all[i].pid, signal); /* NOLINT(misc-no-recursion): three levels at most */
    }
}

void proctree_signal(pid_t root, int signal)
{
    static struct process_stat all[MAX_PROCESSES];
    kill(root, signal == SIGKILL ? SIGSTOP : signal); /* a parent that is about to die makes no new children */
    size_t count = list_processes(all);
    signal_children(all, count, root, signal);
    if (signal == SIGKILL)
        kill(root, SIGKILL);
}

int64_t proctree_memory_kb(pid_t pid)
{
    char path[MAX_PATH];
    long long pages = 0;
    snprintf(path, sizeof(path), "/proc/%d/statm", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%*d %lld", &pages) != 1) /* NOLINT(cert-err34-c): the kernel wrote it */
        pages = 0;
    fclose(file);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}
