/*
 * The API document and the program agree: routes in both directions, examples for every body, every problem described.
 */
#include <criterion/criterion.h>
#include <ctype.h>

#include "event-svc/adapters/schema.h"
#include "event-svc/config.h"
#include "event-svc/http/problems.h"
#include "event-svc/http/routes.h"
#include "shared/json/reader.h"

static struct tk_arena arena;
static const struct tk_json *document;

static void set_up(void)
{
    const char *why = "";
    cr_assert_eq(tk_json_parse(&arena, event_openapi_document(), &document, &why), TK_OK, "%s", why);
}

static void tear_down(void)
{
    tk_arena_release(&arena);
}

TestSuite(openapi, .init = set_up, .fini = tear_down);

static bool is_documented(const struct tk_route *route)
{
    const struct tk_json *path = tk_json_get(tk_json_get(document, "paths"), route->path);
    for (const struct tk_json *op = path != NULL ? path->child : NULL; op != NULL; op = op->next)
        if (tk_slice_ieq_str(op->key, route->method))
            return true;
    return false;
}

Test(openapi, every_route_is_documented)
{
    for (size_t i = 0; i < event_route_count; i++)
        if ((event_routes[i].flags & TK_ROUTE_UNDOCUMENTED) == 0)
            cr_expect(is_documented(&event_routes[i]), "%s %s", event_routes[i].method, event_routes[i].path);
}

typedef void operation_check(const struct tk_json *path, const struct tk_json *op);

static void each_operation(operation_check *check)
{
    size_t seen = 0;
    for (const struct tk_json *path = tk_json_get(document, "paths")->child; path != NULL; path = path->next)
        for (const struct tk_json *op = path->child; op != NULL; op = op->next, seen++)
            check(path, op);
    cr_assert_gt(seen, 30);
}

static void is_routed(const struct tk_json *path, const struct tk_json *op)
{
    bool found = false;
    for (size_t i = 0; i < event_route_count && !found; i++)
        found = tk_slice_ieq_str(op->key, event_routes[i].method) && tk_slice_eq_str(path->key, event_routes[i].path);
    cr_expect(found, "%.*s %.*s", (int)op->key.len, op->key.ptr, (int)path->key.len, path->key.ptr);
}

Test(openapi, every_operation_is_a_route)
{
    each_operation(is_routed);
}

static void expect_examples(const struct tk_json *path, const struct tk_json *content)
{
    for (const struct tk_json *type = content != NULL ? content->child : NULL; type != NULL; type = type->next) {
        const struct tk_json *examples = tk_json_get(type, "examples");
        bool is_page = tk_slice_eq_str(type->key, "text/html");
        cr_expect(is_page || (examples != NULL && examples->count > 0), "%.*s %.*s", (int)path->key.len, path->key.ptr,
                  (int)type->key.len, type->key.ptr);
    }
}

static void has_examples(const struct tk_json *path, const struct tk_json *op)
{
    const struct tk_json *responses = tk_json_get(op, "responses");
    expect_examples(path, tk_json_get(tk_json_get(op, "requestBody"), "content"));
    cr_assert_not_null(responses);
    for (const struct tk_json *response = responses->child; response != NULL; response = response->next)
        expect_examples(path, tk_json_get(response, "content"));
}

Test(openapi, every_body_has_an_example)
{
    each_operation(has_examples);
}

Test(openapi, bodies_are_documented_where_routes_want_them)
{
    for (size_t i = 0; i < event_route_count; i++) {
        const struct tk_route *route = &event_routes[i];
        const struct tk_json *path = tk_json_get(tk_json_get(document, "paths"), route->path);
        for (const struct tk_json *op = path != NULL ? path->child : NULL; op != NULL; op = op->next)
            if (tk_slice_ieq_str(op->key, route->method))
                cr_expect_eq(tk_json_get(op, "requestBody") != NULL, (route->flags & TK_ROUTE_JSON_BODY) != 0, "%s %s",
                             route->method, route->path);
    }
}

/** Scopes that the document asks a token for, as bits. */
static unsigned documented_scopes(const struct tk_json *op)
{
    unsigned bits = 0;
    const struct tk_json *security = tk_json_get(op, "security");
    for (const struct tk_json *way = security != NULL ? security->child : NULL; way != NULL; way = way->next) {
        const struct tk_json *names = tk_json_get(way, "bearer");
        for (const struct tk_json *name = names != NULL ? names->child : NULL; name != NULL; name = name->next)
            for (unsigned i = 0; i < TK_SCOPES_MAX && event_scopes[i] != NULL; i++)
                bits |= tk_slice_eq_str(name->text, event_scopes[i]) ? 1u << i : 0;
    }
    return bits;
}

Test(openapi, scopes_are_documented_where_routes_want_them)
{
    for (size_t i = 0; i < event_route_count; i++) {
        const struct tk_route *route = &event_routes[i];
        const struct tk_json *path = tk_json_get(tk_json_get(document, "paths"), route->path);
        for (const struct tk_json *op = path != NULL ? path->child : NULL; op != NULL; op = op->next)
            if (tk_slice_ieq_str(op->key, route->method))
                cr_expect_eq(documented_scopes(op), TK_ROUTE_SCOPES_OF(route->flags), "%s %s", route->method, route->path);
    }
}

Test(openapi, problems_are_described_as_they_are)
{
    static const struct tk_problem_kind *const kinds[] = {
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
        &TK_PROBLEM_IN_USE,
        &TK_PROBLEM_TOO_LARGE,
        &TK_PROBLEM_UNSUPPORTED_MEDIA_TYPE,
        &TK_PROBLEM_VALIDATION,
        &TK_PROBLEM_RATE_LIMITED,
        &TK_PROBLEM_OVERLOADED,
        &TK_PROBLEM_OUTCOME_UNKNOWN,
        &PROBLEM_SEATS_TAKEN,
        &PROBLEM_SALES_CLOSED,
        &PROBLEM_SESSION_OVERLAP,
        &PROBLEM_WRONG_STATE,
        &PROBLEM_DUPLICATE_SEAT,
        &PROBLEM_CAPACITY_EXCEEDED,
        &PROBLEM_NO_SEATS,
        &PROBLEM_NOT_REPLAYABLE,
    };
    const struct tk_json *examples = tk_json_get(tk_json_get(document, "components"), "examples");
    cr_expect_eq(examples->count, sizeof(kinds) / sizeof(kinds[0]));
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        const struct tk_json *value = tk_json_get(tk_json_get(examples, kinds[i]->code), "value");
        int64_t status = 0;
        cr_assert_not_null(value, "%s", kinds[i]->code);
        cr_expect_eq(tk_parse_i64(tk_json_get(value, "status")->text, &status), TK_OK);
        cr_expect_eq(status, kinds[i]->status, "%s", kinds[i]->code);
        cr_expect(tk_slice_eq_str(tk_json_get(value, "title")->text, kinds[i]->title), "%s", kinds[i]->code);
    }
}
