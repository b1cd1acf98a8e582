/*
 * Bearer tokens. The input is tried as it is, which must not be accepted unless its signature is true; and as the claims of
 * a token that is signed here, so that the fuzzer gets behind the signature. Of an accepted token no byte of the signature
 * may change, and it is worth nothing under another key.
 */
#include "shared/auth/token.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"

#define SECRET     TK_SLICE("a-secret-for-the-fuzzer-0123456789")
#define OTHER      TK_SLICE("another-secret-for-the-fuzzer-0123")
#define NOW_S      INT64_C(1795253400)
#define MAX_CLAIMS 4096
#define MAX_TEXT   (2 * MAX_CLAIMS)

static const char *const SCOPES[TK_SCOPES_MAX] = {"catalog:write", "prices:write"};
static const struct tk_token_rules RULES = {
    .issuer = "https://issuer.example", .audience = "ticketing", .leeway_s = 30, .scopes = SCOPES};

static struct tk_keys *keys;
static struct tk_keys *other_keys;

/** Appends `bytes` in base64url without padding; returns the new length. */
static size_t append_base64url(char *out, size_t at, const void *bytes, size_t len)
{
    int written = EVP_EncodeBlock((unsigned char *)out + at, bytes, (int)len);
    size_t end = at + (size_t)written;
    while (end > at && out[end - 1] == '=')
        end--;
    for (size_t i = at; i < end; i++) {
        out[i] = out[i] == '+' ? '-' : out[i];
        out[i] = out[i] == '/' ? '_' : out[i];
    }
    return end;
}

static size_t sign(struct tk_slice claims, char out[MAX_TEXT])
{
    static const char HEADER[] = "{\"alg\":\"HS256\",\"typ\":\"at+jwt\"}";
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned digest_len = 0;
    size_t len = append_base64url(out, 0, HEADER, sizeof(HEADER) - 1);
    out[len++] = '.';
    len = append_base64url(out, len, claims.ptr, claims.len);
    MUST(HMAC(EVP_sha256(), SECRET.ptr, (int)SECRET.len, (unsigned char *)out, len, digest, &digest_len) != NULL);
    out[len++] = '.';
    return append_base64url(out, len, digest, digest_len);
}

static bool is_accepted(const struct tk_keys *with, struct tk_slice token)
{
    struct tk_arena arena = {0};
    struct tk_identity identity = {0};
    const char *why = NULL;
    bool fine = tk_token_verify(with, &RULES, NOW_S, &arena, token, &identity, &why) == TK_OK;
    MUST(fine ? identity.valid_until_s >= NOW_S : why != NULL);
    MUST(!fine || (identity.scopes & ~3u) == 0);
    tk_arena_release(&arena);
    return fine;
}

static void signed_claims(struct tk_slice claims, uint8_t what)
{
    char text[MAX_TEXT];
    struct tk_slice token = {.ptr = text, .len = sign(claims, text)};
    if (!is_accepted(keys, token))
        return;
    MUST(!is_accepted(other_keys, token));
    size_t at = token.len - 2 - what % 40; /* within the signature, but for its last character, which has spare bits */
    text[at] = text[at] == 'A' ? 'B' : 'A';
    MUST(!is_accepted(keys, token));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_slice input = input_slice(data, size);
    if (keys == NULL) {
        keys = tk_keys_from_secret(SECRET);
        other_keys = tk_keys_from_secret(OTHER);
    }
    if (is_accepted(keys, input))
        MUST(!is_accepted(other_keys, input));
    if (size > 0 && size <= MAX_CLAIMS)
        signed_claims(input, data[size - 1]);
    return 0;
}
