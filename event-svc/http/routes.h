/**
 * The routing table and all handlers of this service.
 */
#ifndef EVENT_SVC_HTTP_ROUTES_H
#define EVENT_SVC_HTTP_ROUTES_H

#include "shared/http/server.h"

extern const struct tk_route event_routes[];
extern const size_t event_route_count;

/* lineage.c */
tk_http_handler lineage_exchange;
/* organizers.c */
tk_http_handler organizers_create, organizers_list, organizers_get, organizers_patch, organizers_delete;
/* events.c */
tk_http_handler events_create, events_list, events_get;
/* places.c */
tk_http_handler locations_create, locations_list, locations_get, halls_create, halls_list, halls_get;
/* hall_seats.c */
tk_http_handler hall_seats_create, hall_seats_create_bulk, hall_seats_list;
/* sessions.c */
tk_http_handler sessions_create, sessions_list, sessions_get, sessions_pricing, sessions_soonest_first;
/* seat_maps.c */
tk_http_handler session_seats_get, session_seat_map_get;
/* availability.c */
tk_http_handler session_availability_get, session_geometry_get;
/* seats.c */
tk_http_handler seats_check_availability, seats_reserve, seats_release, seats_confirm;
/* seat_batches.c */
tk_http_handler seats_reserve_batch, seats_release_batch;
/* dead_letters.c */
tk_http_handler dead_letters_list, dead_letters_get, dead_letters_delete, dead_letters_replay, dead_letters_replay_all;
/* trail.c */
tk_http_handler seat_history_get, purge_post;
/* holds.c */
tk_http_handler holds_list;

#endif
