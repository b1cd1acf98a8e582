/**
 * A price tier multiplies a seat's base price (child, VIP, early bird). Immutable once made; with a session it is usable
 * only there.
 */
#ifndef BOOKING_DOMAIN_PRICE_TIER_H
#define BOOKING_DOMAIN_PRICE_TIER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/str.h"

struct price_tier {
    struct tk_uuid id;
    struct tk_slice name;
    struct tk_slice description;
    int64_t multiplier;        /* ten-thousandths */
    struct tk_uuid session_id; /* nil: any session */
    int64_t created_at_us;
};

static inline bool price_tier_fits(const struct price_tier *tier, const struct tk_uuid *session_id)
{
    return tk_uuid_is_nil(&tier->session_id) || tk_uuid_eq(&tier->session_id, session_id);
}

#endif
