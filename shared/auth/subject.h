/**
 * From the `sub` of a token to the id under which everything of a user is kept: reservations, tickets, limits, keys.
 *
 *   a UUID in lower case, neither nil nor of version 5   that UUID
 *   any other text                                       UUIDv5(UUIDv5(URL namespace, iss), sub), RFC 9562 section 5.5
 *
 * Two different subs never give one id: what is derived has version 5, what is taken over has not, and each id has only one
 * spelling that is taken over. A sub is compared as it stands (RFC 7519 section 4.1.2), so `Anna` is not `anna`.
 */
#ifndef TK_AUTH_SUBJECT_H
#define TK_AUTH_SUBJECT_H

#include "shared/base/id.h"
#include "shared/base/result.h"
#include "shared/base/str.h"

/** `issuer` as in the token, which is the configured one. TK_ERR_INVALID: `sub` is empty. */
TK_MUSTCHECK enum tk_err tk_subject_user(struct tk_slice issuer, struct tk_slice sub, struct tk_uuid *out);

#endif
