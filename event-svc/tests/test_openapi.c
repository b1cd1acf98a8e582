/* The API document and the program agree (shared/tests/openapi_checks.h). */
#include "shared/tests/openapi_checks.h"

#include "event-svc/adapters/schema.h"
#include "event-svc/config.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/routes.h"

static const struct tk_problem_kind *const PROBLEMS[] = {
    OPENAPI_SERVER_PROBLEMS,  &TK_PROBLEM_IN_USE,      &PROBLEM_SEATS_TAKEN,    &PROBLEM_SALES_CLOSED,
    &PROBLEM_SESSION_OVERLAP, &PROBLEM_WRONG_STATE,    &PROBLEM_DUPLICATE_SEAT, &PROBLEM_CAPACITY_EXCEEDED,
    &PROBLEM_NO_SEATS,        &PROBLEM_NOT_REPLAYABLE,
};

static const struct openapi_subject SUBJECT = {
    .document = event_openapi_document,
    .routes = event_routes,
    .route_count = &event_route_count,
    .scopes = event_scopes,
    .problems = PROBLEMS,
    .problem_count = sizeof(PROBLEMS) / sizeof(PROBLEMS[0]),
};

OPENAPI_TESTS(SUBJECT)
