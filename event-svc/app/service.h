/**
 * The service put together: what handlers find behind req->app, and its life from configuration to exit.
 */
#ifndef EVENT_SVC_APP_SERVICE_H
#define EVENT_SVC_APP_SERVICE_H

#include "event-svc/app/consumer.h"
#include "event-svc/app/dead_letters.h"
#include "event-svc/app/read_only.h"
#include "event-svc/app/seat_desk.h"
#include "event-svc/app/seat_maps.h"
#include "event-svc/app/seat_pictures.h"
#include "event-svc/app/stale_holds.h"
#include "event-svc/config.h"
#include "shared/http/server.h"
#include "shared/http/standard_routes.h"
#include "shared/loop/loop.h"
#include "shared/pg/pg.h"

#define EVENT_SERVICE_NAME "event-svc"

struct event_service {
    struct tk_standard_app standard; /* first: the standard routes look at it */
    const struct event_config *config;
    struct tk_loop *loop;
    int signals;             /* signalfd */
    struct tk_auth *auth;    /* NULL with AUTH_MODE=dev */
    struct tk_pg *catalogue; /* short reads and writes */
    struct tk_pg *bulk;      /* whole halls: one connection, so that nobody waits behind a large hall by accident */
    struct tk_pg *seats;     /* reserve and settle */
    struct seat_desk *desk;
    struct read_thread *renderer; /* of seat maps */
    struct read_thread *picture_reader;
    struct version_probe *probe;
    struct seat_pictures *pictures;
    struct seat_maps *maps;
    struct stale_holds stale;
    struct consumer *consumer;
    struct dead_letters *dead_letters;
    struct tk_redis *redis;
    struct tk_ratelimit *limits;
    struct tk_http_server *server;
    struct read_only read_only;
    struct tk_timer drain;
    int64_t drain_until_us;
};

/** Milliseconds for statements that touch a whole hall. */
#define BULK_DEADLINE_MS INT64_C(15000)

/**
 * Checks keys and schema, opens everything, serves until SIGTERM or SIGINT, drains for up to 3.5 s, and closes. SIGHUP
 * reads the keys again. Returns the program's exit code.
 */
int event_service_run(const struct event_config *config, const struct tk_route *routes, size_t route_count,
                      struct tk_slice openapi);

#endif
