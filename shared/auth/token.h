/**
 * JSON Web Tokens in compact form (RFC 7519, RFC 8725): structure, key, claims, signature, in this order, so that what is
 * cheap to refuse costs no arithmetic. Pure but for the keys; the time is told.
 */
#ifndef TK_AUTH_TOKEN_H
#define TK_AUTH_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/auth/keys.h"
#include "shared/base/id.h"
#include "shared/base/mem.h"

#define TK_TOKEN_MAX  8192 /* bytes */
#define TK_SCOPES_MAX 8

/** What a token must say. */
struct tk_token_rules {
    const char *issuer;   /* `iss` equals it */
    const char *audience; /* `aud` is it or contains it */
    int64_t leeway_s;     /* for clocks that differ: `exp` and `nbf` */
    /** Scopes this service knows; those of `scope` and `scp` become bits by position. Unused ones are NULL. */
    const char *const *scopes; /* TK_SCOPES_MAX of them, or NULL */
};

struct tk_identity {
    struct tk_uuid user_id; /* of `iss` and `sub`, see subject.h */
    unsigned scopes;
    int64_t valid_until_s; /* Unix seconds: `exp` plus the leeway */
};

/** TK_OK, or TK_ERR_INVALID with a constant in `*why` for the client; it never quotes the token. */
TK_MUSTCHECK enum tk_err tk_token_verify(const struct tk_keys *keys, const struct tk_token_rules *rules, int64_t now_s,
                                         struct tk_arena *arena, struct tk_slice token, struct tk_identity *out,
                                         const char **why);

#endif
