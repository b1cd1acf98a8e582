/*
 * SQL of reserve and settle, and the reading of their rows.
 *
 * How a statement knows which hold rows are its own: `xmin = pg_current_xact_id()`, since a row this transaction inserted
 * carries its id. Rows that were there before do not, even when this transaction has locked them.
 *
 * Plans (Postgres 15, 1,000,000 seats, 64 holds of 3 seats, generic plan): index scans on holds_pkey, session_seats_pkey,
 * seats_pkey and session_versions_pkey only; 0.4 ms for the first statement, 3.5 ms for the second. The planner expects 10
 * rows from unnest whatever comes, and would scan a small table instead; hence SEAT_STORE_SERVER_OPTIONS.
 */
#include "event-svc/adapters/seat_store.h"

#include <assert.h>
#include <string.h>

#include "event-svc/adapters/statements.h"
#include "shared/base/mem.h"
#include "shared/json/writer.h"

/* $1 session ids, $2 reservation ids, $3 seconds, $4 and $5 each one's first and last place in $6, all seats */
const struct tk_pg_statement sql_reserve_holds = {
    "reserve_holds",
    "INSERT INTO holds (session_id, reservation_id, state, reserved_until, session_seat_ids) "
    "SELECT i.session_id, i.reservation_id, 'held', now() + i.hold_seconds * interval '1 second', "
    "($6::uuid[])[i.first:i.last] "
    "FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::int4[], $5::int4[]) "
    "AS i (session_id, reservation_id, hold_seconds, first, last) "
    "JOIN sessions s ON s.session_id = i.session_id AND s.start_time > now() "
    "ORDER BY i.session_id, i.reservation_id "
    "ON CONFLICT DO NOTHING",
};

/*
 * Answers a head row per item (no session_seat_id) and a row per seat: of fresh holds as found, of replayed ones as stored.
 * Losers' hold rows are removed again, so that their ids stay free.
 */
const struct tk_pg_statement sql_reserve_seats = {
    "reserve_seats",
    "WITH item AS MATERIALIZED ("
    "  SELECT i.ord::int4 AS ord, i.session_id, i.reservation_id, ($5::uuid[])[i.first:i.last] AS seats,"
    "         h.state, h.reserved_until, h.session_seat_ids = ($5::uuid[])[i.first:i.last] AS same_seats,"
    "         coalesce(h.xmin = pg_current_xact_id()::xid, false) AS fresh"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::int4[]) WITH ORDINALITY"
    "       AS i (session_id, reservation_id, first, last, ord)"
    "  LEFT JOIN holds h ON h.session_id = i.session_id AND h.reservation_id = i.reservation_id"
    "), locked AS MATERIALIZED ("
    "  SELECT w.ord, w.reservation_id, w.wanted, ss.session_id, ss.session_seat_id, ss.seat_id, ss.status, ss.price_minor"
    "  FROM (SELECT i.ord, i.session_id, i.reservation_id, cardinality(i.seats) AS wanted, u.seat"
    "        FROM item i CROSS JOIN LATERAL unnest(i.seats) AS u (seat) WHERE i.fresh) w"
    "  JOIN session_seats ss ON ss.session_id = w.session_id AND ss.session_seat_id = w.seat"
    "  ORDER BY ss.session_id, ss.session_seat_id FOR UPDATE OF ss"
    "), judged AS MATERIALIZED ("
    "  SELECT l.*, count(*) FILTER (WHERE l.status = 'available') OVER (PARTITION BY l.ord) = l.wanted AS won FROM locked l"
    "), taken AS ("
    "  UPDATE session_seats ss SET status = 'reserved', reservation_id = j.reservation_id"
    "  FROM judged j WHERE j.won AND ss.session_id = j.session_id AND ss.session_seat_id = j.session_seat_id"
    "  RETURNING ss.session_id"
    "), undone AS ("
    "  DELETE FROM holds h USING item i"
    "  WHERE i.fresh AND i.ord NOT IN (SELECT j.ord FROM judged j WHERE j.won)"
    "    AND h.session_id = i.session_id AND h.reservation_id = i.reservation_id"
    "), touched AS MATERIALIZED ("
    "  SELECT v.session_id FROM session_versions v WHERE v.session_id IN (SELECT t.session_id FROM taken t)"
    "  ORDER BY v.session_id FOR UPDATE"
    "), bumped AS ("
    "  UPDATE session_versions v SET version = v.version + 1 FROM touched t WHERE v.session_id = t.session_id"
    ") "
    "SELECT i.ord, i.fresh, i.state::text, i.same_seats, i.reserved_until, s.currency, s.start_time > now(),"
    "       NULL::uuid, NULL::text, NULL::int8, NULL::text, NULL::text, NULL::text "
    "FROM item i LEFT JOIN sessions s ON s.session_id = i.session_id "
    "UNION ALL "
    "SELECT j.ord, true, NULL, NULL, NULL, NULL, NULL,"
    "       j.session_seat_id, j.status::text, j.price_minor, p.section, p.row_number, p.seat_number "
    "FROM judged j JOIN seats p ON p.seat_id = j.seat_id "
    "UNION ALL "
    "SELECT i.ord, false, NULL, NULL, NULL, NULL, NULL,"
    "       ss.session_seat_id, ss.status::text, ss.price_minor, p.section, p.row_number, p.seat_number "
    "FROM item i CROSS JOIN LATERAL unnest(i.seats) AS u (seat) "
    "JOIN session_seats ss ON ss.session_id = i.session_id AND ss.session_seat_id = u.seat "
    "JOIN seats p ON p.seat_id = ss.seat_id "
    "WHERE NOT i.fresh AND i.same_seats AND i.state IN ('held', 'sold')",
};

enum reserve_column {
    COL_ORD,
    COL_FRESH,
    COL_STATE,
    COL_SAME_SEATS,
    COL_RESERVED_UNTIL,
    COL_CURRENCY,
    COL_OPEN,
    COL_SEAT_ID,
    COL_STATUS,
    COL_PRICE,
    COL_SECTION,
    COL_ROW_NUMBER,
    COL_SEAT_NUMBER,
};

/*
 * $1 session ids, $2 reservation ids, $3 sell?, $4 revisions (NULL: a command). Locks the hold rows there are; releases of
 * what is unknown leave a tombstone. A confirmation never inserts: what it confirms was held before it could be sent.
 */
const struct tk_pg_statement sql_settle_holds = {
    "settle_holds",
    "INSERT INTO holds (session_id, reservation_id, state, revision, reserved_until, session_seat_ids) "
    "SELECT i.session_id, i.reservation_id, 'released', coalesce(i.revision, 0), now(), '{}' "
    "FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::int8[]) AS i (session_id, reservation_id, sell, revision) "
    "WHERE CASE WHEN i.sell"
    "  THEN EXISTS (SELECT FROM holds h WHERE h.session_id = i.session_id AND h.reservation_id = i.reservation_id)"
    "  ELSE EXISTS (SELECT FROM sessions s WHERE s.session_id = i.session_id) END "
    "ORDER BY i.session_id, i.reservation_id "
    "ON CONFLICT (session_id, reservation_id) DO UPDATE SET revision = holds.revision WHERE false",
};

/* $5 and $6: first and last place in $7 of the seats a message names; 0 and -1: none. The fence is reservation_id. */
const struct tk_pg_statement sql_settle_seats = {
    "settle_seats",
    "WITH item AS MATERIALIZED ("
    "  SELECT i.ord::int4 AS ord, i.session_id, i.reservation_id, i.sell, i.revision, h.state, h.session_seat_ids AS seats,"
    "    CASE WHEN h.state IS NULL THEN 'unknown'"
    "         WHEN h.xmin = pg_current_xact_id()::xid THEN 'tombstoned'"
    "         WHEN i.revision <= h.revision THEN 'stale'"
    "         WHEN i.sell AND h.state = 'released' THEN 'conflict'"
    "         WHEN i.sell AND i.first > 0 AND h.session_seat_ids <> ($7::uuid[])[i.first:i.last] THEN 'conflict'"
    "         WHEN NOT i.sell AND h.state = 'sold' THEN 'conflict'"
    "         ELSE 'applied' END AS verdict"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::int8[], $5::int4[], $6::int4[]) WITH ORDINALITY"
    "       AS i (session_id, reservation_id, sell, revision, first, last, ord)"
    "  LEFT JOIN holds h ON h.session_id = i.session_id AND h.reservation_id = i.reservation_id"
    "), locked AS MATERIALIZED ("
    "  SELECT w.ord, w.sell, w.owned, ss.session_id, ss.session_seat_id,"
    "         ss.status = 'reserved' AND ss.reservation_id = w.reservation_id AS mine"
    "  FROM (SELECT i.ord, i.session_id, i.reservation_id, i.sell, cardinality(i.seats) AS owned, u.seat"
    "        FROM item i CROSS JOIN LATERAL unnest(i.seats) AS u (seat)"
    "        WHERE i.verdict = 'applied' AND i.state = 'held') w"
    "  JOIN session_seats ss ON ss.session_id = w.session_id AND ss.session_seat_id = w.seat"
    "  ORDER BY ss.session_id, ss.session_seat_id FOR UPDATE OF ss"
    "), judged AS MATERIALIZED ("
    "  SELECT l.*, NOT l.sell OR count(*) FILTER (WHERE l.mine) OVER (PARTITION BY l.ord) = l.owned AS sound FROM locked l"
    "), changed AS ("
    "  UPDATE session_seats ss SET status = CASE WHEN j.sell THEN 'sold'::seat_status ELSE 'available' END,"
    "    reservation_id = CASE WHEN j.sell THEN ss.reservation_id END"
    "  FROM judged j WHERE j.mine AND j.sound"
    "    AND ss.session_id = j.session_id AND ss.session_seat_id = j.session_seat_id"
    "  RETURNING ss.session_id"
    "), final AS MATERIALIZED ("
    "  SELECT i.ord, i.session_id, i.reservation_id, i.sell, i.revision, i.state,"
    "    CASE WHEN i.verdict = 'applied' AND i.state = 'held' AND i.sell"
    "              AND i.ord NOT IN (SELECT j.ord FROM judged j WHERE j.sound)"
    "         THEN 'conflict' ELSE i.verdict END AS verdict"
    "  FROM item i"
    "), settled AS ("
    "  UPDATE holds h SET state = CASE WHEN f.sell THEN 'sold'::hold_state ELSE 'released' END,"
    "    revision = coalesce(f.revision, h.revision)"
    "  FROM final f WHERE f.verdict = 'applied' AND (f.state = 'held' OR f.revision IS NOT NULL)"
    "    AND h.session_id = f.session_id AND h.reservation_id = f.reservation_id"
    "), touched AS MATERIALIZED ("
    "  SELECT v.session_id FROM session_versions v WHERE v.session_id IN (SELECT c.session_id FROM changed c)"
    "  ORDER BY v.session_id FOR UPDATE"
    "), bumped AS ("
    "  UPDATE session_versions v SET version = v.version + 1 FROM touched t WHERE v.session_id = t.session_id"
    ") "
    "SELECT f.ord, f.verdict FROM final f",
};

/* --- reserve ------------------------------------------------------------------------------------------------------ */

static void add_keys(struct tk_params *p, const struct hold_line *lines, size_t count)
{
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        tk_params_array_uuid(p, &lines[i].request->session_id);
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        tk_params_array_uuid(p, &lines[i].request->reservation_id);
    tk_params_array_end(p);
}

/* Where each line's seats stand in the flat array, counted from 1, then the flat array. */
static void add_seats(struct tk_params *p, const struct hold_line *lines, size_t count)
{
    int32_t place = 1;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; place += (int32_t)lines[i].request->seat_count, i++)
        tk_params_array_i32(p, place);
    tk_params_array_end(p);
    place = 0;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; i++)
        tk_params_array_i32(p, place += (int32_t)lines[i].request->seat_count);
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lines[i].request->seat_count; k++)
            tk_params_array_uuid(p, &lines[i].sorted_seats[k]);
    tk_params_array_end(p);
}

void seat_store_reserve(struct tk_pg_op *op, const struct hold_line *lines, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_reserve_holds);
    add_keys(p, lines, count);
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; i++)
        tk_params_array_i32(p, (int32_t)lines[i].request->hold_seconds);
    tk_params_array_end(p);
    add_seats(p, lines, count);
    p = tk_pg_op_step(op, &sql_reserve_seats);
    add_keys(p, lines, count);
    add_seats(p, lines, count);
}

struct reserve_reading {
    const PGresult *rows;
    const struct hold_line *lines;
    struct tk_arena *const *arenas;
    struct tk_hold_answer *answers;
    struct hold_facts *facts;
};

static void read_head(struct reserve_reading *r, int row, size_t i)
{
    struct tk_slice currency = tk_row_text(r->rows, row, COL_CURRENCY);
    struct hold_facts *facts = &r->facts[i];
    facts->fresh = tk_row_bool(r->rows, row, COL_FRESH);
    facts->state = hold_state_of(tk_row_text(r->rows, row, COL_STATE));
    facts->same_seats = tk_row_bool(r->rows, row, COL_SAME_SEATS);
    facts->session_exists = currency.len > 0;
    facts->session_open = tk_row_bool(r->rows, row, COL_OPEN);
    r->answers[i].reserved_until_us = tk_row_time(r->rows, row, COL_RESERVED_UNTIL);
    if (currency.len == 3)
        memcpy(r->answers[i].currency, currency.ptr, 3);
}

static size_t place_of(const struct tk_hold_request *request, const struct tk_uuid *seat)
{
    size_t k = 0;
    while (k < request->seat_count && !tk_uuid_eq(&request->seats[k], seat))
        k++;
    assert(k < request->seat_count);
    return k;
}

static struct tk_slice keep(struct tk_arena *arena, struct tk_slice text)
{
    return (struct tk_slice){.ptr = tk_slice_dup(arena, text), .len = text.len};
}

/* Every answer starts with a place per requested seat, status unknown; the rows fill the places. */
static void read_seat(struct reserve_reading *r, int row, size_t i)
{
    struct tk_uuid id = tk_row_uuid(r->rows, row, COL_SEAT_ID);
    struct tk_hold_seat *seat = &r->answers[i].seats[place_of(r->lines[i].request, &id)];
    if (tk_seat_status_parse(tk_row_text(r->rows, row, COL_STATUS), &seat->status))
        assert(!"seat_status and enum tk_seat_status differ");
    seat->price_minor = tk_row_i64(r->rows, row, COL_PRICE);
    seat->section = keep(r->arenas[i], tk_row_text(r->rows, row, COL_SECTION));
    seat->row_number = keep(r->arenas[i], tk_row_text(r->rows, row, COL_ROW_NUMBER));
    seat->seat_number = keep(r->arenas[i], tk_row_text(r->rows, row, COL_SEAT_NUMBER));
    r->facts[i].found++;
    r->facts[i].available += seat->status == TK_SEAT_AVAILABLE;
}

static void start_answer(struct tk_hold_answer *answer, const struct tk_hold_request *request, struct tk_arena *arena)
{
    *answer = (struct tk_hold_answer){.reservation_id = request->reservation_id, .reserved_until_us = TK_TIME_NONE};
    answer->seats = tk_arena_alloc(arena, request->seat_count * sizeof(*answer->seats));
    answer->seat_count = request->seat_count;
    for (size_t k = 0; k < request->seat_count; k++)
        answer->seats[k] = (struct tk_hold_seat){.session_seat_id = request->seats[k], .status = TK_SEAT_UNKNOWN};
}

/* A refusal names only the seats it is about. */
static void keep_lost_seats(struct tk_hold_answer *answer)
{
    size_t kept = 0;
    for (size_t k = 0; k < answer->seat_count; k++) {
        enum tk_seat_status status = answer->seats[k].status;
        bool lost = answer->outcome == TK_HOLD_SEATS_TAKEN     ? status != TK_SEAT_AVAILABLE
                    : answer->outcome == TK_HOLD_UNKNOWN_SEATS ? status == TK_SEAT_UNKNOWN
                                                               : false;
        if (lost)
            answer->seats[kept++] = answer->seats[k];
    }
    answer->seat_count = kept;
    answer->reserved_until_us = TK_TIME_NONE;
}

static void close_answer(struct tk_hold_answer *answer, const struct hold_facts *facts)
{
    if (answer->outcome != TK_HOLD_HELD) {
        keep_lost_seats(answer);
        return;
    }
    for (size_t k = 0; facts->fresh && k < answer->seat_count; k++)
        answer->seats[k].status = TK_SEAT_RESERVED;
}

void seat_store_read_reserve(const struct tk_pg_outcome *outcome, const struct hold_line *lines, size_t count,
                             struct tk_arena *const *arenas, struct tk_hold_answer *answers, enum tk_err *errs)
{
    struct reserve_reading r = {.rows = outcome->rows[1], .lines = lines, .arenas = arenas, .answers = answers};
    r.facts = tk_alloc(count * sizeof(*r.facts));
    for (size_t i = 0; i < count; i++) {
        r.facts[i].wanted = lines[i].request->seat_count;
        start_answer(&answers[i], lines[i].request, arenas[i]);
    }
    for (int row = 0; row < PQntuples(r.rows); row++) {
        size_t i = (size_t)tk_row_i32(r.rows, row, COL_ORD) - 1;
        assert(i < count);
        if (tk_row_is_null(r.rows, row, COL_SEAT_ID))
            read_head(&r, row, i);
        else
            read_seat(&r, row, i);
    }
    for (size_t i = 0; i < count; i++) {
        errs[i] = hold_judge(&r.facts[i], &answers[i].outcome);
        if (!errs[i])
            close_answer(&answers[i], &r.facts[i]);
    }
    free(r.facts);
}

/* --- settle ------------------------------------------------------------------------------------------------------- */

static void add_settle_keys(struct tk_params *p, const struct settle_line *lines, size_t count)
{
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        tk_params_array_uuid(p, &lines[i].session_id);
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        tk_params_array_uuid(p, &lines[i].reservation_id);
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_BOOL);
    for (size_t i = 0; i < count; i++)
        tk_params_array_bool(p, lines[i].sell);
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_INT8);
    for (size_t i = 0; i < count; i++) {
        if (lines[i].revision > 0)
            tk_params_array_i64(p, lines[i].revision);
        else
            tk_params_array_null(p);
    }
    tk_params_array_end(p);
}

static void add_settle_seats(struct tk_params *p, const struct settle_line *lines, size_t count)
{
    int32_t place = 1;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; i++) {
        tk_params_array_i32(p, lines[i].seats != NULL ? place : 0);
        place += lines[i].seats != NULL ? (int32_t)lines[i].seat_count : 0;
    }
    tk_params_array_end(p);
    place = 0;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; i++) {
        place += lines[i].seats != NULL ? (int32_t)lines[i].seat_count : 0;
        tk_params_array_i32(p, lines[i].seats != NULL ? place : -1);
    }
    tk_params_array_end(p);
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; lines[i].seats != NULL && k < lines[i].seat_count; k++)
            tk_params_array_uuid(p, &lines[i].seats[k]);
    tk_params_array_end(p);
}

void seat_store_settle(struct tk_pg_op *op, const struct settle_line *lines, size_t count)
{
    add_settle_keys(tk_pg_op_step(op, &sql_settle_holds), lines, count);
    struct tk_params *p = tk_pg_op_step(op, &sql_settle_seats);
    add_settle_keys(p, lines, count);
    add_settle_seats(p, lines, count);
}

void seat_store_read_settle(const struct tk_pg_outcome *outcome, enum settle_verdict *verdicts, size_t count)
{
    const PGresult *rows = outcome->rows[1];
    assert((size_t)PQntuples(rows) == count);
    for (int row = 0; row < PQntuples(rows); row++) {
        size_t i = (size_t)tk_row_i32(rows, row, 0) - 1;
        assert(i < count);
        if (settle_verdict_parse(tk_row_text(rows, row, 1), &verdicts[i]))
            assert(!"unknown verdict");
    }
}
