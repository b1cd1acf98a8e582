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
