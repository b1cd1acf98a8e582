/*
 * What event-svc's consumer takes off the queue. An accepted message obeys the limits of the contract, and writing and
 * reading it again gives the same one.
 */
#include "shared/contract/message.h"
#include "tests/fuzz/fuzz.h"

static void same(const struct tk_reservation_message *a, const struct tk_reservation_message *b)
{
    MUST(tk_uuid_eq(&a->event_id, &b->event_id) && tk_uuid_eq(&a->reservation_id, &b->reservation_id));
    MUST(tk_uuid_eq(&a->session_id, &b->session_id) && tk_uuid_eq(&a->user_id, &b->user_id));
    MUST(a->event == b->event && a->revision == b->revision && a->occurred_at_us == b->occurred_at_us);
    MUST(a->seat_count == b->seat_count);
    for (size_t i = 0; i < a->seat_count; i++)
        MUST(tk_uuid_eq(&a->seats[i], &b->seats[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_arena arena = {0};
    struct tk_reservation_message message, again;
    const char *why = NULL;
    if (tk_reservation_message_decode(input_slice(data, size), &arena, &message, &why) == TK_OK) {
        MUST(message.revision >= 1 && message.seat_count >= 1 && message.seat_count <= TK_MESSAGE_MAX_SEATS);
        struct tk_buf text = TK_BUF_INIT(1 << 20);
        tk_reservation_message_encode(&message, &text);
        MUST(tk_reservation_message_decode(tk_buf_slice(&text), &arena, &again, &why) == TK_OK);
        same(&message, &again);
        tk_buf_release(&text);
    } else {
        MUST(why != NULL);
    }
    tk_arena_release(&arena);
    return 0;
}
