/* The tables of booking_db: what several statements share. The statements themselves stand with their callers. */
#include <string.h>

#include "tests/sim/sim.h"

#define LAZY (600 * MS) /* synchronous_commit = off: what a crash of the server may take back (wal_writer_delay * 3) */

void booking_db_reset(void)
{
    for (int i = 0; i < IDS; i++)
        sim.rows[i].locked_by = NOBODY;
    for (int i = 0; i < SEATS; i++)
        sim.tickets[i] = sim.locks[i].owner = NOBODY;
    sim.relay_lock = NOBODY;
}

/** Relays delete and workers move watermarks without waiting for the disk (outbox.c, expiry_store.c, upkeep_store.c). */
void booking_db_crash(void)
{
    for (int i = 0; i < sim.outbox_count; i++) {
        struct outbox_row *row = &sim.outbox[i];
        if (!row->there && row->deleted > sim.now - LAZY && sim_chance(512)) {
            row->there = true;
            sim_note("a deletion undone by a crash", row->id, 0, 0);
            sim.outbox_first = i < sim.outbox_first ? i : sim.outbox_first;
        }
    }
    worker_transactions_lost(WORKER_A);
    worker_transactions_lost(WORKER_B);
    sim.relay_lock = NOBODY;
}

bool booking_db_is_idle(void)
{
    for (int i = 0; i < sim.stored; i++) {
        const enum reservation_status status = sim.rows[sim.by_expiry[i]].status;
        if (status == RESERVATION_ACTIVE || status == RESERVATION_PAYING)
            return false;
    }
    while (sim.outbox_first < sim.outbox_count && !sim.outbox[sim.outbox_first].there)
        sim.outbox_first++;
    return sim.outbox_first == sim.outbox_count;
}

int new_id(struct booking *booking)
{
    SIM_CHECK(sim.ids < IDS, "out of ids", sim.ids, 0);
    sim.origins[sim.ids] = booking;
    return sim.ids++;
}

/** INSERT; expiry_time never changes, so the index keeps its order. */
void booking_db_store(int id, const struct row *row)
{
    int i = sim.stored++;
    sim.rows[id] = *row;
    sim.rows[id].exists = true;
    sim.rows[id].locked_by = NOBODY;
    sim.rows[id].stored = sim.now;
    for (; i > 0 && sim.rows[sim.by_expiry[i - 1]].expiry > row->expiry; i--)
        sim.by_expiry[i] = sim.by_expiry[i - 1];
    sim.by_expiry[i] = id;
    sim_note(row->count > 0 ? "stored" : "tombstone", id, row->expiry, row->count);
    if (row->count > 0)
        check_stored(id);
}

/** The outbox row of a change, in its transaction. The message is the product's own, to the byte. */
void booking_db_say(int id, enum tk_reservation_event event, int64_t revision, int process)
{
    const struct row *row = &sim.rows[id];
    struct tk_uuid seats[PER_HOLD];
    SIM_CHECK(sim.outbox_count < ROWS, "out of outbox rows", 0, 0);
    SIM_CHECK(row->revision == revision, "a message tells another revision than its row", id, revision);
    for (int i = 0; i < row->count; i++)
        seats[i] = sim_uuid('s', row->seats[i]);
    const struct tk_reservation_message message = {
        .event_id = sim_uuid('m', sim.outbox_count),
        .event = event,
        .occurred_at_us = sim_clock(process) + 1700000000 * SECOND,
        .reservation_id = sim_uuid('r', id),
        .revision = revision,
        .session_id = sim_uuid('e', 1),
        .user_id = sim_uuid('u', row->user),
        .seats = seats,
        .seat_count = (size_t)row->count,
    };
    static struct tk_buf text = TK_BUF_INIT(8192);
    tk_buf_reset(&text);
    tk_reservation_message_encode(&message, &text);
    char *body = sim_alloc(text.len);
    memcpy(body, text.ptr, text.len);
    sim.outbox[sim.outbox_count++] = (struct outbox_row){.there = true,
                                                         .id = id,
                                                         .event = (int)event,
                                                         .revision = revision,
                                                         .created = sim.now,
                                                         .order = (uint64_t)sim_clock(process),
                                                         .body = {.ptr = body, .len = text.len}};
    sim.rows[id].said = true;
}

void booking_db_end(int id, enum reservation_status status)
{
    SIM_CHECK(sim.rows[id].status == RESERVATION_ACTIVE || sim.mutant == MUTANT_EXPIRE_PAYING, "a final state was left", id,
              sim.rows[id].status);
    sim.rows[id].status = status;
    sim.rows[id].revision++;
    sim.rows[id].ended = sim.now;
    sim_note(reservation_status_name(status), id, sim.rows[id].revision, 0);
}
