/**
 * When not to call: a circuit breaker, and a budget for retries. Pure: the caller brings the clock (monotonic
 * microseconds).
 *
 *            `failures` in a row                open_us later: one probe may go
 *   CLOSED ───────────────────────▶ OPEN ───────────────────────▶ HALF OPEN
 *     ▲                              ▲                              │   │
 *     │                              └────────── it failed ─────────┘   │
 *     └───────────────────────────── it succeeded ──────────────────────┘
 *
 * What was sent before the breaker opened may still come back: its success counts for nothing while OPEN, since it says
 * nothing about now.
 */
#ifndef TK_BREAKER_BREAKER_H
#define TK_BREAKER_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

enum tk_breaker_state { TK_BREAKER_CLOSED, TK_BREAKER_HALF_OPEN, TK_BREAKER_OPEN };

struct tk_breaker {
    int64_t failures_to_open; /* set these two, zero the rest */
    int64_t open_us;
    enum tk_breaker_state state;
    int64_t failures; /* in a row */
    int64_t opened_us;
};

/** May an ordinary call be made? */
bool tk_breaker_allows(const struct tk_breaker *breaker);

/** An ordinary call ended. True: this opened the breaker. */
bool tk_breaker_note(struct tk_breaker *breaker, bool ok, int64_t now_us);

/** May a probe be made? True turns OPEN into HALF OPEN, until tk_breaker_probed(). */
bool tk_breaker_probe(struct tk_breaker *breaker, int64_t now_us);

/** The probe's result. True: this closed the breaker. */
bool tk_breaker_probed(struct tk_breaker *breaker, bool ok, int64_t now_us);

/** "closed", "half_open", "open". */
const char *tk_breaker_state_name(enum tk_breaker_state state);

/**
 * Retries are paid from what first tries earn: a tenth each, ten retries saved at most. When everything fails, retries
 * then add 10 % to the load instead of doubling it. Starts full.
 */
struct tk_retry_budget {
    int64_t spent_tenths; /* of what may be saved */
};

void tk_retry_budget_earn(struct tk_retry_budget *budget);  /* a first try was made */
bool tk_retry_budget_spend(struct tk_retry_budget *budget); /* false: none left */

#endif
