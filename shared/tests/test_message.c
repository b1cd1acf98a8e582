/* Reservation messages: round trips and poison. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shared/contract/message.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define EVENT                 "\"event_id\":\"0194a7f0-0000-7000-8000-0000000000e1\""
#define WHEN                  "\"occurred_at\":\"2026-11-21T09:30:00.000001Z\""
#define SEAT_A                "0194a7f0-0000-7000-8000-0000000000aa"
#define SEAT_B                "0194a7f0-0000-7000-8000-0000000000bb"
#define RESERVATION           "\"reservation_id\":\"0194a7f0-0000-7000-8000-0000000000f1\""
#define SESSION               "\"session_id\":\"0194a7f0-0000-7000-8000-0000000000f2\""
#define USER                  "\"user_id\":\"0194a7f0-0000-7000-8000-0000000000f3\""
#define SEATS(status)         "\"seats\":[{\"session_seat_id\":\"" SEAT_A "\",\"status\":\"" status "\"}]"
#define DATA(revision, seats) "\"data\":{" RESERVATION ",\"revision\":" revision "," SESSION "," USER "," seats "}"
#define MESSAGE(type, data)   "{" EVENT ",\"event_type\":\"" type "\"," WHEN "," data "}"

static enum tk_err decode(const char *text, struct tk_arena *arena, struct tk_reservation_message *out, const char **why)
{
    return tk_reservation_message_decode(tk_slice_of(text), arena, out, why);
}

Test(message, encodes_exactly)
{
    struct tk_uuid ids[4];
    static const char *const texts[] = {"0194a7f0-0000-7000-8000-0000000000e1", "0194a7f0-0000-7000-8000-0000000000f1",
                                        "0194a7f0-0000-7000-8000-0000000000f2", "0194a7f0-0000-7000-8000-0000000000f3"};
    struct tk_uuid seat;
    for (size_t i = 0; i < COUNT(texts); i++)
        cr_assert_eq(tk_uuid_parse(tk_slice_of(texts[i]), &ids[i]), TK_OK);
    cr_assert_eq(tk_uuid_parse(TK_SLICE(SEAT_A), &seat), TK_OK);
    struct tk_reservation_message message = {
        .event_id = ids[0],
        .event = TK_RESERVATION_CONFIRMED,
        .occurred_at_us = INT64_C(1795253400000001),
        .reservation_id = ids[1],
        .revision = 3,
        .session_id = ids[2],
        .user_id = ids[3],
        .seats = &seat,
        .seat_count = 1,
    };
    struct tk_buf out = TK_BUF_INIT(4096);
    tk_reservation_message_encode(&message, &out);
    cr_assert(tk_slice_eq_str(tk_buf_slice(&out), MESSAGE("reservation.confirmed", DATA("3", SEATS("sold")))), "%.*s",
              (int)out.len, out.ptr);
    tk_buf_release(&out);
}

static void round_trip(enum tk_reservation_event event, size_t seat_count)
{
    static struct tk_uuid seats[TK_MESSAGE_MAX_SEATS];
    struct tk_arena arena = {0};
    for (size_t i = 0; i < seat_count; i++)
        seats[i] = tk_uuid_v7();
    struct tk_reservation_message message = {
        .event_id = tk_uuid_v7(),
        .event = event,
        .occurred_at_us = INT64_C(1795253400000000) + (int64_t)seat_count,
        .reservation_id = tk_uuid_v7(),
        .revision = INT64_MAX - (int64_t)seat_count,
        .session_id = tk_uuid_v7(),
        .user_id = tk_uuid_v7(),
        .seats = seats,
        .seat_count = seat_count,
        .request_id = seat_count > 1 ? TK_SLICE("order-17/a") : (struct tk_slice){NULL, 0},
    };
    struct tk_buf text = TK_BUF_INIT(1 << 16);
    struct tk_reservation_message back;
    const char *why = "";
    tk_reservation_message_encode(&message, &text);
    cr_assert_not(text.overflow);
    cr_assert_eq(tk_reservation_message_decode(tk_buf_slice(&text), &arena, &back, &why), TK_OK, "%s", why);
    cr_assert(tk_slice_eq(back.request_id, message.request_id));
    cr_assert(tk_uuid_eq(&back.event_id, &message.event_id));
    cr_assert_eq(back.event, event);
    cr_assert_eq(back.occurred_at_us, message.occurred_at_us);
    cr_assert(tk_uuid_eq(&back.reservation_id, &message.reservation_id));
    cr_assert_eq(back.revision, message.revision);
    cr_assert(tk_uuid_eq(&back.session_id, &message.session_id));
    cr_assert(tk_uuid_eq(&back.user_id, &message.user_id));
    cr_assert_eq(back.seat_count, seat_count);
    cr_assert_eq(memcmp(back.seats, seats, seat_count * sizeof(seats[0])), 0);
    tk_buf_release(&text);
    tk_arena_release(&arena);
}

Test(message, round_trips)
{
    for (int event = 0; event < TK_RESERVATION_EVENT_COUNT; event++) {
        round_trip((enum tk_reservation_event)event, 1);
        round_trip((enum tk_reservation_event)event, 4);
        round_trip((enum tk_reservation_event)event, TK_MESSAGE_MAX_SEATS);
    }
}

Test(message, without_seats_is_encoded_and_refused)
{
    const struct tk_reservation_message message = {.event = TK_RESERVATION_EXPIRED, .revision = 2};
    struct tk_buf text = TK_BUF_INIT(1 << 12);
    struct tk_arena arena = {0};
    struct tk_reservation_message back;
    const char *why = "";
    tk_reservation_message_encode(&message, &text);
    cr_assert_eq(tk_reservation_message_decode(tk_buf_slice(&text), &arena, &back, &why), TK_ERR_INVALID);
    cr_assert(strstr(why, "seats") != NULL, "%s", why);
    tk_buf_release(&text);
    tk_arena_release(&arena);
}

Test(message, ignores_what_a_newer_producer_adds)
{
    struct tk_arena arena = {0};
    struct tk_reservation_message out;
    const char *why = "";
    cr_assert_eq(decode("{\"v\":2," EVENT ",\"event_type\":\"reservation.expired\"," WHEN
                        ",\"data\":{\"reason\":{\"x\":[]}," RESERVATION ",\"revision\":1," SESSION "," USER
                        ",\"seats\":[{\"zone\":1,\"session_seat_id\":\"" SEAT_A "\",\"status\":\"available\"}]}}",
                        &arena, &out, &why),
                 TK_OK, "%s", why);
    cr_assert_eq(out.event, TK_RESERVATION_EXPIRED);
    tk_arena_release(&arena);
}

Test(message, poison)
{
    static const struct {
        const char *text;
        const char *why;
    } rows[] = {
        {"", "the text is empty"},
        {"garbage", "syntax error near byte 1"},
        {"[]", " must be an object"},
        {MESSAGE("reservation.confirmed", DATA("1", SEATS("available"))), "/data/seats does not agree with the event type"},
        {MESSAGE("reservation.cancelled", DATA("1", SEATS("sold"))), "/data/seats does not agree with the event type"},
        {MESSAGE("reservation.expired", DATA("1", SEATS("reserved"))), "/data/seats does not agree with the event type"},
        {MESSAGE("reservation.born", DATA("1", SEATS("sold"))), "/event_type is not an event of this consumer"},
        {MESSAGE("reservation.confirmed", DATA("0", SEATS("sold"))),
         "/data/revision must be from 1 to 9223372036854775807"},
        {MESSAGE("reservation.confirmed", DATA("1.5", SEATS("sold"))), "/data/revision must be an integer"},
        {MESSAGE("reservation.confirmed", DATA("\"1\"", SEATS("sold"))), "/data/revision must be an integer"},
        {MESSAGE("reservation.confirmed", DATA("1", "\"seats\":[]")), "/data/seats must have 1 to 100 elements"},
        {MESSAGE("reservation.confirmed", DATA("1", "\"seats\":[1]")), "/data/seats must be an object"},
        {MESSAGE("reservation.confirmed", DATA("1", "\"seats\":[{\"session_seat_id\":\"" SEAT_A "\"}]")),
         "/data/seats/status is required"},
        {MESSAGE("reservation.confirmed",
                 DATA("1",
                      "\"seats\":[{\"session_seat_id\":\"" SEAT_A "\",\"status\":\"sold\"},{\"session_seat_id\":\"" SEAT_B
                      "\",\"status\":\"sold\"},{\"session_seat_id\":\"" SEAT_A "\",\"status\":\"sold\"}]")),
         "/data/seats is a seat named before"},
        {MESSAGE("reservation.confirmed", "\"data\":{}"), "/data/reservation_id is required"},
        {MESSAGE("reservation.confirmed", "\"data\":[]"), "/data must be an object"},
        {MESSAGE("reservation.confirmed", "\"data\":null"), "/data must be an object"},
        {"{" EVENT "," WHEN "," DATA("1", SEATS("sold")) "}", "/event_type is required"},
        {"{\"event_id\":\"7\",\"event_type\":\"reservation.confirmed\"," WHEN "," DATA("1", SEATS("sold")) "}",
         "/event_id must be a UUID"},
        {"{" EVENT ",\"event_type\":\"reservation.confirmed\",\"occurred_at\":1795253400," DATA("1", SEATS("sold")) "}",
         "/occurred_at must be an RFC 3339 time such as 2026-11-21T09:30:00Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct tk_arena arena = {0};
        struct tk_reservation_message out;
        const char *why = "accepted";
        cr_expect_eq(decode(rows[i].text, &arena, &out, &why), TK_ERR_INVALID, "%s", rows[i].text);
        cr_expect_str_eq(why, rows[i].why);
        tk_arena_release(&arena);
    }
}

Test(message, too_many_seats_are_poison)
{
    struct tk_arena arena = {0};
    struct tk_reservation_message out;
    const char *why = "";
    struct tk_buf text = TK_BUF_INIT(1 << 16);
    tk_buf_append_str(&text, "{" EVENT ",\"event_type\":\"reservation.confirmed\"," WHEN ",\"data\":{" RESERVATION
                             ",\"revision\":1," SESSION "," USER ",\"seats\":[");
    for (int i = 0; i <= TK_MESSAGE_MAX_SEATS; i++) {
        struct tk_uuid id = tk_uuid_v7();
        tk_buf_appendf(&text, "%s{\"session_seat_id\":\"%s\",\"status\":\"sold\"}", i ? "," : "", TK_UUID_TEXT(&id));
    }
    tk_buf_append_str(&text, "]}}");
    cr_assert_eq(tk_reservation_message_decode(tk_buf_slice(&text), &arena, &out, &why), TK_ERR_INVALID);
    tk_buf_release(&text);
    tk_arena_release(&arena);
}

/* A message cut anywhere is poison, never half a message. */
Test(message, every_prefix_is_poison)
{
    static const char text[] = MESSAGE("reservation.confirmed", DATA("1", SEATS("sold")));
    for (size_t len = 0; len < sizeof(text) - 1; len++) {
        struct tk_arena arena = {0};
        struct tk_reservation_message out;
        const char *why = "";
        cr_expect_eq(tk_reservation_message_decode((struct tk_slice){.ptr = text, .len = len}, &arena, &out, &why),
                     TK_ERR_INVALID, "%zu", len);
        tk_arena_release(&arena);
    }
}
