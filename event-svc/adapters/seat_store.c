/*
 * SQL of reserve and settle, and the reading of their rows.
 *
 * How a statement knows which hold rows are its own: `xmin = pg_current_xact_id()`, since a row this transaction inserted
 * carries its id. Rows that were there before do not, even when this transaction has locked them.
 *
 * Plans (Postgres 15, 1,000,000 seats, 64 holds of 3 seats, generic plan): index scans on holds_pkey, session_seats_pkey
 * and session_versions_pkey only; 0.4 ms for the first statement, 3.5 ms for the second. The planner expects 10
 * rows from unnest whatever comes, and would scan a small table instead; hence TK_PG_KEY_LOOKUPS.
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
 * $1 … $5 as above without the seconds, $6 the quantity where any seats will do, else 0, $7 request ids. Answers a head row
 * per item (no session_seat_id), a row per seat: of fresh holds as found, of replayed ones as stored; and a row per changed
 * session (no item), its id and new version. Losers' hold rows are removed again, so that their ids stay free.
 */
const struct tk_pg_statement sql_reserve_seats = {
    "reserve_seats",
    "WITH item AS MATERIALIZED ("
    "  SELECT i.ord::int4 AS ord, i.session_id, i.reservation_id, ($5::uuid[])[i.first:i.last] AS seats,"
    "         h.session_seat_ids AS stored, h.state, h.reserved_until,"
    "         CASE WHEN i.quantity > 0 THEN cardinality(h.session_seat_ids) = i.quantity"
    "              ELSE h.session_seat_ids = ($5::uuid[])[i.first:i.last] END AS same_seats,"
    "         coalesce(h.xmin = pg_current_xact_id()::xid, false) AS fresh, i.request_id"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::int4[], $4::int4[], $6::int4[], $7::text[]) WITH ORDINALITY"
    "       AS i (session_id, reservation_id, first, last, quantity, request_id, ord)"
    "  LEFT JOIN holds h ON h.session_id = i.session_id AND h.reservation_id = i.reservation_id"
    "), locked AS MATERIALIZED ("
    "  SELECT w.ord, w.reservation_id, w.wanted, ss.session_id, ss.session_seat_id, ss.status, ss.price_minor"
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
    "), trail AS ("
    "  INSERT INTO hold_history (session_id, reservation_id, to_state, revision, actor, reason, request_id)"
    "  SELECT i.session_id, i.reservation_id, 'held', 0, 'user', 'reserved', coalesce(i.request_id, '') FROM item i"
    "  WHERE i.fresh AND (i.ord IN (SELECT j.ord FROM judged j WHERE j.won)) IS TRUE"
    "), touched AS MATERIALIZED ("
    "  SELECT v.session_id FROM session_versions v WHERE v.session_id IN (SELECT t.session_id FROM taken t)"
    "  ORDER BY v.session_id FOR UPDATE"
    "), bumped AS ("
    "  UPDATE session_versions v SET version = v.version + 1 FROM touched t WHERE v.session_id = t.session_id"
    "  RETURNING v.session_id, v.version"
    ") "
    "SELECT i.ord, i.fresh, i.state::text, i.same_seats, i.reserved_until, s.currency, s.start_time > now(),"
    "       NULL::uuid, NULL::text, NULL::int8 "
    "FROM item i LEFT JOIN sessions s ON s.session_id = i.session_id "
    "UNION ALL "
    "SELECT j.ord, NULL, NULL, NULL, NULL, NULL, NULL, j.session_seat_id, j.status::text, j.price_minor FROM judged j "
    "UNION ALL "
    "SELECT i.ord, NULL, NULL, NULL, NULL, NULL, NULL, ss.session_seat_id, ss.status::text, ss.price_minor "
    "FROM item i CROSS JOIN LATERAL unnest(i.stored) AS u (seat) "
    "JOIN session_seats ss ON ss.session_id = i.session_id AND ss.session_seat_id = u.seat "
    "WHERE NOT i.fresh AND i.same_seats AND i.state IN ('held', 'sold') "
    "UNION ALL "
    "SELECT NULL, NULL, NULL, NULL, NULL, NULL, NULL, b.session_id, NULL, b.version FROM bumped b",
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
    COL_BUMPED = COL_SEAT_ID, /* of a row without item */
    COL_VERSION = COL_PRICE,
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

/*
 * $5 and $6: first and last place in $7 of the seats a message names; 0 and -1: none. $8 … $10: actors, reasons and
 * request ids for the trail. The fence is reservation_id. Answers
 * a verdict per item, a row per changed seat (no verdict), and a row per changed session (no item), its id and new version.
 */
const struct tk_pg_statement sql_settle_seats = {
    "settle_seats",
    "WITH item AS MATERIALIZED ("
    "  SELECT i.ord::int4 AS ord, i.session_id, i.reservation_id, i.sell, i.revision, h.state, h.session_seat_ids AS seats,"
    "    i.actor, i.reason, i.request_id,"
    "    CASE WHEN h.state IS NULL THEN 'unknown'"
    "         WHEN h.xmin = pg_current_xact_id()::xid THEN 'tombstoned'"
    "         WHEN i.revision <= h.revision THEN 'stale'"
    "         WHEN i.sell AND h.state = 'released' THEN 'conflict'"
    "         WHEN i.sell AND i.first > 0 AND h.session_seat_ids <> ($7::uuid[])[i.first:i.last] THEN 'conflict'"
    "         WHEN NOT i.sell AND h.state = 'sold' THEN 'conflict'"
    "         ELSE 'applied' END AS verdict"
    "  FROM unnest($1::uuid[], $2::uuid[], $3::bool[], $4::int8[], $5::int4[], $6::int4[], $8::text[], $9::text[],"
    "       $10::text[]) WITH ORDINALITY"
    "       AS i (session_id, reservation_id, sell, revision, first, last, actor, reason, request_id, ord)"
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
    "  RETURNING j.ord, ss.session_id, ss.session_seat_id"
    "), final AS MATERIALIZED ("
    "  SELECT i.ord, i.session_id, i.reservation_id, i.sell, i.revision, i.state, i.actor, i.reason, i.request_id,"
    "    CASE WHEN i.verdict = 'applied' AND i.state = 'held' AND i.sell"
    "              AND i.ord NOT IN (SELECT j.ord FROM judged j WHERE j.sound)"
    "         THEN 'conflict' ELSE i.verdict END AS verdict"
    "  FROM item i"
    "), settled AS ("
    "  UPDATE holds h SET state = CASE WHEN f.sell THEN 'sold'::hold_state ELSE 'released' END,"
    "    revision = coalesce(f.revision, h.revision)"
    "  FROM final f WHERE f.verdict = 'applied' AND (f.state = 'held' OR f.revision IS NOT NULL)"
    "    AND h.session_id = f.session_id AND h.reservation_id = f.reservation_id"
    "), trail AS ("
    "  INSERT INTO hold_history (session_id, reservation_id, from_state, to_state, revision, actor, reason, request_id)"
    "  SELECT f.session_id, f.reservation_id, CASE WHEN f.verdict = 'applied' THEN f.state END,"
    "    CASE WHEN f.sell THEN 'sold'::hold_state ELSE 'released' END, coalesce(f.revision, 0), f.actor, f.reason,"
    "    coalesce(f.request_id, '')"
    "  FROM final f WHERE (f.verdict = 'applied' AND f.state = 'held') OR f.verdict = 'tombstoned'"
    "), touched AS MATERIALIZED ("
    "  SELECT v.session_id FROM session_versions v WHERE v.session_id IN (SELECT c.session_id FROM changed c)"
    "  ORDER BY v.session_id FOR UPDATE"
    "), bumped AS ("
    "  UPDATE session_versions v SET version = v.version + 1 FROM touched t WHERE v.session_id = t.session_id"
    "  RETURNING v.session_id, v.version"
    ") "
    "SELECT f.ord, f.verdict, NULL::uuid, NULL::int8 FROM final f "
    "UNION ALL SELECT c.ord, NULL, c.session_seat_id, NULL FROM changed c "
    "UNION ALL SELECT NULL, NULL, b.session_id, b.version FROM bumped b",
};

/* --- reserve ------------------------------------------------------------------------------------------------------ */

static void add_keys(struct tk_params *p, const struct hold_line *lines, size_t count)
{
    TK_ARRAY_PARAM(p, count, UUID, uuid, &lines[i].session_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &lines[i].reservation_id);
}

/* Where each line's seats stand in the flat array, counted from 1, then the flat array. */
static void add_seats(struct tk_params *p, const struct hold_line *lines, size_t count)
{
    int32_t place = 1;
    tk_params_array_begin(p, TK_OID_INT4);
    for (size_t i = 0; i < count; place += (int32_t)lines[i].seat_count, i++)
        tk_params_array_i32(p, place);
    tk_params_array_end(p);
    place = 0;
    TK_ARRAY_PARAM(p, count, INT4, i32, place += (int32_t)lines[i].seat_count);
    tk_params_array_begin(p, TK_OID_UUID);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < lines[i].seat_count; k++)
            tk_params_array_uuid(p, &lines[i].sorted_seats[k]);
    tk_params_array_end(p);
}

void seat_store_reserve(struct tk_pg_op *op, const struct hold_line *lines, size_t count)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_reserve_holds);
    add_keys(p, lines, count);
    TK_ARRAY_PARAM(p, count, INT4, i32, (int32_t)lines[i].hold_seconds);
    add_seats(p, lines, count);
    p = tk_pg_op_step(op, &sql_reserve_seats);
    add_keys(p, lines, count);
    add_seats(p, lines, count);
    TK_ARRAY_PARAM(p, count, INT4, i32, (int32_t)lines[i].quantity);
    TK_ARRAY_PARAM(p, count, TEXT, text, lines[i].request_id);
}

/* --- changes ------------------------------------------------------------------------------------------------------ */

void seat_changes_release(struct seat_changes *changes)
{
    free(changes->items);
    free(changes->bumps);
    *changes = (struct seat_changes){0};
}

/* Room for as many of both as there are rows. */
static void start_changes(struct seat_changes *changes, const PGresult *rows)
{
    size_t most = (size_t)PQntuples(rows) + 1;
    *changes = (struct seat_changes){
        .items = tk_alloc(most * sizeof(*changes->items)),
        .bumps = tk_alloc(most * sizeof(*changes->bumps)),
    };
}

static void add_bump(struct seat_changes *changes, const PGresult *rows, int row, int id_column, int version_column)
{
    changes->bumps[changes->bump_count++] = (struct session_bump){.session_id = tk_row_uuid(rows, row, id_column),
                                                                  .version = tk_row_i64(rows, row, version_column)};
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

struct reserve_reading {
    const PGresult *rows;
    const struct hold_line *lines;
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

/* Where a seat belongs in the answer: its place in the request, or, when any seats would do, the next one. */
static size_t place_of(const struct reserve_reading *r, size_t i, const struct tk_uuid *seat)
{
    const struct hold_line *line = &r->lines[i];
    size_t k = 0;
    while (k < line->seat_count && !tk_uuid_eq(&line->seats[k], seat))
        k++;
    if (k == line->seat_count || (line->quantity > 0 && !r->facts[i].fresh))
        k = r->facts[i].found;
    return k;
}

static void set_labels(const struct hold_line *line, struct tk_hold_seat *seat)
{
    const struct seat_plan *plan = line->plan;
    uint32_t place = seat_plan_find(plan, &seat->session_seat_id);
    if (place == SEAT_NOWHERE)
        return;
    const struct plan_row *row = &plan->rows[plan->rows_of[place]];
    seat->section = tk_slice_copy(line->arena, plan->sections[row->section].label);
    seat->row_number = tk_slice_copy(line->arena, row->label);
    seat->seat_number = tk_slice_copy(line->arena, tk_slice_of(plan->numbers[place]));
}

/* Every answer starts with a place per requested seat, status unknown; the rows fill the places. */
static void read_seat(struct reserve_reading *r, int row, size_t i)
{
    struct tk_uuid id = tk_row_uuid(r->rows, row, COL_SEAT_ID);
    size_t k = place_of(r, i, &id);
    assert(k < r->answers[i].seat_count);
    struct tk_hold_seat *seat = &r->answers[i].seats[k];
    seat->session_seat_id = id;
    if (tk_seat_status_parse(tk_row_text(r->rows, row, COL_STATUS), &seat->status))
        assert(!"seat_status and enum tk_seat_status differ");
    seat->price_minor = tk_row_i64(r->rows, row, COL_PRICE);
    r->facts[i].found++;
    r->facts[i].available += seat->status == TK_SEAT_AVAILABLE;
}

static void start_answer(struct tk_hold_answer *answer, const struct hold_line *line)
{
    *answer = (struct tk_hold_answer){.reservation_id = line->reservation_id, .reserved_until_us = TK_TIME_NONE};
    answer->seat_count = line->quantity > 0 ? line->quantity : line->seat_count;
    answer->seats = tk_arena_alloc(line->arena, answer->seat_count * sizeof(*answer->seats));
    for (size_t k = 0; k < line->seat_count && k < answer->seat_count; k++)
        answer->seats[k] = (struct tk_hold_seat){.session_seat_id = line->seats[k], .status = TK_SEAT_UNKNOWN};
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

static void close_answer(struct tk_hold_answer *answer, const struct hold_facts *facts, const struct hold_line *line,
                         struct seat_changes *changes)
{
    if (answer->outcome != TK_HOLD_HELD) {
        keep_lost_seats(answer);
        return;
    }
    for (size_t k = 0; k < answer->seat_count; k++) {
        set_labels(line, &answer->seats[k]);
        if (!facts->fresh)
            continue;
        answer->seats[k].status = TK_SEAT_RESERVED;
        changes->items[changes->count++] = (struct seat_change){
            .session_id = line->session_id,
            .session_seat_id = answer->seats[k].session_seat_id,
            .reservation_id = line->reservation_id,
            .status = TK_SEAT_RESERVED,
        };
    }
}

/* Heads first: what a seat row means depends on its item's head. */
static void read_rows(struct reserve_reading *r, size_t count, struct seat_changes *changes)
{
    for (int row = 0; row < PQntuples(r->rows); row++)
        if (tk_row_is_null(r->rows, row, COL_ORD))
            add_bump(changes, r->rows, row, COL_BUMPED, COL_VERSION);
        else if (tk_row_is_null(r->rows, row, COL_SEAT_ID))
            read_head(r, row, (size_t)tk_row_i32(r->rows, row, COL_ORD) - 1);
    for (int row = 0; row < PQntuples(r->rows); row++) {
        if (tk_row_is_null(r->rows, row, COL_ORD) || tk_row_is_null(r->rows, row, COL_SEAT_ID))
            continue;
        size_t i = (size_t)tk_row_i32(r->rows, row, COL_ORD) - 1;
        assert(i < count);
        read_seat(r, row, i);
    }
    (void)count;
}

void seat_store_read_reserve(const struct tk_pg_outcome *outcome, const struct hold_line *lines, size_t count,
                             struct tk_hold_answer *answers, enum tk_err *errs, struct seat_changes *changes)
{
    struct reserve_reading r = {.rows = outcome->rows[1], .lines = lines, .answers = answers};
    r.facts = tk_alloc(count * sizeof(*r.facts));
    start_changes(changes, r.rows);
    for (size_t i = 0; i < count; i++) {
        r.facts[i].wanted = lines[i].seat_count;
        start_answer(&answers[i], &lines[i]);
    }
    read_rows(&r, count, changes);
    for (size_t i = 0; i < count; i++) {
        errs[i] = hold_judge(&r.facts[i], &answers[i].outcome);
        if (!errs[i])
            close_answer(&answers[i], &r.facts[i], &lines[i], changes);
    }
    free(r.facts);
}

/* --- settle ------------------------------------------------------------------------------------------------------- */

static void add_settle_keys(struct tk_params *p, const struct settle_line *lines, size_t count)
{
    TK_ARRAY_PARAM(p, count, UUID, uuid, &lines[i].session_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &lines[i].reservation_id);
    TK_ARRAY_PARAM(p, count, BOOL, bool, lines[i].sell);
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

static void add_causes(struct tk_params *p, const struct settle_line *lines, size_t count)
{
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(lines[i].cause.actor));
    TK_ARRAY_PARAM(p, count, TEXT, text, tk_slice_of(lines[i].cause.reason));
    TK_ARRAY_PARAM(p, count, TEXT, text, lines[i].request_id);
}

void seat_store_settle(struct tk_pg_op *op, const struct settle_line *lines, size_t count)
{
    add_settle_keys(tk_pg_op_step(op, &sql_settle_holds), lines, count);
    struct tk_params *p = tk_pg_op_step(op, &sql_settle_seats);
    add_settle_keys(p, lines, count);
    add_settle_seats(p, lines, count);
    add_causes(p, lines, count);
}

enum settle_column { SETTLE_COL_ORD, SETTLE_COL_VERDICT, SETTLE_COL_ID, SETTLE_COL_VERSION };

static void read_changed_seat(struct seat_changes *changes, const PGresult *rows, int row, const struct settle_line *line)
{
    changes->items[changes->count++] = (struct seat_change){
        .session_id = line->session_id,
        .session_seat_id = tk_row_uuid(rows, row, SETTLE_COL_ID),
        .reservation_id = line->reservation_id,
        .status = line->sell ? TK_SEAT_SOLD : TK_SEAT_AVAILABLE,
    };
}

void seat_store_read_settle(const struct tk_pg_outcome *outcome, const struct settle_line *lines, size_t count,
                            enum settle_verdict *verdicts, struct seat_changes *changes)
{
    const PGresult *rows = outcome->rows[1];
    start_changes(changes, rows);
    for (int row = 0; row < PQntuples(rows); row++) {
        if (tk_row_is_null(rows, row, SETTLE_COL_ORD)) {
            add_bump(changes, rows, row, SETTLE_COL_ID, SETTLE_COL_VERSION);
            continue;
        }
        size_t i = (size_t)tk_row_i32(rows, row, SETTLE_COL_ORD) - 1;
        assert(i < count);
        if (tk_row_is_null(rows, row, SETTLE_COL_VERDICT))
            read_changed_seat(changes, rows, row, &lines[i]);
        else if (settle_verdict_parse(tk_row_text(rows, row, SETTLE_COL_VERDICT), &verdicts[i]))
            assert(!"unknown verdict");
    }
    (void)count;
}
