/*
 * Settings that would leave a door open are refused at start.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/http/access.h"
#include "shared/tests/token_fixture.h"

#define GOOD_KEY "0123456789abcdef"

struct access_case {
    struct tk_access_settings settings;
    const char *complaint; /* the setting it names; NULL: fine */
};

#define JWT(secret, file, issuer, audience, key, bind)                                                                     \
    {                                                                                                                      \
        .mode = "jwt", .jwt_secret = (secret), .jwt_keys_file = (file), .jwt_issuer = (issuer),                            \
        .jwt_audience = (audience), .internal_api_key = (key), .internal_api_key_previous = "", .internal_bind = (bind)    \
    }
#define DEV(key, bind)                                                                                                     \
    {                                                                                                                      \
        .mode = "dev", .jwt_secret = "", .jwt_keys_file = "", .jwt_issuer = "", .jwt_audience = "",                        \
        .internal_api_key = (key), .internal_api_key_previous = "", .internal_bind = (bind)                                \
    }

#define WITH_PREVIOUS(mode_name, key, previous)                                                                            \
    {                                                                                                                      \
        .mode = (mode_name), .jwt_secret = TOKEN_SECRET, .jwt_keys_file = "", .jwt_issuer = "i", .jwt_audience = "a",      \
        .internal_api_key = (key), .internal_api_key_previous = (previous), .internal_bind = ""                            \
    }

static const struct access_case CASES[] = {
    {WITH_PREVIOUS("dev", "new", "old"), NULL},
    {WITH_PREVIOUS("dev", "", "old"), "INTERNAL_API_KEY_PREVIOUS"},
    {WITH_PREVIOUS("jwt", GOOD_KEY, "fedcba9876543210"), NULL},
    {WITH_PREVIOUS("jwt", GOOD_KEY, "short"), "INTERNAL_API_KEY_PREVIOUS"},
    {DEV("", ""), NULL},
    {DEV("k", "127.0.0.1:0"), NULL},
    {DEV("", "127.0.0.1"), "INTERNAL_BIND"},
    {JWT(TOKEN_SECRET, "", "i", "a", GOOD_KEY, ""), NULL},
    {JWT("", "/keys.pem", "i", "a", GOOD_KEY, ""), NULL},
    {JWT("", "", "i", "a", GOOD_KEY, ""), "JWT_SECRET"},
    {JWT("0123456789abcdef0123456789abcde", "", "i", "a", GOOD_KEY, ""), "JWT_SECRET"},
    {JWT("local-development-only-change-me-please-0001", "", "i", "a", GOOD_KEY, ""), "JWT_SECRET"},
    {JWT("please-change-me-0123456789abcdef0123456789", "", "i", "a", GOOD_KEY, ""), "JWT_SECRET"},
    {JWT(TOKEN_SECRET, "/keys.pem", "i", "a", GOOD_KEY, ""), "JWT_KEYS_FILE"},
    {JWT(TOKEN_SECRET, "", "", "a", GOOD_KEY, ""), "JWT_ISSUER"},
    {JWT(TOKEN_SECRET, "", "i", "", GOOD_KEY, ""), "JWT_AUDIENCE"},
    {JWT(TOKEN_SECRET, "", "i", "a", "", ""), "INTERNAL_API_KEY"},
    {JWT(TOKEN_SECRET, "", "i", "a", "short", ""), "INTERNAL_API_KEY"},
    {JWT(TOKEN_SECRET, "", "i", "a", "", "0.0.0.0:9000"), "INTERNAL_API_KEY"},
    {JWT(TOKEN_SECRET, "", "i", "a", "", "127.0.0.1:9000"), NULL},
    {JWT(TOKEN_SECRET, "", "i", "a", "", "unix:/run/t.sock"), NULL},
};

Test(http_access, what_leaves_a_door_open_is_refused_by_name)
{
    for (size_t i = 0; i < sizeof(CASES) / sizeof(CASES[0]); i++) {
        const struct access_case *c = &CASES[i];
        char *text = NULL;
        size_t len = 0;
        char expected[64] = "";
        if (c->complaint != NULL)
            (void)snprintf(expected, sizeof(expected), "CONFIG: %s:", c->complaint);
        FILE *out = open_memstream(&text, &len);
        enum tk_err err = tk_access_check(&c->settings, out);
        (void)fclose(out);
        cr_expect_eq(err, c->complaint == NULL ? TK_OK : TK_ERR_INVALID, "case %zu: %s", i, text);
        cr_expect(strncmp(text, expected, strlen(expected)) == 0, "case %zu: %s", i, text);
        cr_expect(c->complaint == NULL ? len == 0 : strchr(text, '\n') == text + len - 1, "one line, case %zu: %s", i,
                  text);
        cr_expect_null(strstr(text, TOKEN_SECRET));
        free(text);
    }
}

Test(http_access, dev_has_no_verifier_and_bad_keys_no_service)
{
    static struct tk_auth *auth;
    const struct tk_access_settings dev = DEV("", "");
    const struct tk_access_settings lost = JWT("", "/nonexistent/keys", "i", "a", GOOD_KEY, "");
    const struct tk_access_settings good = JWT(TOKEN_SECRET, "", "i", "a", GOOD_KEY, "");
    cr_expect_eq(tk_access_open(&dev, "test", NULL, &auth), TK_OK);
    cr_expect_null(auth);
    cr_expect_eq(tk_access_open(&lost, "test", NULL, &auth), TK_ERR_INVALID);
    cr_expect_null(auth);
    cr_expect_eq(tk_access_open(&good, "test", NULL, &auth), TK_OK);
    cr_expect_not_null(auth);
    tk_auth_free(auth);
}
