/**
 * Strong entity tags of the seat map: the version of the session's seats, and a suffix for the compressed form, since a
 * strong tag names bytes, not meaning (RFC 9110 section 8.8.3).
 */
#ifndef EVENT_SVC_DOMAIN_ETAG_H
#define EVENT_SVC_DOMAIN_ETAG_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/str.h"

struct etag {
    char text[40]; /* quoted, NUL-terminated */
};

struct etag etag_of(int64_t version, bool gzip);

/**
 * True when an If-None-Match header lists the current version in either form (the same seats, whatever the coding) or `*`.
 * Weak tags match too: the comparison of If-None-Match is the weak one (RFC 9110 section 13.1.2).
 */
bool etag_matches(struct tk_slice if_none_match, int64_t version);

#endif
