/* SHA-256 fingerprints of requests and keys. */
#include "shared/idempotency/fingerprint.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define SHA256_BYTES 32

enum tk_err tk_idempotency_key_check(struct tk_slice key)
{
    if (key.len == 0 || key.len > TK_IDEMPOTENCY_KEY_MAX)
        return TK_ERR_INVALID;
    for (size_t i = 0; i < key.len; i++) {
        if (key.ptr[i] < '!' || key.ptr[i] > '~')
            return TK_ERR_INVALID;
    }
    return TK_OK;
}

/** Length before content, so that no two different lists of parts run together into the same bytes. */
static void digest_part(EVP_MD_CTX *ctx, struct tk_slice part)
{
    const uint64_t len = part.len;
    EVP_DigestUpdate(ctx, &len, sizeof(len));
    if (part.len > 0)
        EVP_DigestUpdate(ctx, part.ptr, part.len);
}

static void digest(const struct tk_slice *parts, size_t count, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        abort(); /* out of memory, or a libcrypto without SHA-256 */
    for (size_t i = 0; i < count; i++)
        digest_part(ctx, parts[i]);
    EVP_DigestFinal_ex(ctx, out, NULL);
    EVP_MD_CTX_free(ctx);
}

void tk_request_hash(struct tk_slice method, struct tk_slice path, struct tk_slice body, char out[TK_REQUEST_HASH_LEN + 1])
{
    const struct tk_slice parts[] = {method, path, body};
    uint8_t sha[SHA256_BYTES];
    digest(parts, sizeof(parts) / sizeof(parts[0]), sha);
    struct tk_buf text = TK_BUF_INIT(TK_REQUEST_HASH_LEN);
    tk_base64url_append(&text, sha, sizeof(sha));
    assert(text.len == TK_REQUEST_HASH_LEN);
    memcpy(out, text.ptr, TK_REQUEST_HASH_LEN);
    out[TK_REQUEST_HASH_LEN] = '\0';
    tk_buf_release(&text);
}

struct tk_uuid tk_idempotency_slot(const struct tk_uuid *user_id, struct tk_slice key)
{
    const struct tk_slice parts[] = {{.ptr = (const char *)user_id->bytes, .len = sizeof(user_id->bytes)}, key};
    uint8_t sha[SHA256_BYTES];
    digest(parts, sizeof(parts) / sizeof(parts[0]), sha);
    struct tk_uuid slot;
    memcpy(slot.bytes, sha, sizeof(slot.bytes));
    return slot;
}
