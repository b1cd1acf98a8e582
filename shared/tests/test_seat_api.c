/* The internal seat API: what one side encodes, the other decodes; what neither would send is refused. */
#include <criterion/criterion.h>
#include <string.h>

#include "shared/contract/seat_api.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define ID   "0194a7f0-0000-7000-8000-0000000000f1"
#define SEAT "0194a7f0-0000-7000-8000-0000000000aa"

#define BEST_HEAD "{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"hold_seconds\":1"

static const struct tk_json *tree(struct tk_arena *arena, struct tk_slice text)
{
    const struct tk_json *root = NULL;
    const char *why = "";
    cr_assert_eq(tk_json_parse(arena, text, &root, &why), TK_OK, "%.*s: %s", (int)text.len, text.ptr, why);
    return root;
}

Test(seat_api, words_round_trip)
{
    static const char *const statuses[] = {"available", "reserved", "sold", "blocked", "unknown"};
    static const char *const holds[] = {"held",     "seats_taken", "unknown_seats",     "session_not_found", "sales_closed",
                                        "released", "mismatch",    "no_adjacent_block", "sold_out"};
    static const char *const releases[] = {"released", "tombstoned", "sold"};
    enum tk_seat_status status;
    for (int i = TK_SEAT_AVAILABLE; i <= TK_SEAT_UNKNOWN; i++) {
        cr_expect_str_eq(tk_seat_status_name((enum tk_seat_status)i), statuses[i]);
        cr_expect_eq(tk_seat_status_parse(tk_slice_of(statuses[i]), &status), TK_OK);
        cr_expect_eq((int)status, i);
    }
    for (int i = TK_HOLD_HELD; i <= TK_HOLD_SOLD_OUT; i++)
        cr_expect_str_eq(tk_hold_outcome_name((enum tk_hold_outcome)i), holds[i]);
    for (int i = TK_RELEASE_RELEASED; i <= TK_RELEASE_SOLD; i++)
        cr_expect_str_eq(tk_release_outcome_name((enum tk_release_outcome)i), releases[i]);
    cr_expect_eq(tk_seat_status_parse(TK_SLICE("Sold"), &status), TK_ERR_INVALID);
    cr_expect_eq(tk_seat_status_parse(TK_SLICE(""), &status), TK_ERR_INVALID);
}

Test(seat_api, hold_request_round_trip)
{
    static struct tk_uuid seats[TK_SEAT_API_MAX_SEATS];
    for (size_t i = 0; i < COUNT(seats); i++)
        seats[i] = tk_uuid_v7();
    for (size_t count = 1; count <= COUNT(seats); count += 33) {
        struct tk_arena arena = {0};
        struct tk_json_errors errors = {.arena = &arena};
        struct tk_hold_request in = {.reservation_id = tk_uuid_v7(),
                                     .session_id = tk_uuid_v7(),
                                     .seats = seats,
                                     .seat_count = count,
                                     .hold_seconds = 600};
        struct tk_hold_request out;
        struct tk_buf text = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
        struct tk_jsonw w = TK_JSONW(&text);
        tk_hold_request_encode(&w, &in);
        cr_assert_eq(tk_hold_request_decode(tree(&arena, tk_buf_slice(&text)), "/holds/0", &arena, &out, &errors), TK_OK);
        cr_assert(tk_uuid_eq(&in.reservation_id, &out.reservation_id));
        cr_assert(tk_uuid_eq(&in.session_id, &out.session_id));
        cr_assert_eq(out.hold_seconds, 600);
        cr_assert_eq(out.seat_count, count);
        cr_assert_eq(memcmp(out.seats, seats, count * sizeof(seats[0])), 0);
        tk_buf_release(&text);
        tk_arena_release(&arena);
    }
}

Test(seat_api, best_available_round_trip)
{
    static const struct tk_best_available rows[] = {
        {.quantity = 1, .adjacent = true},
        {.section = {"Balcony \"L\"", 11}, .quantity = TK_SEAT_API_MAX_SEATS, .adjacent = false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_json_errors errors = {.arena = &arena};
        struct tk_hold_request in = {.reservation_id = tk_uuid_v7(),
                                     .session_id = tk_uuid_v7(),
                                     .best_available = true,
                                     .best = rows[i],
                                     .hold_seconds = 600};
        struct tk_hold_request out;
        struct tk_buf text = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
        struct tk_jsonw w = TK_JSONW(&text);
        tk_hold_request_encode(&w, &in);
        cr_assert_eq(tk_hold_request_decode(tree(&arena, tk_buf_slice(&text)), "/holds/0", &arena, &out, &errors), TK_OK);
        cr_assert(out.best_available);
        cr_assert_eq(out.seat_count, 0);
        cr_assert(tk_slice_eq(out.best.section, rows[i].section));
        cr_assert_eq(out.best.section.ptr == NULL, rows[i].section.ptr == NULL);
        cr_assert_eq(out.best.quantity, rows[i].quantity);
        cr_assert_eq(out.best.adjacent, rows[i].adjacent);
        tk_buf_release(&text);
        tk_arena_release(&arena);
    }
}

Test(seat_api, adjacent_unless_told_otherwise)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct tk_hold_request out;
    const struct tk_json *object = tree(&arena, TK_SLICE(BEST_HEAD ",\"best\":{\"quantity\":2,\"section\":7}}"));
    cr_assert_eq(tk_hold_request_decode(object, "/holds/0", &arena, &out, &errors), TK_OK);
    cr_assert(out.best.adjacent);
    cr_assert(tk_slice_eq_str(out.best.section, "7"));
    tk_arena_release(&arena);
}

Test(seat_api, hold_request_refusals)
{
    static const struct {
        const char *text;
        const char *pointer;
    } rows[] = {
        {"[]", "/holds/3"},
        {"{\"session_id\":\"" ID "\",\"session_seat_ids\":[\"" SEAT "\"],\"hold_seconds\":1}", "/holds/3/reservation_id"},
        {"{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"session_seat_ids\":[],\"hold_seconds\":1}",
         "/holds/3/session_seat_ids"},
        {"{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"session_seat_ids\":[\"" SEAT "\",\"" SEAT
         "\"],\"hold_seconds\":1}",
         "/holds/3/session_seat_ids/1"},
        {"{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"session_seat_ids\":[\"" SEAT "\"],\"hold_seconds\":0}",
         "/holds/3/hold_seconds"},
        {"{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"session_seat_ids\":[\"" SEAT
         "\"],\"hold_seconds\":86401}",
         "/holds/3/hold_seconds"},
        {"{\"reservation_id\":\"" ID "\",\"session_id\":\"" ID "\",\"session_seat_ids\":[\"" SEAT
         "\"],\"hold_seconds\":1,\"price\":1}",
         "/holds/3/price"},
        {BEST_HEAD "}", "/holds/3/session_seat_ids"},
        {BEST_HEAD ",\"session_seat_ids\":[\"" SEAT "\"],\"best\":{\"quantity\":1}}", "/holds/3/session_seat_ids"},
        {BEST_HEAD ",\"best\":{}}", "/holds/3/best/quantity"},
        {BEST_HEAD ",\"best\":{\"quantity\":0}}", "/holds/3/best/quantity"},
        {BEST_HEAD ",\"best\":{\"quantity\":101}}", "/holds/3/best/quantity"},
        {BEST_HEAD ",\"best\":{\"quantity\":1,\"section\":true}}", "/holds/3/best/section"},
        {BEST_HEAD ",\"best\":{\"quantity\":1,\"adjacent\":null}}", "/holds/3/best/adjacent"},
        {BEST_HEAD ",\"best\":[]}", "/holds/3/best"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_json_errors errors = {.arena = &arena};
        struct tk_hold_request out;
        cr_expect_eq(tk_hold_request_decode(tree(&arena, tk_slice_of(rows[i].text)), "/holds/3", &arena, &out, &errors),
                     TK_ERR_INVALID, "%s", rows[i].text);
        cr_assert_eq(errors.count, 1, "%s", rows[i].text);
        cr_expect_str_eq(errors.items[0].pointer, rows[i].pointer);
        tk_arena_release(&arena);
    }
}

static struct tk_hold_answer answer_round_trip(struct tk_arena *arena, const struct tk_hold_answer *in)
{
    struct tk_hold_answer out = {0};
    struct tk_buf text = TK_BUF_INIT(TK_SEAT_API_MAX_BODY);
    struct tk_jsonw w = TK_JSONW(&text);
    tk_hold_answer_encode(&w, in);
    cr_assert_not(text.overflow);
    cr_assert_eq(tk_hold_answer_decode(tree(arena, tk_buf_slice(&text)), arena, &out), TK_OK, "%.*s", (int)text.len,
                 text.ptr);
    cr_assert(tk_uuid_eq(&in->reservation_id, &out.reservation_id));
    cr_assert_eq(in->outcome, out.outcome);
    tk_buf_release(&text);
    return out;
}

static struct tk_hold_seat example_seat(enum tk_seat_status status)
{
    return (struct tk_hold_seat){
        .session_seat_id = tk_uuid_v7(),
        .status = status,
        .price_minor = 123456,
        .section = TK_SLICE("Balcony \"L\""),
        .row_number = TK_SLICE("10"),
        .seat_number = TK_SLICE(""),
    };
}

Test(seat_api, held_answer_round_trip)
{
    struct tk_arena arena = {0};
    struct tk_hold_seat seats[2] = {example_seat(TK_SEAT_RESERVED), example_seat(TK_SEAT_RESERVED)};
    struct tk_hold_answer in = {
        .reservation_id = tk_uuid_v7(),
        .outcome = TK_HOLD_HELD,
        .reserved_until_us = INT64_C(1795253400123456),
        .currency = "EUR",
        .seats = seats,
        .seat_count = 2,
    };
    struct tk_hold_answer out = answer_round_trip(&arena, &in);
    cr_assert_eq(out.reserved_until_us, in.reserved_until_us);
    cr_assert_str_eq(out.currency, "EUR");
    cr_assert_eq(out.seat_count, 2);
    for (size_t i = 0; i < 2; i++) {
        cr_assert(tk_uuid_eq(&out.seats[i].session_seat_id, &seats[i].session_seat_id));
        cr_assert_eq(out.seats[i].status, TK_SEAT_RESERVED);
        cr_assert_eq(out.seats[i].price_minor, 123456);
        cr_assert(tk_slice_eq(out.seats[i].section, seats[i].section));
        cr_assert(tk_slice_eq(out.seats[i].row_number, seats[i].row_number));
        cr_assert(tk_slice_eq(out.seats[i].seat_number, seats[i].seat_number));
    }
    tk_arena_release(&arena);
}

Test(seat_api, lost_seats_round_trip)
{
    static const enum tk_hold_outcome outcomes[] = {TK_HOLD_SEATS_TAKEN, TK_HOLD_UNKNOWN_SEATS};
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        struct tk_arena arena = {0};
        struct tk_hold_seat lost = example_seat(TK_SEAT_SOLD);
        struct tk_hold_answer in = {.reservation_id = tk_uuid_v7(),
                                    .outcome = outcomes[i],
                                    .reserved_until_us = TK_TIME_NONE,
                                    .seats = &lost,
                                    .seat_count = 1};
        struct tk_hold_answer out = answer_round_trip(&arena, &in);
        cr_assert_eq(out.reserved_until_us, TK_TIME_NONE);
        cr_assert_eq(out.seat_count, 1);
        cr_assert(tk_uuid_eq(&out.seats[0].session_seat_id, &lost.session_seat_id));
        cr_assert_eq(out.seats[0].status, TK_SEAT_SOLD);
        tk_arena_release(&arena);
    }
}

Test(seat_api, plain_refusals_round_trip)
{
    static const enum tk_hold_outcome outcomes[] = {TK_HOLD_SESSION_NOT_FOUND, TK_HOLD_SALES_CLOSED, TK_HOLD_RELEASED,
                                                    TK_HOLD_MISMATCH};
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        struct tk_arena arena = {0};
        struct tk_hold_answer in = {
            .reservation_id = tk_uuid_v7(), .outcome = outcomes[i], .reserved_until_us = TK_TIME_NONE};
        struct tk_hold_answer out = answer_round_trip(&arena, &in);
        cr_assert_eq(out.seat_count, 0);
        cr_assert_eq(out.reserved_until_us, TK_TIME_NONE);
        tk_arena_release(&arena);
    }
}

Test(seat_api, offers_round_trip)
{
    static const enum tk_hold_outcome outcomes[] = {TK_HOLD_NO_ADJACENT_BLOCK, TK_HOLD_SOLD_OUT};
    for (size_t i = 0; i < COUNT(outcomes); i++) {
        struct tk_arena arena = {0};
        struct tk_hold_answer in = {.reservation_id = tk_uuid_v7(),
                                    .outcome = outcomes[i],
                                    .reserved_until_us = TK_TIME_NONE,
                                    .offer_available = 17,
                                    .offer_largest_block = 3};
        struct tk_hold_answer out = answer_round_trip(&arena, &in);
        cr_assert_eq(out.seat_count, 0);
        cr_assert_eq(out.offer_available, 17);
        cr_assert_eq(out.offer_largest_block, 3);
        tk_arena_release(&arena);
    }
}

#define HELD_SEAT                                                                                                          \
    "{\"session_seat_id\":\"" SEAT                                                                                         \
    "\",\"status\":\"reserved\",\"price\":1.00,\"section\":\"S\",\"row_number\":\"1\",\"seat_number\":\"2\"}"
#define HELD_HEAD "{\"reservation_id\":\"" ID "\",\"outcome\":\"held\","

Test(seat_api, hold_answer_refusals)
{
    static const struct {
        const char *text;
        enum tk_err err;
    } rows[] = {
        {HELD_HEAD "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"currency\":\"EUR\",\"seats\":[" HELD_SEAT
                   "],\"later\":1}",
         TK_OK},
        {HELD_HEAD "\"currency\":\"EUR\",\"seats\":[" HELD_SEAT "]}", TK_ERR_INVALID},
        {HELD_HEAD "\"reserved_until\":null,\"currency\":\"EUR\",\"seats\":[" HELD_SEAT "]}", TK_ERR_INVALID},
        {HELD_HEAD "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"seats\":[" HELD_SEAT "]}", TK_ERR_INVALID},
        {HELD_HEAD "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"currency\":\"EURO\",\"seats\":[" HELD_SEAT "]}",
         TK_ERR_INVALID},
        {HELD_HEAD "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"currency\":\"EUR\",\"seats\":[]}", TK_ERR_INVALID},
        {HELD_HEAD "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"currency\":\"EUR\"}", TK_ERR_INVALID},
        {HELD_HEAD
         "\"reserved_until\":\"2026-11-21T09:30:00Z\",\"currency\":\"EUR\",\"seats\":[{\"session_seat_id\":\"" SEAT
         "\",\"status\":\"reserved\"}]}",
         TK_ERR_INVALID},
        {"{\"reservation_id\":\"" ID "\",\"outcome\":\"perhaps\"}", TK_ERR_INVALID},
        {"{\"reservation_id\":\"" ID "\",\"outcome\":\"sold_out\"}", TK_ERR_INVALID},
        {"{\"reservation_id\":\"" ID "\",\"outcome\":\"sold_out\",\"offer\":{\"available\":1}}", TK_ERR_INVALID},
        {"{\"reservation_id\":\"" ID "\"}", TK_ERR_INVALID},
        {"{\"outcome\":\"mismatch\"}", TK_ERR_INVALID},
        {"{\"reservation_id\":\"" ID "\",\"outcome\":\"seats_taken\",\"seats\":[{\"session_seat_id\":\"" SEAT
         "\",\"status\":\"stolen\"}]}",
         TK_ERR_INVALID},
        {"[]", TK_ERR_INVALID},
        {"null", TK_ERR_INVALID},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_hold_answer out;
        cr_expect_eq(tk_hold_answer_decode(tree(&arena, tk_slice_of(rows[i].text)), &arena, &out), rows[i].err, "%s",
                     rows[i].text);
        tk_arena_release(&arena);
    }
}

Test(seat_api, release_round_trip)
{
    struct tk_arena arena = {0};
    struct tk_json_errors errors = {.arena = &arena};
    struct tk_release_request in = {.reservation_id = tk_uuid_v7(),
                                    .session_id = tk_uuid_v7(),
                                    .revision = 2,
                                    .reason = TK_RELEASE_REASON_EXPIRED,
                                    .request_id = TK_SLICE("order-17/a")};
    struct tk_release_request out;
    struct tk_buf text = TK_BUF_INIT(1000);
    struct tk_jsonw w = TK_JSONW(&text);
    tk_release_request_encode(&w, &in);
    cr_assert_eq(tk_release_request_decode(tree(&arena, tk_buf_slice(&text)), "/releases/0", &arena, &out, &errors), TK_OK);
    cr_assert_eq(out.reason, in.reason);
    cr_assert(tk_slice_eq(out.request_id, in.request_id));
    cr_assert(tk_uuid_eq(&in.reservation_id, &out.reservation_id));
    cr_assert(tk_uuid_eq(&in.session_id, &out.session_id));
    cr_assert_eq(out.revision, 2);
    cr_assert_eq(tk_release_request_decode(tree(&arena, TK_SLICE("{}")), "/releases/0", &arena, &out, &errors),
                 TK_ERR_INVALID);
    cr_assert_str_eq(errors.items[0].pointer, "/releases/0/reservation_id");
    tk_buf_release(&text);
    tk_arena_release(&arena);
}

Test(seat_api, release_answer_round_trip)
{
    for (int outcome = TK_RELEASE_RELEASED; outcome <= TK_RELEASE_SOLD; outcome++) {
        struct tk_arena arena = {0};
        struct tk_release_answer in = {.reservation_id = tk_uuid_v7(), .outcome = (enum tk_release_outcome)outcome};
        struct tk_release_answer out;
        struct tk_buf text = TK_BUF_INIT(1000);
        struct tk_jsonw w = TK_JSONW(&text);
        tk_release_answer_encode(&w, &in);
        cr_assert_eq(tk_release_answer_decode(tree(&arena, tk_buf_slice(&text)), &out), TK_OK);
        cr_assert(tk_uuid_eq(&in.reservation_id, &out.reservation_id));
        cr_assert_eq(in.outcome, out.outcome);
        cr_assert_eq(
            tk_release_answer_decode(tree(&arena, TK_SLICE("{\"reservation_id\":\"" ID "\",\"outcome\":\"gone\"}")), &out),
            TK_ERR_INVALID);
        cr_assert_eq(
            tk_release_answer_decode(tree(&arena, TK_SLICE("{\"reservation_id\":\"x\",\"outcome\":\"sold\"}")), &out),
            TK_ERR_INVALID);
        cr_assert_eq(tk_release_answer_decode(tree(&arena, TK_SLICE("[]")), &out), TK_ERR_INVALID);
        tk_buf_release(&text);
        tk_arena_release(&arena);
    }
}
