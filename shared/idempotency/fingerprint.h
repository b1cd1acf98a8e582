/**
 * Fingerprints behind Idempotency-Key: what was asked (so that a key cannot be reused for something else), and a short name
 * for (user, key). SHA-256.
 */
#ifndef TK_IDEMPOTENCY_FINGERPRINT_H
#define TK_IDEMPOTENCY_FINGERPRINT_H

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define TK_REQUEST_HASH_LEN    43 /* base64url of 32 bytes, without padding */
#define TK_IDEMPOTENCY_KEY_MAX 255

/** 1 to 255 visible ASCII characters. */
TK_MUSTCHECK enum tk_err tk_idempotency_key_check(struct tk_slice key);

/** Covers method, path and the body's bytes, each with its length. Writes a NUL-terminated text. */
void tk_request_hash(struct tk_slice method, struct tk_slice path, struct tk_slice body, char out[TK_REQUEST_HASH_LEN + 1]);

/** 128 bits that stand for (user, key) in maps; collisions would need a broken SHA-256. */
struct tk_uuid tk_idempotency_slot(const struct tk_uuid *user_id, struct tk_slice key);

#endif
