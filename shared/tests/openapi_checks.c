/* The document is read by our own strict reader, so it also has no member twice and nothing behind its end. */
#include "shared/tests/openapi_checks.h"

#include <string.h>

#include "shared/http/text.h"
#include "shared/json/reader.h"

static struct tk_arena arena; /* each test is a process of its own */
static const struct tk_json *document;

static void open_document(const struct openapi_subject *subject)
{
    const char *why = "";
    cr_assert_eq(tk_json_parse(&arena, subject->document(), &document, &why), TK_OK, "%s", why);
}

static const struct tk_json *operation_of(const struct tk_route *route)
{
    const struct tk_json *path = tk_json_get(tk_json_get(document, "paths"), route->path);
    for (const struct tk_json *op = path != NULL ? path->child : NULL; op != NULL; op = op->next)
        if (tk_slice_ieq_str(op->key, route->method))
            return op;
    return NULL;
}

/** What a `$ref` below components points to; `node` itself when it is none. */
static const struct tk_json *resolve(const struct tk_json *node)
{
    const struct tk_json *ref = tk_json_get(node, "$ref");
    char path[128] = "";
    if (ref == NULL)
        return node;
    cr_assert(ref->text.len < sizeof(path) && memcmp(ref->text.ptr, "#/components/", 13) == 0);
    memcpy(path, ref->text.ptr + 13, ref->text.len - 13);
    char *slash = strchr(path, '/');
    cr_assert_not_null(slash);
    *slash = '\0';
    const struct tk_json *found = tk_json_get(tk_json_get(tk_json_get(document, "components"), path), slash + 1);
    cr_assert_not_null(found, "%s", slash + 1);
    return found;
}

typedef void route_check(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op);

/** Calls `check` for every documented route. */
static void each_route(const struct openapi_subject *subject, route_check *check)
{
    open_document(subject);
    for (size_t i = 0; i < *subject->route_count; i++) {
        const struct tk_route *route = &subject->routes[i];
        if ((route->flags & TK_ROUTE_UNDOCUMENTED) != 0)
            continue;
        const struct tk_json *op = operation_of(route);
        cr_expect_not_null(op, "%s %s", route->method, route->path);
        if (op != NULL)
            check(subject, route, op);
    }
    tk_arena_release(&arena);
}

/* --- routes and operations --------------------------------------------------------------------------------------- */

static void is_there(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op)
{
    (void)subject;
    (void)route;
    cr_expect_not_null(tk_json_get(op, "responses"));
}

void openapi_every_route_is_documented(const struct openapi_subject *subject)
{
    each_route(subject, is_there);
}

static bool is_routed(const struct openapi_subject *subject, struct tk_slice method, struct tk_slice path)
{
    for (size_t i = 0; i < *subject->route_count; i++)
        if (tk_slice_ieq_str(method, subject->routes[i].method) && tk_slice_eq_str(path, subject->routes[i].path))
            return true;
    return false;
}

void openapi_every_operation_is_a_route(const struct openapi_subject *subject)
{
    size_t seen = 0;
    open_document(subject);
    for (const struct tk_json *path = tk_json_get(document, "paths")->child; path != NULL; path = path->next)
        for (const struct tk_json *op = path->child; op != NULL; op = op->next, seen++)
            cr_expect(is_routed(subject, op->key, path->key), "%.*s %.*s", (int)op->key.len, op->key.ptr,
                      (int)path->key.len, path->key.ptr);
    cr_expect_gt(seen, 15);
    tk_arena_release(&arena);
}

/* --- bodies ------------------------------------------------------------------------------------------------------ */

static void expect_examples(const struct tk_route *route, const struct tk_json *content)
{
    for (const struct tk_json *type = content != NULL ? content->child : NULL; type != NULL; type = type->next) {
        const struct tk_json *examples = tk_json_get(type, "examples");
        const bool is_json =
            tk_slice_eq_str(type->key, "application/json") || tk_slice_eq_str(type->key, "application/problem+json");
        cr_expect(!is_json || (examples != NULL && examples->count > 0), "%s %s %.*s", route->method, route->path,
                  (int)type->key.len, type->key.ptr);
    }
}

static void has_examples(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op)
{
    (void)subject;
    expect_examples(route, tk_json_get(tk_json_get(op, "requestBody"), "content"));
    for (const struct tk_json *response = tk_json_get(op, "responses")->child; response != NULL; response = response->next)
        expect_examples(route, tk_json_get(resolve(response), "content"));
}

void openapi_every_body_has_an_example(const struct openapi_subject *subject)
{
    each_route(subject, has_examples);
}

static void has_body(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op)
{
    (void)subject;
    cr_expect_eq(tk_json_get(op, "requestBody") != NULL, (route->flags & TK_ROUTE_JSON_BODY) != 0, "%s %s", route->method,
                 route->path);
}

void openapi_bodies_are_documented(const struct openapi_subject *subject)
{
    each_route(subject, has_body);
}

/* --- rights ------------------------------------------------------------------------------------------------------ */

/** Scopes that the document asks a token for, as bits. */
static unsigned documented_scopes(const struct openapi_subject *subject, const struct tk_json *op)
{
    unsigned bits = 0;
    const struct tk_json *security = tk_json_get(op, "security");
    for (const struct tk_json *way = security != NULL ? security->child : NULL; way != NULL; way = way->next) {
        const struct tk_json *names = tk_json_get(way, "bearer");
        for (const struct tk_json *name = names != NULL ? names->child : NULL; name != NULL; name = name->next)
            for (unsigned i = 0; i < TK_SCOPES_MAX && subject->scopes[i] != NULL; i++)
                bits |= tk_slice_eq_str(name->text, subject->scopes[i]) ? 1u << i : 0;
    }
    return bits;
}

static void has_scopes(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op)
{
    cr_expect_eq(documented_scopes(subject, op), TK_ROUTE_SCOPES_OF(route->flags), "%s %s", route->method, route->path);
}

void openapi_scopes_are_documented(const struct openapi_subject *subject)
{
    each_route(subject, has_scopes);
}

/* --- query parameters -------------------------------------------------------------------------------------------- */

/** The documented ones as a query string, which the route's own list must let pass, and as many as that has words. */
static void has_query(const struct openapi_subject *subject, const struct tk_route *route, const struct tk_json *op)
{
    struct tk_buf query = TK_BUF_INIT(1024);
    struct tk_slice name = {0};
    size_t documented = 0;
    size_t known = route->query != NULL && route->query[0] != '\0' ? 1 : 0;
    const struct tk_json *parameters = tk_json_get(op, "parameters");
    (void)subject;
    for (const struct tk_json *item = parameters != NULL ? parameters->child : NULL; item != NULL; item = item->next) {
        const struct tk_json *parameter = resolve(item);
        if (!tk_slice_eq_str(tk_json_get(parameter, "in")->text, "query"))
            continue;
        tk_buf_append_slice(&query, tk_json_get(parameter, "name")->text);
        tk_buf_append_str(&query, "=1&");
        documented++;
    }
    for (const char *at = route->query; at != NULL && *at != '\0'; at++)
        known += *at == ' ' ? 1 : 0;
    cr_expect_eq(tk_http_query_check(&arena, tk_buf_slice(&query), route->query, &name), TK_HTTP_QUERY_FINE, "%s %s: %.*s",
                 route->method, route->path, (int)name.len, name.ptr);
    cr_expect_eq(documented, known, "%s %s", route->method, route->path);
    if (strncmp(route->path, "/api/", 5) == 0)
        cr_expect_not_null(tk_json_get(tk_json_get(op, "responses"), "422"), "%s %s", route->method, route->path);
    tk_buf_release(&query);
}

void openapi_query_parameters_are_documented(const struct openapi_subject *subject)
{
    each_route(subject, has_query);
}

/* --- problems and schemas ---------------------------------------------------------------------------------------- */

void openapi_problems_are_described(const struct openapi_subject *subject)
{
    open_document(subject);
    const struct tk_json *examples = tk_json_get(tk_json_get(document, "components"), "examples");
    cr_expect_eq(examples->count, subject->problem_count);
    for (size_t i = 0; i < subject->problem_count; i++) {
        const struct tk_problem_kind *kind = subject->problems[i];
        const struct tk_json *value = tk_json_get(tk_json_get(examples, kind->code), "value");
        int64_t status = 0;
        cr_assert_not_null(value, "%s", kind->code);
        cr_expect_eq(tk_parse_i64(tk_json_get(value, "status")->text, &status), TK_OK);
        cr_expect_eq(status, kind->status, "%s", kind->code);
        cr_expect(tk_slice_eq_str(tk_json_get(value, "title")->text, kind->title), "%s", kind->code);
    }
    tk_arena_release(&arena);
}

/** Generated clients are told whether there may be more members than those named. */
static void expect_closed(const struct tk_json *schema)
{
    const struct tk_json *properties = tk_json_get(schema, "properties");
    if (properties != NULL && tk_json_get(schema, "type") != NULL)
        cr_expect_not_null(tk_json_get(schema, "additionalProperties"), "%.*s", (int)schema->key.len, schema->key.ptr);
    for (const struct tk_json *child = schema->child; child != NULL; child = child->next)
        expect_closed(child);
}

void openapi_objects_are_closed(const struct openapi_subject *subject)
{
    open_document(subject);
    expect_closed(tk_json_get(tk_json_get(document, "components"), "schemas"));
    tk_arena_release(&arena);
}
