/**
 * A ticket: one seat of a confirmed reservation. Made when the payment is settled, never before.
 */
#ifndef BOOKING_DOMAIN_TICKET_H
#define BOOKING_DOMAIN_TICKET_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

struct ticket {
    struct tk_uuid id;
    struct tk_uuid reservation_id;
    struct tk_uuid user_id;
    struct tk_uuid session_id;
    struct tk_uuid session_seat_id;
    struct tk_slice row_number;
    struct tk_slice seat_number;
    int64_t price_minor;
    struct tk_slice status; /* valid, used, refunded */
    bool is_used;
    int64_t created_at_us;
};

#endif
