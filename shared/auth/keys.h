/**
 * The public keys (or the secret) that tokens are verified with. Each key has one kind, and with it one algorithm: what a
 * token's header says can select a key, never change what is done with it. So a token signed with HMAC under the text of a
 * public key finds no key at all.
 *
 * Sources: a shared secret (HS256), a PEM file with one public key (RSA: RS256, P-256: ES256), or a JWKS file (RFC 7517;
 * RSA, EC P-256 and oct keys, other ones are skipped).
 */
#ifndef TK_AUTH_KEYS_H
#define TK_AUTH_KEYS_H

#include <stdbool.h>
#include <stddef.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_KEYS_MAX         16
#define TK_KEY_SECRET_MIN   32   /* bytes: as long as the hash, RFC 7518 section 3.2 */
#define TK_KEY_RSA_BITS_MIN 2048 /* RFC 7518 section 3.3 */

struct tk_key;
struct tk_keys;

/** Copies the secret. NULL when it is shorter than TK_KEY_SECRET_MIN. */
struct tk_keys *tk_keys_from_secret(struct tk_slice secret);

/**
 * Parses PEM or JWKS text. NULL when there is no usable key in it, when two keys of one kind could not be told apart, or
 * when one is too weak; `*why` is then a constant for the log.
 */
struct tk_keys *tk_keys_parse(struct tk_slice text, const char **why);

/** Reads the file and parses it. NULL as above, or when it cannot be read. */
struct tk_keys *tk_keys_read(const char *path, const char **why);

void tk_keys_free(struct tk_keys *keys);
size_t tk_keys_count(const struct tk_keys *keys);

/**
 * The key for a token with this `alg` and `kid` (empty: none given), NULL when there is none. A key without an id takes any
 * token of its algorithm; a token without `kid` finds a key only when there is exactly one of its algorithm.
 */
const struct tk_key *tk_keys_find(const struct tk_keys *keys, struct tk_slice alg, struct tk_slice kid);

/** True when `signature` (raw bytes, as in RFC 7515) is the key's over `text`. */
bool tk_key_verify(const struct tk_key *key, struct tk_slice text, struct tk_slice signature);

#endif
