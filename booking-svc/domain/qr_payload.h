/**
 * What a ticket's QR code says: `<ticket id>.<HMAC-SHA256 of the id's 36 characters under SECRET_KEY, base64url>`. A gate
 * that knows the key verifies it without asking anybody (`booking-svc --verify-qr PAYLOAD`); whether the ticket was used or
 * refunded is a question for the database.
 */
#ifndef BOOKING_DOMAIN_QR_PAYLOAD_H
#define BOOKING_DOMAIN_QR_PAYLOAD_H

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

#define QR_PAYLOAD_LEN (TK_UUID_TEXT_LEN + 1 + 43)

/** Writes QR_PAYLOAD_LEN characters and a NUL; returns `out`. */
char *qr_payload_make(const struct tk_uuid *ticket_id, struct tk_slice secret, char out[QR_PAYLOAD_LEN + 1]);

/** TK_OK and the ticket's id, or TK_ERR_INVALID: not of this form, or not signed with `secret`. Constant-time compare. */
TK_MUSTCHECK enum tk_err qr_payload_verify(struct tk_slice payload, struct tk_slice secret, struct tk_uuid *ticket_id);

#endif
