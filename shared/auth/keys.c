/*
 * Keys and signatures, on OpenSSL's EVP. libjwt 1.10 could verify too, but reads the PEM text again for each token
 * (0.5 ms against 0.04 ms for RS256), knows no JWKS, and refuses `typ: at+jwt` (docs/DECISIONS.md 51).
 */
#include "shared/auth/keys.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/pem.h>
#include <string.h>

#include "shared/json/reader.h"

#define MAX_FILE    65536
#define MAX_KID     256
#define MAX_PART    1024 /* bytes of one JWK member: 8192-bit RSA */
#define COORDINATE  32   /* bytes of a P-256 coordinate */
#define SHA256_SIZE 32

enum key_kind { KEY_HS256, KEY_RS256, KEY_ES256 };

static const char *const ALGS[] = {[KEY_HS256] = "HS256", [KEY_RS256] = "RS256", [KEY_ES256] = "ES256"};

struct tk_key {
    enum key_kind kind;
    struct tk_slice kid; /* owned; empty: takes any */
    EVP_PKEY *pkey;      /* RSA, EC */
    char *secret;        /* HMAC */
    size_t secret_len;
};

struct tk_keys {
    struct tk_key items[TK_KEYS_MAX];
    size_t count;
};

/* --- life ----------------------------------------------------------------------------------------------------------- */

static void key_release(struct tk_key *key)
{
    EVP_PKEY_free(key->pkey);
    if (key->secret != NULL)
        OPENSSL_cleanse(key->secret, key->secret_len);
    free(key->secret);
    free((char *)(uintptr_t)key->kid.ptr);
}

void tk_keys_free(struct tk_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        key_release(&keys->items[i]);
    free(keys);
}

size_t tk_keys_count(const struct tk_keys *keys)
{
    return keys->count;
}

/** Keys of one kind must be told apart by their ids. Takes `key` over. */
static const char *add_key(struct tk_keys *keys, struct tk_key *key)
{
    const char *why = keys->count == TK_KEYS_MAX ? "too many keys" : NULL;
    for (size_t i = 0; i < keys->count && why == NULL; i++) {
        const struct tk_key *other = &keys->items[i];
        bool anonymous = key->kid.len == 0 || other->kid.len == 0;
        if (other->kind == key->kind && (anonymous || tk_slice_eq(other->kid, key->kid)))
            why = "two keys of one kind need different kid members";
    }
    if (why == NULL)
        keys->items[keys->count++] = *key;
    else
        key_release(key);
    return why;
}

static char *copy_bytes(const void *bytes, size_t len)
{
    char *copy = tk_alloc(len > 0 ? len : 1);
    memcpy(copy, bytes, len);
    return copy;
}

struct tk_keys *tk_keys_from_secret(struct tk_slice secret)
{
    if (secret.len < TK_KEY_SECRET_MIN)
        return NULL;
    struct tk_keys *keys = tk_alloc(sizeof(*keys));
    keys->count = 1;
    keys->items[0] =
        (struct tk_key){.kind = KEY_HS256, .secret = copy_bytes(secret.ptr, secret.len), .secret_len = secret.len};
    return keys;
}

/* --- public keys ------------------------------------------------------------------------------------------------------ */

static bool is_p256(const EVP_PKEY *pkey)
{
    char group[64] = "";
    size_t len = 0;
    return EVP_PKEY_get_group_name(pkey, group, sizeof(group), &len) == 1 &&
           (strcmp(group, "prime256v1") == 0 || strcmp(group, "P-256") == 0);
}

/** An exponent of 1 or a modulus with small factors would let anybody sign. */
static bool is_sound(EVP_PKEY *pkey)
{
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new(pkey, NULL);
    bool sound = ctx != NULL && EVP_PKEY_public_check(ctx) == 1;
    EVP_PKEY_CTX_free(ctx);
    ERR_clear_error();
    return sound;
}

/** Sets the kind by the key itself; a reason when it cannot be used. */
static const char *classify(struct tk_key *key)
{
    if (!is_sound(key->pkey))
        return "a public key is not sound";
    if (EVP_PKEY_is_a(key->pkey, "RSA")) {
        key->kind = KEY_RS256;
        return EVP_PKEY_get_bits(key->pkey) >= TK_KEY_RSA_BITS_MIN ? NULL : "an RSA key needs 2048 bits at least";
    }
    key->kind = KEY_ES256;
    return EVP_PKEY_is_a(key->pkey, "EC") && is_p256(key->pkey) ? NULL : "expected an RSA or a P-256 key";
}

static const char *add_public(struct tk_keys *keys, struct tk_key *key)
{
    const char *why = classify(key);
    if (why == NULL)
        return add_key(keys, key);
    key_release(key);
    return why;
}

static bool looks_like_pem(struct tk_slice text)
{
    static const char BEGIN[] = "-----BEGIN ";
    return text.len > 0 && memmem(text.ptr, text.len, BEGIN, sizeof(BEGIN) - 1) != NULL;
}

static const char *read_pem(struct tk_keys *keys, struct tk_slice text)
{
    if (!looks_like_pem(text)) /* OpenSSL would try a dozen decoders on it, half a millisecond */
        return "no PUBLIC KEY block and no JWKS";
    BIO *bio = BIO_new_mem_buf(text.ptr, (int)text.len);
    struct tk_key key = {.pkey = PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL)};
    EVP_PKEY *second = key.pkey != NULL ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    const char *why = NULL;
    if (key.pkey == NULL)
        why = "no PUBLIC KEY block and no JWKS";
    else if (second != NULL)
        why = "more than one PUBLIC KEY block; several keys go into a JWKS file";
    EVP_PKEY_free(second);
    BIO_free(bio);
    ERR_clear_error();
    if (why == NULL)
        return add_public(keys, &key);
    key_release(&key);
    return why;
}

/* --- JWK --------------------------------------------------------------------------------------------------------- */

static struct tk_slice text_member(const struct tk_json *object, const char *name)
{
    const struct tk_json *member = tk_json_get(object, name);
    return member != NULL && member->type == TK_JSON_STRING ? member->text : (struct tk_slice){NULL, 0};
}

/** A base64url member as bytes; false when it is absent or malformed. */
static bool bytes_member(const struct tk_json *jwk, const char *name, unsigned char out[MAX_PART], size_t *len)
{
    struct tk_slice text = text_member(jwk, name);
    return text.len > 0 && tk_base64url_decode(text, out, MAX_PART, len) == TK_OK && *len > 0;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *pkey = NULL;
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    if (params == NULL || ctx == NULL || EVP_PKEY_fromdata_init(ctx) != 1 ||
        EVP_PKEY_fromdata(ctx, &pkey, EVP_PKEY_PUBLIC_KEY, params) != 1)
        pkey = NULL;
    EVP_PKEY_CTX_free(ctx);
    OSSL_PARAM_free(params);
    ERR_clear_error();
    return pkey;
}

static EVP_PKEY *rsa_from(const struct tk_json *jwk)
{
    unsigned char n[MAX_PART];
    unsigned char e[MAX_PART];
    size_t n_len;
    size_t e_len;
    if (!bytes_member(jwk, "n", n, &n_len) || !bytes_member(jwk, "e", e, &e_len))
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *modulus = BN_bin2bn(n, (int)n_len, NULL);
    BIGNUM *exponent = BN_bin2bn(e, (int)e_len, NULL);
    EVP_PKEY *pkey = NULL;
    if (OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1)
        pkey = pkey_from("RSA", build);
    BN_free(modulus);
    BN_free(exponent);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

/** OpenSSL itself checks that the point lies on the curve. */
static EVP_PKEY *ec_from(const struct tk_json *jwk)
{
    unsigned char x[MAX_PART];
    unsigned char y[MAX_PART];
    unsigned char point[1 + 2 * COORDINATE] = {POINT_CONVERSION_UNCOMPRESSED};
    size_t x_len;
    size_t y_len;
    if (!bytes_member(jwk, "x", x, &x_len) || !bytes_member(jwk, "y", y, &y_len) || x_len != COORDINATE ||
        y_len != COORDINATE || !tk_slice_eq_str(text_member(jwk, "crv"), "P-256"))
        return NULL;
    memcpy(point + 1, x, COORDINATE);
    memcpy(point + 1 + COORDINATE, y, COORDINATE);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *pkey = NULL;
    if (OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, "prime256v1", 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, sizeof(point)) == 1)
        pkey = pkey_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return pkey;
}

static const char *add_oct(struct tk_keys *keys, const struct tk_json *jwk, struct tk_key *key)
{
    unsigned char k[MAX_PART];
    const char *why = NULL;
    if (!bytes_member(jwk, "k", k, &key->secret_len) || key->secret_len < TK_KEY_SECRET_MIN)
        why = "an oct key needs 32 bytes at least";
    if (why == NULL)
        key->secret = copy_bytes(k, key->secret_len);
    OPENSSL_cleanse(k, sizeof(k));
    key->kind = KEY_HS256;
    if (why == NULL)
        return add_key(keys, key);
    key_release(key);
    return why;
}

/** Keys for encryption, of other types and of other algorithms are for somebody else. */
static bool is_for_us(const struct tk_json *jwk)
{
    struct tk_slice use = text_member(jwk, "use");
    struct tk_slice type = text_member(jwk, "kty");
    struct tk_slice alg = text_member(jwk, "alg");
    enum key_kind kind = KEY_HS256;
    if (tk_slice_eq_str(type, "RSA"))
        kind = KEY_RS256;
    else if (tk_slice_eq_str(type, "EC") && tk_slice_eq_str(text_member(jwk, "crv"), "P-256"))
        kind = KEY_ES256;
    else if (!tk_slice_eq_str(type, "oct"))
        return false;
    return (use.len == 0 || tk_slice_eq_str(use, "sig")) && (alg.len == 0 || tk_slice_eq_str(alg, ALGS[kind]));
}

static const char *add_jwk(struct tk_keys *keys, const struct tk_json *jwk)
{
    struct tk_slice kid = text_member(jwk, "kid");
    if (!is_for_us(jwk))
        return NULL;
    if (kid.len > MAX_KID)
        return "a kid is too long";
    struct tk_key key = {.kid = {kid.len > 0 ? copy_bytes(kid.ptr, kid.len) : NULL, kid.len}};
    if (tk_slice_eq_str(text_member(jwk, "kty"), "oct"))
        return add_oct(keys, jwk, &key);
    key.pkey = tk_slice_eq_str(text_member(jwk, "kty"), "RSA") ? rsa_from(jwk) : ec_from(jwk);
    if (key.pkey != NULL)
        return add_public(keys, &key);
    key_release(&key);
    return "a key's members make no key";
}

static const char *read_jwks(struct tk_keys *keys, struct tk_slice text)
{
    struct tk_arena arena = {0};
    const struct tk_json *root = NULL;
    const char *why = NULL;
    const char *syntax;
    if (tk_json_parse(&arena, text, &root, &syntax) != TK_OK)
        why = "not readable as JSON";
    const struct tk_json *list = why == NULL ? tk_json_get(root, "keys") : NULL;
    if (why == NULL && (list == NULL || list->type != TK_JSON_ARRAY))
        why = "no array named keys";
    for (const struct tk_json *jwk = why == NULL ? list->child : NULL; jwk != NULL && why == NULL; jwk = jwk->next)
        why = add_jwk(keys, jwk);
    tk_arena_release(&arena);
    if (why == NULL && keys->count == 0)
        why = "no key for RS256, ES256 or HS256";
    return why;
}

struct tk_keys *tk_keys_parse(struct tk_slice text, const char **why)
{
    struct tk_keys *keys = tk_alloc(sizeof(*keys));
    while (text.len > 0 && memchr(" \t\r\n", text.ptr[0], 4) != NULL)
        text = (struct tk_slice){.ptr = text.ptr + 1, .len = text.len - 1};
    *why = text.len > 0 && text.ptr[0] == '{' ? read_jwks(keys, text) : read_pem(keys, text);
    if (*why == NULL)
        return keys;
    tk_keys_free(keys);
    return NULL;
}

struct tk_keys *tk_keys_read(const char *path, const char **why)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        *why = "the file cannot be opened";
        return NULL;
    }
    char *text = tk_alloc(MAX_FILE);
    size_t len = fread(text, 1, MAX_FILE, file);
    bool failed = ferror(file) != 0;
    (void)fclose(file);
    struct tk_keys *keys = NULL;
    if (failed)
        *why = "the file cannot be read";
    else if (len == MAX_FILE)
        *why = "the file is too large";
    else
        keys = tk_keys_parse((struct tk_slice){.ptr = text, .len = len}, why);
    OPENSSL_cleanse(text, MAX_FILE);
    free(text);
    return keys;
}

/* --- use --------------------------------------------------------------------------------------------------------- */

const struct tk_key *tk_keys_find(const struct tk_keys *keys, struct tk_slice alg, struct tk_slice kid)
{
    const struct tk_key *found = NULL;
    for (size_t i = 0; i < keys->count; i++) {
        const struct tk_key *key = &keys->items[i];
        if (!tk_slice_eq_str(alg, ALGS[key->kind]))
            continue;
        if (key->kid.len == 0 || (kid.len > 0 && tk_slice_eq(key->kid, kid)))
            return key;
        if (kid.len == 0 && found != NULL)
            return NULL;
        if (kid.len == 0)
            found = key;
    }
    return found;
}

static bool verify_hmac(const struct tk_key *key, struct tk_slice text, struct tk_slice signature)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    return signature.len == SHA256_SIZE &&
           HMAC(EVP_sha256(), key->secret, (int)key->secret_len, (const unsigned char *)text.ptr, text.len, mac, &len) !=
               NULL &&
           CRYPTO_memcmp(mac, signature.ptr, SHA256_SIZE) == 0;
}

static bool verify_public(EVP_PKEY *pkey, struct tk_slice text, const unsigned char *signature, size_t len)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool good = EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, pkey) == 1 &&
                EVP_DigestVerify(ctx, signature, len, (const unsigned char *)text.ptr, text.len) == 1;
    EVP_MD_CTX_free(ctx);
    ERR_clear_error();
    return good;
}

/** A token carries r and s side by side, OpenSSL wants them in DER. */
static bool verify_ec(EVP_PKEY *pkey, struct tk_slice text, struct tk_slice signature)
{
    const unsigned char *raw = (const unsigned char *)signature.ptr;
    unsigned char *der = NULL;
    if (signature.len != 2 * COORDINATE)
        return false;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    bool good = ECDSA_SIG_set0(pair, BN_bin2bn(raw, COORDINATE, NULL), BN_bin2bn(raw + COORDINATE, COORDINATE, NULL)) == 1;
    int len = good ? i2d_ECDSA_SIG(pair, &der) : 0;
    good = len > 0 && verify_public(pkey, text, der, (size_t)len);
    OPENSSL_free(der);
    ECDSA_SIG_free(pair);
    return good;
}

bool tk_key_verify(const struct tk_key *key, struct tk_slice text, struct tk_slice signature)
{
    switch (key->kind) {
    case KEY_HS256:
        return verify_hmac(key, text, signature);
    case KEY_RS256:
        return verify_public(key->pkey, text, (const unsigned char *)signature.ptr, signature.len);
    case KEY_ES256:
        return verify_ec(key->pkey, text, signature);
    }
    return false;
}
