/**
 * Lists holds whose deadline passed and that nobody settled, for the worker's sweep. Cheap with millions of finished holds:
 * a watermark remembers up to where none is left, and one call looks at a bounded number of rows.
 */
#ifndef EVENT_SVC_APP_STALE_HOLDS_H
#define EVENT_SVC_APP_STALE_HOLDS_H

#include "event-svc/adapters/seat_reads.h"

struct stale_holds {
    struct tk_pg *pg; /* prepares catalogue_statements */
    int64_t watermark_us;
    int64_t deadline_us; /* per statement */
};

struct stale_list;
typedef void stale_list_fn(struct stale_list *list);

/** Caller-owned until `done` runs: exactly once, later. Fill the first part. */
struct stale_list {
    struct stale_holds *holds;
    int64_t older_than_s;
    int64_t limit;
    bool from_start; /* begin at the watermark; else after `from` */
    struct hold_place from;
    struct tk_arena *arena;
    stale_list_fn *done;
    void *arg;
    enum tk_step step; /* OK: what follows holds */
    struct stale_hold *items;
    size_t count;
    bool more; /* ask again with from = next */
    struct hold_place next;
    struct tk_pg_op op;
    int scans;
};

TK_MUSTCHECK enum tk_err stale_holds_list(struct stale_list *list);

#endif
