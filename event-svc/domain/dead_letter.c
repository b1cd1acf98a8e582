/*
 * Identity of dead letters, and whether they can be published again.
 */
#include "event-svc/domain/dead_letter.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "shared/contract/message.h"

#define SHA256_BYTES   32
#define TIME_BYTES     6
#define UTF8_MOST_TAIL 3

/* Length before content, so that no two different lists of parts run together into the same bytes. */
static void digest_part(EVP_MD_CTX *ctx, const void *bytes, size_t len)
{
    uint64_t size = len;
    EVP_DigestUpdate(ctx, &size, sizeof(size));
    if (len > 0)
        EVP_DigestUpdate(ctx, bytes, len);
}

static void digest(const struct dead_letter *letter, uint8_t out[SHA256_BYTES])
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, EVP_sha256(), NULL) != 1)
        abort(); /* out of memory, or a libcrypto without SHA-256 */
    digest_part(ctx, letter->message_id.ptr, letter->message_id.len);
    digest_part(ctx, letter->routing_key.ptr, letter->routing_key.len);
    digest_part(ctx, letter->body.ptr, letter->body.len);
    digest_part(ctx, &letter->body_size, sizeof(letter->body_size));
    EVP_DigestFinal_ex(ctx, out, NULL);
    EVP_MD_CTX_free(ctx);
}

struct tk_uuid dead_letter_id(const struct dead_letter *letter)
{
    struct tk_uuid id;
    uint8_t hash[SHA256_BYTES];
    uint64_t at_ms = (uint64_t)(letter->first_death_us / 1000);
    digest(letter, hash);
    for (int i = 0; i < TIME_BYTES; i++)
        id.bytes[i] = (uint8_t)(at_ms >> (8 * (TIME_BYTES - 1 - i)));
    memcpy(id.bytes + TIME_BYTES, hash, sizeof(id.bytes) - TIME_BYTES);
    id.bytes[6] = (uint8_t)((id.bytes[6] & 0x0f) | 0x80); /* version 8, RFC 9562 section 5.8 */
    id.bytes[8] = (uint8_t)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

bool dead_letter_is_replayable(const struct dead_letter *letter)
{
    bool routed = false;
    for (size_t i = 0; i < TK_RESERVATION_EVENT_COUNT; i++)
        routed = routed || tk_slice_eq_str(letter->routing_key, tk_reservation_routing_keys[i]);
    return routed && letter->body.len == letter->body_size && tk_utf8_is_text(letter->body);
}

size_t dead_letter_preview(struct tk_slice text, size_t limit)
{
    size_t len = text.len < limit ? text.len : limit;
    for (size_t cut = 0; cut <= UTF8_MOST_TAIL && cut <= len; cut++)
        if (tk_utf8_is_text((struct tk_slice){.ptr = text.ptr, .len = len - cut}))
            return len - cut;
    return len;
}
