/**
 * A reservation as clients see it. Written here, not in http/, because the answer to creating one is stored with it.
 */
#ifndef BOOKING_APP_RESERVATION_VIEW_H
#define BOOKING_APP_RESERVATION_VIEW_H

#include "booking-svc/domain/reservation.h"
#include "shared/json/writer.h"

#define RESERVATION_VIEW_MAX_BYTES (64u << 10) /* 100 seats with the longest labels */

/** Writes one reservation object; `key` as in writer.h. */
void reservation_view_write(struct tk_jsonw *w, const char *key, const struct reservation *r);

#endif
