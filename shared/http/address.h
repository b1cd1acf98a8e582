/**
 * Where an internal listener listens and where its callers find it: `host:port`, `[v6 address]:port` or `unix:/path`.
 */
#ifndef TK_HTTP_ADDRESS_H
#define TK_HTTP_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/result.h"

#define TK_HTTP_UNIX_PREFIX "unix:"

struct tk_http_address {
    bool is_unix;
    char host[256]; /* without brackets; "" for a unix socket */
    uint16_t port;  /* 0: any free port */
    char path[108]; /* absolute; "" unless is_unix. The size is the kernel's limit, NUL included */
};

/** TK_ERR_INVALID when the text is none of the three, or too long. */
TK_MUSTCHECK enum tk_err tk_http_address_parse(const char *text, struct tk_http_address *out);

/** True when only this machine can reach it: a unix socket, localhost, 127.0.0.0/8 or ::1. Names are not looked up. */
bool tk_http_address_is_local(const struct tk_http_address *address);

/** The path when `url` is `unix:/path`, NULL otherwise. Points into `url`. */
const char *tk_http_unix_path(const char *url);

#endif
