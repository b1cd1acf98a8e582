/**
 * A private redis-server for one test: unix socket in a temporary directory, nothing on disk, gone with the test.
 */
#ifndef TK_TESTS_REDIS_FIXTURE_H
#define TK_TESTS_REDIS_FIXTURE_H

#include <stdbool.h>
#include <sys/types.h>

struct redis_process {
    pid_t pid;
    char dir[64];
    char url[128]; /* of the unix socket */
    int port;      /* it listens on 127.0.0.1 as well */
};

/** Makes the directory and starts the server. Skips the test, saying so, where no redis-server is installed. */
void redis_process_open(struct redis_process *process);
/** Starts it (again) on the same socket, with a password unless NULL, and waits until it accepts connections. */
void redis_process_start(struct redis_process *process, const char *password);
void redis_process_signal(struct redis_process *process, int signal);
/** Ends the server and waits for it. */
void redis_process_kill(struct redis_process *process);
/** Ends the server and removes the directory. */
void redis_process_close(struct redis_process *process);

#endif
