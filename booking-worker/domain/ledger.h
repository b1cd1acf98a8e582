/**
 * What both databases say about one reservation, side by side, and what is wrong with it. Pure.
 *
 * event-svc's half: the hold, and the seats that carry the reservation's id. booking-svc's half: the reservation, its
 * items, tickets and payments. The `verify` program fills everything, from one walk through both databases in the order of
 * the reservations' ids; the worker's audit fills what its gauges need, a slice at a time.
 *
 * Work in flight looks wrong for a moment: nobody may conclude anything from one look. Who asks looks again later, and only
 * what is wrong both times is wrong.
 */
#ifndef BOOKING_WORKER_DOMAIN_LEDGER_H
#define BOOKING_WORKER_DOMAIN_LEDGER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"
#include "shared/base/result.h"

enum ledger_hold { LEDGER_HOLD_NONE, LEDGER_HOLD_HELD, LEDGER_HOLD_SOLD, LEDGER_HOLD_RELEASED };

enum ledger_status {
    LEDGER_STATUS_NONE, /* no such reservation */
    LEDGER_STATUS_ACTIVE,
    LEDGER_STATUS_PAYING,
    LEDGER_STATUS_CONFIRMED,
    LEDGER_STATUS_CANCELLED,
    LEDGER_STATUS_EXPIRED,
    LEDGER_STATUS_REFUNDED,
};

/** A set of seats, as far as comparing needs it. The digest is a sum over its members' hashes: order does not matter. */
struct ledger_seats {
    int64_t count;
    int64_t digest;
};

/** event-svc's half: a hold, and the seats that carry its reservation's id. Times are microseconds, negative: not yet. */
struct ledger_held {
    enum ledger_hold state;
    struct tk_uuid session_id;
    int64_t late_us;           /* since the hold's deadline */
    struct ledger_seats named; /* by the hold */
    struct ledger_seats own;   /* that carry the id, */
    int64_t reserved;          /* of them by status */
    int64_t sold;
    int64_t lost; /* of those the hold names, carried by another reservation; slices only */
};

/** booking-svc's half: a reservation and what hangs on it. */
struct ledger_booked {
    enum ledger_status status;
    struct tk_uuid session_id;
    int64_t late_us; /* since its expiry_time */
    int64_t seats_count;
    int64_t total_minor;
    struct ledger_seats items;
    int64_t items_minor;
    struct ledger_seats tickets; /* refunded ones left out */
    int64_t payments;            /* that succeeded */
    int64_t paid_minor;
    int64_t pending; /* payments without an outcome, and the age of the oldest */
    int64_t pending_age_us;
    int64_t refunds; /* made or due, and the age of the oldest that is due */
    int64_t refund_age_us;
    bool history_differs; /* the trail does not end in the status */
};

struct ledger_entry {
    struct tk_uuid reservation_id;
    struct ledger_held held;
    struct ledger_booked booked;
};

enum ledger_kind {
    /* of a reservation */
    LEDGER_SEATS_WITHOUT_HOLD,
    LEDGER_FREE_SEAT_WITH_OWNER,
    LEDGER_HOLD_AND_SEATS_DIFFER,
    LEDGER_ORPHAN_HOLD,
    LEDGER_STRANDED_SEATS,
    LEDGER_OVERDUE_HOLD,
    LEDGER_LIVE_WITHOUT_HOLD,
    LEDGER_SOLD_UNCONFIRMED,
    LEDGER_CONFIRMED_UNSOLD,
    LEDGER_SEATS_DIFFER,
    LEDGER_TICKETS_DIFFER,
    LEDGER_TICKET_WITHOUT_SALE,
    LEDGER_TOTALS_DIFFER,
    LEDGER_PAYMENT_DIFFERS,
    LEDGER_PAID_TWICE,
    LEDGER_PAID_WITHOUT_SALE,
    LEDGER_STUCK_PAYMENT,
    LEDGER_REFUND_DUE,
    LEDGER_ROWS_WITHOUT_RESERVATION,
    LEDGER_HISTORY_DIFFERS,
    /* of a seat, of a message: found by questions of their own */
    LEDGER_SEAT_WITHOUT_OWNER,
    LEDGER_SEAT_BOOKED_TWICE,
    LEDGER_OLD_MESSAGE,
};

#define LEDGER_KINDS (LEDGER_OLD_MESSAGE + 1)

struct ledger_patience {
    int64_t grace_us; /* how late the expiry of a hold may be */
    int64_t stuck_us; /* how old a payment without an outcome, or a refund that is due, may become */
};

/** A set of kinds: 1 << kind for each that applies, 0 when both databases agree. */
uint32_t ledger_judge(const struct ledger_entry *entry, const struct ledger_patience *patience);

/** What the worker's gauges count. */
struct ledger_weight {
    int64_t double_sold_seats; /* sold or confirmed for this reservation, carried by another */
    int64_t stranded_seats;    /* kept from sale by a reservation that is over, overdue or unknown */
    int64_t orphan_holds;      /* 1: a hold past its deadline that no reservation stands behind */
};

struct ledger_weight ledger_weigh(const struct ledger_entry *entry, const struct ledger_patience *patience);

/** "orphan_hold"; stable, for people and scripts. */
const char *ledger_kind_name(enum ledger_kind kind);
/** One sentence: what it means. */
const char *ledger_kind_meaning(enum ledger_kind kind);

const char *ledger_hold_name(enum ledger_hold hold);       /* "none", "held", … */
const char *ledger_status_name(enum ledger_status status); /* "none", "active", … */

/** As the databases spell them; the empty slice (SQL NULL) is NONE. TK_ERR_INVALID: a word from another version. */
TK_MUSTCHECK enum tk_err ledger_hold_parse(struct tk_slice text, enum ledger_hold *out);
TK_MUSTCHECK enum tk_err ledger_status_parse(struct tk_slice text, enum ledger_status *out);

#endif
