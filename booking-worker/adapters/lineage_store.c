/**
 * Three looks, since what a row remembers may only be held against a row that was read later: event_service, booking_db,
 * event_service again.
 */
#include "booking-worker/adapters/lineage_store.h"

#include <stdlib.h>

#include "shared/contract/lineage.h"
#include "shared/pg/sync.h"

#define TIMEOUT_MS 2000

static const struct tk_pg_statement read_statement = {"worker_lineage", TK_LINEAGE_READ_SQL};
static const struct tk_pg_statement *const statements[] = {&read_statement};

struct lineage_store {
    struct tk_pgs *booking;
    struct tk_pgs *event;
};

static struct tk_pgs *open_database(const char *url)
{
    const struct tk_pgs_config config = {.name = "worker-lineage",
                                         .url = url,
                                         .timeout_ms = TIMEOUT_MS,
                                         .server_options = "-c default_transaction_read_only=on",
                                         .statements = statements,
                                         .statement_count = 1};
    return tk_pgs_new(&config);
}

struct lineage_store *lineage_store_new(const char *database_url, const char *event_database_url)
{
    struct lineage_store *store = tk_alloc(sizeof(*store));
    store->booking = open_database(database_url);
    store->event = open_database(event_database_url);
    return store;
}

void lineage_store_free(struct lineage_store *store)
{
    if (store == NULL)
        return;
    tk_pgs_free(store->booking);
    tk_pgs_free(store->event);
    free(store);
}

static bool read_row(struct tk_pgs *pg, struct tk_lineage *out)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    (void)tk_pg_op_step(&op, &read_statement);
    const bool found = tk_pgs_run(pg, &op) == TK_STEP_OK && PQntuples(op.outcome.rows[0]) == 1;
    if (found)
        *out = tk_lineage_of_row(op.outcome.rows[0]);
    tk_pgs_release(&op);
    return found;
}

enum tk_err lineage_store_compare(struct lineage_store *store, bool *diverged, bool *booking_up)
{
    struct tk_lineage before;
    struct tk_lineage booking;
    struct tk_lineage after;
    const bool event_up = read_row(store->event, &before);
    *booking_up = read_row(store->booking, &booking);
    if (!event_up || !*booking_up || !read_row(store->event, &after))
        return TK_ERR_UNAVAILABLE;
    *diverged = booking.diverged || after.diverged || tk_lineage_contradicts(&before, &booking) ||
                tk_lineage_contradicts(&booking, &after);
    return TK_OK;
}
