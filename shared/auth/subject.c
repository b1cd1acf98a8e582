/* UUIDv5 by OpenSSL's SHA-1, which is what the standard says; nothing here depends on SHA-1 resisting anybody. */
#include "shared/auth/subject.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#define VERSION_BYTE 6
#define VARIANT_BYTE 8
#define NAME_BASED   5

/* RFC 9562 section 6.6 */
static const struct tk_uuid NAMESPACE_URL = {
    {0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8}};

static struct tk_uuid uuid_v5(const struct tk_uuid *space, struct tk_slice name)
{
    unsigned char sha[EVP_MAX_MD_SIZE];
    struct tk_uuid id;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha1(), NULL) != 1 ||
        EVP_DigestUpdate(ctx, space->bytes, sizeof(space->bytes)) != 1 || EVP_DigestUpdate(ctx, name.ptr, name.len) != 1 ||
        EVP_DigestFinal_ex(ctx, sha, NULL) != 1)
        abort(); /* out of memory, or a libcrypto without SHA-1 */
    EVP_MD_CTX_free(ctx);
    memcpy(id.bytes, sha, sizeof(id.bytes));
    id.bytes[VERSION_BYTE] = (uint8_t)((id.bytes[VERSION_BYTE] & 0x0f) | NAME_BASED << 4);
    id.bytes[VARIANT_BYTE] = (uint8_t)((id.bytes[VARIANT_BYTE] & 0x3f) | 0x80);
    return id;
}

static bool is_taken_over(struct tk_slice sub, struct tk_uuid *out)
{
    return tk_uuid_parse(sub, out) == TK_OK && tk_slice_eq_str(sub, TK_UUID_TEXT(out)) && !tk_uuid_is_nil(out) &&
           out->bytes[VERSION_BYTE] >> 4 != NAME_BASED;
}

enum tk_err tk_subject_user(struct tk_slice issuer, struct tk_slice sub, struct tk_uuid *out)
{
    if (sub.len == 0)
        return TK_ERR_INVALID;
    if (is_taken_over(sub, out))
        return TK_OK;
    const struct tk_uuid space = uuid_v5(&NAMESPACE_URL, issuer);
    *out = uuid_v5(&space, sub);
    return TK_OK;
}
