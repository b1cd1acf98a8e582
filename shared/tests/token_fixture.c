#include "shared/tests/token_fixture.h"

#include <criterion/criterion.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>

#define TEXT_MAX 65536

/** Every text that was made, so that the leak checker finds them. */
static struct kept {
    struct kept *next;
    const char *text;
} * kept;

static const char *finish(struct tk_buf *buf)
{
    struct kept *keep = tk_alloc(sizeof(*keep));
    tk_buf_append_char(buf, '\0');
    cr_assert_not(buf->overflow);
    *keep = (struct kept){.next = kept, .text = buf->ptr};
    kept = keep;
    return buf->ptr;
}

static void append_signed_part(struct tk_buf *out, const char *header, const char *claims)
{
    tk_base64url_append(out, header, strlen(header));
    tk_buf_append_char(out, '.');
    tk_base64url_append(out, claims, strlen(claims));
}

const char *token_with(const char *header, const char *claims, const void *signature, size_t len)
{
    struct tk_buf out = TK_BUF_INIT(TEXT_MAX);
    append_signed_part(&out, header, claims);
    tk_buf_append_char(&out, '.');
    tk_base64url_append(&out, signature, len);
    return finish(&out);
}

const char *token_hs256(const char *header, const char *claims, struct tk_slice secret)
{
    struct tk_buf text = TK_BUF_INIT(TEXT_MAX);
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    append_signed_part(&text, header, claims);
    HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)text.ptr, text.len, mac, &len);
    tk_buf_release(&text);
    return token_with(header, claims, mac, len);
}

/** r and s side by side instead of DER. */
static size_t raw_pair(const unsigned char *der, size_t len, unsigned char out[64])
{
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    cr_assert_not_null(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), out, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), out + 32, 32);
    ECDSA_SIG_free(pair);
    return 64;
}

const char *token_signed(const char *header, const char *claims, EVP_PKEY *key)
{
    struct tk_buf text = TK_BUF_INIT(TEXT_MAX);
    unsigned char signature[1024];
    unsigned char raw[64];
    size_t len = sizeof(signature);
    append_signed_part(&text, header, claims);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    cr_assert_eq(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    cr_assert_eq(EVP_DigestSign(ctx, signature, &len, (const unsigned char *)text.ptr, text.len), 1);
    EVP_MD_CTX_free(ctx);
    tk_buf_release(&text);
    if (!EVP_PKEY_is_a(key, "EC"))
        return token_with(header, claims, signature, len);
    return token_with(header, claims, raw, raw_pair(signature, len, raw));
}

EVP_PKEY *token_key_rsa(unsigned bits)
{
    EVP_PKEY *key = EVP_RSA_gen(bits);
    cr_assert_not_null(key);
    return key;
}

EVP_PKEY *token_key_ec(const char *curve)
{
    EVP_PKEY *key = EVP_EC_gen(curve);
    cr_assert_not_null(key);
    return key;
}

const char *token_pem(EVP_PKEY *key)
{
    struct tk_buf out = TK_BUF_INIT(TEXT_MAX);
    char *bytes = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    cr_assert_eq(PEM_write_bio_PUBKEY(bio, key), 1);
    long len = BIO_get_mem_data(bio, &bytes);
    tk_buf_append(&out, bytes, (size_t)len);
    BIO_free(bio);
    return finish(&out);
}

static void append_number(struct tk_buf *out, EVP_PKEY *key, const char *member, const char *param, int width)
{
    unsigned char bytes[1024];
    BIGNUM *number = NULL;
    cr_assert_eq(EVP_PKEY_get_bn_param(key, param, &number), 1);
    int len = width > 0 ? BN_bn2binpad(number, bytes, width) : BN_bn2bin(number, bytes);
    BN_free(number);
    tk_buf_append_str(out, ",\"");
    tk_buf_append_str(out, member);
    tk_buf_append_str(out, "\":\"");
    tk_base64url_append(out, bytes, (size_t)len);
    tk_buf_append_char(out, '"');
}

const char *token_jwk(EVP_PKEY *key, const char *more)
{
    struct tk_buf out = TK_BUF_INIT(TEXT_MAX);
    bool ec = EVP_PKEY_is_a(key, "EC") == 1;
    tk_buf_append_str(&out, ec ? "{\"kty\":\"EC\",\"crv\":\"P-256\"" : "{\"kty\":\"RSA\"");
    append_number(&out, key, ec ? "x" : "n", ec ? OSSL_PKEY_PARAM_EC_PUB_X : OSSL_PKEY_PARAM_RSA_N, ec ? 32 : 0);
    append_number(&out, key, ec ? "y" : "e", ec ? OSSL_PKEY_PARAM_EC_PUB_Y : OSSL_PKEY_PARAM_RSA_E, ec ? 32 : 0);
    tk_buf_append_str(&out, more);
    tk_buf_append_char(&out, '}');
    return finish(&out);
}
