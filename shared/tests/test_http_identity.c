/*
 * Tokens at the door: which routes want one, what the answers to a missing, bad and insufficient one look like.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/tests/http_fixture.h"
#include "shared/tests/token_fixture.h"

#define HEADER "{\"alg\":\"HS256\"}"
#define OTHER  "00000000-0000-4000-8000-000000000001"

static struct web web;
static struct reply reply;

static const char *const SCOPES[TK_SCOPES_MAX] = {"catalog:write"};

static void with_tokens(struct tk_http_config *config)
{
    const struct tk_auth_config auth = {
        .secret = TOKEN_SECRET,
        .keys_file = "",
        .rules = {.issuer = TOKEN_ISSUER, .audience = TOKEN_AUDIENCE, .leeway_s = 30, .scopes = SCOPES},
        .cache_tokens = 64,
    };
    config->internal_api_key = "k3y";
    cr_assert_eq(tk_auth_open(&auth, &config->auth), TK_OK);
}

/** A token for `sub` that is good for an hour, with `more` claims. */
static const char *token_for(const char *sub, const char *more)
{
    char claims[512];
    (void)snprintf(claims, sizeof(claims), "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"exp\":%lld%s}", TOKEN_ISSUER,
                   TOKEN_AUDIENCE, sub, (long long)(tk_unix_us() / TK_US_PER_S + 3600), more);
    return token_hs256(HEADER, claims, tk_slice_of(TOKEN_SECRET));
}

/** `headers`: whole lines, "" for none. */
static int ask(const char *method_and_path, const char *headers)
{
    static char request[16384];
    const char *body =
        strncmp(method_and_path, "POST", 4) == 0 ? "Content-Type: application/json\r\nContent-Length: 2\r\n" : "";
    (void)snprintf(request, sizeof(request), "%s HTTP/1.1\r\nHost: t\r\n%s%s\r\n%s", method_and_path, headers, body,
                   body[0] != '\0' ? "{}" : "");
    web_ask(&web, request, &reply);
    return reply.status;
}

static int ask_with(const char *method_and_path, const char *token)
{
    static char headers[12000];
    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\n", token);
    return ask(method_and_path, headers);
}

static bool challenge_has(const char *text)
{
    return strstr(reply_header(&reply, "www-authenticate"), text) != NULL;
}

Test(http_identity, the_user_is_the_tokens_and_never_the_headers)
{
    static char headers[2048];
    web_open(&web, 3000, with_tokens);
    (void)snprintf(headers, sizeof(headers), "X-User-ID: " OTHER "\r\nauthorization: bearer  %s\r\n",
                   token_for(TOKEN_USER, ""));
    cr_expect_eq(ask("GET /user", headers), 200);
    cr_expect(reply_body_contains(&reply, TOKEN_USER));
    cr_expect_eq(ask("GET /user", "X-User-ID: " OTHER "\r\n"), 401);
    cr_expect_eq(ask("GET /mine", "X-User-ID: " OTHER "\r\n"), 401);
}

Test(http_identity, a_subject_that_is_no_uuid_is_a_user_too)
{
    web_open(&web, 3000, with_tokens);
    cr_expect_eq(ask_with("GET /user", token_for("robot", "")), 200);
    cr_expect(reply_body_contains(&reply, "36d1dd21-9c1f-596a-8e20-a4a078ef1156"));
    cr_expect_eq(ask_with("GET /mine", token_for("robot", "")), 200);
}

Test(http_identity, a_missing_token_is_a_plain_challenge)
{
    static const char *const nothings[] = {"",
                                           "Authorization: Basic dTpw\r\n",
                                           "Authorization: Bearer\r\n",
                                           "Authorization: Bearer \r\n",
                                           "Authorization: \r\n",
                                           "Authorization: BearerX\r\n"};
    web_open(&web, 3000, with_tokens);
    for (size_t i = 0; i < sizeof(nothings) / sizeof(nothings[0]); i++) {
        cr_expect_eq(ask("GET /user", nothings[i]), 401, "%s", nothings[i]);
        cr_expect_str_eq(reply_header(&reply, "www-authenticate"), "Bearer realm=\"ticketing\"");
        cr_expect(reply_body_contains(&reply, "\"code\":\"no_identity\""));
    }
}

Test(http_identity, a_bad_token_is_told_why_and_not_quoted)
{
    web_open(&web, 3000, with_tokens);
    cr_expect_eq(ask_with("GET /user", "e30.SECRETPART.AAAA"), 401);
    cr_expect(challenge_has("error=\"invalid_token\""));
    cr_expect(reply_body_contains(&reply, "\"code\":\"invalid_token\""));
    cr_expect_not(reply_body_contains(&reply, "SECRETPART"));
    cr_expect_not(challenge_has("SECRETPART"));
    cr_expect_eq(ask_with("GET /user", token_for("", "")), 401);
    cr_expect(challenge_has("it has no sub"));
    cr_expect_eq(ask_with("GET /mine", token_for("", "")), 401);
    cr_expect_eq(ask_with("POST /catalog", token_for("", ",\"scope\":\"catalog:write\"")), 401);
}

Test(http_identity, two_tokens_are_a_bad_request)
{
    static char headers[4096];
    web_open(&web, 3000, with_tokens);
    const char *token = token_for(TOKEN_USER, "");
    (void)snprintf(headers, sizeof(headers), "Authorization: Bearer %s\r\nAuthorization: Bearer %s\r\n", token, token);
    cr_expect_eq(ask("GET /user", headers), 400);
    cr_expect(challenge_has("error=\"invalid_request\""));
    cr_expect_eq(ask("GET /things/1", headers), 200);
}

Test(http_identity, rights_are_wanted_and_named)
{
    web_open(&web, 3000, with_tokens);
    cr_expect_eq(ask("POST /catalog", ""), 401);
    cr_expect_eq(ask_with("POST /catalog", token_for(TOKEN_USER, "")), 403);
    cr_expect(challenge_has("error=\"insufficient_scope\", scope=\"catalog:write\""));
    cr_expect(reply_body_contains(&reply, "\"code\":\"insufficient_scope\""));
    cr_expect_eq(ask_with("POST /catalog", token_for(TOKEN_USER, ",\"scope\":\"catalog:read\"")), 403);
    cr_expect_eq(ask_with("POST /catalog", token_for(TOKEN_USER, ",\"scope\":\"catalog:write\"")), 201);
    cr_expect_eq(ask_with("POST /catalog", token_for("robot", ",\"scp\":[\"catalog:write\"]")), 201);
}

Test(http_identity, browsing_wants_no_token_and_looks_at_none)
{
    web_open(&web, 3000, with_tokens);
    cr_expect_eq(ask("GET /things/1", ""), 200);
    cr_expect_eq(ask_with("GET /things/1", "nonsense"), 200);
    cr_expect_eq(ask("GET /livez", ""), 200);
}

Test(http_identity, a_user_opens_no_internal_route_and_the_key_is_no_user)
{
    web_open(&web, 3000, with_tokens);
    cr_expect_eq(ask_with("GET /internal", token_for(TOKEN_USER, ",\"scope\":\"catalog:write\"")), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: k3\r\n"), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: k3yy\r\n"), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: \r\n"), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: k3y\r\n"), 204);
    cr_expect_eq(ask("GET /user", "X-Internal-Api-Key: k3y\r\n"), 401);
}

static void with_two_keys(struct tk_http_config *config)
{
    config->internal_api_key = "n3w-key";
    config->internal_api_key_previous = "old-k3y";
}

Test(http_identity, while_the_key_changes_both_open_and_nothing_else_does)
{
    web_open(&web, 3000, with_two_keys);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: n3w-key\r\n"), 204);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: old-k3y\r\n"), 204);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: old-key\r\n"), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: n3w-keyold-k3y\r\n"), 403);
    cr_expect_eq(ask("GET /internal", "X-Internal-Api-Key: \r\n"), 403);
    cr_expect_eq(ask("GET /internal", ""), 403);
}

static void with_previous_only(struct tk_http_config *config)
{
    config->internal_api_key_previous = "old-k3y";
}

Test(http_identity, the_previous_key_alone_locks_nothing)
{
    web_open(&web, 3000, with_previous_only);
    cr_expect_eq(ask("GET /internal", ""), 204);
}

Test(http_identity, an_oversize_token_is_refused)
{
    static char token[9000];
    web_open(&web, 3000, with_tokens);
    memset(token, 'a', sizeof(token) - 1);
    cr_expect_eq(ask_with("GET /user", token), 401);
}

static bool always_overloaded(void *app, const struct tk_route *route)
{
    (void)app;
    (void)route;
    return true;
}

static void with_tokens_and_crowd(struct tk_http_config *config)
{
    with_tokens(config);
    config->is_overloaded = always_overloaded;
}

Test(http_identity, one_too_many_costs_no_signature)
{
    web_open(&web, 3000, with_tokens_and_crowd);
    cr_expect_eq(ask_with("GET /user", "nonsense"), 503);
}

Test(http_identity, without_tokens_the_header_is_believed_and_nobody_needs_rights)
{
    web_open(&web, 3000, NULL);
    cr_expect_eq(ask("GET /user", "X-User-ID: " OTHER "\r\nAuthorization: Bearer nonsense\r\n"), 200);
    cr_expect(reply_body_contains(&reply, OTHER));
    cr_expect_eq(ask("GET /user", ""), 401);
    cr_expect_eq(ask("GET /mine", ""), 200);
    cr_expect_eq(ask("POST /catalog", ""), 201);
}

Test(http_identity, a_header_that_names_no_one_user_is_refused_where_users_count)
{
    static const char *const bad[] = {"X-User-ID: anna\r\n", "X-User-ID: \r\n",
                                      "X-User-ID: 00000000-0000-0000-0000-000000000000\r\n",
                                      "X-User-ID: " OTHER "\r\nX-User-ID: " TOKEN_USER "\r\n"};
    web_open(&web, 3000, NULL);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        cr_expect_eq(ask("GET /user", bad[i]), 401, "%s", bad[i]);
        cr_expect_eq(ask("GET /mine", bad[i]), 401, "%s", bad[i]);
        cr_expect_eq(ask("POST /catalog", bad[i]), 401, "%s", bad[i]);
        cr_expect_eq(ask("GET /things/1", bad[i]), 200, "%s", bad[i]);
    }
}
