/*
 * Key files: what is a key, what is refused, and the verifier that lives with one.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shared/auth/auth.h"
#include "shared/metrics/metrics.h"
#include "shared/tests/token_fixture.h"

static const char *why;

static size_t keys_in(const char *text)
{
    why = NULL;
    struct tk_keys *keys = tk_keys_parse(tk_slice_of(text), &why);
    size_t count = keys != NULL ? tk_keys_count(keys) : 0;
    cr_expect_eq(keys == NULL, why != NULL);
    tk_keys_free(keys);
    return count;
}

/* --- files ------------------------------------------------------------------------------------------------------------ */

#define K32 "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY" /* 32 bytes */

struct set_case {
    const char *text;
    size_t keys;
};

static const struct set_case SETS[] = {
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K32 "\"}]}", 1},
    {" \n{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"" K32 "\"},{\"kty\":\"oct\",\"kid\":\"b\",\"k\":\"" K32 "\"}]}",
     2},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K32 "\"},{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"AA\"}]}", 1},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K32 "\",\"use\":\"enc\"},{\"kty\":\"oct\",\"k\":\"" K32 "\"}]}", 1},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K32 "\",\"alg\":\"HS512\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"" K32 "\"},{\"kty\":\"oct\",\"k\":\"" K32 "\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"" K32 "\"},{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"" K32 "\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\",\"kid\":\"a\",\"k\":\"" K32 "\"},{\"kty\":\"oct\",\"k\":\"" K32 "\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"MDEyMzQ1Njc4OWFiY2RlZg\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\",\"k\":\"!\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"oct\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQAB\",\"e\":\"AQAB\"}]}", 0},
    {"{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"" K32 "\",\"y\":\"" K32 "\"}]}", 0}, /* not on the curve */
    {"{\"keys\":[]}", 0},
    {"{\"keys\":{}}", 0},
    {"{}", 0},
    {"{", 0},
    {"", 0},
    {"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", 0},
    {"ssh-rsa AAAA", 0},
};

Test(auth_keys, sets)
{
    for (size_t i = 0; i < sizeof(SETS) / sizeof(SETS[0]); i++)
        cr_expect_eq(keys_in(SETS[i].text), SETS[i].keys, "%s: %s", SETS[i].text, why);
}

Test(auth_keys, public_keys)
{
    char text[16384];
    EVP_PKEY *rsa = token_key_rsa(2048);
    EVP_PKEY *ec = token_key_ec("P-256");
    cr_expect_eq(keys_in(token_pem(rsa)), 1);
    cr_expect_eq(keys_in(token_pem(ec)), 1);
    cr_expect_eq(keys_in(token_pem(token_key_rsa(1024))), 0);
    cr_expect_str_eq(why, "an RSA key needs 2048 bits at least");
    cr_expect_eq(keys_in(token_pem(token_key_ec("P-384"))), 0);
    cr_expect_eq(keys_in(token_pem(token_key_ec("secp256k1"))), 0);
    cr_expect_eq(keys_in(token_pem(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"))), 0);
    (void)snprintf(text, sizeof(text), "%s%s", token_pem(rsa), token_pem(ec));
    cr_expect_eq(keys_in(text), 0, "two blocks");
    (void)snprintf(text, sizeof(text), "{\"keys\":[%s]}", token_jwk(rsa, ",\"e\":\"AQ\""));
    cr_expect_eq(keys_in(text), 0, "a member twice");
}

/** With e = 1 everybody's signature is the padded text itself. */
Test(auth_keys, an_exponent_of_one_is_refused)
{
    char text[16384];
    const char *jwk = token_jwk(token_key_rsa(2048), "");
    const char *exponent = strstr(jwk, "\"e\":\"AQAB\"");
    cr_assert_not_null(exponent);
    (void)snprintf(text, sizeof(text), "{\"keys\":[%.*s\"e\":\"AQ\"}]}", (int)(exponent - jwk), jwk);
    cr_expect_eq(keys_in(text), 0);
    cr_expect_str_eq(why, "a public key is not sound");
}

Test(auth_keys, a_short_secret_is_none)
{
    cr_expect_null(tk_keys_from_secret(TK_SLICE("0123456789abcdef0123456789abcde")));
    cr_expect_null(tk_keys_from_secret(TK_SLICE("")));
}

/* --- the verifier ------------------------------------------------------------------------------------------------ */

static struct tk_auth *auth;
static char path[64];

static void write_keys(const char *text)
{
    FILE *file = fopen(path, "w");
    cr_assert_not_null(file);
    (void)fputs(text, file);
    (void)fclose(file);
}

static void open_auth(size_t cache_tokens, const char *keys)
{
    (void)snprintf(path, sizeof(path), "/tmp/ticketing-keys.%ld", (long)getpid());
    write_keys(keys);
    const struct tk_auth_config config = {
        .secret = "",
        .keys_file = path,
        .rules = {.issuer = TOKEN_ISSUER, .audience = TOKEN_AUDIENCE, .leeway_s = 30},
        .cache_tokens = cache_tokens,
    };
    cr_assert_eq(tk_auth_open(&config, &auth), TK_OK);
}

static void close_auth(void)
{
    tk_auth_free(auth);
    (void)unlink(path);
}

static bool believed(const char *token, int64_t now_s)
{
    struct tk_arena arena = {0};
    struct tk_identity identity;
    const char *reason = NULL;
    bool good = tk_auth_verify(auth, now_s, &arena, tk_slice_of(token), &identity, &reason) == TK_OK;
    cr_expect(!good || !tk_uuid_is_nil(&identity.user_id));
    tk_arena_release(&arena);
    return good;
}

static int counted(const char *result)
{
    struct tk_buf text = TK_BUF_INIT(1 << 20);
    char line[96];
    (void)snprintf(line, sizeof(line), "\nauth_tokens_total{result=\"%s\"} ", result);
    tk_metrics_render(&text);
    tk_buf_append_char(&text, '\0');
    const char *found = strstr(text.ptr, line);
    int count = found != NULL ? (int)strtol(found + strlen(line), NULL, 10) : -1;
    tk_buf_release(&text);
    return count;
}

Test(auth_keys, a_verified_token_is_remembered_until_it_expires)
{
    EVP_PKEY *key = token_key_ec("P-256");
    const char *token = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), key);
    open_auth(64, token_pem(key));
    cr_expect(believed(token, TOKEN_NOW));
    cr_expect(believed(token, TOKEN_NOW));
    cr_expect(believed(token, TOKEN_NOW + 3629));
    cr_expect_eq(counted("verified"), 1);
    cr_expect_eq(counted("remembered"), 2);
    cr_expect_not(believed(token, TOKEN_NOW + 3630));
    cr_expect_eq(counted("refused"), 1);
    close_auth();
}

Test(auth_keys, a_refused_token_is_not_remembered_and_a_full_memory_forgets)
{
    EVP_PKEY *key = token_key_ec("P-256");
    char claims[512];
    const char *tokens[16];
    open_auth(4, token_pem(key));
    for (int i = 0; i < 16; i++) {
        (void)snprintf(claims, sizeof(claims), TOKEN_CLAIMS(",\"jti\":%d"), i);
        tokens[i] = token_signed("{\"alg\":\"ES256\"}", claims, key);
    }
    for (int round = 0; round < 2; round++)
        for (int i = 0; i < 16; i++)
            cr_expect(believed(tokens[i], TOKEN_NOW));
    cr_expect_eq(counted("verified"), 32);
    const char *forged = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), token_key_ec("P-256"));
    cr_expect_not(believed(forged, TOKEN_NOW));
    cr_expect_not(believed(forged, TOKEN_NOW));
    close_auth();
}

Test(auth_keys, without_a_memory_every_token_is_verified)
{
    EVP_PKEY *key = token_key_ec("P-256");
    const char *token = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), key);
    open_auth(0, token_pem(key));
    cr_expect(believed(token, TOKEN_NOW));
    cr_expect(believed(token, TOKEN_NOW));
    cr_expect_eq(counted("verified"), 2);
    close_auth();
}

Test(auth_keys, keys_are_read_again_and_tokens_of_old_keys_forgotten)
{
    EVP_PKEY *old = token_key_ec("P-256");
    EVP_PKEY *new = token_key_ec("P-256");
    const char *of_old = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), old);
    const char *of_new = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), new);
    open_auth(64, token_pem(old));
    cr_expect(believed(of_old, TOKEN_NOW));
    cr_expect_not(believed(of_new, TOKEN_NOW));
    write_keys(token_pem(new));
    tk_auth_reload(auth);
    cr_expect_not(believed(of_old, TOKEN_NOW));
    cr_expect(believed(of_new, TOKEN_NOW));
    close_auth();
}

Test(auth_keys, a_bad_file_keeps_the_old_keys)
{
    EVP_PKEY *key = token_key_ec("P-256");
    const char *token = token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), key);
    open_auth(0, token_pem(key));
    write_keys("{\"keys\":[");
    tk_auth_reload(auth);
    cr_expect(believed(token, TOKEN_NOW));
    (void)unlink(path);
    tk_auth_reload(auth);
    cr_expect(believed(token, TOKEN_NOW));
    tk_auth_reload(NULL); /* AUTH_MODE=dev */
    close_auth();
}

Test(auth_keys, no_keys_no_service)
{
    const struct tk_auth_config nothing = {.secret = "short", .keys_file = ""};
    const struct tk_auth_config nowhere = {.secret = "", .keys_file = "/nonexistent/keys.pem"};
    const struct tk_auth_config endless = {.secret = "", .keys_file = "/dev/zero"};
    const struct tk_auth_config directory = {.secret = "", .keys_file = "/tmp"};
    cr_expect_eq(tk_auth_open(&nothing, &auth), TK_ERR_INVALID);
    cr_expect_eq(tk_auth_open(&nowhere, &auth), TK_ERR_INVALID);
    cr_expect_eq(tk_auth_open(&endless, &auth), TK_ERR_INVALID);
    cr_expect_eq(tk_auth_open(&directory, &auth), TK_ERR_INVALID);
}
