/*
 * Every path this service answers.
 */
#include "event-svc/http/routes.h"

#include "event-svc/config.h"
#include "shared/contract/lineage.h"
#include "shared/contract/seat_api.h"
#include "shared/http/standard_routes.h"

#define BODY         TK_ROUTE_JSON_BODY
#define INTERNAL     TK_ROUTE_INTERNAL
#define CATALOG      TK_ROUTE_SCOPE(EVENT_SCOPE_CATALOG_WRITE)
#define DEAD_LETTERS "/api/internal/dead-letters"
#define SEATS        "/api/internal/sessions/{id}/seats"
#define PAGE         "limit cursor" /* of a list */

const struct tk_route event_routes[] = {
    TK_STANDARD_ROUTES,
    {"POST", "/api/v1/organizers", organizers_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/organizers", organizers_list, 0, 0, PAGE},
    {"GET", "/api/v1/organizers/{id}", organizers_get, 0, 0, NULL},
    {"PATCH", "/api/v1/organizers/{id}", organizers_patch, BODY | CATALOG, 0, NULL},
    {"DELETE", "/api/v1/organizers/{id}", organizers_delete, CATALOG, 0, NULL},
    {"POST", "/api/v1/locations", locations_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/locations", locations_list, 0, 0, PAGE},
    {"GET", "/api/v1/locations/{id}", locations_get, 0, 0, NULL},
    {"POST", "/api/v1/locations/{id}/halls", halls_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/locations/{id}/halls", halls_list, 0, 0, PAGE},
    {"GET", "/api/v1/halls/{id}", halls_get, 0, 0, NULL},
    {"POST", "/api/v1/halls/{id}/seats", hall_seats_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/halls/{id}/seats", hall_seats_list, 0, 0, PAGE},
    {"POST", "/api/v1/halls/{id}/seats/bulk", hall_seats_create_bulk, BODY | CATALOG, 0, NULL},
    {"POST", "/api/v1/events", events_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/events", events_list, 0, 0, PAGE},
    {"GET", "/api/v1/events/{id}", events_get, 0, 0, NULL},
    {"POST", "/api/v1/sessions", sessions_create, BODY | CATALOG, 0, NULL},
    {"GET", "/api/v1/sessions", sessions_list, 0, 0, PAGE},
    {"GET", "/api/v1/sessions/{id}", sessions_get, 0, 0, NULL},
    {"GET", "/api/v1/sessions/{id}/seats", session_seats_get, 0, 0, NULL},
    {"GET", "/api/v1/sessions/{id}/seat-map", session_seat_map_get, 0, 0, NULL},
    {"GET", "/api/v1/sessions/{id}/availability", session_availability_get, 0, 0, "since"},
    {"GET", "/api/v1/sessions/{id}/geometry/{hash}", session_geometry_get, 0, 0, NULL},
    {"POST", SEATS "/check-availability", seats_check_availability, BODY | INTERNAL, 0, NULL},
    {"POST", SEATS "/reserve", seats_reserve, BODY | INTERNAL, 0, NULL},
    {"POST", SEATS "/release", seats_release, BODY | INTERNAL, 0, NULL},
    {"POST", SEATS "/confirm", seats_confirm, BODY | INTERNAL, 0, NULL},
    {"POST", TK_SEAT_API_RESERVE_PATH, seats_reserve_batch, BODY | INTERNAL, TK_SEAT_API_MAX_BODY, NULL},
    {"POST", TK_SEAT_API_RELEASE_PATH, seats_release_batch, BODY | INTERNAL, TK_SEAT_API_MAX_BODY, NULL},
    {"GET", "/api/internal/sessions/{id}/pricing", sessions_pricing, INTERNAL, 0, NULL},
    {"POST", TK_SEAT_API_SOONEST_PATH, sessions_soonest_first, BODY | INTERNAL, 0, NULL},
    {"GET", "/api/internal/seats/{session_id}/{seat_id}/history", seat_history_get, INTERNAL, 0, PAGE},
    {"POST", "/api/internal/purge", purge_post, BODY | INTERNAL, 0, NULL},
    {"GET", "/api/internal/holds", holds_list, INTERNAL, 0, "older_than limit cursor"},
    {"GET", DEAD_LETTERS, dead_letters_list, INTERNAL, 0, PAGE},
    {"POST", DEAD_LETTERS "/replay-all", dead_letters_replay_all, INTERNAL, 0, NULL},
    {"POST", DEAD_LETTERS "/{id}/replay", dead_letters_replay, INTERNAL, 0, NULL},
    {"GET", DEAD_LETTERS "/{id}", dead_letters_get, INTERNAL, 0, NULL},
    {"DELETE", DEAD_LETTERS "/{id}", dead_letters_delete, INTERNAL, 0, NULL},
    {"POST", TK_LINEAGE_PATH, lineage_exchange, BODY | INTERNAL, TK_LINEAGE_MAX_BYTES, NULL},
    {"GET", "/api/internal/health", tk_standard_health, INTERNAL, 0, NULL},
};

const size_t event_route_count = sizeof(event_routes) / sizeof(event_routes[0]);
