/* Signing and verifying QR payloads. */
#include "booking-svc/domain/qr_payload.h"

#include <assert.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

#define MAC_BYTES 32

static void sign(const char *id_text, struct tk_slice secret, uint8_t mac[MAC_BYTES])
{
    unsigned len = 0;
    if (HMAC(EVP_sha256(), secret.ptr, (int)secret.len, (const unsigned char *)id_text, TK_UUID_TEXT_LEN, mac, &len) ==
        NULL)
        abort(); /* out of memory, or a libcrypto without SHA-256 */
    assert(len == MAC_BYTES);
}

char *qr_payload_make(const struct tk_uuid *ticket_id, struct tk_slice secret, char out[QR_PAYLOAD_LEN + 1])
{
    char id_text[TK_UUID_TEXT_LEN + 1];
    uint8_t mac[MAC_BYTES];
    tk_uuid_format(ticket_id, id_text);
    sign(id_text, secret, mac);

    struct tk_buf text = TK_BUF_INIT(QR_PAYLOAD_LEN);
    tk_buf_append(&text, id_text, TK_UUID_TEXT_LEN);
    tk_buf_append_char(&text, '.');
    tk_base64url_append(&text, mac, sizeof(mac));
    assert(text.len == QR_PAYLOAD_LEN && !text.overflow);
    memcpy(out, text.ptr, QR_PAYLOAD_LEN);
    out[QR_PAYLOAD_LEN] = '\0';
    tk_buf_release(&text);
    return out;
}

enum tk_err qr_payload_verify(struct tk_slice payload, struct tk_slice secret, struct tk_uuid *ticket_id)
{
    uint8_t given[MAC_BYTES];
    uint8_t expected[MAC_BYTES];
    size_t given_len = 0;
    char canonical[TK_UUID_TEXT_LEN + 1];

    if (payload.len != QR_PAYLOAD_LEN || payload.ptr[TK_UUID_TEXT_LEN] != '.')
        return TK_ERR_INVALID;
    const struct tk_slice id_text = {.ptr = payload.ptr, .len = TK_UUID_TEXT_LEN};
    const struct tk_slice mac_text = {.ptr = payload.ptr + TK_UUID_TEXT_LEN + 1,
                                      .len = QR_PAYLOAD_LEN - TK_UUID_TEXT_LEN - 1};
    if (tk_uuid_parse(id_text, ticket_id) || tk_base64url_decode(mac_text, given, sizeof(given), &given_len))
        return TK_ERR_INVALID;
    sign(tk_uuid_format(ticket_id, canonical), secret, expected);
    if (given_len != MAC_BYTES || CRYPTO_memcmp(given, expected, MAC_BYTES) != 0)
        return TK_ERR_INVALID;
    return TK_OK;
}
