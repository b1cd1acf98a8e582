/**
 * Redis URLs: redis://[user:password@]host[:port][/db] and unix:///path.
 */
#ifndef TK_REDIS_URL_H
#define TK_REDIS_URL_H

#include <stdint.h>

#include "shared/base/result.h"

/** Absent parts are "". */
struct tk_redis_url {
    char user[64];
    char password[256];
    char host[256];
    char path[108]; /* of a unix socket; then `host` is "" */
    char db[8];
    uint16_t port;
    char label[300]; /* for the log: address without credentials */
};

/** `redis://:password@host` and `redis://password@host` both mean a password without a user. TK_ERR_INVALID otherwise. */
TK_MUSTCHECK enum tk_err tk_redis_url_parse(const char *url, struct tk_redis_url *out);

#endif
