/**
 * Whether booking_db can commit, judged by what became of the latest writes. While it cannot, nothing is asked of
 * event-svc: a hold whose reservation cannot be stored is an orphan. Pure.
 */
#ifndef BOOKING_DOMAIN_COMMIT_GATE_H
#define BOOKING_DOMAIN_COMMIT_GATE_H

#include <stdbool.h>
#include <stdint.h>

#include "shared/base/result.h"
#include "shared/breaker/breaker.h"

struct commit_gate {
    struct tk_breaker breaker;
};

void commit_gate_init(struct commit_gate *gate);

/** May something be begun that must be committed here in the end? */
bool commit_gate_allows(const struct commit_gate *gate);

/**
 * A write ended. One refusal for want of space, of permission to write or of a sound server (SQLSTATE class 53, 25, 58, XX)
 * shuts the gate; so do two writes in a row without an answer. What an item carries, and what was never sent, says nothing.
 * True: this shut it.
 */
bool commit_gate_note(struct commit_gate *gate, enum tk_step step, const char *sqlstate, int64_t now_us);

/** Is a refusal about what an item carries, or about two that met, and not about the server (SQLSTATE class 22, 23, 40)? */
bool commit_gate_blames_item(const char *sqlstate);

/** The periodic write ended; it is also the probe that opens the gate again. True: the gate turned. */
bool commit_gate_probed(struct commit_gate *gate, enum tk_step step, int64_t now_us);

#endif
