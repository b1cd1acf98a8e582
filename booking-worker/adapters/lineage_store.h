/**
 * The lineage rows of both databases (shared/contract/lineage.h), read by connections of their own.
 */
#ifndef BOOKING_WORKER_ADAPTERS_LINEAGE_STORE_H
#define BOOKING_WORKER_ADAPTERS_LINEAGE_STORE_H

#include <stdbool.h>

#include "shared/base/result.h"

struct lineage_store;

/** Never fails; connects when first used. */
struct lineage_store *lineage_store_new(const char *database_url, const char *event_database_url);
void lineage_store_free(struct lineage_store *store);

/**
 * Compares them as they are now, however far they had got when the services compared them last. TK_ERR_UNAVAILABLE: one of
 * them did not answer, `*diverged` is untouched. *booking_up: booking_db did.
 */
TK_MUSTCHECK enum tk_err lineage_store_compare(struct lineage_store *store, bool *diverged, bool *booking_up);

#endif
