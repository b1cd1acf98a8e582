/**
 * The simulator's world: one thread, virtual time, one seeded generator. README.md says what is real, what is modelled and
 * where each rule of the model comes from.
 *
 * Everything that happens is an event of some process at some time. A process that crashes loses its events (its epoch goes
 * on), one that is stopped gets them later; databases, broker, Redis and the payment provider are processes, too. A call
 * may be lost before or after its effect, be late, or be refused; the caller then knows no more than the product's would.
 */
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "booking-svc/domain/reservation.h"
#include "event-svc/domain/verdict.h"
#include "shared/base/result.h"
#include "shared/contract/message.h"
#include "shared/contract/seat_api.h"
#include "tests/sim/mutants.h"

#define MS       INT64_C(1000)
#define SECOND   INT64_C(1000000)
#define NEVER    INT64_MAX
#define NOBODY   (-1)
#define EVERY    (~0u) /* an epoch that always fits */
#define SEATS    40
#define PER_HOLD 3
#define CLIENTS  12
#define IDS      2048 /* reservation ids per run */
#define KEYS     256
#define ATTEMPTS 1024
#define ROWS     2048 /* outbox rows and broker messages per run */

enum process_id {
    BOOKING_A, /* two instances of each service and of the worker */
    BOOKING_B,
    EVENT_A,
    EVENT_B,
    WORKER_A,
    WORKER_B,
    BOOKING_DB,
    EVENT_DB,
    BROKER,
    REDIS,
    PROVIDER,
    WORLD, /* clients and the faults themselves: never fails */
    PROCESSES,
};

#define APPS BOOKING_DB /* processes below it are ours */

struct process {
    uint32_t epoch;
    bool down;
    int64_t stopped_until;
    int64_t skew; /* what its clock is wrong by */
};

/** Chances are in 1/1024. */
struct profile {
    int seats, clients, bookings;
    int64_t hold, grace, settle_after, calm_at;
    int lost_request, lost_reply, late, not_sent, refused; /* per call */
    int crash, stop;                                       /* per second, of one of our processes */
    int crash_here, stop_here;                             /* per call that one of our processes makes */
    int db_crash, broker_crash, redis_flush, redis_away;   /* per second */
    int duplicate, reorder, nack, poison;                  /* per message */
    int declined, late_charge, provider_away;              /* per charge */
    bool skewed, two_workers;
};

/* --- booking_db (booking-svc/migrations/0001_bookings.sql) ---------------------------------------------------------- */

struct row {
    bool exists;
    enum reservation_status status;
    int64_t revision, expiry, stored, ended; /* ended: when it became cancelled or expired */
    int64_t paid_until;                      /* last time it left `paying` */
    int user, count, seats[PER_HOLD], amount;
    int locked_by; /* worker whose open transaction has it */
    bool said;     /* its final state stands in, or went through, the outbox */
};

struct attempt {
    int id; /* reservation */
    int64_t created;
    enum { PAYMENT_PENDING, PAYMENT_SUCCEEDED, PAYMENT_FAILED } status;
    enum { CHARGE_NONE, CHARGE_TAKEN, CHARGE_DECLINED } charge; /* the provider's own books */
};

struct key_row {
    bool exists, answered;
    int id, hash;
};

struct outbox_row {
    bool there;
    int id, event;
    int64_t revision, created, deleted;
    uint64_t order; /* its UUIDv7 in short: made by a process with a clock of its own */
    struct tk_slice body;
};

/* --- event_service (event-svc/migrations/0001_schema.sql) ----------------------------------------------------------- */

struct seat {
    enum tk_seat_status status;
    int id;
};

struct hold {
    enum hold_state state;
    int64_t revision, until;
    int count, seats[PER_HOLD];
    bool given_up; /* a release under this id has been answered */
};

/* --- broker --------------------------------------------------------------------------------------------------------- */

struct message {
    enum { MESSAGE_READY, MESSAGE_OUT, MESSAGE_GONE, MESSAGE_DEAD } state;
    int row; /* outbox row, NOBODY: garbage */
    int consumer, deliveries;
    uint32_t session;
    struct tk_slice body;
};

/* --- calls ---------------------------------------------------------------------------------------------------------- */

struct call;
typedef void call_fn(struct call *call);
typedef enum tk_step look_fn(struct call *call, int64_t now);
typedef void event_fn(void *ctx);

/** Embedded in the caller's own structure, which lives until the run ends; for one call only, since what is late is late.
 */
struct call {
    int from, to;
    uint32_t from_epoch, to_epoch;
    bool finished;
    enum tk_step step; /* for `done` */
    call_fn *serve;    /* at the callee: ends in call_reply(), or never */
    call_fn *done;     /* at the caller, once */
    call_fn *apply;    /* databases: the transaction */
    look_fn *look;     /* what became of it, when it was not written: a second transaction */
    bool not_written;
    int64_t now; /* databases: now() of that transaction */
    int row;     /* databases: reservation whose row it locks, NOBODY: none */
};

struct event {
    int64_t at;
    uint64_t seq;
    event_fn *run;
    void *ctx;
    uint32_t epoch;
    int process;
};

struct booking; /* client.c */

struct sim {
    uint64_t seed, random, hash, seq;
    int64_t now, calm;
    bool tracing, over, covering;
    enum mutant mutant;
    struct profile p;
    struct process processes[PROCESSES];
    struct event *heap;
    size_t heap_count, heap_cap;

    struct seat seats[SEATS];
    struct hold holds[IDS];
    struct row rows[IDS];
    int by_expiry[IDS], stored; /* the index reservations_expiry */
    struct attempt attempts[ATTEMPTS];
    struct key_row keys[KEYS];
    struct outbox_row outbox[ROWS];
    struct message messages[ROWS];
    int ids, attempt_count, key_count, outbox_count, outbox_first, message_count, message_first;
    int tickets[SEATS]; /* reservation with a ticket for the seat: the index tickets_one_per_seat */
    int relay_lock;     /* call of the relay that has the advisory lock */
    int64_t relay_lock_until;
    int64_t expiry_mark, payments_mark; /* sweep_watermarks */
    struct {
        int owner;
        int64_t until;
    } locks[SEATS];               /* Redis */
    uint32_t sessions[PROCESSES]; /* of consumers, at the broker */
    struct booking *origins[IDS]; /* who asked for this id */

    uint64_t attempts_made, tries_made, events_run, stored_total, confirmed_total, unknown_total, crashes_total;
};

extern struct sim sim;

/* core.c */
uint64_t sim_random(void);
int sim_below(int n); /* 0 … n-1 */
int64_t sim_between(int64_t least, int64_t most);
bool sim_chance(int per_1024);
bool sim_fault(int per_1024); /* the same while faults are on; false afterwards, without drawing less */
void *sim_alloc(size_t size); /* zeroed, until the run ends */
void sim_at(int process, int64_t delay, event_fn *run, void *ctx);     /* dies with the process */
void sim_at_any(int process, int64_t delay, event_fn *run, void *ctx); /* survives it */
void sim_note(const char *what, int a, int64_t b, int64_t c);          /* hashed; printed when tracing */
void sim_violation(const char *rule, int a, int64_t b) __attribute__((noreturn));
#define SIM_CHECK(holds, rule, a, b) ((holds) ? (void)0 : sim_violation((rule), (a), (b)))
int64_t sim_clock(int process); /* what that process believes the time is */
struct tk_uuid sim_uuid(int kind, int n);
int sim_number(const struct tk_uuid *id);

/** `to` serves it; `done` runs at `from` with OK, FAILED or UNKNOWN (or what the callee put into `step`). */
void call_start(struct call *call, int from, int to, call_fn *serve, call_fn *done, int64_t timeout);
void call_reply(struct call *call, enum tk_step step);
/** A transaction at a database: as call_start(), with `apply` as its one atomic moment. `row`: waits for that row's lock.
 */
void db_start(struct call *call, int from, int to, int row, call_fn *apply, call_fn *done, int64_t timeout);

void sim_boot(int process);
void sim_crash(int process); /* starts again by itself */
void sim_stop(int process);  /* for a while */
void sim_run_next(void);
void sim_start_over(void);
const char *sim_protect(void (*live)(void)); /* the rule `live` broke, or NULL */

/** While `sim.covering`: has this ever been noted? */
bool sim_was_noted(const char *what);

/** As booking-svc/adapters/write_queue.c: when `apply` ends in call_not_written(), `look` finds out why. */
void write_start(struct call *call, int from, int row, call_fn *apply, look_fn *look, call_fn *done, int64_t timeout);
void call_not_written(struct call *call);

/** One run. NULL: all went well, else the rule that was broken. */
const char *sim_run(uint64_t seed, enum mutant mutant, bool tracing);

/* event_db.c: one function per statement of event-svc/adapters */
void event_db_reset(void);
enum tk_err event_db_reserve(int id, const int *seats, int count, int64_t now, struct hold_facts *facts);
enum settle_verdict event_db_settle(int id, bool sell, int64_t revision, const int *seats, int count);

/* event_svc.c */
#define OVERDUE_PAGE 8
struct hold_call {
    struct call call;
    int id, count, seats[PER_HOLD];
    enum tk_hold_outcome outcome;
    int64_t until;
    void *arg;
};
struct release_call {
    struct call call;
    int id;
    int64_t revision; /* 0: not said */
    enum tk_release_outcome outcome;
    void *arg;
};
struct overdue_call {
    struct call call;
    int64_t cursor; /* in: deadline and id to go on after, INT64_MIN: from the start; out: NEVER when there is no more */
    int cursor_id;
    int ids[OVERDUE_PAGE], count;
    int64_t grace, until[OVERDUE_PAGE];
    void *arg;
};
call_fn event_svc_hold, event_svc_release, event_svc_overdue;
void event_svc_boot(int process);

/* broker.c */
void broker_take(int row, struct tk_slice body);
int broker_deliver(int consumer, int *messages, int most);
bool broker_acknowledge(int consumer, uint32_t session, const int *messages, int count);
void broker_reject(int consumer, uint32_t session, int message);
void broker_requeue(int consumer); /* its connection is gone */
void broker_crash(void);
bool broker_is_idle(void);
void relay_boot(int process);

/* booking_svc.c and its parts */
struct create_call {
    struct call call;
    struct booking *booking;
    int key, hash, user, count, seats[PER_HOLD];
    int answer, id; /* enum reservation_answer; NONE: a twin with this key is at work */
    void *arg;
};
struct confirm_call {
    struct call call;
    int id, user;
    bool resume;
    int answer; /* enum confirm_answer */
    void *arg;
};
enum cancel_answer {
    CANCEL_DONE,
    CANCEL_NOT_FOUND,
    CANCEL_EXPIRED,
    CANCEL_PAYING,
    CANCEL_WRONG,
    CANCEL_BUSY,
    CANCEL_UNKNOWN
};
struct cancel_call {
    struct call call;
    int id, user;
    enum cancel_answer answer;
    void *arg;
};
call_fn booking_create, booking_confirm, booking_cancel;
void booking_svc_boot(int process);

/* booking_db.c */
void booking_db_reset(void);
void booking_db_crash(void); /* what was committed lazily may be gone, open transactions are */
bool booking_db_is_idle(void);
void booking_db_store(int id, const struct row *row);
void booking_db_say(int id, enum tk_reservation_event event, int64_t revision, int process);
void booking_db_end(int id, enum reservation_status status);
int new_id(struct booking *booking);

/* worker.c */
void worker_boot(int process);
void worker_transactions_lost(int process); /* the server noticed that the worker, or itself, is gone */

/* client.c */
void clients_start(void);
bool clients_done(void);
void clients_ask_again(void); /* after everything healed: what became of the unknowns? */
void clients_check(void);
bool booking_matches(const struct booking *booking, int user, const int *seats, int count);

/* check.c: the oracle looks at both databases at once, which nothing in the product can */
void check_stored(int id);
void check_freed(int id);
void check_sold(int id);
void check_held_for(int id, const char *rule);
void check_end(void);

#endif
