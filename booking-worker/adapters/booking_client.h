/**
 * booking-svc's internal route for payments whose outcome nobody wrote down.
 */
#ifndef BOOKING_WORKER_ADAPTERS_BOOKING_CLIENT_H
#define BOOKING_WORKER_ADAPTERS_BOOKING_CLIENT_H

#include <stdbool.h>

#include "booking-worker/adapters/http_call.h"
#include "shared/base/id.h"

/**
 * Asks booking-svc to settle this reservation's payment with the provider. *settled: it answered and had no trouble of its
 * own. An error: it is away, do not go on asking.
 */
TK_MUSTCHECK enum tk_err booking_client_settle(struct http_caller *caller, const struct tk_uuid *reservation,
                                               bool *settled);

/** Whether it answers at all. */
bool booking_client_is_up(struct http_caller *caller);

#endif
