/**
 * Natural batching: the queue in front of anything that is cheaper by the dozen — a Postgres statement, a call to another
 * service.
 *
 * While a batch is in flight, items gather; when it returns, the next batch leaves with what has gathered, up to a cap. A
 * full batch need not wait for that, as long as max_in_flight allows.
 * There is no linger timer: at low load a batch is one item and nothing waits. Measured: 1,690 reservations/s with a
 * statement per request, 24,560/s with this in front (docs/PERFORMANCE.md). This file knows nothing of SQL or HTTP.
 *
 * Life of an item: submitted → queued → (in a batch → finished by the sender) or dropped. Exactly one of `send` and `drop`
 * sees it, and never inside tk_batch_submit(): completions that run inside submit are how recursion starts.
 */
#ifndef TK_PG_BATCH_H
#define TK_PG_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "shared/base/list.h"
#include "shared/base/result.h"
#include "shared/loop/loop.h"

/** Embed in the request's own structure; the caller owns the memory until the item is finished or dropped. */
struct tk_batch_item {
    struct tk_link link;
    int64_t deadline_us; /* monotonic; an item not sent by then is dropped, unanswered work nobody waits for */
    int64_t queued_us;   /* set by submit */
    unsigned weight;     /* what counts against max_weight (rows, seats); 0 counts as 1 */
};

/** One batch on its way. `items` stay valid until tk_batch_landed(). */
struct tk_flight {
    struct tk_batch *batch;
    struct tk_batch_item **items;
    size_t count;
    int64_t sent_us;
    bool busy;
};

struct tk_batch_ops {
    /** Called when a new batch starts forming, before the first `join`; forget the previous one's conflicts. May be NULL.
     */
    void (*begin)(void *ctx);
    /**
     * May `item` join the batch being formed? False leaves it, in order, for a later batch (it wants a seat or id that this
     * batch already touches). Must remember the item's keys even when it answers false, so that later items do not overtake
     * it. The first item of a batch travels whatever is answered. NULL: always.
     */
    bool (*join)(void *ctx, struct tk_batch_item *item);
    /**
     * Sends the batch. The sender finishes every item and then calls tk_batch_landed(flight), exactly once; when nothing
     * can be sent it may do both right here.
     */
    void (*send)(void *ctx, struct tk_flight *flight);
    /** The item was never sent: its deadline passed in the queue, it was overtaken, or the queue is closing. */
    void (*drop)(void *ctx, struct tk_batch_item *item);
    /** Asked before `join`: has what happened since made sending pointless? The item is dropped then. NULL: never. */
    bool (*overtaken)(void *ctx, struct tk_batch_item *item);
};

struct tk_batch_config {
    const char *name;     /* for metrics and logs */
    size_t max_items;     /* per batch */
    size_t max_weight;    /* per batch; 0: no limit. A single heavier item still goes, alone */
    size_t max_in_flight; /* batches at a time; beside another, only full ones leave */
    size_t max_queued;    /* items waiting; beyond it submit answers TK_ERR_LIMIT */
    int64_t max_wait_us;  /* refuse when the queue is estimated to take longer than this; 0: never refuse */
};

struct tk_batch;

/** Copies `config` and `ops`. Lives as long as the process unless tk_batch_free() is called. */
struct tk_batch *tk_batch_new(struct tk_loop *loop, const struct tk_batch_config *config, const struct tk_batch_ops *ops,
                              void *ctx);

/** Drops what is queued; nothing may be in flight (asserted). */
void tk_batch_free(struct tk_batch *batch);

/**
 * Queues an item; it leaves at the end of this turn or when a flight lands.
 * TK_ERR_LIMIT: the queue is full or slower than max_wait_us; the item is untouched, answer 503 with Retry-After.
 */
TK_MUSTCHECK enum tk_err tk_batch_submit(struct tk_batch *batch, struct tk_batch_item *item);

/** The sender's last act for a flight, after finishing every item. The next batch leaves at the end of this turn. */
void tk_batch_landed(struct tk_flight *flight);

size_t tk_batch_queued(const struct tk_batch *batch);
size_t tk_batch_in_flight(const struct tk_batch *batch); /* batches */
/** Estimated time an item submitted now would wait before being sent, microseconds. */
int64_t tk_batch_estimated_wait_us(const struct tk_batch *batch);
/**
 * Estimated time in which `items` pass through, microseconds: in full batches as fast as the latest ones were, or as slow
 * as one that is still out, so that a queue whose server hangs is known to be slow before anything has come back.
 */
int64_t tk_batch_time_us(const struct tk_batch *batch, size_t items);

#endif
