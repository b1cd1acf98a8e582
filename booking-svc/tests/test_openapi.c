/* The API document and the program agree (shared/tests/openapi_checks.h). */
#include "shared/tests/openapi_checks.h"

#include "booking-svc/adapters/schema.h"
#include "booking-svc/config.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"

static const struct tk_problem_kind *const PROBLEMS[] = {
    OPENAPI_SERVER_PROBLEMS,       &BOOKING_PROBLEM_SEATS_TAKEN,    &BOOKING_PROBLEM_NO_ADJACENT_BLOCK,
    &BOOKING_PROBLEM_SOLD_OUT,     &BOOKING_PROBLEM_SALES_CLOSED,   &BOOKING_PROBLEM_SEAT_LIMIT,
    &BOOKING_PROBLEM_WRONG_STATE,  &BOOKING_PROBLEM_SEATS_LOST,     &BOOKING_PROBLEM_PAYMENT_IN_PROGRESS,
    &BOOKING_PROBLEM_HOLD_EXPIRED, &BOOKING_PROBLEM_PAYMENT_FAILED, &BOOKING_PROBLEM_PAYMENT_UNAVAILABLE,
};

static const struct openapi_subject SUBJECT = {
    .document = booking_openapi_document,
    .routes = booking_routes,
    .route_count = &booking_route_count,
    .scopes = booking_scopes,
    .problems = PROBLEMS,
    .problem_count = sizeof(PROBLEMS) / sizeof(PROBLEMS[0]),
};

OPENAPI_TESTS(SUBJECT)
