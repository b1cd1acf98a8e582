/**
 * Several messages about one reservation in one batch: each carries the full final state, so the one with the highest
 * revision says it all and the others need no effect of their own.
 */
#ifndef EVENT_SVC_DOMAIN_FOLD_H
#define EVENT_SVC_DOMAIN_FOLD_H

#include <stddef.h>

#include "shared/contract/message.h"

/**
 * Moves the messages to apply to the front of `picked` (indices into `messages`), at most one per reservation, in order of
 * arrival of the reservation, and returns how many. Of equal revisions the first stays. `picked` has room for `count`.
 */
size_t messages_fold(const struct tk_reservation_message *messages, size_t count, size_t *picked);

#endif
