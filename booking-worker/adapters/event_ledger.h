/**
 * event_service as an auditor sees it: holds with the seats that carry their reservation. Reads only, from event-svc's own
 * database: an auditor who asked the services would hear their opinion (docs/DECISIONS.md 61).
 */
#ifndef BOOKING_WORKER_ADAPTERS_EVENT_LEDGER_H
#define BOOKING_WORKER_ADAPTERS_EVENT_LEDGER_H

#include <stddef.h>

#include "booking-worker/adapters/ledger_cursor.h"
#include "booking-worker/domain/ledger.h"

/** The key of a hold; the nil one stands before all. */
struct hold_key {
    struct tk_uuid session_id;
    struct tk_uuid reservation_id;
};

struct event_ledger;

/** Never fails; connects when first used. `timeout_ms` for each statement, a whole sort included. */
struct event_ledger *event_ledger_new(const char *name, const char *database_url, int64_t timeout_ms);
void event_ledger_free(struct event_ledger *ledger);

/* --- everything, as it was at one moment --------------------------------------------------------------------------- */

TK_MUSTCHECK enum tk_err event_ledger_open(struct event_ledger *ledger);
void event_ledger_close(struct event_ledger *ledger);

/** Fills `held`, all but `lost`, in the order of reservation ids. *more is false after the last.
 */
TK_MUSTCHECK enum tk_err event_ledger_next(struct event_ledger *ledger, struct ledger_entry *entry, bool *more);

/** Seats that are taken and carry no reservation; at most `cap`. Between open and close. */
TK_MUSTCHECK enum tk_err event_ledger_ownerless(struct event_ledger *ledger, struct tk_uuid *out, size_t cap,
                                                size_t *count);

/* --- a slice at a time --------------------------------------------------------------------------------------------- */

/** Up to `limit` holds after `after`, by key: `held` of each entry, as they are now. */
TK_MUSTCHECK enum tk_err event_ledger_slice(struct event_ledger *ledger, const struct hold_key *after, size_t limit,
                                            struct ledger_entry *out, size_t *count);

/** These holds, as they are now; those that are gone are left out. */
TK_MUSTCHECK enum tk_err event_ledger_look(struct event_ledger *ledger, const struct hold_key *keys, size_t key_count,
                                           struct ledger_entry *out, size_t *count);

#endif
