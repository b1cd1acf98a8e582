/* The API document and the program agree: routes in both directions, examples for every body, every problem described. */
#include <criterion/criterion.h>
#include <ctype.h>
#include <stdio.h>

#include "booking-svc/adapters/schema.h"
#include "booking-svc/config.h"
#include "booking-svc/http/problems.h"
#include "booking-svc/http/routes.h"
#include "shared/json/reader.h"

static struct tk_arena arena;
static const struct tk_json *document;

static void set_up(void)
{
    const char *why = "";
    cr_assert_eq(tk_json_parse(&arena, booking_openapi_document(), &document, &why), TK_OK, "%s", why);
}

static void tear_down(void)
{
    tk_arena_release(&arena);
}

TestSuite(openapi, .init = set_up, .fini = tear_down);

static const struct tk_json *operation(const char *method, const char *path)
{
    char lower[16];
    size_t len = 0;
    for (; method[len] != '\0' && len + 1 < sizeof(lower); len++)
        lower[len] = (char)tolower((unsigned char)method[len]);
    lower[len] = '\0';
    return tk_json_get(tk_json_get(tk_json_get(document, "paths"), path), lower);
}

Test(openapi, every_route_is_documented)
{
    for (size_t i = 0; i < booking_route_count; i++) {
        const struct tk_route *route = &booking_routes[i];
        if (route->flags & TK_ROUTE_UNDOCUMENTED)
            continue;
        cr_assert_not_null(operation(route->method, route->path), "%s %s", route->method, route->path);
    }
}

static bool is_routed(struct tk_slice method, struct tk_slice path)
{
    for (size_t i = 0; i < booking_route_count; i++) {
        if (tk_slice_ieq_str(method, booking_routes[i].method) && tk_slice_eq_str(path, booking_routes[i].path))
            return true;
    }
    return false;
}

/** Calls `check` for every operation of the document. */
static void each_operation(void (*check)(const struct tk_json *path, const struct tk_json *op))
{
    const struct tk_json *paths = tk_json_get(document, "paths");
    for (const struct tk_json *path = paths->child; path != NULL; path = path->next) {
        for (const struct tk_json *op = path->child; op != NULL; op = op->next)
            check(path, op);
    }
}

static void check_routed(const struct tk_json *path, const struct tk_json *op)
{
    cr_assert(is_routed(op->key, path->key), "%.*s %.*s is documented, but no route", (int)op->key.len, op->key.ptr,
              (int)path->key.len, path->key.ptr);
}

Test(openapi, every_documented_operation_is_a_route)
{
    each_operation(check_routed);
}

static void check_examples(const struct tk_json *path, const struct tk_json *op)
{
    const struct tk_json *content = tk_json_get(tk_json_get(op, "requestBody"), "content");
    const struct tk_json *json = tk_json_get(content, "application/json");
    if (content != NULL)
        cr_assert_not_null(tk_json_get(json, "examples"), "%.*s", (int)path->key.len, path->key.ptr);
    const struct tk_json *responses = tk_json_get(op, "responses");
    cr_assert_not_null(responses);
    for (const struct tk_json *response = responses->child; response != NULL; response = response->next) {
        const struct tk_json *type = tk_json_get(response, "content");
        type = type ? type->child : NULL;
        if (type != NULL &&
            (tk_slice_eq_str(type->key, "application/json") || tk_slice_eq_str(type->key, "application/problem+json")))
            cr_assert_not_null(tk_json_get(type, "examples"), "%.*s %.*s", (int)path->key.len, path->key.ptr,
                               (int)response->key.len, response->key.ptr);
    }
}

Test(openapi, every_body_has_an_example)
{
    each_operation(check_examples);
}

/** Scopes that the document asks a token for, as bits. */
static unsigned documented_scopes(const struct tk_json *op)
{
    unsigned bits = 0;
    const struct tk_json *security = tk_json_get(op, "security");
    for (const struct tk_json *way = security != NULL ? security->child : NULL; way != NULL; way = way->next) {
        const struct tk_json *names = tk_json_get(way, "bearer");
        for (const struct tk_json *name = names != NULL ? names->child : NULL; name != NULL; name = name->next)
            for (unsigned i = 0; i < TK_SCOPES_MAX && booking_scopes[i] != NULL; i++)
                bits |= tk_slice_eq_str(name->text, booking_scopes[i]) ? 1u << i : 0;
    }
    return bits;
}

Test(openapi, scopes_are_documented_where_routes_want_them)
{
    for (size_t i = 0; i < booking_route_count; i++) {
        const struct tk_route *route = &booking_routes[i];
        const struct tk_json *path = tk_json_get(tk_json_get(document, "paths"), route->path);
        for (const struct tk_json *op = path != NULL ? path->child : NULL; op != NULL; op = op->next)
            if (tk_slice_ieq_str(op->key, route->method))
                cr_expect_eq(documented_scopes(op), TK_ROUTE_SCOPES_OF(route->flags), "%s %s", route->method, route->path);
    }
}

Test(openapi, problems_are_described_as_they_are)
{
    static const struct tk_problem_kind *const kinds[] = {
        &BOOKING_PROBLEM_SEATS_TAKEN,
        &BOOKING_PROBLEM_NO_ADJACENT_BLOCK,
        &BOOKING_PROBLEM_SOLD_OUT,
        &BOOKING_PROBLEM_SALES_CLOSED,
        &BOOKING_PROBLEM_SEAT_LIMIT,
        &BOOKING_PROBLEM_WRONG_STATE,
        &BOOKING_PROBLEM_SEATS_LOST,
        &BOOKING_PROBLEM_PAYMENT_IN_PROGRESS,
        &BOOKING_PROBLEM_HOLD_EXPIRED,
        &BOOKING_PROBLEM_PAYMENT_FAILED,
        &BOOKING_PROBLEM_PAYMENT_UNAVAILABLE,
        &TK_PROBLEM_NOT_JSON,
        &TK_PROBLEM_BAD_KEY,
        &TK_PROBLEM_REQUEST_IN_PROGRESS,
        &TK_PROBLEM_KEY_REUSED,
        &TK_PROBLEM_NO_IDENTITY,
        &TK_PROBLEM_INVALID_TOKEN,
        &TK_PROBLEM_FORBIDDEN,
        &TK_PROBLEM_INSUFFICIENT_SCOPE,
        &TK_PROBLEM_NOT_FOUND,
        &TK_PROBLEM_METHOD_NOT_ALLOWED,
        &TK_PROBLEM_TOO_LARGE,
        &TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
        &TK_PROBLEM_VALIDATION,
        &TK_PROBLEM_RATE_LIMITED,
        &TK_PROBLEM_OVERLOADED,
        &TK_PROBLEM_OUTCOME_UNKNOWN,
    };
    const struct tk_json *examples = tk_json_get(tk_json_get(document, "components"), "examples");
    cr_assert_eq(examples->count, sizeof(kinds) / sizeof(kinds[0]));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct tk_json *value = tk_json_get(tk_json_get(examples, kinds[i]->code), "value");
        int64_t status = 0;
        cr_assert_not_null(value, "%s", kinds[i]->code);
        cr_assert_eq(tk_parse_i64(tk_json_get(value, "status")->text, &status), TK_OK);
        cr_assert_eq(status, kinds[i]->status, "%s", kinds[i]->code);
        cr_assert(tk_slice_eq_str(tk_json_get(value, "title")->text, kinds[i]->title), "%s", kinds[i]->code);
    }
}
