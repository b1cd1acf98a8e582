/**
 * One kind of hot write to Postgres: requests gather while a batch is in flight, leave together as one transaction, and
 * each gets a result of its own. Built on shared/pg/batch.h; the statements are those of the stores next door.
 *
 * One request never fails its neighbours: when the server refuses a whole batch for something one item carries (SQLSTATE
 * class 22, 23 or 40), nothing was applied, and the items are sent again one by one.
 *
 * The statement that writes says only which items it wrote, as nearly all do; what became of the others is asked in a
 * second transaction, and only if there are any. Items are sent in id order, so that batches lock their rows in one order.
 */
#ifndef BOOKING_ADAPTERS_WRITE_QUEUE_H
#define BOOKING_ADAPTERS_WRITE_QUEUE_H

#include "booking-svc/domain/commit_gate.h"
#include "shared/pg/batch.h"
#include "shared/pg/pg.h"

/** Embedded first in each store's item. Fill `id`, `base.deadline_us`, `base.weight` and `done` before submitting. */
struct write_item {
    struct tk_batch_item base;
    struct tk_uuid id;                     /* two items with one id never share a batch */
    enum tk_step step;                     /* the result; stores add what else they learned to their own item */
    void (*done)(struct write_item *item); /* exactly once, later, never inside submit; may free the item */
};

struct write_kind {
    const char *name; /* of the queue, in metrics and logs */
    /** Adds the steps for these items. */
    void (*fill)(struct tk_pg_op *op, struct write_item *const *items, size_t count);
    /** Digests rows: sets each item's step, which is REFUSED before the call. */
    void (*read)(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count);
    /** The same for reading what became of those that stayed REFUSED; NULL when `read` has said it all. */
    void (*look_fill)(struct tk_pg_op *op, struct write_item *const *items, size_t count);
    void (*look_read)(const struct tk_pg_outcome *outcome, struct write_item *const *items, size_t count);
    /** The server refused this item by itself; `constraint` is the one it broke, "" for none. NULL: no difference. */
    void (*refused)(struct write_item *item, const char *constraint);
};

struct write_queue_config {
    size_t max_items;
    size_t max_in_flight;
    size_t max_queued;
    int64_t timeout_ms;       /* of one batch at the server */
    struct commit_gate *gate; /* told how each transaction ended; NULL: nobody is */
};

struct write_queue;

/** `kind` is static. Lives as long as the process. */
struct write_queue *write_queue_new(struct tk_loop *loop, struct tk_pg *pg, const struct write_kind *kind,
                                    const struct write_queue_config *config);

/**
 * Results: OK and REFUSED as the kind defines them; FAILED not sent; UNKNOWN sent, no answer, or not written and the look
 * at the reason failed.
 * TK_ERR_LIMIT: the queue is full; `done` will not run.
 */
TK_MUSTCHECK enum tk_err write_queue_submit(struct write_queue *queue, struct write_item *item);

/** Estimated time in which `items` pass through this queue, microseconds. */
int64_t write_queue_time_us(const struct write_queue *queue, size_t items);

/** Estimated time until what is queued now has been sent, microseconds. */
int64_t write_queue_wait_us(const struct write_queue *queue);

#endif
