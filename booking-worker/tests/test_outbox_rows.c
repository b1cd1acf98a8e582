/**
 * Outbox rows: what is written is what the consumer's decoder accepts.
 */
#include <criterion/criterion.h>

#include "booking-worker/adapters/outbox_rows.h"

TestSuite(outbox_rows);

/* The n-th element of a one-dimensional text[] in Postgres' binary format. */
static struct tk_slice element_of(const struct tk_params *params, int parameter, size_t index)
{
    const unsigned char *at = (const unsigned char *)params->data.ptr + params->items[parameter].offset + 20;
    for (size_t i = 0;; i++) {
        size_t len = (size_t)at[0] << 24 | (size_t)at[1] << 16 | (size_t)at[2] << 8 | at[3];
        if (i == index)
            return (struct tk_slice){.ptr = (const char *)at + 4, .len = len};
        at += 4 + len;
    }
}

Test(outbox_rows, bodies_decode_and_ids_agree)
{
    struct tk_uuid seats[2] = {tk_uuid_v7(), tk_uuid_v7()};
    struct tk_reservation_message messages[2];
    struct tk_arena arena = {0};
    struct tk_pg_op op;
    for (size_t i = 0; i < 2; i++)
        messages[i] = (struct tk_reservation_message){.event = TK_RESERVATION_EXPIRED,
                                                      .reservation_id = tk_uuid_v7(),
                                                      .revision = 2 + (int64_t)i,
                                                      .session_id = tk_uuid_v7(),
                                                      .user_id = tk_uuid_v7(),
                                                      .seats = seats,
                                                      .seat_count = 2};
    tk_pg_op_init(&op);
    outbox_rows_add(&op, &outbox_insert_statement, messages, 2);
    cr_assert_eq(op.step_count, 1);
    cr_assert_eq(op.steps[0].params.count, 3);
    for (size_t i = 0; i < 2; i++) {
        struct tk_reservation_message read;
        const char *why = "";
        struct tk_slice key = element_of(&op.steps[0].params, 1, i);
        struct tk_slice body = element_of(&op.steps[0].params, 2, i);
        cr_expect(tk_slice_eq_str(key, "reservation.expired"));
        cr_assert_eq(tk_reservation_message_decode(body, &arena, &read, &why), TK_OK, "%s", why);
        cr_expect(tk_uuid_eq(&read.event_id, &messages[i].event_id) && !tk_uuid_is_nil(&read.event_id));
        cr_expect(tk_uuid_eq(&read.reservation_id, &messages[i].reservation_id));
        cr_expect_eq(read.revision, messages[i].revision);
        cr_expect_eq(read.seat_count, 2);
    }
    tk_pg_op_release(&op);
    tk_arena_release(&arena);
}

Test(outbox_rows, expiries_let_other_messages_go_first)
{
    struct tk_uuid seat = tk_uuid_v7();
    struct tk_reservation_message messages[2];
    struct tk_pg_op op;
    for (size_t i = 0; i < 2; i++)
        messages[i] = (struct tk_reservation_message){.event = i == 0 ? TK_RESERVATION_EXPIRED : TK_RESERVATION_CONFIRMED,
                                                      .revision = 2,
                                                      .seats = &seat,
                                                      .seat_count = 1};
    tk_pg_op_init(&op);
    outbox_rows_add(&op, &outbox_insert_statement, messages, 2);
    cr_expect_gt(tk_uuid_cmp(&messages[0].event_id, &messages[1].event_id), 0);
    tk_pg_op_release(&op);
}

Test(outbox_rows, the_largest_reservation_fits)
{
    struct tk_uuid seats[TK_MESSAGE_MAX_SEATS];
    struct tk_pg_op op;
    for (size_t i = 0; i < TK_MESSAGE_MAX_SEATS; i++)
        seats[i] = tk_uuid_v7();
    struct tk_reservation_message message = {.event = TK_RESERVATION_CONFIRMED,
                                             .reservation_id = tk_uuid_v7(),
                                             .revision = INT64_MAX,
                                             .session_id = tk_uuid_v7(),
                                             .user_id = tk_uuid_v7(),
                                             .seats = seats,
                                             .seat_count = TK_MESSAGE_MAX_SEATS};
    tk_pg_op_init(&op);
    outbox_rows_add(&op, &outbox_insert_if_idle_statement, &message, 1);
    cr_expect(!op.steps[0].params.data.overflow);
    tk_pg_op_release(&op);
}

Test(outbox_rows, no_messages_is_an_empty_statement)
{
    struct tk_pg_op op;
    tk_pg_op_init(&op);
    outbox_rows_add(&op, &outbox_insert_statement, NULL, 0);
    cr_expect_eq(op.steps[0].params.count, 3);
    tk_pg_op_release(&op);
}
