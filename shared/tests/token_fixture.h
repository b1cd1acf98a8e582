/**
 * An issuer of tokens for the tests: keys made on the spot, tokens signed with them, and the key files that go with them.
 */
#ifndef TK_TESTS_TOKEN_FIXTURE_H
#define TK_TESTS_TOKEN_FIXTURE_H

#include <openssl/evp.h>

#include "shared/base/str.h"

#define TOKEN_SECRET   "0123456789abcdef0123456789abcdef"
#define TOKEN_ISSUER   "https://id.example"
#define TOKEN_AUDIENCE "ticketing"
#define TOKEN_USER     "7f3c1a90-3b52-4c7e-9d1a-2f6e8b4c5d6e"
#define TOKEN_NOW      INT64_C(1800000000)

/** Claims that are fine until an hour from TOKEN_NOW, with `more` members (`,"a":1`). */
#define TOKEN_CLAIMS(more)                                                                                                 \
    "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE "\",\"sub\":\"" TOKEN_USER "\",\"exp\":1800003600" more "}"

/** Every returned text lives until the process ends, like everything here. */
const char *token_hs256(const char *header, const char *claims, struct tk_slice secret);
/** RS256 or ES256, whatever the key is; the signature in the form RFC 7515 wants. */
const char *token_signed(const char *header, const char *claims, EVP_PKEY *key);
/** Any signature. */
const char *token_with(const char *header, const char *claims, const void *signature, size_t len);

EVP_PKEY *token_key_rsa(unsigned bits);
EVP_PKEY *token_key_ec(const char *curve);

/** SubjectPublicKeyInfo in PEM. */
const char *token_pem(EVP_PKEY *key);
/** One JWK: RSA, or EC with `crv` P-256; `more` members as above. */
const char *token_jwk(EVP_PKEY *key, const char *more);

#endif
