/*
 * Identity of dead letters: the same copy is the same row, another death is another. And what may be published again.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/dead_letter.h"

#define SECOND INT64_C(1000000)

static struct dead_letter sample(void)
{
    return (struct dead_letter){.routing_key = TK_SLICE("reservation.confirmed"),
                                .message_id = TK_SLICE("0193d2a5-7f40-7a1b-9c2d-3e4f5a6b7c8d"),
                                .first_death_us = 1700000000 * SECOND,
                                .body = TK_SLICE("{}"),
                                .body_size = 2};
}

static void expect_same(const struct dead_letter *a, const struct dead_letter *b, bool same, const char *what)
{
    struct tk_uuid ids[] = {dead_letter_id(a), dead_letter_id(b)};
    cr_expect_eq(tk_uuid_eq(&ids[0], &ids[1]), same, "%s", what);
}

Test(dead_letter, a_copy_has_its_id_and_nothing_else_has)
{
    const struct dead_letter first = sample();
    struct dead_letter other = sample();
    other.delivery_count = 7; /* how often the copy was delivered from the dead-letter queue does not matter */
    expect_same(&first, &other, true, "the same copy");
    other.first_death_us += SECOND;
    expect_same(&first, &other, false, "died again");
    other = sample();
    other.body = TK_SLICE("[]");
    expect_same(&first, &other, false, "another body");
    other = sample();
    other.body_size = 3;
    expect_same(&first, &other, false, "another size");
    other = sample();
    other.routing_key = TK_SLICE("reservation.cancelled");
    expect_same(&first, &other, false, "another key");
    other = sample();
    other.message_id = TK_SLICE("");
    expect_same(&first, &other, false, "another message");
}

Test(dead_letter, ids_sort_by_death)
{
    struct dead_letter early = sample();
    struct dead_letter late = sample();
    early.body = TK_SLICE("zz");
    late.first_death_us += SECOND;
    struct tk_uuid ids[] = {dead_letter_id(&early), dead_letter_id(&late)};
    cr_expect_lt(tk_uuid_cmp(&ids[0], &ids[1]), 0);
    cr_expect_eq(ids[0].bytes[6] >> 4, 8, "version");
    cr_expect_eq(ids[0].bytes[8] >> 6, 2, "variant");
}

Test(dead_letter, parts_do_not_run_together)
{
    struct dead_letter a = sample();
    struct dead_letter b = sample();
    a.message_id = TK_SLICE("ab");
    a.routing_key = TK_SLICE("c");
    b.message_id = TK_SLICE("a");
    b.routing_key = TK_SLICE("bc");
    expect_same(&a, &b, false, "ab c, a bc");
}

Test(dead_letter, only_whole_text_with_a_known_key_is_replayable)
{
    struct dead_letter letter = sample();
    cr_expect(dead_letter_is_replayable(&letter));
    letter.body_size = 3;
    cr_expect_not(dead_letter_is_replayable(&letter), "cut");
    letter = sample();
    letter.body = TK_SLICE("\xff\xfe");
    cr_expect_not(dead_letter_is_replayable(&letter), "no UTF-8");
    letter.body = (struct tk_slice){.ptr = "a\0", .len = 2};
    cr_expect_not(dead_letter_is_replayable(&letter), "NUL");
    letter = sample();
    letter.routing_key = TK_SLICE("event_service_queue");
    cr_expect_not(dead_letter_is_replayable(&letter), "published straight to the queue");
}

Test(dead_letter, a_preview_never_cuts_a_character)
{
    struct tk_slice text = TK_SLICE("aä€"); /* 1, 2 and 3 bytes */
    static const size_t expected[] = {0, 1, 1, 3, 3, 3, 6, 6};
    for (size_t limit = 0; limit < sizeof(expected) / sizeof(expected[0]); limit++)
        cr_expect_eq(dead_letter_preview(text, limit), expected[limit], "%zu", limit);
    cr_expect_eq(dead_letter_preview(TK_SLICE("\xff\xff\xff\xff\xff\xff"), 5), 5, "no text: any length will do");
}
