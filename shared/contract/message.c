/* The reservation message, both directions. What the decoder refuses is poison and goes to the dead-letter queue. */
#include "shared/contract/message.h"

#include <assert.h>
#include <string.h>

#include "shared/contract/seat_api.h"
#include "shared/json/reader.h"
#include "shared/json/writer.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *const tk_reservation_routing_keys[TK_RESERVATION_EVENT_COUNT] = {
    [TK_RESERVATION_CONFIRMED] = "reservation.confirmed",
    [TK_RESERVATION_CANCELLED] = "reservation.cancelled",
    [TK_RESERVATION_EXPIRED] = "reservation.expired",
};

static enum tk_seat_status seat_status(enum tk_reservation_event event)
{
    return event == TK_RESERVATION_CONFIRMED ? TK_SEAT_SOLD : TK_SEAT_AVAILABLE;
}

/* --- encoding ----------------------------------------------------------------------------------------------------- */

static void encode_seats(struct tk_jsonw *w, const struct tk_reservation_message *message)
{
    struct tk_slice status = tk_slice_of(tk_seat_status_name(seat_status(message->event)));
    tk_jsonw_begin_array(w, "seats");
    for (size_t i = 0; i < message->seat_count; i++) {
        tk_jsonw_begin_object(w, NULL);
        tk_jsonw_uuid(w, "session_seat_id", &message->seats[i]);
        tk_jsonw_text(w, "status", status);
        tk_jsonw_end_object(w);
    }
    tk_jsonw_end_array(w);
}

void tk_reservation_message_encode(const struct tk_reservation_message *message, struct tk_buf *out)
{
    assert(message->seat_count <= TK_MESSAGE_MAX_SEATS);
    assert(message->revision >= 1);
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "event_id", &message->event_id);
    tk_jsonw_str(&w, "event_type", tk_reservation_routing_keys[message->event]);
    tk_jsonw_time(&w, "occurred_at", message->occurred_at_us);
    tk_jsonw_begin_object(&w, "data");
    tk_jsonw_uuid(&w, "reservation_id", &message->reservation_id);
    tk_jsonw_i64(&w, "revision", message->revision);
    tk_jsonw_uuid(&w, "session_id", &message->session_id);
    tk_jsonw_uuid(&w, "user_id", &message->user_id);
    if (message->request_id.len > 0)
        tk_jsonw_text(&w, "request_id", message->request_id);
    encode_seats(&w, message);
    tk_jsonw_end_object(&w);
    tk_jsonw_end_object(&w);
}

/* --- decoding ----------------------------------------------------------------------------------------------------- */

struct envelope {
    struct tk_uuid event_id;
    struct tk_slice event_type;
    int64_t occurred_at; /* Unix microseconds */
    const struct tk_json *data;
};

struct data {
    struct tk_uuid reservation_id;
    int64_t revision;
    struct tk_uuid session_id;
    struct tk_uuid user_id;
    const struct tk_json *seats;
    struct tk_slice request_id;
};

#define REQUEST_ID_MAX 256 /* bytes; longer ones than ours are no reason to drop a message */

struct seat {
    struct tk_uuid session_seat_id;
    struct tk_slice status;
};

#define REQUIRED(structure, member, field_type, least, most)                                                               \
    {                                                                                                                      \
        .name = #member, .type = (field_type), .flags = TK_FIELD_REQUIRED, .offset = offsetof(struct structure, member),   \
        .present_offset = TK_FIELD_NO_PRESENCE, .min = (least), .max = (most)                                              \
    }

static const struct tk_field envelope_fields[] = {
    REQUIRED(envelope, event_id, TK_FIELD_UUID, 0, 0),
    REQUIRED(envelope, event_type, TK_FIELD_TEXT, 1, 64),
    REQUIRED(envelope, occurred_at, TK_FIELD_TIME, 0, 0),
    REQUIRED(envelope, data, TK_FIELD_OBJECT, 0, 0),
};

static const struct tk_field data_fields[] = {
    REQUIRED(data, reservation_id, TK_FIELD_UUID, 0, 0),
    REQUIRED(data, revision, TK_FIELD_INT, 1, INT64_MAX),
    REQUIRED(data, session_id, TK_FIELD_UUID, 0, 0),
    REQUIRED(data, user_id, TK_FIELD_UUID, 0, 0),
    REQUIRED(data, seats, TK_FIELD_ARRAY, 1, TK_MESSAGE_MAX_SEATS),
    {"request_id", NULL, TK_FIELD_TEXT, TK_FIELD_NULLABLE, offsetof(struct data, request_id), TK_FIELD_NO_PRESENCE, 0,
     REQUEST_ID_MAX},
};

static const struct tk_field seat_fields[] = {
    REQUIRED(seat, session_seat_id, TK_FIELD_UUID, 0, 0),
    REQUIRED(seat, status, TK_FIELD_TEXT, 1, 64),
};

static enum tk_err parse_event_type(struct tk_slice text, enum tk_reservation_event *out)
{
    for (size_t i = 0; i < TK_RESERVATION_EVENT_COUNT; i++) {
        if (tk_slice_eq_str(text, tk_reservation_routing_keys[i])) {
            *out = (enum tk_reservation_event)i;
            return TK_OK;
        }
    }
    return TK_ERR_INVALID;
}

static bool contains(const struct tk_uuid *ids, size_t count, const struct tk_uuid *id)
{
    for (size_t i = 0; i < count; i++) {
        if (tk_uuid_eq(&ids[i], id))
            return true;
    }
    return false;
}

/* NULL, or what is wrong with the seat. */
static const char *add_seat(const struct seat *seat, enum tk_reservation_event event, struct tk_uuid *ids, size_t count)
{
    if (!tk_slice_eq_str(seat->status, tk_seat_status_name(seat_status(event))))
        return "does not agree with the event type";
    if (contains(ids, count, &seat->session_seat_id))
        return "is a seat named before";
    ids[count] = seat->session_seat_id;
    return NULL;
}

static enum tk_err decode_seats(const struct tk_json *array, struct tk_reservation_message *out,
                                struct tk_json_errors *errors)
{
    struct tk_uuid *ids = tk_arena_alloc(errors->arena, array->count * sizeof(*ids));
    size_t count = 0;
    for (const struct tk_json *element = array->child; element != NULL; element = element->next) {
        struct seat seat;
        if (tk_json_bind_known(element, "/data/seats", seat_fields, COUNT(seat_fields), &seat, errors))
            return TK_ERR_INVALID;
        const char *wrong = add_seat(&seat, out->event, ids, count);
        if (wrong != NULL) {
            tk_json_errors_add(errors, "/data/seats", wrong);
            return TK_ERR_INVALID;
        }
        count++;
    }
    out->seats = ids;
    out->seat_count = count;
    return TK_OK;
}

static enum tk_err decode_envelope(const struct tk_json *root, struct envelope *envelope,
                                   struct tk_reservation_message *out, struct tk_json_errors *errors)
{
    if (tk_json_bind_known(root, "", envelope_fields, COUNT(envelope_fields), envelope, errors))
        return TK_ERR_INVALID;
    out->event_id = envelope->event_id;
    out->occurred_at_us = envelope->occurred_at;
    if (!parse_event_type(envelope->event_type, &out->event))
        return TK_OK;
    tk_json_errors_add(errors, "/event_type", "is not an event of this consumer");
    return TK_ERR_INVALID;
}

static enum tk_err decode_tree(const struct tk_json *root, struct tk_reservation_message *out,
                               struct tk_json_errors *errors)
{
    struct envelope envelope;
    struct data data = {0};
    if (decode_envelope(root, &envelope, out, errors))
        return TK_ERR_INVALID;
    if (tk_json_bind_known(envelope.data, "/data", data_fields, COUNT(data_fields), &data, errors))
        return TK_ERR_INVALID;
    out->reservation_id = data.reservation_id;
    out->revision = data.revision;
    out->session_id = data.session_id;
    out->user_id = data.user_id;
    out->request_id = data.request_id;
    return decode_seats(data.seats, out, errors);
}

enum tk_err tk_reservation_message_decode(struct tk_slice body, struct tk_arena *arena, struct tk_reservation_message *out,
                                          const char **why)
{
    struct tk_json_errors errors = {.arena = arena};
    const struct tk_json *root;
    if (tk_json_parse(arena, body, &root, why))
        return TK_ERR_INVALID;
    if (!decode_tree(root, out, &errors))
        return TK_OK;
    *why = tk_arena_printf(arena, "%s %s", errors.items[0].pointer, errors.items[0].detail);
    return TK_ERR_INVALID;
}
