/*
 * event-svc: the authority on seats. Arguments: --migrate, --accept-restore, --config-doc, --routes, --version, or none to
 * serve.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "event-svc/adapters/schema.h"
#include "event-svc/app/service.h"
#include "event-svc/config.h"
#include "event-svc/http/routes.h"
#include "shared/contract/lineage.h"
#include "shared/http/router.h"

#define VERSION "1.0.0"

static int usage(const char *program)
{
    fprintf(stderr, "usage: %s [--migrate | --accept-restore | --config-doc | --routes | --version]\n", program);
    return 2;
}

static int print_document(const char *option)
{
    if (strcmp(option, "--config-doc") == 0)
        tk_config_document(event_settings, event_setting_count, stdout);
    else if (strcmp(option, "--routes") == 0)
        tk_router_print(event_routes, event_route_count);
    else if (strcmp(option, "--version") == 0)
        puts(EVENT_SERVICE_NAME " " VERSION);
    else
        return -1;
    return 0;
}

int main(int argc, char **argv)
{
    struct event_config config;
    (void)signal(SIGPIPE, SIG_IGN);
    bool migrate = argc == 2 && strcmp(argv[1], "--migrate") == 0;
    bool accept = argc == 2 && strcmp(argv[1], "--accept-restore") == 0;
    if (argc > 2)
        return usage(argv[0]);
    if (argc == 2 && !migrate && !accept)
        return print_document(argv[1]) == 0 ? 0 : usage(argv[0]);
    if (event_config_load(&config))
        return 2;
    tk_log_init(EVENT_SERVICE_NAME, config.log_level, strcmp(config.log_format, "json") == 0);
    if (migrate)
        return tk_pg_migrate(config.database_url, event_migrations, event_migration_count) ? 1 : 0;
    if (accept)
        return tk_pg_execute(config.database_url, TK_LINEAGE_ACCEPT_SQL) ? 1 : 0;
    tk_config_log(event_settings, event_setting_count, &config);
    return event_service_run(&config, event_routes, event_route_count, event_openapi_document());
}
