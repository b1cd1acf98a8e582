/* What buyers understand of an answer. */
#include <criterion/criterion.h>

#include "tests/chaos/wire.h"

static enum answer of(int status, const char *body)
{
    const struct response response = {.status = status, .body = tk_slice_of(body)};
    return wire_classify(&response);
}

Test(wire, unknown_is_not_failed)
{
    cr_assert_eq(of(201, "{}"), ANSWER_OK);
    cr_assert_eq(of(402, "{\"code\":\"payment_failed\"}"), ANSWER_REFUSED);
    cr_assert_eq(of(409, "{\"code\":\"seats_taken\"}"), ANSWER_REFUSED);
    cr_assert_eq(of(409, "{\"code\":\"payment_in_progress\"}"), ANSWER_PENDING);
    cr_assert_eq(of(503, "{\"code\":\"overloaded\"}"), ANSWER_BUSY);
    cr_assert_eq(of(503, "{\"code\":\"outcome_unknown\"}"), ANSWER_UNKNOWN);
    cr_assert_eq(of(503, ""), ANSWER_BUSY);
    cr_assert_eq(of(500, ""), ANSWER_UNKNOWN);
}

Test(wire, finds_and_counts)
{
    const struct tk_slice body = TK_SLICE("{\"id\":\"a\",\"items\":[{\"id\":\"b\"},{\"id\":\"c\"}]}");
    char text[8];
    cr_assert(wire_find(body, "\"id\":\"", text, sizeof(text)));
    cr_assert_str_eq(text, "a");
    cr_assert_not(wire_find(body, "\"status\":\"", text, sizeof(text)));
    cr_assert_eq(wire_count(body, "\"id\""), 3);
    cr_assert_eq(wire_count(body, "nothing"), 0);
    cr_assert_eq(wire_count(TK_SLICE(""), "x"), 0);
}
