/*
 * One message per reservation, the newest.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/fold.h"
#include "event-svc/tests/fake_rows.h"

static struct tk_reservation_message message(uint8_t reservation, int64_t revision)
{
    return (struct tk_reservation_message){.reservation_id = fake_id(reservation), .revision = revision};
}

Test(fold, nothing_folds_to_nothing)
{
    cr_expect_eq(messages_fold(NULL, 0, NULL), 0);
}

Test(fold, the_highest_revision_stays_whatever_the_order)
{
    const struct tk_reservation_message messages[] = {message(1, 2), message(2, 1), message(1, 3),
                                                      message(1, 1), message(3, 7), message(2, 4)};
    size_t picked[6];
    cr_assert_eq(messages_fold(messages, 6, picked), 3);
    cr_expect_eq(picked[0], 2);
    cr_expect_eq(picked[1], 5);
    cr_expect_eq(picked[2], 4);
}

Test(fold, of_equal_revisions_the_first_stays)
{
    const struct tk_reservation_message messages[] = {message(1, 2), message(1, 2), message(1, 2)};
    size_t picked[3];
    cr_assert_eq(messages_fold(messages, 3, picked), 1);
    cr_expect_eq(picked[0], 0);
}

Test(fold, strangers_all_stay)
{
    struct tk_reservation_message messages[200];
    size_t picked[200];
    for (size_t i = 0; i < 200; i++)
        messages[i] = message((uint8_t)i, 1);
    cr_assert_eq(messages_fold(messages, 200, picked), 200);
    for (size_t i = 0; i < 200; i++)
        cr_expect_eq(picked[i], i);
}
