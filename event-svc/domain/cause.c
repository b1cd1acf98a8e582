/* Causes as tables. */
#include "event-svc/domain/cause.h"

struct cause cause_of_release(enum tk_release_reason reason)
{
    switch (reason) {
    case TK_RELEASE_REASON_UNDONE:
        return (struct cause){"system", "undone"};
    case TK_RELEASE_REASON_CANCELLED:
        return (struct cause){"user", "cancelled"};
    case TK_RELEASE_REASON_EXPIRED:
        return (struct cause){"worker", "expired"};
    case TK_RELEASE_REASON_ORPHANED:
        return (struct cause){"worker", "orphaned"};
    case TK_RELEASE_REASON_NONE:
        break;
    }
    return cause_of_call(false);
}

struct cause cause_of_message(enum tk_reservation_event event)
{
    switch (event) {
    case TK_RESERVATION_CONFIRMED:
        return (struct cause){"user", "confirmed"};
    case TK_RESERVATION_CANCELLED:
        return (struct cause){"user", "cancelled"};
    case TK_RESERVATION_EXPIRED:
        return (struct cause){"worker", "expired"};
    }
    return (struct cause){"system", "message"};
}

struct cause cause_of_call(bool sell)
{
    return (struct cause){"system", sell ? "confirmed by call" : "released by call"};
}
