/**
 * booking_db as an auditor sees it: reservations with what hangs on them. Reads only.
 */
#ifndef BOOKING_WORKER_ADAPTERS_BOOKING_LEDGER_H
#define BOOKING_WORKER_ADAPTERS_BOOKING_LEDGER_H

#include <stddef.h>

#include "booking-worker/adapters/ledger_cursor.h"
#include "booking-worker/domain/ledger.h"

struct booking_ledger;

/** Never fails; connects when first used. `timeout_ms` for each statement, a whole sort included. */
struct booking_ledger *booking_ledger_new(const char *name, const char *database_url, int64_t timeout_ms);
void booking_ledger_free(struct booking_ledger *ledger);

/* --- everything, as it was at one moment --------------------------------------------------------------------------- */

TK_MUSTCHECK enum tk_err booking_ledger_open(struct booking_ledger *ledger);
void booking_ledger_close(struct booking_ledger *ledger);

/** Fills `booked`, in the order of reservation ids. *more is false after the last one. */
TK_MUSTCHECK enum tk_err booking_ledger_next(struct booking_ledger *ledger, struct ledger_entry *entry, bool *more);

/** Seats in two live reservations, or with two tickets; at most `cap`. Between open and close. */
TK_MUSTCHECK enum tk_err booking_ledger_booked_twice(struct booking_ledger *ledger, struct tk_uuid *out, size_t cap,
                                                     size_t *count);

/** Outbox rows older than `age_s`; at most `cap`. Between open and close. */
TK_MUSTCHECK enum tk_err booking_ledger_old_messages(struct booking_ledger *ledger, int64_t age_s, struct tk_uuid *out,
                                                     size_t cap, size_t *count);

/* --- a slice at a time --------------------------------------------------------------------------------------------- */

/** Fills status, session and lateness of these entries' reservations, as they are now. */
TK_MUSTCHECK enum tk_err booking_ledger_look(struct booking_ledger *ledger, struct ledger_entry *entries, size_t count);

#endif
