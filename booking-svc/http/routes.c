/* The routing table. */
#include "booking-svc/http/routes.h"

#include <string.h>

#include "booking-svc/app/create_reservation.h"
#include "booking-svc/config.h"
#include "shared/http/standard_routes.h"

#define BOOKING_BODY_MAX 16384 /* bytes; ten seats need about 2,000 */

#define BODY    TK_ROUTE_JSON_BODY
#define USER    TK_ROUTE_USER
#define OWNER   TK_ROUTE_USER_IF_JWT
#define PAGE    "limit cursor" /* of a list */
#define PRICING TK_ROUTE_SCOPE(BOOKING_SCOPE_PRICING_WRITE)

const struct tk_route booking_routes[] = {
    TK_STANDARD_ROUTES,
    {"POST", "/api/v1/price-tiers", http_create_price_tier, BODY | PRICING, BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/price-tiers", http_list_price_tiers, 0, BOOKING_BODY_MAX, "session_id " PAGE},
    {"POST", "/api/v1/admin/price-tiers", http_create_price_tier, BODY | PRICING, BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/admin/price-tiers", http_list_price_tiers, PRICING, BOOKING_BODY_MAX, "session_id " PAGE},
    {"POST", "/api/v1/reservations", http_create_reservation, BODY | USER, BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/reservations", http_list_reservations, USER, BOOKING_BODY_MAX, PAGE},
    {"GET", "/api/v1/reservations/{id}", http_get_reservation, USER, BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/reservations/{id}/history", http_get_history, USER, BOOKING_BODY_MAX, PAGE},
    {"DELETE", "/api/v1/reservations/{id}", http_cancel_reservation, USER, BOOKING_BODY_MAX, NULL},
    {"POST", "/api/v1/reservations/{id}/confirm", http_confirm_reservation, BODY | TK_ROUTE_OPTIONAL_BODY | USER,
     BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/tickets/user/{user_id}", http_list_tickets, OWNER, BOOKING_BODY_MAX, PAGE},
    {"GET", "/api/v1/tickets/{id}", http_get_ticket, OWNER, BOOKING_BODY_MAX, NULL},
    {"GET", "/api/v1/tickets/{id}/qr", http_ticket_qr, OWNER, BOOKING_BODY_MAX, NULL},
    {"POST", "/api/internal/reservations/{id}/settle", http_settle_reservation, TK_ROUTE_INTERNAL, BOOKING_BODY_MAX, NULL},
};

const size_t booking_route_count = sizeof(booking_routes) / sizeof(booking_routes[0]);

static bool is_reading(const struct tk_route *route)
{
    return strcmp(route->method, "GET") == 0;
}

bool booking_is_overloaded(void *arg, const struct tk_route *route)
{
    struct booking_app *app = arg;
    if ((lineage_has_diverged(app->lineage) || !lineage_is_known(app->lineage)) && !is_reading(route))
        return true;
    return route->handler == http_create_reservation && create_reservation_is_overloaded(app);
}
