/*
 * The verifier at the gate. The first sixteen bytes are a ticket's id, the rest is what a scanner read. A true payload is
 * accepted, under its own key only; of what the scanner read, nothing but a true payload is; and no byte of one may change.
 */
#include <string.h>

#include "booking-svc/domain/qr_payload.h"
#include "tests/fuzz/fuzz.h"

#define SECRET TK_SLICE("a-secret-for-the-fuzzer-0123456789")
#define OTHER  TK_SLICE("another-secret-for-the-fuzzer-0123")

/** Hex digits of the id may be of either case; the signature is over what they mean. */
static bool is_same_payload(struct tk_slice scanned, const char *made)
{
    return scanned.len == QR_PAYLOAD_LEN &&
           memcmp(scanned.ptr + TK_UUID_TEXT_LEN, made + TK_UUID_TEXT_LEN, QR_PAYLOAD_LEN - TK_UUID_TEXT_LEN) == 0;
}

static void scanned(struct tk_slice text)
{
    struct tk_uuid ticket;
    char made[QR_PAYLOAD_LEN + 1];
    if (qr_payload_verify(text, SECRET, &ticket) == TK_OK)
        MUST(is_same_payload(text, qr_payload_make(&ticket, SECRET, made)));
}

static void forged(const struct tk_uuid *id, uint8_t where, uint8_t what)
{
    struct tk_uuid ticket;
    char made[QR_PAYLOAD_LEN + 1];
    struct tk_slice payload = {.ptr = qr_payload_make(id, SECRET, made), .len = QR_PAYLOAD_LEN};
    MUST(qr_payload_verify(payload, SECRET, &ticket) == TK_OK && tk_uuid_eq(&ticket, id));
    MUST(qr_payload_verify(payload, OTHER, &ticket) != TK_OK);
    size_t at = where % QR_PAYLOAD_LEN;
    char before = made[at];
    made[at] = (char)what;
    bool is_case = at < TK_UUID_TEXT_LEN && (before | 0x20) == (made[at] | 0x20);
    if (made[at] != before && !is_case)
        MUST(qr_payload_verify(payload, SECRET, &ticket) != TK_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_uuid id;
    struct tk_slice text = input_slice(data, size);
    scanned(text);
    if (size < sizeof(id) + 2)
        return 0;
    memcpy(id.bytes, data, sizeof(id));
    forged(&id, data[sizeof(id)], data[sizeof(id) + 1]);
    return 0;
}
