/**
 * Whether an API document and the program behind it agree: routes in both directions, query parameters, bodies, rights,
 * examples, problems. Each service has one line of OPENAPI_TESTS in its tests.
 */
#ifndef TK_TESTS_OPENAPI_CHECKS_H
#define TK_TESTS_OPENAPI_CHECKS_H

#include <criterion/criterion.h>

#include "shared/http/server.h"

struct openapi_subject {
    struct tk_slice (*document)(void);
    const struct tk_route *routes;
    const size_t *route_count;
    const char *const *scopes; /* TK_SCOPES_MAX, by bit */
    const struct tk_problem_kind *const *problems;
    size_t problem_count;
};

/** What the server answers by itself, whichever service it is. */
#define OPENAPI_SERVER_PROBLEMS                                                                                            \
    &TK_PROBLEM_NOT_JSON, &TK_PROBLEM_BAD_KEY, &TK_PROBLEM_REQUEST_IN_PROGRESS, &TK_PROBLEM_KEY_REUSED,                    \
        &TK_PROBLEM_NO_IDENTITY, &TK_PROBLEM_INVALID_TOKEN, &TK_PROBLEM_FORBIDDEN, &TK_PROBLEM_INSUFFICIENT_SCOPE,         \
        &TK_PROBLEM_NOT_FOUND, &TK_PROBLEM_METHOD_NOT_ALLOWED, &TK_PROBLEM_TOO_LARGE, &TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE,  \
        &TK_PROBLEM_VALIDATION, &TK_PROBLEM_RATE_LIMITED, &TK_PROBLEM_OVERLOADED, &TK_PROBLEM_OUTCOME_UNKNOWN

typedef void openapi_check(const struct openapi_subject *subject);

openapi_check openapi_every_route_is_documented, openapi_every_operation_is_a_route, openapi_every_body_has_an_example,
    openapi_bodies_are_documented, openapi_scopes_are_documented, openapi_query_parameters_are_documented,
    openapi_problems_are_described, openapi_objects_are_closed;

#define OPENAPI_TEST(subject, name)                                                                                        \
    Test(openapi, name)                                                                                                    \
    {                                                                                                                      \
        openapi_##name(&(subject));                                                                                        \
    }

#define OPENAPI_TESTS(subject)                                                                                             \
    OPENAPI_TEST(subject, every_route_is_documented)                                                                       \
    OPENAPI_TEST(subject, every_operation_is_a_route)                                                                      \
    OPENAPI_TEST(subject, every_body_has_an_example)                                                                       \
    OPENAPI_TEST(subject, bodies_are_documented)                                                                           \
    OPENAPI_TEST(subject, scopes_are_documented)                                                                           \
    OPENAPI_TEST(subject, query_parameters_are_documented)                                                                 \
    OPENAPI_TEST(subject, problems_are_described)                                                                          \
    OPENAPI_TEST(subject, objects_are_closed)

#endif
