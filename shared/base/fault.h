/**
 * Crash points: places where a process may die at the worst moment, for tests/chaos. They exist only in programs built with
 * `make VARIANT=fault`; elsewhere FAULT_POINT() is nothing.
 *
 *   CRASH_AT=NAME:N     the N-th pass of the point ends the process with _exit(137), as SIGKILL would
 *   FAULT_CONTROL=FILE  a file of struct tk_fault_control, shared with whoever arms points while the process runs and wants
 *                       to know which have been passed
 *
 * A point is named after what has just happened or is about to. Each stands between two effects that are not one
 * transaction: that is where a crash leaves something for somebody else to finish.
 */
#ifndef TK_BASE_FAULT_H
#define TK_BASE_FAULT_H

#include <stdint.h>

/* X(name, program): the program is the one whose deaths are worth most; shared code passes a point in others, too. */
#define TK_FAULT_POINTS(X)                                                                                                 \
    X(hold_sent, "event-svc")                   /* its statements are on their way to Postgres */                          \
    X(hold_committed, "event-svc")              /* seats are held, nobody has been told */                                 \
    X(release_committed, "event-svc")           /* seats are free, nobody has been told */                                 \
    X(consumer_received, "event-svc")           /* messages taken, nothing applied */                                      \
    X(consumer_committed, "event-svc")          /* applied, not acknowledged */                                            \
    X(consumer_acknowledged, "event-svc")       /* acknowledged */                                                         \
    X(consumer_before_dead_letter, "event-svc") /* a message is about to be set aside */                                   \
    X(create_bound, "booking-svc")              /* the key has its reservation id */                                       \
    X(create_locked, "booking-svc")             /* locks taken, event-svc not asked */                                     \
    X(create_before_persist, "booking-svc")     /* seats held, nothing stored */                                           \
    X(create_persisted, "booking-svc")          /* stored, not answered */                                                 \
    X(create_fenced, "booking-svc")             /* tombstone stored, seats not released */                                 \
    X(confirm_begun, "booking-svc")             /* attempt stored, not charged */                                          \
    X(confirm_charged, "booking-svc")           /* charged, not settled */                                                 \
    X(confirm_settled, "booking-svc")           /* confirmed, not answered */                                              \
    X(cancel_committed, "booking-svc")          /* cancelled, seats not released */                                        \
    X(settle_taken_over, "booking-svc")         /* a stuck payment is ours, the provider not asked */                      \
    X(relay_before_publish, "booking-svc")      /* rows read, not published */                                             \
    X(relay_published, "booking-svc")           /* the broker has them, rows not deleted */                                \
    X(relay_deleted, "booking-svc")             /* rows deleted */                                                         \
    X(expiry_committed, "booking-worker")       /* expired, seats not released */                                          \
    X(expiry_released, "booking-worker")        /* seats released, locks still there */                                    \
    X(orphan_tombstoned, "booking-worker")      /* tombstone stored, hold not released */                                  \
    X(orphan_released, "booking-worker")        /* orphan released */                                                      \
    X(settle_requested, "booking-worker")       /* a stuck payment is about to be settled */

#define TK_FAULT_ENUM(name, program) TK_FAULT_##name,
enum tk_fault_point { TK_FAULT_POINTS(TK_FAULT_ENUM) TK_FAULT_POINT_COUNT };
#undef TK_FAULT_ENUM

/** Content of the file FAULT_CONTROL names; whoever made it (zeroed) writes `countdown`, the process the rest. */
struct tk_fault_control {
    struct {
        int32_t countdown; /* > 0: passes left until the process ends; 0: not armed */
        uint32_t passed;
        uint32_t crashed;
    } points[TK_FAULT_POINT_COUNT];
};

#ifdef TK_FAULTS
void tk_fault_pass(enum tk_fault_point point);
#define FAULT_POINT(name) tk_fault_pass(TK_FAULT_##name)
#else
#define FAULT_POINT(name) ((void)0)
#endif

#endif
