/* Time, chance, processes and calls. */
#include "tests/sim/sim.h"

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK             (1u << 20)
#define STATEMENT_TIMEOUT (1100 * MS) /* the server's own, a little more than the client's patience */
#define LOCK_POLL         (2 * MS)

struct sim sim;
static jmp_buf out;
static const char *broken;

static const char *const process_names[PROCESSES] = {"booking-1", "booking-2", "event-1",    "event-2",
                                                     "worker-1",  "worker-2",  "booking_db", "event_service",
                                                     "rabbitmq",  "redis",     "provider",   "world"};

/* --- chance -------------------------------------------------------------------------------------------------------- */

/** splitmix64: one word of state, passes the usual tests, good enough to pick faults. */
uint64_t sim_random(void)
{
    uint64_t z = sim.random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int sim_below(int n)
{
    return (int)(((sim_random() >> 32) * (uint64_t)n) >> 32);
}

int64_t sim_between(int64_t least, int64_t most)
{
    return least + (int64_t)(sim_random() % (uint64_t)(most - least + 1));
}

bool sim_chance(int per_1024)
{
    return (int)(sim_random() & 1023) < per_1024;
}

bool sim_fault(int per_1024)
{
    return sim_chance(per_1024) && sim.now < sim.calm;
}

/* --- memory: kept from run to run, handed out again ------------------------------------------------------------------ */

static struct {
    char **blocks;
    size_t count, at, used;
} pool;

void *sim_alloc(size_t size)
{
    size = (size + 15) & ~(size_t)15;
    if (pool.count == 0 || pool.used + size > BLOCK) {
        pool.at += pool.count > 0 && pool.used > 0;
        if (pool.at == pool.count) {
            pool.blocks = tk_realloc(pool.blocks, ++pool.count * sizeof(*pool.blocks));
            pool.blocks[pool.at] = tk_alloc(BLOCK);
        }
        pool.used = 0;
    }
    void *memory = pool.blocks[pool.at] + pool.used;
    pool.used += size;
    memset(memory, 0, size);
    return memory;
}

/* --- what happened ---------------------------------------------------------------------------------------------------- */

static void mix(uint64_t value)
{
    sim.hash = (sim.hash ^ value) * UINT64_C(0x100000001b3);
    sim.hash ^= sim.hash >> 29;
}

/* What has been noted since the program began, by the hash of its name: a run that never gets somewhere proves nothing. */
static uint64_t noted[1024];

static uint64_t *place_of(const char *what)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const char *p = what; *p != '\0'; p++)
        hash = (hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    size_t at = hash % 1024;
    while (noted[at] != 0 && noted[at] != hash)
        at = (at + 1) % 1024;
    if (sim.covering)
        noted[at] = hash;
    return &noted[at];
}

bool sim_was_noted(const char *what)
{
    sim.covering = false;
    return *place_of(what) != 0;
}

void sim_note(const char *what, int a, int64_t b, int64_t c)
{
    if (sim.covering)
        place_of(what);
    for (const char *p = what; *p != '\0'; p++)
        sim.hash = (sim.hash ^ (unsigned char)*p) * UINT64_C(0x100000001b3);
    mix((uint64_t)sim.now);
    mix((uint64_t)a);
    mix((uint64_t)b);
    mix((uint64_t)c);
    if (sim.tracing)
        printf("%11.6f  %-44s %4d %8lld %8lld\n", (double)sim.now / (double)SECOND, what, a, (long long)b, (long long)c);
}

void sim_violation(const char *rule, int a, int64_t b)
{
    sim_note(rule, a, b, 0);
    broken = rule;
    longjmp(out, 1);
}

int64_t sim_clock(int process)
{
    return sim.now + sim.processes[process].skew;
}

struct tk_uuid sim_uuid(int kind, int n)
{
    const unsigned u = (unsigned)n;
    return (struct tk_uuid){{(uint8_t)kind, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, (uint8_t)(u >> 24), (uint8_t)(u >> 16),
                             (uint8_t)(u >> 8), (uint8_t)u}};
}

int sim_number(const struct tk_uuid *id)
{
    const uint8_t *b = id->bytes + 12;
    return (int)((unsigned)b[0] << 24 | (unsigned)b[1] << 16 | (unsigned)b[2] << 8 | b[3]);
}

/* --- events: a binary heap by time, then order of planning ------------------------------------------------------- */

static bool is_before(const struct event *a, const struct event *b)
{
    return a->at < b->at || (a->at == b->at && a->seq < b->seq);
}

static void push(struct event e)
{
    if (sim.heap_count == sim.heap_cap) {
        sim.heap_cap = sim.heap_cap == 0 ? 1024 : sim.heap_cap * 2;
        sim.heap = tk_realloc(sim.heap, sim.heap_cap * sizeof(*sim.heap));
    }
    e.seq = sim.seq++;
    size_t i = sim.heap_count++;
    while (i > 0 && is_before(&e, &sim.heap[(i - 1) / 2])) {
        sim.heap[i] = sim.heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    sim.heap[i] = e;
}

static struct event pop(void)
{
    const struct event top = sim.heap[0];
    const struct event last = sim.heap[--sim.heap_count];
    size_t i = 0;
    for (size_t child = 1; child < sim.heap_count; child = 2 * i + 1) {
        if (child + 1 < sim.heap_count && is_before(&sim.heap[child + 1], &sim.heap[child]))
            child++;
        if (!is_before(&sim.heap[child], &last))
            break;
        sim.heap[i] = sim.heap[child];
        i = child;
    }
    sim.heap[i] = last;
    return top;
}

void sim_at(int process, int64_t delay, event_fn *run, void *ctx)
{
    push((struct event){
        .at = sim.now + delay, .run = run, .ctx = ctx, .process = process, .epoch = sim.processes[process].epoch});
}

void sim_at_any(int process, int64_t delay, event_fn *run, void *ctx)
{
    push((struct event){.at = sim.now + delay, .run = run, .ctx = ctx, .process = process, .epoch = EVERY});
}

void sim_run_next(void)
{
    struct event e = pop();
    const struct process *process = &sim.processes[e.process];
    sim.now = e.at;
    if (e.epoch != EVERY && e.epoch != process->epoch)
        return;
    if (process->stopped_until > sim.now) {
        e.at = process->stopped_until;
        push(e);
        return;
    }
    sim.events_run++;
    e.run(e.ctx);
}

/* --- processes that die or sleep --------------------------------------------------------------------------------- */

void sim_boot(int process)
{
    sim.processes[process].down = false;
    sim_note("starts", process, 0, 0);
    if (process == BOOKING_A || process == BOOKING_B)
        booking_svc_boot(process);
    else if (process == EVENT_A || process == EVENT_B)
        event_svc_boot(process);
    else if (process == WORKER_A || process == WORKER_B)
        worker_boot(process);
}

static void boot_again(void *ctx)
{
    sim_boot((int)(intptr_t)ctx);
}

static void connections_lost(void *ctx)
{
    const int process = (int)(intptr_t)ctx;
    broker_requeue(process);
    if (process == WORKER_A || process == WORKER_B)
        worker_transactions_lost(process);
}

void sim_crash(int process)
{
    if (sim.processes[process].down)
        return;
    sim_note(process_names[process], -1, 0, 0);
    sim.crashes_total++;
    sim.processes[process].epoch++;
    sim.processes[process].down = true;
    sim.processes[process].stopped_until = 0;
    if (process == BOOKING_DB)
        booking_db_crash();
    if (process == BROKER)
        broker_crash();
    sim_at_any(WORLD, sim_between(MS, 50 * MS), connections_lost, (void *)(intptr_t)process);
    sim_at_any(WORLD, sim_between(100 * MS, 8 * SECOND), boot_again, (void *)(intptr_t)process);
}

/** SIGSTOP. Peers give up on its connections long before it wakes; it does not know that. */
void sim_stop(int process)
{
    const int64_t length = sim_between(50 * MS, 30 * SECOND);
    if (sim.processes[process].down || sim.processes[process].stopped_until > sim.now)
        return;
    sim_note("stopped", process, length, 0);
    sim.processes[process].stopped_until = sim.now + length;
    if (length > 5 * SECOND)
        sim_at_any(WORLD, 5 * SECOND, connections_lost, (void *)(intptr_t)process);
}

static void crash_now(void *ctx)
{
    sim_crash((int)(intptr_t)ctx);
}

/** The moments that matter: on the point of sending, or with an answer on its way. */
static void interrupt(int process)
{
    if (process >= APPS)
        return;
    if (sim_fault(sim.p.stop_here))
        sim_stop(process);
    if (sim_fault(sim.p.crash_here))
        sim_at_any(WORLD, sim_between(0, 2 * MS), crash_now, (void *)(intptr_t)process);
}

static int64_t asleep(int process)
{
    const int64_t left = sim.processes[process].stopped_until - sim.now;
    return left > 0 ? left : 0;
}

/* --- calls ------------------------------------------------------------------------------------------------------------ */

static int64_t latency(void)
{
    return sim_fault(sim.p.late) ? sim_between(10 * MS, 3 * SECOND) : sim_between(50, 900);
}

static void start_look(struct call *call);

static void finish(struct call *call, enum tk_step step)
{
    if (call->finished || call->from_epoch != sim.processes[call->from].epoch)
        return;
    call->finished = true;
    call->step = step;
    if (step == TK_STEP_REFUSED && call->not_written)
        start_look(call);
    else
        call->done(call);
}

static void on_timeout(void *ctx)
{
    finish(ctx, TK_STEP_UNKNOWN);
}

static void on_not_sent(void *ctx)
{
    finish(ctx, TK_STEP_FAILED);
}

static void on_answer(void *ctx)
{
    struct call *call = ctx;
    finish(call, call->step);
}

static void on_request(void *ctx)
{
    struct call *call = ctx;
    call->now = sim.now;
    call->serve(call);
}

void call_start(struct call *call, int from, int to, call_fn *serve, call_fn *done, int64_t timeout)
{
    call->from = from;
    call->to = to;
    call->from_epoch = sim.processes[from].epoch;
    call->to_epoch = sim.processes[to].epoch;
    call->finished = false;
    call->serve = serve;
    call->done = done;
    interrupt(from);
    if (sim.processes[to].down || sim_fault(sim.p.not_sent)) {
        sim_at(from, 10, on_not_sent, call);
        return;
    }
    if (!sim_fault(sim.p.lost_request))
        sim_at(to, asleep(from) + latency(), on_request, call);
    sim_at(from, timeout, on_timeout, call);
}

void call_reply(struct call *call, enum tk_step step)
{
    if (call->finished)
        return;
    call->step = step;
    if (!sim_fault(sim.p.lost_reply) && call->from_epoch == sim.processes[call->from].epoch)
        sim_at(call->from, latency(), on_answer, call);
}

/** READ COMMITTED: now() is the transaction's start, the rows are read when their locks are had. */
static void on_transaction(void *ctx)
{
    struct call *call = ctx;
    const bool locked = call->row != NOBODY && call->to == BOOKING_DB && sim.rows[call->row].locked_by != NOBODY;
    if (sim.now - call->now > STATEMENT_TIMEOUT)
        call_reply(call, TK_STEP_REFUSED);
    else if (locked)
        sim_at(call->to, LOCK_POLL, on_transaction, call);
    else
        call->apply(call);
}

static void serve_transaction(struct call *call)
{
    if (sim_fault(sim.p.refused)) /* deadlock, statement timeout, disk full: rolled back */
        call_reply(call, TK_STEP_REFUSED);
    else
        sim_at(call->to, sim_fault(sim.p.late) ? sim_between(10 * MS, STATEMENT_TIMEOUT) : sim_between(50, 900),
               on_transaction, call);
}

void db_start(struct call *call, int from, int to, int row, call_fn *apply, call_fn *done, int64_t timeout)
{
    call->row = row;
    call->apply = apply;
    call_start(call, from, to, serve_transaction, done, timeout > 0 ? timeout : 1);
}

struct look_call {
    struct call call;
    struct call *of;
    enum tk_step found;
};

static void apply_look(struct call *call)
{
    struct look_call *look = (struct look_call *)call;
    look->found = look->of->look(look->of, call->now);
    call_reply(call, TK_STEP_OK);
}

/** A look that fails leaves the question open. */
static void on_looked(struct call *call)
{
    struct look_call *look = (struct look_call *)call;
    look->of->step = call->step == TK_STEP_OK ? look->found : TK_STEP_UNKNOWN;
    look->of->done(look->of);
}

static void start_look(struct call *call)
{
    struct look_call *look = sim_alloc(sizeof(*look));
    look->of = call;
    db_start(&look->call, call->from, call->to, NOBODY, apply_look, on_looked, SECOND);
}

void write_start(struct call *call, int from, int row, call_fn *apply, look_fn *look, call_fn *done, int64_t timeout)
{
    call->look = look;
    db_start(call, from, BOOKING_DB, row, apply, done, timeout);
}

void call_not_written(struct call *call)
{
    call->not_written = true;
    call_reply(call, TK_STEP_REFUSED);
}

/* --- a run ---------------------------------------------------------------------------------------------------------- */

void sim_start_over(void)
{
    const struct sim old = sim;
    sim = (struct sim){.heap = old.heap, .heap_cap = old.heap_cap, .covering = old.covering};
    pool.at = pool.used = 0;
    broken = NULL;
}

const char *sim_protect(void (*live)(void))
{
    if (setjmp(out) == 0)
        live();
    return broken;
}
