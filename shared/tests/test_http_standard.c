/*
 * Health in its three forms, metrics, and the documentation pages.
 */
#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/http/standard_routes.h"
#include "shared/tests/http_fixture.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: t\r\n\r\n"

static struct web web;
static struct reply reply;
static bool postgres_up = true;
static bool redis_up = true;
static struct tk_standard_app *app;
static char dir[] = "/tmp/tk-docs-XXXXXX";

static bool read_flag(void *arg)
{
    return *(bool *)arg;
}

static const struct tk_health_check CHECKS[] = {
    {"postgres", read_flag, &postgres_up, true},
    {"redis", read_flag, &redis_up, false},
};

static void with_checks(struct tk_http_config *config)
{
    app = config->app;
    app->checks = CHECKS;
    app->check_count = 2;
    app->docs_dir = dir;
}

static void expect(const char *request, int status, const char *contains)
{
    web_ask(&web, request, &reply);
    cr_expect_eq(reply.status, status, "%d for %s", reply.status, request);
    cr_expect(reply_body_contains(&reply, contains), "no %s in %s", contains, reply.text);
}

Test(http_standard, health_names_each_dependency)
{
    web_open(&web, 3000, with_checks);
    expect(GET("/health"), 200,
           "{\"status\":\"ok\",\"service\":\"test\",\"checks\":{\"postgres\":\"up\",\"redis\":\"up\"}}");
    redis_up = false;
    expect(GET("/health"), 200, "\"status\":\"degraded\"");
    expect(GET("/health"), 200, "\"redis\":\"down\"");
    expect(GET("/readyz"), 200, "ok");
    postgres_up = false;
    expect(GET("/health"), 503, "\"status\":\"down\"");
    expect(GET("/readyz"), 503, "down");
    expect(GET("/livez"), 200, "ok");
    postgres_up = true;
    app->draining = true;
    expect(GET("/readyz"), 503, "draining");
    expect(GET("/livez"), 200, "ok");
}

Test(http_standard, metrics_count_by_route_and_can_be_switched_off)
{
    web_open(&web, 3000, with_checks);
    expect(GET("/things/1"), 200, "param");
    expect(GET("/things/2"), 200, "param");
    expect(GET("/nope"), 404, "not_found");
    expect("PUT /things/2 HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", 405, "method");
    expect(GET("/metrics"), 200,
           "http_requests_total{service=\"test\",method=\"GET\",route=\"/things/{id}\",status=\"2xx\"} 2\n");
    cr_expect(reply_body_contains(&reply, "{service=\"test\",method=\"any\",route=\"unmatched\",status=\"4xx\"} 2\n"));
    cr_expect(reply_body_contains(&reply, "http_request_duration_seconds_count{service=\"test\",method=\"GET\","
                                          "route=\"/things/{id}\"} 2\n"));
    app->metrics_enabled = false;
    expect(GET("/metrics"), 404, "ENABLE_METRICS");
}

static void put_file(const char *name, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    (void)close(fd);
}

static void remove_file(const char *name)
{
    char path[128];
    (void)snprintf(path, sizeof(path), "%s/%s", dir, name);
    (void)unlink(path);
}

Test(http_standard, docs_appear_once_the_files_are_there)
{
    cr_assert_not_null(mkdtemp(dir));
    web_open(&web, 3000, with_checks);
    expect(GET("/docs"), 200, "make docs-assets");
    expect(GET("/docs"), 200, "href=\"./openapi.json\"");
    expect(GET("/docs/swagger-ui.css"), 404, "not_found");
    put_file("swagger-ui.css", "body{}");
    put_file("swagger-ui-bundle.js", "var bundle;");
    put_file("secret.txt", "secret");
    expect(GET("/docs"), 200, "src=\"docs/swagger-ui-bundle.js\"");
    cr_expect_str_eq(reply_header(&reply, "content-type"), "text/html; charset=utf-8");
    expect(GET("/docs/swagger-ui.css"), 200, "body{}");
    cr_expect_str_eq(reply_header(&reply, "content-type"), "text/css; charset=utf-8");
    expect(GET("/docs/swagger-ui-bundle.js"), 200, "var bundle;");
    cr_expect_str_eq(reply_header(&reply, "content-type"), "text/javascript; charset=utf-8");
    cr_expect_str_eq(reply_header(&reply, "x-content-type-options"), "nosniff");
    expect(GET("/docs/secret.txt"), 404, "not_found");
    expect(GET("/docs/./swagger-ui.css"), 404, "not_found");
    remove_file("swagger-ui.css");
    expect(GET("/docs/swagger-ui.css"), 200, "body{}"); /* read once, kept */
    remove_file("swagger-ui-bundle.js");
    remove_file("secret.txt");
    (void)rmdir(dir);
}

Test(http_standard, docs_with_a_slash_lead_to_docs)
{
    web_open(&web, 3000, with_checks);
    expect(GET("/docs/"), 301, "");
    cr_assert_str_eq(reply_header(&reply, "location"), "../docs");
    cr_assert_str_eq(reply_header(&reply, "content-length"), "0");
}
