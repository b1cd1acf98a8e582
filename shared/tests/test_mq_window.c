/**
 * Publisher-confirm bookkeeping: which messages count as taken, in every order a broker may answer.
 */
#include <criterion/criterion.h>

#include "shared/mq/window.h"

TestSuite(mq_window);

static struct tk_mq_message messages[TK_MQ_WINDOW_MESSAGES * 3];
static struct tk_mq_window window;

static void open_messages(size_t count)
{
    tk_mq_window_reset(&window);
    for (size_t i = 0; i < count; i++) {
        messages[i] = (struct tk_mq_message){.id = tk_uuid_v7()};
        tk_mq_window_open(&window, &messages[i], 100);
    }
}

static size_t confirmed(size_t count)
{
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        n += messages[i].confirmed;
    return n;
}

Test(mq_window, acks_in_any_order)
{
    open_messages(3);
    cr_expect_eq(tk_mq_window_settle(&window, 2, false, true), 1);
    cr_expect(!messages[0].confirmed && messages[1].confirmed && !messages[2].confirmed);
    cr_expect_eq(window.oldest, 1, "tag 1 is still open");
    cr_expect_eq(tk_mq_window_settle(&window, 1, false, true), 1);
    cr_expect_eq(window.oldest, 3, "both settled tags are behind us");
    cr_expect_eq(tk_mq_window_settle(&window, 3, false, true), 1);
    cr_expect_eq(window.open, 0);
    cr_expect_eq(window.bytes, 0);
}

Test(mq_window, multiple_takes_everything_up_to_the_tag)
{
    open_messages(5);
    cr_expect_eq(tk_mq_window_settle(&window, 2, false, false), 1, "a nack in between");
    cr_expect_eq(tk_mq_window_settle(&window, 4, true, true), 3, "1, 3 and 4; 2 is settled already");
    cr_expect(messages[0].confirmed && !messages[1].confirmed && messages[2].confirmed && messages[3].confirmed);
    cr_expect(!messages[4].confirmed, "the highest tag does not win without multiple");
    cr_expect_eq(window.open, 1);
}

Test(mq_window, tag_zero_with_multiple_means_all)
{
    open_messages(4);
    cr_expect_eq(tk_mq_window_settle(&window, 0, true, true), 4);
    cr_expect_eq(confirmed(4), 4);
}

Test(mq_window, nacks_stay_unconfirmed)
{
    open_messages(3);
    cr_expect_eq(tk_mq_window_settle(&window, 3, true, false), 3);
    cr_expect_eq(confirmed(3), 0);
    cr_expect_eq(window.open, 0);
}

Test(mq_window, a_returned_message_is_not_confirmed_by_its_ack)
{
    open_messages(2);
    cr_expect(tk_mq_window_returned(&window, &messages[1].id));
    cr_expect_eq(tk_mq_window_settle(&window, 2, true, true), 2);
    cr_expect(messages[0].confirmed && !messages[1].confirmed);
}

Test(mq_window, foreign_tags_and_ids_are_ignored)
{
    struct tk_uuid other = tk_uuid_v7();
    open_messages(2);
    cr_expect_not(tk_mq_window_returned(&window, &other));
    cr_expect_eq(tk_mq_window_settle(&window, 9, false, true), 0);
    cr_expect_eq(tk_mq_window_settle(&window, 0, false, true), 0);
    cr_expect_eq(tk_mq_window_settle(&window, 1, false, true), 1);
    cr_expect_eq(tk_mq_window_settle(&window, 1, false, true), 0, "an ack that comes twice");
    cr_expect_eq(tk_mq_window_settle(&window, 99, true, true), 1, "multiple beyond the end settles what is open");
}

Test(mq_window, room_ends_with_the_number_of_messages)
{
    open_messages(TK_MQ_WINDOW_MESSAGES);
    cr_expect_not(tk_mq_window_has_room(&window, 1));
    tk_mq_window_settle(&window, 2, false, true);
    cr_expect_not(tk_mq_window_has_room(&window, 1), "tag 1 still occupies the slot of the next tag");
    tk_mq_window_settle(&window, 1, false, true);
    cr_expect(tk_mq_window_has_room(&window, 1));
}

Test(mq_window, room_ends_with_bytes_but_one_message_always_fits)
{
    tk_mq_window_reset(&window);
    messages[0] = (struct tk_mq_message){.id = tk_uuid_v7()};
    cr_expect(tk_mq_window_has_room(&window, 10 * TK_MQ_WINDOW_BYTES));
    tk_mq_window_open(&window, &messages[0], 10 * TK_MQ_WINDOW_BYTES);
    cr_expect_not(tk_mq_window_has_room(&window, 1));
    tk_mq_window_settle(&window, 1, false, true);
    cr_expect(tk_mq_window_has_room(&window, 1));
}

Test(mq_window, slots_are_reused_round_after_round)
{
    tk_mq_window_reset(&window);
    for (size_t i = 0; i < TK_MQ_WINDOW_MESSAGES * 3; i++) {
        messages[i] = (struct tk_mq_message){.id = tk_uuid_v7()};
        if (!tk_mq_window_has_room(&window, 1))
            tk_mq_window_settle(&window, (uint64_t)i, true, true);
        tk_mq_window_open(&window, &messages[i], 1);
    }
    tk_mq_window_settle(&window, 0, true, true);
    cr_expect_eq(confirmed(TK_MQ_WINDOW_MESSAGES * 3), TK_MQ_WINDOW_MESSAGES * 3);
}

Test(mq_window, abandoned_messages_stay_unconfirmed)
{
    open_messages(3);
    tk_mq_window_settle(&window, 1, false, true);
    tk_mq_window_abandon(&window);
    cr_expect_eq(window.open, 0);
    cr_expect_eq(tk_mq_window_settle(&window, 3, true, true), 0, "a late word about a connection that is gone");
    cr_expect_eq(confirmed(3), 1);
}
