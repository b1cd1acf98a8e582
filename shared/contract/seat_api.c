/* The bodies of the internal seat API. Requests are read strictly (event-svc), answers leniently (booking-svc). */
#include "shared/contract/seat_api.h"

#include <assert.h>
#include <string.h>

#include "shared/base/money.h"

#define COUNT(array)     (sizeof(array) / sizeof((array)[0]))
#define HOLD_SECONDS_MAX 86400 /* a day: longer than any sensible RESERVATION_TIMEOUT_MINUTES */
#define LABEL_MAX        256   /* bytes */

/* --- words -------------------------------------------------------------------------------------------------------- */

static const char *const status_names[] = {
    [TK_SEAT_AVAILABLE] = "available", [TK_SEAT_RESERVED] = "reserved", [TK_SEAT_SOLD] = "sold",
    [TK_SEAT_BLOCKED] = "blocked",     [TK_SEAT_UNKNOWN] = "unknown",
};

static const char *const hold_outcome_names[] = {
    [TK_HOLD_HELD] = "held",
    [TK_HOLD_SEATS_TAKEN] = "seats_taken",
    [TK_HOLD_UNKNOWN_SEATS] = "unknown_seats",
    [TK_HOLD_SESSION_NOT_FOUND] = "session_not_found",
    [TK_HOLD_SALES_CLOSED] = "sales_closed",
    [TK_HOLD_RELEASED] = "released",
    [TK_HOLD_MISMATCH] = "mismatch",
    [TK_HOLD_NO_ADJACENT_BLOCK] = "no_adjacent_block",
    [TK_HOLD_SOLD_OUT] = "sold_out",
};

static const char *const release_outcome_names[] = {
    [TK_RELEASE_RELEASED] = "released",
    [TK_RELEASE_TOMBSTONED] = "tombstoned",
    [TK_RELEASE_SOLD] = "sold",
};

static const char *const release_reason_names[] = {
    [TK_RELEASE_REASON_NONE] = "",
    [TK_RELEASE_REASON_UNDONE] = "undone",
    [TK_RELEASE_REASON_CANCELLED] = "cancelled",
    [TK_RELEASE_REASON_EXPIRED] = "expired",
    [TK_RELEASE_REASON_ORPHANED] = "orphaned",
};

/* Index of `text` in `names`; `count` when it is none of them. */
static size_t find_name(const char *const *names, size_t count, struct tk_slice text)
{
    size_t i = 0;
    while (i < count && !tk_slice_eq_str(text, names[i]))
        i++;
    return i;
}

const char *tk_seat_status_name(enum tk_seat_status status)
{
    assert((size_t)status < COUNT(status_names));
    return status_names[status];
}

enum tk_err tk_seat_status_parse(struct tk_slice text, enum tk_seat_status *out)
{
    size_t i = find_name(status_names, COUNT(status_names), text);
    if (i == COUNT(status_names))
        return TK_ERR_INVALID;
    *out = (enum tk_seat_status)i;
    return TK_OK;
}

const char *tk_hold_outcome_name(enum tk_hold_outcome outcome)
{
    assert((size_t)outcome < COUNT(hold_outcome_names));
    return hold_outcome_names[outcome];
}

const char *tk_release_outcome_name(enum tk_release_outcome outcome)
{
    assert((size_t)outcome < COUNT(release_outcome_names));
    return release_outcome_names[outcome];
}

/* --- table rows --------------------------------------------------------------------------------------------------- */

#define FIELD(structure, member, field_type, field_flags, least, most)                                                     \
    {                                                                                                                      \
        .name = #member, .type = (field_type), .flags = (field_flags), .offset = offsetof(struct structure, member),       \
        .present_offset = TK_FIELD_NO_PRESENCE, .min = (least), .max = (most)                                              \
    }

/* --- hold request ------------------------------------------------------------------------------------------------- */

static void encode_best(struct tk_jsonw *w, const struct tk_best_available *best)
{
    assert(best->quantity >= 1 && best->quantity <= TK_SEAT_API_MAX_SEATS);
    tk_jsonw_begin_object(w, "best");
    tk_jsonw_i64(w, "quantity", best->quantity);
    if (best->section.ptr != NULL)
        tk_jsonw_text(w, "section", best->section);
    tk_jsonw_bool(w, "adjacent", best->adjacent);
    tk_jsonw_end_object(w);
}

static void encode_seat_ids(struct tk_jsonw *w, const struct tk_hold_request *request)
{
    assert(request->seat_count >= 1 && request->seat_count <= TK_SEAT_API_MAX_SEATS);
    tk_jsonw_begin_array(w, "session_seat_ids");
    for (size_t i = 0; i < request->seat_count; i++)
        tk_jsonw_uuid(w, NULL, &request->seats[i]);
    tk_jsonw_end_array(w);
}

void tk_hold_request_encode(struct tk_jsonw *w, const struct tk_hold_request *request)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "reservation_id", &request->reservation_id);
    tk_jsonw_uuid(w, "session_id", &request->session_id);
    if (request->best_available)
        encode_best(w, &request->best);
    else
        encode_seat_ids(w, request);
    tk_jsonw_i64(w, "hold_seconds", request->hold_seconds);
    if (request->request_id.len > 0)
        tk_jsonw_text(w, "request_id", request->request_id);
    tk_jsonw_end_object(w);
}

struct hold_request {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
    const struct tk_json *session_seat_ids;
    const struct tk_json *best;
    int64_t hold_seconds;
    struct tk_slice request_id;
};

static const struct tk_field hold_request_fields[] = {
    FIELD(hold_request, reservation_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(hold_request, session_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(hold_request, session_seat_ids, TK_FIELD_ARRAY, TK_FIELD_OPTIONAL, 1, TK_SEAT_API_MAX_SEATS),
    FIELD(hold_request, best, TK_FIELD_OBJECT, TK_FIELD_OPTIONAL, 0, 0),
    FIELD(hold_request, hold_seconds, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, HOLD_SECONDS_MAX),
    FIELD(hold_request, request_id, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, TK_REQUEST_ID_MAX),
};

static const struct tk_field best_fields[] = {
    FIELD(tk_best_available, section, TK_FIELD_LABEL, TK_FIELD_NULLABLE, 0, LABEL_MAX),
    FIELD(tk_best_available, quantity, TK_FIELD_INT, TK_FIELD_REQUIRED, 1, TK_SEAT_API_MAX_SEATS),
    FIELD(tk_best_available, adjacent, TK_FIELD_BOOL, TK_FIELD_OPTIONAL, 0, 0),
};

static enum tk_err decode_best(const struct tk_json *best, const char *pointer, struct tk_arena *arena,
                               struct tk_hold_request *out, struct tk_json_errors *errors)
{
    out->best_available = true;
    out->best.adjacent = true;
    return tk_json_bind(best, tk_arena_printf(arena, "%s/best", pointer), best_fields, COUNT(best_fields), &out->best,
                        errors);
}

static enum tk_err decode_seat_ids(const struct tk_json *ids, const char *pointer, struct tk_arena *arena,
                                   struct tk_hold_request *out, struct tk_json_errors *errors)
{
    struct tk_uuid *seats;
    const char *seats_pointer = tk_arena_printf(arena, "%s/session_seat_ids", pointer);
    enum tk_err err =
        tk_json_read_uuids(ids, seats_pointer, 1, TK_SEAT_API_MAX_SEATS, arena, &seats, &out->seat_count, errors);
    if (!err)
        out->seats = seats;
    return err;
}

enum tk_err tk_hold_request_decode(const struct tk_json *object, const char *pointer, struct tk_arena *arena,
                                   struct tk_hold_request *out, struct tk_json_errors *errors)
{
    struct hold_request raw = {0};
    if (tk_json_bind(object, pointer, hold_request_fields, COUNT(hold_request_fields), &raw, errors))
        return TK_ERR_INVALID;
    if ((raw.session_seat_ids == NULL) == (raw.best == NULL)) {
        tk_json_errors_add(errors, tk_arena_printf(arena, "%s/session_seat_ids", pointer),
                           raw.best == NULL ? "is required, unless best is given" : "must not be given together with best");
        return TK_ERR_INVALID;
    }
    *out = (struct tk_hold_request){.reservation_id = raw.reservation_id,
                                    .session_id = raw.session_id,
                                    .hold_seconds = raw.hold_seconds,
                                    .request_id = raw.request_id};
    return raw.best != NULL ? decode_best(raw.best, pointer, arena, out, errors)
                            : decode_seat_ids(raw.session_seat_ids, pointer, arena, out, errors);
}

/* --- hold answer -------------------------------------------------------------------------------------------------- */

static void encode_seat(struct tk_jsonw *w, const struct tk_hold_seat *seat, bool held)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "session_seat_id", &seat->session_seat_id);
    tk_jsonw_str(w, "status", tk_seat_status_name(seat->status));
    if (held) {
        tk_jsonw_money(w, "price", seat->price_minor);
        tk_jsonw_text(w, "section", seat->section);
        tk_jsonw_text(w, "row_number", seat->row_number);
        tk_jsonw_text(w, "seat_number", seat->seat_number);
    }
    tk_jsonw_end_object(w);
}

static bool outcome_has_seats(enum tk_hold_outcome outcome)
{
    return outcome == TK_HOLD_HELD || outcome == TK_HOLD_SEATS_TAKEN || outcome == TK_HOLD_UNKNOWN_SEATS;
}

static bool outcome_has_offer(enum tk_hold_outcome outcome)
{
    return outcome == TK_HOLD_NO_ADJACENT_BLOCK || outcome == TK_HOLD_SOLD_OUT;
}

static void encode_offer(struct tk_jsonw *w, const struct tk_hold_answer *answer)
{
    tk_jsonw_begin_object(w, "offer");
    tk_jsonw_i64(w, "available", answer->offer_available);
    tk_jsonw_i64(w, "largest_block", answer->offer_largest_block);
    tk_jsonw_end_object(w);
}

void tk_hold_answer_encode(struct tk_jsonw *w, const struct tk_hold_answer *answer)
{
    bool held = answer->outcome == TK_HOLD_HELD;
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "reservation_id", &answer->reservation_id);
    tk_jsonw_str(w, "outcome", tk_hold_outcome_name(answer->outcome));
    if (held) {
        assert(answer->reserved_until_us != TK_TIME_NONE && answer->seat_count >= 1);
        tk_jsonw_time(w, "reserved_until", answer->reserved_until_us);
        tk_jsonw_str(w, "currency", answer->currency);
    }
    if (outcome_has_seats(answer->outcome)) {
        tk_jsonw_begin_array(w, "seats");
        for (size_t i = 0; i < answer->seat_count; i++)
            encode_seat(w, &answer->seats[i], held);
        tk_jsonw_end_array(w);
    }
    if (outcome_has_offer(answer->outcome))
        encode_offer(w, answer);
    tk_jsonw_end_object(w);
}

void tk_unavailable_seats_append(struct tk_buf *out, const struct tk_hold_seat *seats, size_t count)
{
    tk_buf_append_str(out, "\"unavailable_seats\":");
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_array(&w, NULL);
    for (size_t i = 0; i < count; i++)
        encode_seat(&w, &seats[i], false);
    tk_jsonw_end_array(&w);
}

struct hold_answer {
    struct tk_uuid reservation_id;
    struct tk_slice outcome;
    int64_t reserved_until;
    struct tk_slice currency;
    const struct tk_json *seats;
    const struct tk_json *offer;
};

static const struct tk_field hold_answer_fields[] = {
    FIELD(hold_answer, reservation_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(hold_answer, outcome, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, 64),
    FIELD(hold_answer, reserved_until, TK_FIELD_TIME, TK_FIELD_NULLABLE, 0, 0),
    FIELD(hold_answer, currency, TK_FIELD_TEXT, TK_FIELD_NULLABLE, 3, 3),
    FIELD(hold_answer, seats, TK_FIELD_ARRAY, TK_FIELD_NULLABLE, 0, TK_SEAT_API_MAX_SEATS),
    FIELD(hold_answer, offer, TK_FIELD_OBJECT, TK_FIELD_NULLABLE, 0, 0),
};

struct held_seat {
    struct tk_uuid session_seat_id;
    struct tk_slice status;
    int64_t price;
    struct tk_slice section;
    struct tk_slice row_number;
    struct tk_slice seat_number;
};

/* A lost seat has only the first two; a held one has them all. */
#define LOST_SEAT_FIELDS 2

static const struct tk_field seat_fields[] = {
    FIELD(held_seat, session_seat_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(held_seat, status, TK_FIELD_TEXT, TK_FIELD_REQUIRED, 1, 64),
    FIELD(held_seat, price, TK_FIELD_MONEY, TK_FIELD_REQUIRED, 0, TK_MONEY_MAX_MINOR),
    FIELD(held_seat, section, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 0, LABEL_MAX),
    FIELD(held_seat, row_number, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 0, LABEL_MAX),
    FIELD(held_seat, seat_number, TK_FIELD_LABEL, TK_FIELD_REQUIRED, 0, LABEL_MAX),
};

static enum tk_err decode_seat(const struct tk_json *object, bool held, struct tk_hold_seat *out,
                               struct tk_json_errors *errors)
{
    struct held_seat raw = {0};
    size_t fields = held ? COUNT(seat_fields) : LOST_SEAT_FIELDS;
    if (tk_json_bind_known(object, "", seat_fields, fields, &raw, errors))
        return TK_ERR_INVALID;
    if (tk_seat_status_parse(raw.status, &out->status))
        return TK_ERR_INVALID;
    out->session_seat_id = raw.session_seat_id;
    out->price_minor = raw.price;
    out->section = raw.section;
    out->row_number = raw.row_number;
    out->seat_number = raw.seat_number;
    return TK_OK;
}

static enum tk_err decode_seats(const struct tk_json *array, struct tk_arena *arena, struct tk_hold_answer *out,
                                struct tk_json_errors *errors)
{
    out->seats = tk_arena_alloc(arena, (array->count + 1) * sizeof(*out->seats));
    out->seat_count = 0;
    for (const struct tk_json *seat = array->child; seat != NULL; seat = seat->next) {
        if (decode_seat(seat, out->outcome == TK_HOLD_HELD, &out->seats[out->seat_count], errors))
            return TK_ERR_INVALID;
        out->seat_count++;
    }
    return TK_OK;
}

/* What a held answer must have beyond an outcome. */
static enum tk_err decode_held(const struct hold_answer *raw, struct tk_hold_answer *out)
{
    if (raw->reserved_until == TK_TIME_NONE || raw->currency.len != 3 || raw->seats == NULL || raw->seats->count == 0)
        return TK_ERR_INVALID;
    out->reserved_until_us = raw->reserved_until;
    memcpy(out->currency, raw->currency.ptr, raw->currency.len);
    return TK_OK;
}

struct offer {
    int64_t available;
    int64_t largest_block;
};

static const struct tk_field offer_fields[] = {
    FIELD(offer, available, TK_FIELD_INT, TK_FIELD_REQUIRED, 0, INT32_MAX),
    FIELD(offer, largest_block, TK_FIELD_INT, TK_FIELD_REQUIRED, 0, INT32_MAX),
};

static enum tk_err decode_offer(const struct tk_json *object, struct tk_hold_answer *out, struct tk_json_errors *errors)
{
    struct offer raw = {0};
    if (object == NULL || tk_json_bind_known(object, "", offer_fields, COUNT(offer_fields), &raw, errors))
        return TK_ERR_INVALID;
    out->offer_available = raw.available;
    out->offer_largest_block = raw.largest_block;
    return TK_OK;
}

enum tk_err tk_hold_answer_decode(const struct tk_json *object, struct tk_arena *arena, struct tk_hold_answer *out)
{
    struct tk_json_errors errors = {.arena = arena};
    struct hold_answer raw = {.reserved_until = TK_TIME_NONE};
    if (tk_json_bind_known(object, "", hold_answer_fields, COUNT(hold_answer_fields), &raw, &errors))
        return TK_ERR_INVALID;
    size_t outcome = find_name(hold_outcome_names, COUNT(hold_outcome_names), raw.outcome);
    if (outcome == COUNT(hold_outcome_names))
        return TK_ERR_INVALID;
    *out = (struct tk_hold_answer){
        .reservation_id = raw.reservation_id,
        .outcome = (enum tk_hold_outcome)outcome,
        .reserved_until_us = TK_TIME_NONE,
    };
    if (out->outcome == TK_HOLD_HELD && decode_held(&raw, out))
        return TK_ERR_INVALID;
    if (outcome_has_offer(out->outcome))
        return decode_offer(raw.offer, out, &errors);
    if (raw.seats == NULL || !outcome_has_seats(out->outcome))
        return TK_OK;
    return decode_seats(raw.seats, arena, out, &errors);
}

/* --- release ------------------------------------------------------------------------------------------------------ */

void tk_release_request_encode(struct tk_jsonw *w, const struct tk_release_request *request)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "reservation_id", &request->reservation_id);
    tk_jsonw_uuid(w, "session_id", &request->session_id);
    if (request->revision > 0)
        tk_jsonw_i64(w, "revision", request->revision);
    if (request->reason != TK_RELEASE_REASON_NONE)
        tk_jsonw_str(w, "reason", release_reason_names[request->reason]);
    if (request->request_id.len > 0)
        tk_jsonw_text(w, "request_id", request->request_id);
    tk_jsonw_end_object(w);
}

struct release_request {
    struct tk_uuid reservation_id;
    struct tk_uuid session_id;
    int64_t revision;
    struct tk_slice reason;
    struct tk_slice request_id;
};

static const struct tk_field release_request_fields[] = {
    FIELD(release_request, reservation_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(release_request, session_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0, 0),
    FIELD(release_request, revision, TK_FIELD_INT, 0, 1, INT64_MAX),
    FIELD(release_request, reason, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, 32),
    FIELD(release_request, request_id, TK_FIELD_TEXT, TK_FIELD_OPTIONAL, 1, TK_REQUEST_ID_MAX),
};

enum tk_err tk_release_request_decode(const struct tk_json *object, const char *pointer, struct tk_arena *arena,
                                      struct tk_release_request *out, struct tk_json_errors *errors)
{
    struct release_request raw = {0};
    if (tk_json_bind(object, pointer, release_request_fields, COUNT(release_request_fields), &raw, errors))
        return TK_ERR_INVALID;
    size_t reason = find_name(release_reason_names, COUNT(release_reason_names), raw.reason);
    if (reason == COUNT(release_reason_names)) {
        tk_json_errors_add(errors, tk_arena_printf(arena, "%s/reason", pointer), "is no reason for a release");
        return TK_ERR_INVALID;
    }
    *out = (struct tk_release_request){.reservation_id = raw.reservation_id,
                                       .session_id = raw.session_id,
                                       .revision = raw.revision,
                                       .reason = (enum tk_release_reason)reason,
                                       .request_id = raw.request_id};
    return TK_OK;
}

void tk_release_answer_encode(struct tk_jsonw *w, const struct tk_release_answer *answer)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_uuid(w, "reservation_id", &answer->reservation_id);
    tk_jsonw_str(w, "outcome", tk_release_outcome_name(answer->outcome));
    tk_jsonw_end_object(w);
}

enum tk_err tk_release_answer_decode(const struct tk_json *object, struct tk_release_answer *out)
{
    const struct tk_json *id = tk_json_get(object, "reservation_id");
    const struct tk_json *outcome = tk_json_get(object, "outcome");
    if (id == NULL || id->type != TK_JSON_STRING || outcome == NULL || outcome->type != TK_JSON_STRING)
        return TK_ERR_INVALID;
    size_t i = find_name(release_outcome_names, COUNT(release_outcome_names), outcome->text);
    if (i == COUNT(release_outcome_names))
        return TK_ERR_INVALID;
    out->outcome = (enum tk_release_outcome)i;
    return tk_uuid_parse(id->text, &out->reservation_id);
}
