#include "tests/chaos/check.h"

#include <inttypes.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/contract/message.h"

#define SHOWN   5 /* violations printed of a kind */
#define FOREVER INT64_MAX

/* A reservation as booking_db has it. */
struct row {
    struct tk_uuid id;
    char status[16];
    int64_t made_us;  /* transaction that stored it */
    int64_t ended_us; /* transaction that cancelled or expired it; FOREVER */
    int64_t expiry_us;
    int count;
    struct tk_uuid seats[PURCHASE_MAX_SEATS];
    struct purchase *purchase;
};

/* Somebody had this seat for sure during [from, to). */
struct possession {
    const struct seat_place *seat;
    int64_t from_us;
    int64_t to_us;
    const struct row *row;
};

struct checker {
    const struct history *history;
    struct verdict *verdict;
    struct row *rows;
    size_t row_count;
    struct tk_uuid_map by_id;   /* to struct row * */
    struct tk_uuid_map by_user; /* to struct row * */
};

static void violation(uint64_t *counter, const char *what, const struct tk_uuid *user, const struct tk_uuid *reservation)
{
    if ((*counter)++ < SHOWN)
        printf("VIOLATION %s: user=%s reservation=%s\n", what, user ? TK_UUID_TEXT(user) : "-",
               reservation ? TK_UUID_TEXT(reservation) : "-");
}

/* --- reading ------------------------------------------------------------------------------------------------------- */

static PGresult *query(const char *url, const char *sql)
{
    PGconn *conn = PQconnectdb(url);
    PGresult *result = PQstatus(conn) == CONNECTION_OK ? PQexec(conn, sql) : NULL;
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
        fprintf(stderr, "chaos: %s", PQerrorMessage(conn));
        PQclear(result);
        result = NULL;
    }
    PQfinish(conn);
    return result;
}

static struct tk_uuid uuid_at(const PGresult *result, int row, int column)
{
    struct tk_uuid id = {0};
    if (tk_uuid_parse(tk_slice_of(PQgetvalue(result, row, column)), &id))
        memset(&id, 0, sizeof(id));
    return id;
}

static int64_t int_at(const PGresult *result, int row, int column)
{
    int64_t value = 0;
    if (PQgetisnull(result, row, column))
        return FOREVER;
    return tk_parse_i64(tk_slice_of(PQgetvalue(result, row, column)), &value) ? 0 : value;
}

static const char READ_RESERVATIONS[] =
    "SELECT r.id, r.user_id, r.status, (extract(epoch FROM r.created_at) * 1000000)::bigint,"
    " (extract(epoch FROM h.at) * 1000000)::bigint, (extract(epoch FROM r.expiry_time) * 1000000)::bigint"
    " FROM reservations r LEFT JOIN reservation_history h ON h.reservation_id = r.id AND h.revision = r.revision"
    " AND h.to_status IN ('cancelled', 'expired') WHERE r.seats_count > 0";

static void take_row(struct checker *c, const PGresult *result, int at)
{
    struct row *row = &c->rows[c->row_count++];
    struct tk_uuid user = uuid_at(result, at, 1);
    row->id = uuid_at(result, at, 0);
    snprintf(row->status, sizeof(row->status), "%s", PQgetvalue(result, at, 2));
    row->made_us = int_at(result, at, 3);
    row->ended_us = int_at(result, at, 4);
    row->expiry_us = int_at(result, at, 5);
    row->purchase = tk_uuid_map_get(&c->history->by_user, &user);
    tk_uuid_map_put(&c->by_id, &row->id, row);
    if (row->purchase == NULL)
        violation(&c->verdict->unasked, "a reservation nobody asked for", &user, &row->id);
    else if (tk_uuid_map_get(&c->by_user, &user) != NULL)
        violation(&c->verdict->duplicated, "two reservations under one key", &user, &row->id);
    else
        memcpy(row->purchase->end, row->status, sizeof(row->status));
    tk_uuid_map_put(&c->by_user, &user, row);
}

static enum tk_err read_reservations(struct checker *c, const char *url)
{
    PGresult *result = query(url, READ_RESERVATIONS);
    if (result == NULL)
        return TK_ERR_UNAVAILABLE;
    c->rows = tk_alloc(((size_t)PQntuples(result) + 1) * sizeof(*c->rows));
    for (int i = 0; i < PQntuples(result); i++)
        take_row(c, result, i);
    PQclear(result);
    return TK_OK;
}

static enum tk_err read_items(struct checker *c, const char *url)
{
    PGresult *result = query(url, "SELECT reservation_id, session_seat_id FROM reservation_items");
    if (result == NULL)
        return TK_ERR_UNAVAILABLE;
    for (int i = 0; i < PQntuples(result); i++) {
        struct tk_uuid id = uuid_at(result, i, 0);
        struct row *row = tk_uuid_map_get(&c->by_id, &id);
        if (row == NULL)
            violation(&c->verdict->unasked, "an item without a reservation", NULL, &id);
        else if (row->count < PURCHASE_MAX_SEATS)
            row->seats[row->count++] = uuid_at(result, i, 1);
        else
            violation(&c->verdict->untrue, "more items than were asked for", NULL, &id);
    }
    PQclear(result);
    return TK_OK;
}

/* Counts `sql`'s rows, each a violation. */
static enum tk_err count_rows(const char *url, const char *sql, uint64_t *counter, const char *what)
{
    PGresult *result = query(url, sql);
    if (result == NULL)
        return TK_ERR_UNAVAILABLE;
    for (int i = 0; i < PQntuples(result); i++)
        if ((*counter)++ < SHOWN)
            printf("VIOLATION %s: %s\n", what, PQgetvalue(result, i, 0));
    PQclear(result);
    return TK_OK;
}

/* --- each purchase against its row --------------------------------------------------------------------------------- */

static bool same_seats(const struct history *h, const struct purchase *p, const struct row *row)
{
    int found = 0;
    for (int i = 0; i < p->seat_count; i++)
        for (int j = 0; j < row->count; j++)
            found += tk_uuid_eq(&h->seats[p->seats[i]].seat, &row->seats[j]);
    return found == p->seat_count && row->count == p->seat_count;
}

/* A step that ends in `status`: told so and it is not, or it is and nobody asked or was told otherwise. */
static void check_step(struct verdict *v, const struct purchase *p, const struct row *row, const struct step *step,
                       const char *status)
{
    bool is = row != NULL && strcmp(row->status, status) == 0;
    if (step->outcome == OUTCOME_OK && !is)
        violation(&v->lost, status, &p->user, &p->reservation);
    if (is && step->outcome == OUTCOME_NOT_ASKED)
        violation(&v->unasked, status, &p->user, &row->id);
    if (is && (step->outcome == OUTCOME_REFUSED || step->outcome == OUTCOME_NOT_APPLIED))
        violation(&v->untrue, status, &p->user, &row->id);
    if (step->outcome == OUTCOME_UNKNOWN)
        violation(&v->unresolved, status, &p->user, &p->reservation);
    v->acknowledged += step->outcome == OUTCOME_OK;
    v->recovered += step->outcome == OUTCOME_OK && step->was_unknown;
}

static void check_hold(struct checker *c, const struct purchase *p, const struct row *row)
{
    struct verdict *v = c->verdict;
    bool lives = row != NULL && strcmp(row->status, "expired") != 0 && strcmp(row->status, "cancelled") != 0;
    if (p->hold.outcome == OUTCOME_OK && row == NULL)
        violation(&v->lost, "reservation", &p->user, &p->reservation);
    else if (p->hold.outcome == OUTCOME_OK && !tk_uuid_eq(&row->id, &p->reservation))
        violation(&v->untrue, "answered under another id", &p->user, &row->id);
    if (row != NULL && !same_seats(c->history, p, row))
        violation(&v->untrue, "other seats than asked for", &p->user, &row->id);
    if (p->hold.outcome == OUTCOME_REFUSED && (lives || (row != NULL && !p->hold.was_unknown)))
        violation(&v->untrue, "refused and stored", &p->user, &row->id);
    if (p->hold.outcome == OUTCOME_NOT_APPLIED && row != NULL)
        violation(&v->untrue, "nothing was applied, and yet stored", &p->user, &row->id);
    if (p->hold.outcome == OUTCOME_UNKNOWN)
        violation(&v->unresolved, "hold", &p->user, row ? &row->id : NULL);
    v->acknowledged += p->hold.outcome == OUTCOME_OK;
    v->recovered += p->hold.outcome == OUTCOME_OK && p->hold.was_unknown;
}

static void check_purchases(struct checker *c)
{
    for (size_t i = 0; i < c->history->count; i++) {
        const struct purchase *p = c->history->purchases[i];
        const struct row *row = tk_uuid_map_get(&c->by_user, &p->user);
        check_hold(c, p, row);
        check_step(c->verdict, p, row, &p->confirm, "confirmed");
        check_step(c->verdict, p, row, &p->cancel, "cancelled");
    }
}

/* --- one seat, one owner ------------------------------------------------------------------------------------------- */

static int by_seat_and_time(const void *a, const void *b)
{
    const struct possession *x = a;
    const struct possession *y = b;
    if (x->seat != y->seat)
        return x->seat < y->seat ? -1 : 1;
    return x->from_us < y->from_us ? -1 : x->from_us > y->from_us;
}

static void check_overlaps(struct checker *c, struct possession *list, size_t count, const char *what)
{
    qsort(list, count, sizeof(*list), by_seat_and_time);
    int64_t until_us = 0;
    for (size_t i = 0; i < count; i++) {
        bool same = i > 0 && list[i].seat == list[i - 1].seat;
        if (same && list[i].from_us < until_us)
            violation(&c->verdict->overlaps, what, &list[i].row->purchase->user, &list[i].row->id);
        if (!same || list[i].to_us > until_us)
            until_us = list[i].to_us;
    }
}

/* The client's view: from the answer to the moment it asked to cancel, or to the expiry; for ever once it is sold. */
static bool seen_by_client(const struct row *row, struct possession *out)
{
    const struct purchase *p = row->purchase;
    if (p->hold.outcome != OUTCOME_OK)
        return false;
    out->from_us = p->hold.answered_us;
    out->to_us = row->expiry_us;
    if (strcmp(row->status, "confirmed") == 0)
        out->to_us = FOREVER;
    else if (p->cancel.outcome != OUTCOME_NOT_ASKED && p->cancel.invoked_us < out->to_us)
        out->to_us = p->cancel.invoked_us;
    return out->from_us < out->to_us;
}

/* The database's view, which includes what nobody was told. */
static bool seen_by_database(const struct row *row, struct possession *out)
{
    out->from_us = row->made_us;
    out->to_us = row->ended_us;
    return true;
}

static void check_seats(struct checker *c, bool (*seen)(const struct row *, struct possession *), const char *what)
{
    struct possession *list = tk_alloc((c->row_count + 1) * PURCHASE_MAX_SEATS * sizeof(*list));
    size_t count = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct row *row = &c->rows[i];
        struct possession one = {.row = row};
        if (row->purchase == NULL || !seen(row, &one))
            continue;
        for (int s = 0; s < row->count; s++) {
            one.seat = tk_uuid_map_get(&c->history->by_seat, &row->seats[s]);
            if (one.seat != NULL)
                list[count++] = one;
        }
    }
    check_overlaps(c, list, count, what);
    free(list);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a;
    int64_t y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void check_expiries(struct checker *c)
{
    int64_t *lags = tk_alloc((c->row_count + 1) * sizeof(*lags));
    size_t count = 0;
    for (size_t i = 0; i < c->row_count; i++) {
        const struct row *row = &c->rows[i];
        if (strcmp(row->status, "expired") != 0)
            continue;
        if (row->ended_us < row->expiry_us)
            violation(&c->verdict->early, "expired early", NULL, &row->id);
        lags[count++] = (row->ended_us - row->expiry_us) / TK_US_PER_MS;
    }
    qsort(lags, count, sizeof(*lags), by_value);
    c->verdict->expired = count;
    c->verdict->expiry_lag_p99_ms = count > 0 ? lags[(count - 1) * 99 / 100] : 0;
    free(lags);
}

/* --- both databases ------------------------------------------------------------------------------------------------ */

#define BOOKED                                                                                                             \
    "SELECT i.session_seat_id, i.reservation_id, CASE r.status WHEN 'confirmed' THEN 'sold' ELSE 'reserved' END AS state"  \
    " FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id"                                             \
    " WHERE r.status IN ('active', 'paying', 'confirmed')"
#define HELD "SELECT session_seat_id, reservation_id, status::text AS state FROM session_seats WHERE status <> 'available'"
#define DIGEST(rows)                                                                                                       \
    "SELECT count(*) || '/' || coalesce(sum(hashtextextended(session_seat_id::text || reservation_id || state, "           \
    "0)::numeric),"                                                                                                        \
    " 0) FROM (" rows ") AS seats"
#define LIST(rows) "SELECT session_seat_id || ' ' || reservation_id || ' ' || state FROM (" rows ") AS seats ORDER BY 1"

static bool same_digest(const struct databases *d)
{
    PGresult *booked = query(d->booking_url, DIGEST(BOOKED));
    PGresult *held = query(d->event_url, DIGEST(HELD));
    bool same = booked && held && strcmp(PQgetvalue(booked, 0, 0), PQgetvalue(held, 0, 0)) == 0;
    PQclear(booked);
    PQclear(held);
    return same;
}

bool check_agrees(const struct databases *databases)
{
    PGresult *open = query(databases->booking_url, "SELECT (SELECT count(*) FROM outbox) +"
                                                   " (SELECT count(*) FROM reservations WHERE status = 'paying')");
    bool settled = open != NULL && strcmp(PQgetvalue(open, 0, 0), "0") == 0;
    PQclear(open);
    return settled && same_digest(databases);
}

static void differ(struct verdict *v, const char *who, const char *line)
{
    if (v->disagree++ < SHOWN)
        printf("VIOLATION only %s has: %s\n", who, line);
}

/* Both lists are sorted. */
static enum tk_err compare_lists(struct verdict *v, const struct databases *d)
{
    PGresult *booked = query(d->booking_url, LIST(BOOKED));
    PGresult *held = query(d->event_url, LIST(HELD));
    int b = 0;
    int h = 0;
    while (booked && held && (b < PQntuples(booked) || h < PQntuples(held))) {
        const char *in_booking = b < PQntuples(booked) ? PQgetvalue(booked, b, 0) : "~";
        const char *in_event = h < PQntuples(held) ? PQgetvalue(held, h, 0) : "~";
        int order = strcmp(in_booking, in_event);
        if (order < 0)
            differ(v, "booking_db", in_booking);
        else if (order > 0)
            differ(v, "event_service", in_event);
        b += order <= 0;
        h += order >= 0;
    }
    PQclear(booked);
    PQclear(held);
    return booked && held ? TK_OK : TK_ERR_UNAVAILABLE;
}

static enum tk_err check_rules(const struct databases *d, struct verdict *v)
{
    static const struct {
        const char *what;
        const char *sql;
    } RULES[] = {
        {"a confirmed item without a ticket, or a ticket of somebody else",
         "SELECT coalesce(t.reservation_id, r.id) FROM (reservation_items i JOIN reservations r ON r.id = i.reservation_id "
         "AND"
         " r.status = 'confirmed') FULL JOIN tickets t ON t.session_seat_id = i.session_seat_id AND t.reservation_id = r.id"
         " WHERE t.id IS NULL OR r.id IS NULL"},
        {"a confirmed reservation without exactly one payment",
         "SELECT id FROM reservations r WHERE status = 'confirmed' AND (SELECT count(*) FROM payment_attempts p WHERE"
         " p.reservation_id = r.id AND p.status = 'succeeded' AND p.amount_minor = r.total_minor) <> 1"},
        {"a payment for nothing",
         "SELECT r.id FROM payment_attempts p JOIN reservations r ON r.id = p.reservation_id WHERE p.status = 'succeeded'"
         " AND r.status NOT IN ('confirmed', 'refunded')"},
        {"a history that does not end in the state", "SELECT r.id FROM reservations r LEFT JOIN reservation_history h ON "
                                                     "h.reservation_id = r.id AND h.revision = r.revision"
                                                     " WHERE r.seats_count > 0 AND h.to_status IS DISTINCT FROM r.status"},
    };
    for (size_t i = 0; i < sizeof(RULES) / sizeof(RULES[0]); i++)
        if (count_rows(d->booking_url, RULES[i].sql, &v->untrue, RULES[i].what))
            return TK_ERR_UNAVAILABLE;
    return count_rows(d->event_url,
                      "SELECT session_seat_id FROM session_seats WHERE (status = 'available') <> (reservation_id IS NULL)",
                      &v->untrue, "a free seat with an owner, or a taken one without");
}

/* What was refused must have made no sense; garbage comes from the shuffler. Sound messages may be given up on by the
 * broker, when their consumer died at each of five deliveries: then they wait for a person, and both databases must agree
 * without them. */
static enum tk_err check_dead_letters(const char *url, struct verdict *v)
{
    PGresult *result = query(url, "SELECT body, reason FROM dead_letters");
    if (result == NULL)
        return TK_ERR_UNAVAILABLE;
    v->dead_letters = (uint64_t)PQntuples(result);
    for (int i = 0; i < PQntuples(result); i++) {
        if (strcmp(PQgetvalue(result, i, 1), "delivery_limit") == 0)
            continue;
        struct tk_arena arena = {0};
        struct tk_reservation_message message;
        const char *why;
        size_t len = 0;
        unsigned char *body = PQunescapeBytea((const unsigned char *)PQgetvalue(result, i, 0), &len);
        if (tk_reservation_message_decode((struct tk_slice){.ptr = (const char *)body, .len = len}, &arena, &message,
                                          &why) == TK_OK)
            violation(&v->unasked, "a sound message was set aside", NULL, &message.reservation_id);
        PQfreemem(body);
        tk_arena_release(&arena);
    }
    PQclear(result);
    return TK_OK;
}

/* --- the whole ----------------------------------------------------------------------------------------------------- */

static void count_tombstones(const char *url, struct verdict *v)
{
    PGresult *result = query(url, "SELECT count(*) FROM reservations WHERE seats_count = 0");
    v->tombstones = result ? (uint64_t)int_at(result, 0, 0) : 0;
    PQclear(result);
}

enum tk_err check_all(const struct databases *databases, const struct history *history, struct verdict *out)
{
    struct checker c = {.history = history, .verdict = out};
    *out = (struct verdict){0};
    enum tk_err err = read_reservations(&c, databases->booking_url);
    if (!err)
        err = read_items(&c, databases->booking_url);
    if (!err) {
        check_purchases(&c);
        check_seats(&c, seen_by_client, "a seat was promised to two at a time");
        check_seats(&c, seen_by_database, "a seat was stored for two at a time");
        check_expiries(&c);
        count_tombstones(databases->booking_url, out);
        err = check_rules(databases, out);
    }
    if (!err)
        err = compare_lists(out, databases);
    if (!err)
        err = check_dead_letters(databases->event_url, out);
    out->untrue += history->contradictions;
    free(c.rows);
    tk_uuid_map_release(&c.by_id);
    tk_uuid_map_release(&c.by_user);
    return err;
}

uint64_t verdict_violations(const struct verdict *v)
{
    return v->lost + v->duplicated + v->unasked + v->untrue + v->overlaps + v->unresolved + v->early + v->disagree;
}

void verdict_print(const struct verdict *v, FILE *file)
{
    fprintf(file, "acknowledged %" PRIu64 ", of them recovered %" PRIu64 "\n", v->acknowledged, v->recovered);
    fprintf(file,
            "lost %" PRIu64 ", duplicated %" PRIu64 ", unasked %" PRIu64 ", untrue %" PRIu64 ", overlaps %" PRIu64
            ", unresolved %" PRIu64 ", early %" PRIu64 ", disagree %" PRIu64 "\n",
            v->lost, v->duplicated, v->unasked, v->untrue, v->overlaps, v->unresolved, v->early, v->disagree);
    fprintf(file, "expired %" PRIu64 " holds, p99 %" PRId64 " ms late; %" PRIu64 " tombstones; %" PRIu64 " dead letters\n",
            v->expired, v->expiry_lag_p99_ms, v->tombstones, v->dead_letters);
}
