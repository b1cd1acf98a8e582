/**
 * The seats a run asks for, and the requests that ask. Seats are handed out in the order of the file, each once, so that a
 * refusal is the server's doing and not ours. Those of a request that was answered 503 are handed out again;
 * WORKLOAD_REFUSE starts over at the end; WORKLOAD_BEST has sections instead of seats and asks for any of them.
 */
#ifndef BENCH_SEATS_H
#define BENCH_SEATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bench/options.h"
#include "shared/base/id.h"
#include "shared/base/str.h"

struct seat {
    char session[TK_UUID_TEXT_LEN + 1];
    char seat[TK_UUID_TEXT_LEN + 1]; /* WORKLOAD_BEST: the name of a section */
};

/** What one request asks for: `count` seats of one session, from `first` in the list; or so many of the section there. */
struct seat_range {
    size_t first;
    size_t count;
};

struct seats {
    struct seat *list;
    size_t count;
    size_t next;                 /* WORKLOAD_BEST: requests handed out */
    struct seat_range *returned; /* a stack */
    size_t returned_count;
    size_t returned_cap;
    struct tk_buf body; /* of the request being built */
};

/** Reads the file but for its first `skip` lines; ends the program when it cannot be read. */
void seats_load(struct seats *seats, const char *path, int skip);

/** A small deterministic random number generator (xorshift64): quick, and the same in every run. `state` is not 0. */
uint64_t random_next(uint64_t *state);

/** Takes the next seats; count is 0 when all have been handed out, or WORKLOAD_BEST has asked often enough. */
struct seat_range seats_take(struct seats *seats, const struct options *opt, uint64_t *random);

/** Nothing came of the request: another one may have its seats. */
void seats_return(struct seats *seats, struct seat_range range);

/** Appends `POST /api/v1/reservations`. */
void request_reserve(struct seats *seats, struct seat_range range, const char *user, struct tk_buf *out);

/** The same, the choice left to the server. */
void request_best(struct seats *seats, struct seat_range range, const char *user, struct tk_buf *out);

void request_confirm(const char *reservation, const char *user, struct tk_buf *out);
void request_get(const struct options *opt, struct tk_buf *out);

#endif
