/*
 * The server as a well-meaning client sees it: routing, checks before the handler, answers.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "shared/tests/http_fixture.h"

static struct web web;
static struct reply reply;

#define USER         "0189d9a1-0000-7000-8000-00000000abcd"
#define JSON_HEADERS "Host: t\r\nContent-Type: application/json\r\n"

/** Each row: one request, the status it gets, and a piece of the body. */
struct row {
    const char *request;
    int status;
    const char *contains;
};

static const struct row ROWS[] = {
    {"GET /things/7 HTTP/1.1\r\nHost: t\r\n\r\n", 200, "{\"param\":\"7\",\"q\":\"\"}"},
    {"GET /things/a%2Fb%20c?x=1&q=d+e%26&q=f HTTP/1.1\r\nHost: t\r\n\r\n", 200, "{\"param\":\"a/b c\",\"q\":\"d e&\"}"},
    {"GET http://example.org/things/7?q=abs HTTP/1.1\r\nHost: t\r\n\r\n", 200, "\"q\":\"abs\""},
    {"GET http://example.org?q=/things/7 HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"code\":\"not_found\""},
    {"GET /th%69ngs/7 HTTP/1.1\r\nHost: t\r\n\r\n", 200, "\"param\":\"7\""},
    {"GET /nope HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"code\":\"not_found\""},
    {"GET /things/ HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"code\":\"not_found\""},
    {"GET /things/7/ HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"instance\":\"/things/7/\""},
    {"OPTIONS * HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"code\":\"not_found\""},
    {"PUT /things/7 HTTP/1.1\r\nHost: t\r\nContent-Length: 0\r\n\r\n", 405, "\"code\":\"method_not_allowed\""},
    {"OPTIONS /things HTTP/1.1\r\nHost: t\r\n\r\n", 405, "\"code\":\"method_not_allowed\""},
    {"POST /things HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 2\r\n\r\n{}", 201, "made"},
    {"POST /things HTTP/1.1\r\nHost: t\r\nContent-Type: Application/JSON ; charset=utf-8\r\nContent-Length: 2\r\n\r\n[]",
     201, "made"},
    {"POST /things HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 3\r\n\r\n{,}", 400, "\"code\":\"not_json\""},
    {"POST /things HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 4\r\n\r\nnull", 422, "\"code\":\"validation_failed\""},
    {"POST /things HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 0\r\n\r\n", 400, "a JSON body is required"},
    {"POST /things HTTP/1.1\r\n" JSON_HEADERS "\r\n", 400, "a JSON body is required"},
    {"POST /things HTTP/1.1\r\nHost: t\r\n\r\n", 400, "a JSON body is required"},
    {"POST /things HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415,
     "unsupported_media_type"},
    {"POST /things HTTP/1.1\r\nHost: t\r\nContent-Type: application/problem+json\r\nContent-Length: 2\r\n\r\n{}", 415,
     "unsupported"},
    {"POST /things HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}", 415, "unsupported_media_type"},
    {"POST /maybe HTTP/1.1\r\nHost: t\r\n\r\n", 201, "made"},
    {"POST /maybe HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 0\r\n\r\n", 201, "made"},
    {"POST /maybe HTTP/1.1\r\nHost: t\r\nContent-Length: 2\r\n\r\n{}", 201, "made"},
    {"POST /maybe HTTP/1.1\r\nHost: t\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}", 415,
     "unsupported_media_type"},
    {"GET /user HTTP/1.1\r\nHost: t\r\n\r\n", 401, "\"code\":\"no_identity\""},
    {"GET /user HTTP/1.1\r\nHost: t\r\nX-User-ID: 7\r\n\r\n", 401, "\"code\":\"no_identity\""},
    {"GET /user HTTP/1.1\r\nHost: t\r\nx-user-id: " USER "\r\n\r\n", 200, USER},
    {"GET /user HTTP/1.1\r\nHost: t\r\nX-User-ID: " USER "\r\nX-User-ID: 0189d9a1-0000-7000-8000-00000000abce\r\n\r\n", 401,
     "identity"},
    {"GET /uuid/" USER " HTTP/1.1\r\nHost: t\r\n\r\n", 200, "uuid"},
    {"GET /uuid/7 HTTP/1.1\r\nHost: t\r\n\r\n", 404, "\"code\":\"not_found\""},
    {"GET /internal HTTP/1.1\r\nHost: t\r\n\r\n", 204, ""},
    {"GET /page HTTP/1.1\r\nHost: t\r\n\r\n", 200, "{\"limit\":50,\"after\":\"00000000-0000-0000-0000-000000000000\""},
    {"GET /page?limit=200 HTTP/1.1\r\nHost: t\r\n\r\n", 200, "\"limit\":200"},
    {"GET /page?limit=201 HTTP/1.1\r\nHost: t\r\n\r\n", 422, "from 1 to 200"},
    {"GET /page?limit=0 HTTP/1.1\r\nHost: t\r\n\r\n", 422, "\"code\":\"validation_failed\""},
    {"GET /page?limit= HTTP/1.1\r\nHost: t\r\n\r\n", 422, "limit"},
    {"GET /page?limit HTTP/1.1\r\nHost: t\r\n\r\n", 422, "limit"},
    {"GET /page?limit=99999999999999999999 HTTP/1.1\r\nHost: t\r\n\r\n", 422, "limit"},
    {"GET /page?cursor=AQECAwAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: t\r\n\r\n", 200, "\"after\":\"01020300-0000-"},
    {"GET /page?cursor=AgECAwAAAAAAAAAAAAAAAAA HTTP/1.1\r\nHost: t\r\n\r\n", 422, "cursor"},
    {"GET /page?cursor=!! HTTP/1.1\r\nHost: t\r\n\r\n", 422, "cursor"},
    {"GET /page?cursor= HTTP/1.1\r\nHost: t\r\n\r\n", 422, "cursor"},
    {"GET /overflow HTTP/1.1\r\nHost: t\r\n\r\n", 500, "\"code\":\"internal_error\""},
    {"GET /busy HTTP/1.1\r\nHost: t\r\n\r\n", 503, "\"code\":\"overloaded\""},
    {"GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", 200, "ok"},
    {"GET /readyz HTTP/1.1\r\nHost: t\r\n\r\n", 200, "ok"},
    {"GET /health HTTP/1.1\r\nHost: t\r\n\r\n", 200, "\"status\":\"ok\""},
    {"GET /metrics HTTP/1.1\r\nHost: t\r\n\r\n", 200,
     "http_requests_total{service=\"test\",method=\"GET\",route=\"/page\""},
    {"GET /openapi.json HTTP/1.1\r\nHost: t\r\n\r\n", 200, "{}"},
    {"GET /docs HTTP/1.1\r\nHost: t\r\n\r\n", 200, "make docs-assets"},
    {"GET /docs/ HTTP/1.1\r\nHost: t\r\n\r\n", 301, ""},
    {"GET /docs/start.js HTTP/1.1\r\nHost: t\r\n\r\n", 200, "SwaggerUIBundle"},
    {"GET /docs/swagger-ui.css HTTP/1.1\r\nHost: t\r\n\r\n", 404, "not_found"},
    {"GET /docs/../../../../etc/passwd HTTP/1.1\r\nHost: t\r\n\r\n", 404, "not_found"},
    {"GET /docs/%2e%2e%2f%2e%2e%2fetc/passwd HTTP/1.1\r\nHost: t\r\n\r\n", 404, "not_found"},
};

Test(http_server, answers_each_request_as_the_table_says)
{
    web_open(&web, 2000, NULL);
    for (size_t i = 0; i < sizeof(ROWS) / sizeof(ROWS[0]); i++) {
        web_ask(&web, ROWS[i].request, &reply);
        cr_expect_eq(reply.status, ROWS[i].status, "%d instead of %d for %s", reply.status, ROWS[i].status,
                     ROWS[i].request);
        cr_expect(reply_body_contains(&reply, ROWS[i].contains), "no %s in %s", ROWS[i].contains, reply.text);
        cr_expect(reply.complete);
        cr_expect_str_eq(reply_header(&reply, "server"), "");
        cr_expect_str_neq(reply_header(&reply, "x-request-id"), "");
        if (reply.status >= 400)
            cr_expect_str_eq(reply_header(&reply, "content-type"), "application/problem+json");
    }
    web_turn_for(&web, 10);
    cr_assert_eq(tk_http_server_in_flight(web.server), 0);
}

Test(http_server, a_405_names_the_methods_and_a_503_when_to_come_back)
{
    web_open(&web, 2000, NULL);
    web_ask(&web, "PUT /things/7 HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_str_eq(reply_header(&reply, "allow"), "GET, HEAD, DELETE");
    web_ask(&web, "GET /things HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_str_eq(reply_header(&reply, "allow"), "POST");
    web_ask(&web, "GET /busy HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_str_eq(reply_header(&reply, "retry-after"), "1");
    web_ask(&web, "POST /things HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 2\r\n\r\n{}", &reply);
    cr_assert_str_eq(reply_header(&reply, "location"), "/things/1");
}

Test(http_server, head_announces_the_length_and_sends_no_body)
{
    web_open(&web, 2000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "HEAD /things/7 HTTP/1.1\r\nHost: t\r\n\r\n");
    web_read(&web, fd, true, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply_header(&reply, "content-length"), "20");
    web_turn_for(&web, 20);
    cr_assert_eq(recv(fd, (char[16]){0}, 16, 0), -1, "nothing follows the header");
    web_say(&web, fd, "HEAD /nope HTTP/1.1\r\nHost: t\r\n\r\n");
    web_read(&web, fd, true, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 404);
}

Test(http_server, a_post_or_delete_without_a_body_has_none)
{
    web_open(&web, 2000, NULL);
    web_ask(&web, "DELETE /things/7 HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 201);
    cr_assert(web.last_body_is_null);
    web_ask(&web, "POST /maybe HTTP/1.1\r\n" JSON_HEADERS "Content-Length: 0\r\n\r\n", &reply);
    cr_assert_eq(web.last_body_len, 0);
}

Test(http_server, request_ids_are_echoed_when_harmless_and_made_otherwise)
{
    web_open(&web, 2000, NULL);
    web_ask(&web, "GET /nope HTTP/1.1\r\nHost: t\r\nX-Request-ID: order-17/a\r\n\r\n", &reply);
    cr_assert_str_eq(reply_header(&reply, "x-request-id"), "order-17/a");
    cr_assert(reply_body_contains(&reply, "\"request_id\":\"order-17/a\""));
    const char *bad[] = {"has space", "", "0123456789012345678901234567890123456789012345678901234567890123", "\xc3\xa9"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char request[256];
        (void)snprintf(request, sizeof(request), "GET /livez HTTP/1.1\r\nHost: t\r\nX-Request-ID: %s\r\n\r\n", bad[i]);
        web_ask(&web, request, &reply);
        cr_expect_eq(strlen(reply_header(&reply, "x-request-id")), 36, "for %s", bad[i]);
    }
}

Test(http_server, a_post_with_a_bad_idempotency_key_is_refused_before_its_body_is_read)
{
    web_open(&web, 2000, NULL);
    const char *bad[] = {"Idempotency-Key:\r\n", "Idempotency-Key: two words\r\n", "Idempotency-Key: caf\xc3\xa9\r\n",
                         "Idempotency-Key: a\r\nIdempotency-Key: b\r\n"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        char request[256];
        (void)snprintf(request, sizeof(request), "POST /things HTTP/1.1\r\n" JSON_HEADERS "%sContent-Length: 1\r\n\r\n{",
                       bad[i]);
        web_ask(&web, request, &reply);
        cr_expect_eq(reply.status, 400, "for %s", bad[i]);
        cr_expect(reply_body_contains(&reply, "\"code\":\"invalid_idempotency_key\""), "for %s", bad[i]);
    }
    web_ask(&web, "POST /things HTTP/1.1\r\n" JSON_HEADERS "Idempotency-Key: order-1\r\nContent-Length: 2\r\n\r\n{}",
            &reply);
    cr_assert_eq(reply.status, 201);
    web_ask(&web, "GET /things/7 HTTP/1.1\r\nHost: t\r\nIdempotency-Key: two words\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200, "means nothing there");
}

Test(http_server, a_traceparent_reaches_the_handler_only_when_well_formed)
{
    web_open(&web, 2000, NULL);
    web_ask(
        &web,
        "GET /things/1 HTTP/1.1\r\nHost: t\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n",
        &reply);
    cr_assert_str_eq(web.last_traceparent, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    web_ask(&web, "GET /things/1 HTTP/1.1\r\nHost: t\r\ntraceparent: nonsense\r\n\r\n", &reply);
    cr_assert_str_eq(web.last_traceparent, "");
}

static void with_key(struct tk_http_config *config)
{
    config->internal_api_key = "s3cret-key";
}

Test(http_server, internal_routes_ask_for_the_key_when_there_is_one)
{
    web_open(&web, 2000, with_key);
    web_ask(&web, "GET /internal HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 403);
    web_ask(&web, "GET /internal HTTP/1.1\r\nHost: t\r\nX-Internal-Api-Key: s3cret-kez\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 403);
    web_ask(&web, "GET /internal HTTP/1.1\r\nHost: t\r\nX-Internal-Api-Key: s3cret-key\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 204);
    web_ask(&web, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200);
}

Test(http_server, expect_continue_is_served_and_other_expectations_are_refused)
{
    web_open(&web, 2000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "POST /things HTTP/1.1\r\n" JSON_HEADERS "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n");
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 100);
    web_say(&web, fd, "{}");
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 201);
    web_ask(&web, "POST /things HTTP/1.1\r\n" JSON_HEADERS "Expect: miracles\r\nContent-Length: 2\r\n\r\n{}", &reply);
    cr_assert_eq(reply.status, 417);
    cr_assert_str_eq(reply_header(&reply, "content-type"), "application/problem+json");
}

Test(http_server, pipelined_requests_are_answered_in_order)
{
    static struct reply kept;
    char batch[16384];
    size_t len = 0;
    web_open(&web, 2000, NULL);
    int fd = web_connect(&web);
    for (int i = 0; i < 100; i++)
        len += (size_t)snprintf(batch + len, sizeof(batch) - len, "GET /things/%d HTTP/1.1\r\nHost: t\r\n\r\n", i);
    cr_assert(web_send(&web, fd, batch, len));
    for (int i = 0; i < 100; i++) {
        char expected[32];
        (void)snprintf(expected, sizeof(expected), "\"param\":\"%d\"", i);
        web_read(&web, fd, false, 1000, &kept, &reply);
        cr_assert_eq(reply.status, 200);
        cr_assert(reply_body_contains(&reply, expected), "answer %d: %s", i, reply.text);
    }
}

Test(http_server, http_1_0_is_answered_and_closed)
{
    web_open(&web, 2000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "GET /livez HTTP/1.0\r\n\r\n");
    web_read(&web, fd, false, 1000, NULL, &reply);
    cr_assert_eq(reply.status, 200);
    cr_assert_str_eq(reply_header(&reply, "connection"), "close");
    cr_assert_geq(web_wait_closed(&web, fd, 500), 0);
}

/* --- life and end ---------------------------------------------------------------------------------------------------- */

Test(http_server, an_answer_after_the_client_left_goes_nowhere)
{
    web_open(&web, 2000, NULL);
    int fd = web_connect(&web);
    web_say(&web, fd, "GET /park HTTP/1.1\r\nHost: t\r\n\r\n");
    web_turn_for(&web, 20);
    cr_assert_not_null(web.parked);
    cr_assert_eq(tk_http_server_in_flight(web.server), 1);
    (void)close(fd);
    web_turn_for(&web, 20);
    web_answer_parked(&web);
    web_turn_for(&web, 50);
    cr_assert_eq(tk_http_server_in_flight(web.server), 0);
    web_ask(&web, "GET /livez HTTP/1.1\r\nHost: t\r\n\r\n", &reply);
    cr_assert_eq(reply.status, 200);
}

Test(http_server, a_taken_port_and_a_bad_address_are_reported)
{
    struct tk_http_server *second = NULL;
    web_open(&web, 2000, NULL);
    struct tk_http_config config = {.service = "second", .host = "127.0.0.1", .port = tk_http_server_port(web.server)};
    cr_assert_eq(tk_http_server_open(web.loop, &config, &second), TK_ERR_CONFLICT);
    config.host = "not an address";
    cr_assert_eq(tk_http_server_open(web.loop, &config, &second), TK_ERR_INVALID);
}

static int ask_path(const char *method_and_path)
{
    static char request[1024];
    const bool post = strncmp(method_and_path, "POST", 4) == 0;
    (void)snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: t\r\n%s\r\n%s", method_and_path,
                   post ? "Content-Type: application/json\r\nContent-Length: 2\r\n" : "", post ? "{}" : "");
    web_ask(&web, request, &reply);
    return reply.status;
}

Test(http_server, a_query_parameter_that_is_not_known_or_given_twice_is_named)
{
    web_open(&web, 2000, NULL);
    cr_expect_eq(ask_path("GET /api/page?limit=5"), 200);
    cr_expect_eq(ask_path("GET /api/page?"), 200);
    cr_expect_eq(ask_path("GET /api/page?lmit=5"), 422);
    cr_expect(reply_body_contains(&reply, "\"code\":\"validation_failed\""));
    cr_expect(reply_body_contains(&reply, "query parameter lmit: not known here, only: limit cursor"));
    cr_expect_eq(ask_path("GET /api/page?limit=5&limit=5"), 422);
    cr_expect(reply_body_contains(&reply, "query parameter limit: given more than once"));
    cr_expect_eq(ask_path("POST /api/things?dry_run=1"), 422);
    cr_expect(reply_body_contains(&reply, "query parameter dry_run: not known here, only: none"));
    cr_expect_eq(ask_path("GET /api/page?%3Cscript%3E=5"), 422);
    cr_expect(reply_body_contains(&reply, "query parameter (unprintable)"));
    cr_expect_eq(ask_path("GET /livez?probe=7"), 200, "outside /api/ balancers add what they like");
}
