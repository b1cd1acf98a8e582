/**
 * The trail of a reservation: one row per change of its state, appended by the transaction of the change.
 */
#ifndef BOOKING_ADAPTERS_HISTORY_STORE_H
#define BOOKING_ADAPTERS_HISTORY_STORE_H

#include "booking-svc/domain/reservation.h"
#include "shared/contract/message.h"
#include "shared/pg/pg.h"

struct history_entry {
    int64_t revision;
    bool is_first; /* from nothing */
    enum reservation_status from_status;
    enum reservation_status to_status;
    struct tk_slice actor; /* "user", "worker", "system" */
    struct tk_slice reason;
    struct tk_slice request_id;
    int64_t at_us;
};

/** Oldest first; arena memory. */
struct history_page {
    bool found; /* there is such a reservation of that user */
    struct tk_uuid seats[TK_MESSAGE_MAX_SEATS];
    size_t seat_count;
    struct history_entry *entries;
    size_t count;
    bool more;
};

typedef void history_read_done(void *arg, enum tk_step step, const struct history_page *page);

/** Entries after `after_revision` (0: from the first), at most `limit`. `page` is valid during the call of `done`. */
TK_MUSTCHECK enum tk_err history_store_read(struct tk_pg *pg, const struct tk_uuid *id, const struct tk_uuid *user,
                                            int64_t after_revision, int64_t limit, int64_t deadline_us,
                                            struct tk_arena *arena, history_read_done *done, void *arg);

#endif
