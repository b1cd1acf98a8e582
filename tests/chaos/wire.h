/**
 * What buyers send and how they understand what comes back. Nothing here remembers anything.
 */
#ifndef CHAOS_WIRE_H
#define CHAOS_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/connection.h"
#include "shared/base/str.h"
#include "tests/chaos/history.h"

/** An answer as far as a buyer's next step depends on it. */
enum answer {
    ANSWER_OK,
    ANSWER_REFUSED,
    ANSWER_BUSY,    /* nothing was applied; later */
    ANSWER_PENDING, /* an earlier try is still at work */
    ANSWER_UNKNOWN,
};

enum answer wire_classify(const struct response *response);

/** Requests, complete, in place of what `out` held. A purchase's steps carry keys of their own. */
void wire_put_hold(struct tk_buf *out, const struct history *history, const struct purchase *p);
void wire_put_pay(struct tk_buf *out, const struct purchase *p);
void wire_put_cancel(struct tk_buf *out, const struct purchase *p);
void wire_put_read_reservation(struct tk_buf *out, const struct purchase *p);
void wire_put_read_tickets(struct tk_buf *out, const struct purchase *p);

/** The string after `member`, which is written with its quotes and the one that opens the value: "\"id\":\"". */
bool wire_find(struct tk_slice body, const char *member, char *out, size_t cap);
/** How often `text` stands in `body`. */
int wire_count(struct tk_slice body, const char *text);
uint64_t wire_hash(struct tk_slice body);

#endif
