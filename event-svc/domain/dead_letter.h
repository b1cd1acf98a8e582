/**
 * A message the broker gave up on: which one it is, and whether publishing it again could make sense. Pure.
 */
#ifndef EVENT_SVC_DOMAIN_DEAD_LETTER_H
#define EVENT_SVC_DOMAIN_DEAD_LETTER_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/id.h"

/** The texts are the caller's. */
struct dead_letter {
    struct tk_uuid id;
    struct tk_slice reason;
    struct tk_slice error; /* {NULL, 0}: not known */
    struct tk_slice routing_key;
    struct tk_slice message_id;
    struct tk_slice traceparent;
    int64_t delivery_count;
    int64_t first_death_us; /* Unix microseconds; 0: the broker did not say */
    struct tk_slice body;   /* its beginning only, when shorter than `body_size` */
    uint64_t body_size;
    bool replayable;
};

/**
 * The id of a dead letter, in the shape of a UUIDv8: the milliseconds of its first death, then a digest of the rest. The
 * same copy, delivered again after a crash, gets the same id; ids sort by time of death.
 */
struct tk_uuid dead_letter_id(const struct dead_letter *letter);

/**
 * Whole, text, and under a routing key that leads to our queue. Anything else could not be published, or would be returned
 * by the broker for ever.
 */
bool dead_letter_is_replayable(const struct dead_letter *letter);

/** How many bytes of `text`, at most `limit`, can be shown without cutting a character in two. */
size_t dead_letter_preview(struct tk_slice text, size_t limit);

#endif
