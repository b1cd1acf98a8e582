/**
 * The routing table of booking-svc; openapi.json says the same to clients, and a test compares the two.
 */
#ifndef BOOKING_HTTP_ROUTES_H
#define BOOKING_HTTP_ROUTES_H

#include "shared/http/server.h"

extern const struct tk_route booking_routes[];
extern const size_t booking_route_count;

/**
 * Under load only new reservations are refused at the door: whoever holds seats already may confirm or cancel. While the
 * databases do not belong together, or it is not known yet whether they do, nothing may be changed.
 */
bool booking_is_overloaded(void *app, const struct tk_route *route);

/* reservations.c */
tk_http_handler http_create_reservation, http_get_reservation, http_list_reservations;
/* transitions.c */
tk_http_handler http_confirm_reservation, http_cancel_reservation, http_settle_reservation;
/* history.c */
tk_http_handler http_get_history;
/* tickets.c */
tk_http_handler http_list_tickets, http_get_ticket, http_ticket_qr;
/* price_tiers.c */
tk_http_handler http_create_price_tier, http_list_price_tiers;

#endif
