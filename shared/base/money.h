/**
 * Money is a 64-bit count of minor units (cents). It is never a float: 0.1 has no exact binary form, and totals must
 * match to the cent in two databases.
 */
#ifndef TK_BASE_MONEY_H
#define TK_BASE_MONEY_H

#include <stdint.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

/** Largest single price: 9,999,999,999.99. Ten seats at the largest multiplier still fit in 64 bits. */
#define TK_MONEY_MAX_MINOR INT64_C(999999999999)

/** Multipliers are decimal with four places, held as ten-thousandths: 1.5 is 15000. */
#define TK_MULTIPLIER_ONE INT64_C(10000)
#define TK_MULTIPLIER_MAX INT64_C(1000000) /* 100.0000 */

/**
 * Parses `12`, `12.3` or `12.34` (no sign, no exponent, no spaces) to minor units.
 * TK_ERR_INVALID: other text, more than two decimals, or above TK_MONEY_MAX_MINOR.
 */
TK_MUSTCHECK enum tk_err tk_money_parse(struct tk_slice text, int64_t *minor);

/** Appends `minor` as a decimal number with exactly two places: 10000 → `100.00`. Negative amounts get a minus. */
void tk_money_append(struct tk_buf *buf, int64_t minor);

/** Parses a multiplier of at most four decimals, 0 < value <= 100; same grammar as tk_money_parse. */
TK_MUSTCHECK enum tk_err tk_multiplier_parse(struct tk_slice text, int64_t *ten_thousandths);

/** Appends a multiplier with its shortest exact decimal form, at least one place: 15000 → `1.5`, 10000 → `1.0`. */
void tk_multiplier_append(struct tk_buf *buf, int64_t ten_thousandths);

/** price × multiplier, rounded half up to a whole minor unit. Both within their maxima (asserted). */
int64_t tk_money_multiply(int64_t price_minor, int64_t multiplier_ten_thousandths);

#endif
