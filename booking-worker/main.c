/**
 * booking-worker: expires stale holds, relays what the outbox still holds, sweeps orphans, has stuck payments settled.
 *
 * It only tidies. When it is down nobody is sold a wrong seat; seats merely come back later. Several may run: rows are
 * taken with SKIP LOCKED and every change is a compare-and-set.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "booking-worker/app/worker.h"
#include "shared/log/log.h"

#ifndef TK_VERSION
#define TK_VERSION "1.0.0"
#endif

static struct worker worker; /* process lifetime; the jobs' threads and the HTTP thread look at it */

static int usage(void)
{
    fputs("usage: booking-worker [--config-doc | --routes | --migrate | --version]\n"
          "Without arguments it works until SIGTERM; settings come from the environment.\n",
          stderr);
    return 2;
}

static int run_option(const char *option)
{
    if (strcmp(option, "--config-doc") == 0)
        tk_config_document(worker_settings, worker_setting_count, stdout);
    else if (strcmp(option, "--routes") == 0)
        puts("GET /health\nGET /livez\nGET /readyz\nGET /metrics");
    else if (strcmp(option, "--version") == 0)
        puts("booking-worker " TK_VERSION);
    else if (strcmp(option, "--migrate") == 0)
        fputs("booking-worker has no schema of its own: booking-svc --migrate\n", stderr);
    else
        return usage();
    return 0;
}

static int serve(const struct worker_config *config)
{
    struct status_server *server;
    if (http_call_global_init() != TK_OK || worker_init(&worker, config) != TK_OK ||
        status_server_start(config->host, config->port, worker.page_table, WORKER_PAGES, &server) != TK_OK)
        return 1;
    tk_log(TK_LOG_INFO, "working", TK_KV_STR("host", config->host), TK_KV_INT("port", config->port),
           TK_KV_STR("version", TK_VERSION));
    bool drained = schedule_run(&worker.schedule);
    status_server_stop(server);
    if (drained)
        worker_release(&worker);
    else
        tk_log(TK_LOG_WARNING, "a job did not end in time; the next worker repeats it", TK_KV_STR("version", TK_VERSION));
    tk_log(TK_LOG_INFO, "bye", TK_KV_STR("drained", drained ? "yes" : "no"));
    if (!drained)
        _Exit(0); /* a thread still runs: no exit handlers under its feet */
    return 0;
}

int main(int argc, char **argv)
{
    struct worker_config config;
    signal(SIGPIPE, SIG_IGN);
    if (argc > 2)
        return usage();
    if (argc == 2)
        return run_option(argv[1]);
    if (worker_config_load(&config) != TK_OK)
        return 1;
    setenv("UV_THREADPOOL_SIZE", "7", 1); /* a thread per job: none waits for another */
    tk_log_init("booking-worker", config.log_level, strcmp(config.log_format, "json") == 0);
    tk_config_log(worker_settings, worker_setting_count, &config);
    worker_register_metrics();
    return serve(&config);
}
