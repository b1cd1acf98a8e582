/**
 * Who is asking? The verifier of bearer tokens with its keys and its memory of tokens it has seen. One per process, owned
 * by the loop's thread. NULL stands for AUTH_MODE=dev wherever a struct tk_auth * is taken.
 *
 * A verified token is remembered under its SHA-256 until it expires, so that the next request with it costs a hash instead
 * of a signature. The memory has a fixed size; it is emptied when keys are reloaded.
 */
#ifndef TK_AUTH_AUTH_H
#define TK_AUTH_AUTH_H

#include "shared/auth/token.h"

struct tk_auth;

struct tk_auth_config {
    const char *secret;    /* HS256; "" to use keys_file */
    const char *keys_file; /* PEM or JWKS; "" to use secret */
    struct tk_token_rules rules;
    size_t cache_tokens; /* tokens remembered; 0: none */
};

/** Reads the keys. TK_ERR_INVALID: logged with the reason. Texts must live as long as the process. */
TK_MUSTCHECK enum tk_err tk_auth_open(const struct tk_auth_config *config, struct tk_auth **out);

/** For tests; a service's lives as long as the process. */
void tk_auth_free(struct tk_auth *auth);

/** Reads the key file again (SIGHUP). When it cannot be used, the old keys stay and the reason is logged. */
void tk_auth_reload(struct tk_auth *auth);

/** As tk_token_verify(), but from memory when possible. `now_s`: Unix seconds. */
TK_MUSTCHECK enum tk_err tk_auth_verify(struct tk_auth *auth, int64_t now_s, struct tk_arena *arena, struct tk_slice token,
                                        struct tk_identity *out, const char **why);

/** Name of the lowest of `bits`, which a route asked for. */
const char *tk_auth_scope_name(const struct tk_auth *auth, unsigned bits);

#endif
