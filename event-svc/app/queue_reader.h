/**
 * What the two threads that take messages out of the broker have in common: a database to put them into, which is
 * connected before anything is taken, and growing pauses when one of the two is away.
 */
#ifndef EVENT_SVC_APP_QUEUE_READER_H
#define EVENT_SVC_APP_QUEUE_READER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "shared/mq/mq.h"
#include "shared/pg/sync.h"

/** Owned by the thread, but for `stopping`. */
struct queue_reader {
    struct tk_mq *mq;
    struct tk_pgs *pg;
    atomic_bool stopping; /* set by any thread */
    int64_t backoff_ms;
};

typedef enum tk_err queue_reader_consume(struct tk_mq *mq);

bool queue_reader_is_stopping(const struct queue_reader *reader);

/** Connects both, the database first, and starts to consume. */
TK_MUSTCHECK enum tk_err queue_reader_connect(struct queue_reader *reader, queue_reader_consume *consume);

/** The first pause is short again. */
void queue_reader_calm(struct queue_reader *reader);

/** How long the next pause is; the one after it will be longer. */
int64_t queue_reader_next_pause_ms(struct queue_reader *reader);

/** Waits; ends early when the thread is to stop. */
void queue_reader_pause(const struct queue_reader *reader, int64_t ms);

/** Closes both. */
void queue_reader_release(struct queue_reader *reader);

#endif
