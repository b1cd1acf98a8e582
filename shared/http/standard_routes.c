/*
 * Health, metrics and API documents.
 *
 * /livez says that the loop turns and nothing else: a dependency that is away must not get the process killed. /readyz says
 * whether requests should be sent here. /health is the same truth with a line per dependency, for people.
 */
#include "shared/http/standard_routes.h"

#include "shared/http/docs_assets.h"
#include "shared/json/writer.h"
#include "shared/metrics/metrics.h"

#define MAX_METRICS (4u << 20)
#define MAX_HEALTH  (16u << 10)

static bool all_required_up(const struct tk_standard_app *app)
{
    for (size_t i = 0; i < app->check_count; i++)
        if (app->checks[i].required && !app->checks[i].check(app->checks[i].arg))
            return false;
    return true;
}

static bool all_up(const struct tk_standard_app *app)
{
    for (size_t i = 0; i < app->check_count; i++)
        if (!app->checks[i].check(app->checks[i].arg))
            return false;
    return true;
}

static const char *health_word(const struct tk_standard_app *app, bool required_up, bool sound)
{
    if (!required_up)
        return "down";
    return all_up(app) && sound ? "ok" : "degraded";
}

static bool write_details(const struct tk_standard_app *app, struct tk_buf *out)
{
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_object(&w, NULL);
    bool sound = app->details(app, &w);
    tk_jsonw_end_object(&w);
    return sound;
}

void tk_standard_health(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    bool up = all_required_up(app);
    struct tk_buf body = TK_BUF_INIT(MAX_HEALTH);
    struct tk_buf details = TK_BUF_INIT(MAX_HEALTH / 2);
    struct tk_jsonw w = TK_JSONW(&body);
    bool sound = app->details == NULL || write_details(app, &details);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_str(&w, "status", health_word(app, up, sound));
    tk_jsonw_str(&w, "service", app->service);
    tk_jsonw_begin_object(&w, "checks");
    for (size_t i = 0; i < app->check_count; i++)
        tk_jsonw_str(&w, app->checks[i].name, app->checks[i].check(app->checks[i].arg) ? "up" : "down");
    tk_jsonw_end_object(&w);
    if (app->details != NULL)
        tk_jsonw_raw(&w, "details", tk_buf_slice(&details));
    tk_jsonw_end_object(&w);
    tk_buf_release(&details);
    tk_http_respond_json(req, up ? 200 : 503, &body);
}

void tk_standard_livez(struct tk_http_req *req)
{
    tk_http_respond_static(req, 200, "application/json", TK_SLICE("{\"status\":\"ok\"}"));
}

void tk_standard_readyz(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    if (app->draining)
        tk_http_respond_static(req, 503, "application/json", TK_SLICE("{\"status\":\"draining\"}"));
    else if (!all_required_up(app))
        tk_http_respond_static(req, 503, "application/json", TK_SLICE("{\"status\":\"down\"}"));
    else
        tk_http_respond_static(req, 200, "application/json", TK_SLICE("{\"status\":\"ok\"}"));
}

void tk_standard_metrics(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    struct tk_buf body = TK_BUF_INIT(MAX_METRICS);
    if (!app->metrics_enabled) {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, "metrics are off (ENABLE_METRICS)");
        return;
    }
    tk_metrics_render(&body);
    tk_http_respond(req, 200, "text/plain; version=0.0.4; charset=utf-8", &body);
}

void tk_standard_openapi(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    tk_http_set_header(req, "access-control-allow-origin", "*"); /* public, and editors on other origins read it */
    tk_http_respond_static(req, 200, "application/json", app->openapi);
}

/* --- /docs --------------------------------------------------------------------------------------------------------- */

static void set_page_headers(struct tk_http_req *req)
{
    /* Swagger UI styles its elements inline; scripts come only from files. */
    tk_http_set_header(
        req, "content-security-policy",
        "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'");
    tk_http_set_header(req, "x-content-type-options", "nosniff");
}

void tk_standard_docs(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    set_page_headers(req);
    tk_http_respond_static(req, 200, "text/html; charset=utf-8",
                           tk_docs_complete(app->docs_dir) ? tk_docs_page() : tk_docs_missing_page());
}

void tk_standard_docs_asset(struct tk_http_req *req)
{
    const struct tk_standard_app *app = req->app;
    struct tk_slice path = tk_http_path(req);
    struct tk_slice name = {.ptr = path.ptr + sizeof("/docs/") - 1, .len = path.len - (sizeof("/docs/") - 1)};
    const char *content_type = NULL;
    struct tk_slice content = {NULL, 0};
    if (name.len == 0) {
        tk_http_set_header(req, "location", "../docs");
        tk_http_respond_empty(req, 301);
    } else if (tk_docs_asset(app->docs_dir, name, &content_type, &content) == TK_OK) {
        set_page_headers(req);
        tk_http_set_header(req, "cache-control", "max-age=3600");
        tk_http_respond_static(req, 200, content_type, content);
    } else {
        tk_http_problem(req, &TK_PROBLEM_NOT_FOUND, NULL);
    }
}
