/*
 * The queue, and the relays that fill it from the outbox (shared/outbox/outbox.c). Which publishes count as confirmed is
 * decided by the product's own shared/mq/window.c, fed with acks, nacks and silence in any order.
 */
#include "shared/mq/window.h"

#include <string.h>

#include "tests/sim/sim.h"

#define DELIVERY_LIMIT 5
#define RELAY_BATCH    6
#define DB_TIMEOUT     (10 * SECOND)
#define IDLE_TIMEOUT   (10 * SECOND) /* idle_in_transaction_session_timeout: a relay that sleeps loses its lock */

/* --- the queue: durable, at least once, in no particular order --------------------------------------------------- */

static void enqueue(int row, struct tk_slice body)
{
    SIM_CHECK(sim.message_count < ROWS, "out of messages", 0, 0);
    sim.messages[sim.message_count++] = (struct message){.row = row, .body = body};
}

void broker_take(int row, struct tk_slice body)
{
    static const char *const garbage[] = {"", "{", "{\"event_id\":1}", "\xff\xfe", "null", "[[[[[[[[[[[[[[[["};
    enqueue(row, body);
    sim_note("broker takes", row, sim.outbox[row].id, sim.outbox[row].event);
    while (sim_fault(sim.p.duplicate))
        enqueue(row, body);
    if (sim_fault(sim.p.poison))
        enqueue(NOBODY, tk_slice_of(garbage[sim_below((int)(sizeof(garbage) / sizeof(garbage[0])))]));
}

int broker_deliver(int consumer, int *messages, int most)
{
    int n = 0;
    while (sim.message_first < sim.message_count && sim.messages[sim.message_first].state >= MESSAGE_GONE)
        sim.message_first++;
    for (int i = sim.message_first; i < sim.message_count && n < most; i++) {
        struct message *m = &sim.messages[i];
        if (m->state != MESSAGE_READY || (i + 1 < sim.message_count && sim_fault(sim.p.reorder)))
            continue;
        m->state = MESSAGE_OUT;
        m->consumer = consumer;
        m->session = sim.sessions[consumer];
        messages[n++] = i;
    }
    for (int i = n - 1; i > 0; i--) { /* within a batch, too */
        const int other = sim_fault(sim.p.reorder) ? sim_below(i + 1) : i;
        const int swap = messages[i];
        messages[i] = messages[other];
        messages[other] = swap;
    }
    return n;
}

/** An ack promises that the effect stands in event-svc's database, for this message or a newer one about its reservation.
 */
static void check_effect(const struct message *m)
{
    if (m->row == NOBODY)
        return;
    const struct outbox_row *row = &sim.outbox[m->row];
    SIM_CHECK(sim.holds[row->id].revision >= row->revision, "a message was acknowledged without its effect", row->id,
              row->revision);
}

bool broker_acknowledge(int consumer, uint32_t session, const int *messages, int count)
{
    if (session != sim.sessions[consumer])
        return false;
    for (int i = 0; i < count; i++) {
        struct message *m = &sim.messages[messages[i]];
        SIM_CHECK(m->row != NOBODY, "poison was acknowledged", messages[i], 0);
        check_effect(m);
        m->state = MESSAGE_GONE;
    }
    return true;
}

void broker_reject(int consumer, uint32_t session, int message)
{
    sim_note("dead letter", message, sim.messages[message].row, 0);
    if (session == sim.sessions[consumer])
        sim.messages[message].state = MESSAGE_DEAD;
}

void broker_requeue(int consumer)
{
    for (int i = sim.message_first; i < sim.message_count; i++) {
        struct message *m = &sim.messages[i];
        if (m->state != MESSAGE_OUT || m->consumer != consumer)
            continue;
        const bool limit = ++m->deliveries > DELIVERY_LIMIT;
        SIM_CHECK(!limit || m->row != NOBODY, "poison was delivered again and again", i, 0);
        m->state = limit ? MESSAGE_DEAD : MESSAGE_READY;
        if (limit)
            sim_note("delivered too often", i, m->row, 0);
    }
    sim.sessions[consumer]++;
}

void broker_crash(void)
{
    broker_requeue(EVENT_A);
    broker_requeue(EVENT_B);
}

bool broker_is_idle(void)
{
    for (int i = sim.message_first; i < sim.message_count; i++)
        if (sim.messages[i].state < MESSAGE_GONE)
            return false;
    return true;
}

/* --- the relay --------------------------------------------------------------------------------------------------- */

struct relay_pass {
    struct call reading, deleting;
    int process, rows[RELAY_BATCH], count, number;
    int64_t min_age;
    bool locked;
    struct tk_mq_message messages[RELAY_BATCH];
    struct tk_mq_window window;
};

static int passes;

static void relay_run(void *ctx);

static void relay_later(int process, int64_t delay)
{
    sim_at(process, delay, relay_run, (void *)(intptr_t)process);
}

/** "outbox_lock" and "outbox_read" in one transaction, which stays open while the broker is asked. */
static void apply_read(struct call *call)
{
    struct relay_pass *r = (struct relay_pass *)call;
    int order[ROWS], n = 0;
    r->locked = sim.relay_lock == NOBODY || sim.relay_lock_until < sim.now;
    for (int i = sim.outbox_first; r->locked && i < sim.outbox_count; i++)
        if (sim.outbox[i].there && sim.outbox[i].created <= call->now - r->min_age)
            order[n++] = i;
    for (int i = 0; i < n && i < RELAY_BATCH; i++) { /* ORDER BY id LIMIT: ids carry the clock of who made them */
        int least = i;
        for (int k = i + 1; k < n; k++)
            if (sim.outbox[order[k]].order < sim.outbox[order[least]].order)
                least = k;
        r->rows[r->count++] = order[least];
        order[least] = order[i];
    }
    if (r->locked && r->count > 0) {
        sim.relay_lock = r->number;
        sim.relay_lock_until = sim.now + IDLE_TIMEOUT;
    }
    call_reply(call, TK_STEP_OK);
}

static struct relay_pass *deleting_of(struct call *call)
{
    return (struct relay_pass *)(void *)((char *)call - offsetof(struct relay_pass, deleting));
}

/** "outbox_delete" and the commit, or, when the transaction is gone by now, the same once more on its own. */
static void apply_delete(struct call *call)
{
    struct relay_pass *r = deleting_of(call);
    for (int i = 0; i < r->count; i++) {
        struct outbox_row *row = &sim.outbox[r->rows[i]];
        if (!r->messages[i].confirmed)
            continue;
        row->there = false;
        row->deleted = sim.now;
        bool taken = false;
        for (int m = 0; m < sim.message_count && !taken; m++)
            taken = sim.messages[m].row == r->rows[i];
        SIM_CHECK(taken, "an outbox row was deleted that the broker never had", row->id, row->revision);
    }
    if (sim.relay_lock == r->number)
        sim.relay_lock = NOBODY;
    call_reply(call, TK_STEP_OK);
}

static void on_deleted(struct call *call)
{
    struct relay_pass *r = deleting_of(call);
    if (sim.relay_lock == r->number && call->step != TK_STEP_OK)
        sim.relay_lock_until = sim.now + MS; /* its connection is closed: rolled back */
    relay_later(r->process, sim_between(20 * MS, 500 * MS));
}

/** What the broker makes of each publish: takes it or not, says so or not. */
static void publish(struct relay_pass *r)
{
    const bool away = sim.processes[BROKER].down || sim.processes[BROKER].stopped_until > sim.now;
    tk_mq_window_reset(&r->window);
    for (int i = 0; i < r->count; i++) {
        r->messages[i] = (struct tk_mq_message){.id = sim_uuid('m', r->rows[i]), .body = sim.outbox[r->rows[i]].body};
        tk_mq_window_open(&r->window, &r->messages[i], r->messages[i].body.len);
    }
    int said = 0;
    for (int i = 0; i < r->count && !away; i++) {
        const uint64_t tag = (uint64_t)i + 1;
        if (sim_fault(sim.p.lost_request)) /* the connection broke here: the rest was never read */
            break;
        if (sim_fault(sim.p.nack) && said == i) {
            const bool returned = sim_chance(512);
            if (returned)
                tk_mq_window_returned(&r->window, &r->messages[i].id);
            tk_mq_window_settle(&r->window, tag, false, returned);
            said = i + 1;
            continue;
        }
        broker_take(r->rows[i], r->messages[i].body);
        if (sim_fault(sim.p.lost_reply) || sim_chance(300))
            continue; /* silent, or answered by a later `multiple` */
        const bool multiple = said == i || sim_chance(512);
        bool all_taken = multiple;
        for (int k = said; k < i; k++)
            all_taken = all_taken && r->window.slots[(k + 1) % TK_MQ_WINDOW_MESSAGES].message != NULL;
        tk_mq_window_settle(&r->window, tag, all_taken, true);
        said = i + 1;
    }
    tk_mq_window_abandon(&r->window);
    for (int i = 0; i < r->count && sim.mutant == MUTANT_DELETE_BEFORE_CONFIRM; i++)
        r->messages[i].confirmed = true;
}

static void on_published(void *ctx)
{
    struct relay_pass *r = ctx;
    db_start(&r->deleting, r->process, BOOKING_DB, NOBODY, apply_delete, on_deleted, DB_TIMEOUT);
}

static void on_read(struct call *call)
{
    struct relay_pass *r = (struct relay_pass *)call;
    if (call->step != TK_STEP_OK || r->count == 0) {
        if (sim.relay_lock == r->number)
            sim.relay_lock_until = sim.now + MS;
        relay_later(r->process, sim_between(100 * MS, SECOND));
        return;
    }
    publish(r);
    sim_at(r->process, sim_between(MS, 20 * MS), on_published, r);
}

static void relay_run(void *ctx)
{
    const int process = (int)(intptr_t)ctx;
    struct relay_pass *r = sim_alloc(sizeof(*r));
    r->process = process;
    r->number = passes++;
    r->min_age = process == WORKER_A || process == WORKER_B ? 500 * MS : 0;
    db_start(&r->reading, process, BOOKING_DB, NOBODY, apply_read, on_read, DB_TIMEOUT);
}

void relay_boot(int process)
{
    relay_later(process, sim_between(MS, SECOND));
}
