/* Connections and pauses of the threads that take messages. */
#include "event-svc/app/queue_reader.h"

#include <stdlib.h>
#include <time.h>

#include "event-svc/domain/backoff.h"
#include "shared/base/clock.h"

#define BACKOFF_FIRST_MS 200
#define BACKOFF_MAX_MS   5000

bool queue_reader_is_stopping(const struct queue_reader *reader)
{
    return atomic_load_explicit(&reader->stopping, memory_order_relaxed);
}

enum tk_err queue_reader_connect(struct queue_reader *reader, queue_reader_consume *consume)
{
    enum tk_err err = tk_pgs_connect(reader->pg);
    if (!err)
        err = tk_mq_connect(reader->mq);
    if (!err)
        err = consume(reader->mq);
    return err;
}

void queue_reader_calm(struct queue_reader *reader)
{
    reader->backoff_ms = BACKOFF_FIRST_MS;
}

int64_t queue_reader_next_pause_ms(struct queue_reader *reader)
{
    int64_t pause_ms = backoff_jitter_ms(reader->backoff_ms, arc4random());
    reader->backoff_ms = backoff_next_ms(reader->backoff_ms, BACKOFF_MAX_MS);
    return pause_ms;
}

void queue_reader_pause(const struct queue_reader *reader, int64_t ms)
{
    const struct timespec slice = {.tv_nsec = 50 * 1000 * 1000};
    int64_t until_us = tk_mono_us() + ms * TK_US_PER_MS;
    while (!queue_reader_is_stopping(reader) && tk_mono_us() < until_us)
        nanosleep(&slice, NULL);
}

void queue_reader_release(struct queue_reader *reader)
{
    tk_mq_free(reader->mq);
    tk_pgs_free(reader->pg);
}
