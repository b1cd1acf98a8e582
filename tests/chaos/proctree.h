/**
 * Processes as /proc shows them. A pid file of deploy/lib/process.sh says "PID BIRTH BOOT": the birth keeps us from
 * signalling a stranger who was given the pid later.
 */
#ifndef CHAOS_PROCTREE_H
#define CHAOS_PROCTREE_H

#include <stdint.h>
#include <sys/types.h>

/** The pid in `pid_file` if that very process runs (a zombie does not), else 0. */
pid_t proctree_pid(const char *pid_file);

/** Sends `signal` to `root` and to all its descendants, parents first: Postgres is a process per connection. */
void proctree_signal(pid_t root, int signal);

/** Resident memory of one process, 0 when it is gone. */
int64_t proctree_memory_kb(pid_t pid);

#endif
