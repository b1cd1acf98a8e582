/**
 * The list of overdue holds: nothing on it twice, nothing lost, the order that was asked for.
 */
#include <criterion/criterion.h>

#include "booking-worker/domain/backlog.h"

static struct backlog backlog;

static void tear_down(void)
{
    backlog_release(&backlog);
}

TestSuite(backlog, .fini = tear_down);

static struct tk_uuid id(int number)
{
    struct tk_uuid id = {{0}};
    id.bytes[0] = (uint8_t)(number >> 8);
    id.bytes[1] = (uint8_t)number;
    id.bytes[15] = 1;
    return id;
}

static void add(int reservation, int session)
{
    const struct backlog_hold hold = {.reservation_id = id(reservation), .session_id = id(session)};
    backlog_add(&backlog, &hold);
}

/* "r/s r/s …": the list, a bar before what is untried. */
static const char *list(void)
{
    static char text[1024];
    size_t len = 0;
    for (size_t i = 0; i < backlog.count; i++) {
        const struct backlog_hold *hold = &backlog.holds[i];
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%d/%d ", i == backlog.tried ? "| " : "",
                                hold->reservation_id.bytes[1], hold->session_id.bytes[1]);
    }
    snprintf(text + len, sizeof(text) - len, "%s", backlog.tried == backlog.count ? "| " : "");
    return text;
}

static void settle(size_t len, size_t kept_count, const int *kept)
{
    struct tk_uuid ids[8];
    for (size_t i = 0; i < kept_count; i++)
        ids[i] = id(kept[i]);
    backlog_settle(&backlog, len, ids, kept_count);
}

Test(backlog, nothing_is_on_it_twice)
{
    add(1, 1);
    add(2, 1);
    add(1, 1);
    cr_expect_str_eq(list(), "| 1/1 2/1 ");
    settle(1, 0, NULL);
    add(1, 1); /* decided, and found again all the same */
    add(2, 1);
    cr_expect_str_eq(list(), "| 2/1 1/1 ");
}

Test(backlog, what_stays_undecided_is_tried_again_later)
{
    for (int i = 1; i <= 6; i++)
        add(i, 1);
    settle(3, 2, (const int[]){3, 1}); /* in whatever order the database names them */
    cr_expect_str_eq(list(), "1/1 3/1 | 4/1 5/1 6/1 ");
    cr_expect_eq(backlog_untried(&backlog), 3);
    cr_expect(tk_uuid_eq(&backlog_next(&backlog)->reservation_id, &(struct tk_uuid){{0, 4, [15] = 1}}));
    settle(3, 1, (const int[]){5});
    cr_expect_str_eq(list(), "1/1 3/1 5/1 | ");
    add(3, 1);
    add(7, 1);
    cr_expect_str_eq(list(), "1/1 3/1 5/1 | 7/1 ");
    backlog_retry(&backlog);
    settle(4, 0, NULL);
    cr_expect_str_eq(list(), "| ");
}

Test(backlog, names_each_session_once)
{
    struct tk_uuid sessions[4];
    add(1, 9);
    settle(1, 1, (const int[]){1}); /* tried: its session is nobody's business now */
    add(2, 5);
    add(3, 4);
    add(4, 5);
    add(5, 6);
    cr_expect_eq(backlog_sessions(&backlog, sessions, 4), 3);
    cr_expect_eq(sessions[0].bytes[1], 5);
    cr_expect_eq(sessions[1].bytes[1], 4);
    cr_expect_eq(sessions[2].bytes[1], 6);
    cr_expect_eq(backlog_sessions(&backlog, sessions, 2), 2);
    backlog_retry(&backlog);
    cr_expect_eq(backlog_sessions(&backlog, sessions, 4), 4);
}

Test(backlog, stands_in_the_order_of_the_sessions)
{
    const struct tk_uuid order[] = {id(3), id(7), id(1)};
    add(1, 2);
    settle(1, 1, (const int[]){1}); /* tried: stays where it is */
    for (int i = 2; i <= 9; i++)
        add(i, (i * 3) % 4); /* sessions 2 1 0 3 2 1 0 3; 0 and 2 nobody knows, 7 has no holds */
    backlog_order(&backlog, order, 3);
    cr_expect_str_eq(list(), "1/2 | 5/3 9/3 3/1 7/1 2/2 4/0 6/2 8/0 ");
    add(5, 3);
    settle(8, 0, NULL);
    cr_expect_str_eq(list(), "1/2 | ");
}

Test(backlog, keeps_its_order_when_nothing_is_known)
{
    backlog_order(&backlog, NULL, 0);
    cr_expect_eq(backlog.count, 0);
    for (int i = 1; i <= 5; i++)
        add(i, i % 3);
    backlog_order(&backlog, NULL, 0);
    cr_expect_str_eq(list(), "| 1/1 2/2 3/0 4/1 5/2 ");
}

Test(backlog, thousands)
{
    const struct tk_uuid order[] = {id(2), id(0), id(1)};
    for (int i = 0; i < 30000; i++)
        add(i, i % 3);
    backlog_order(&backlog, order, 3);
    cr_assert_eq(backlog_untried(&backlog), 30000);
    for (int i = 0; i < 30000; i++) {
        const struct tk_uuid reservation_id = id(i % 10000 * 3 + (i / 10000 + 2) % 3);
        cr_assert(tk_uuid_eq(&backlog.holds[i].reservation_id, &reservation_id), "place %d", i);
    }
    while (backlog_untried(&backlog) > 0)
        backlog_settle(&backlog, 500, NULL, 0);
    cr_expect_eq(backlog.known.count, 0);
}
