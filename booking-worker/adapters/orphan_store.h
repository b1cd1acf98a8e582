/**
 * booking_db as the orphan sweep sees it: what became of the reservations behind holds that are past their deadline.
 */
#ifndef BOOKING_WORKER_ADAPTERS_ORPHAN_STORE_H
#define BOOKING_WORKER_ADAPTERS_ORPHAN_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/contract/message.h"
#include "shared/pg/sync.h"

/** A hold as event-svc lists it. */
struct overdue_hold {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
    int64_t reserved_until_us; /* Unix */
};

/** What booking_db says about its reservation. `status` is empty when there is no row (never after a successful look). */
struct orphan_fate {
    struct tk_slice status;                  /* arena memory */
    bool overdue;                            /* by the database's clock */
    bool entombed;                           /* the row did not exist and was inserted as an expired tombstone just now */
    struct tk_reservation_message confirmed; /* when status is confirmed: the message to say again */
};

struct orphan_store;

/** Never fails; connects when first used. */
struct orphan_store *orphan_store_new(const char *database_url);
void orphan_store_free(struct orphan_store *store);

/**
 * Inserts an expired tombstone for each hold without a reservation, then reads every row anew, in a statement of its own.
 * OK: committed; fates[i] belongs to holds[i]. Otherwise nothing may be concluded.
 */
enum tk_step orphan_store_look(struct orphan_store *store, const struct overdue_hold *holds, size_t count,
                               struct tk_arena *arena, struct orphan_fate *fates);

/** Writes confirmations to the outbox again, unless older rows wait there: then they are on their way. *written counts. */
enum tk_step orphan_store_reemit(struct orphan_store *store, struct tk_reservation_message *messages, size_t count,
                                 size_t *written);

/** Makes the expiry job look again from `expiry_us` on. */
enum tk_step orphan_store_rewind(struct orphan_store *store, int64_t expiry_us);

#endif
