/*
 * Which connection prepares what.
 */
#include "event-svc/adapters/statements.h"

#include "shared/contract/lineage.h"
#include "shared/idempotency/keyed.h"

#define LIST(array)                                                                                                        \
    {                                                                                                                      \
        .items = (array), .count = sizeof(array) / sizeof((array)[0])                                                      \
    }

const struct tk_pg_statement sql_lineage_judge = {"lineage_judge", TK_LINEAGE_JUDGE_SQL};
const struct tk_pg_statement sql_lineage_read = {"lineage_read", TK_LINEAGE_READ_SQL};

static const struct tk_pg_statement *const catalogue[] = {
    &sql_organizer_insert,   &sql_organizer_select,   &sql_organizer_list,
    &sql_organizer_update,   &sql_organizer_delete,   &sql_event_insert,
    &sql_event_select,       &sql_event_list,         &sql_location_insert,
    &sql_location_select,    &sql_location_list,      &sql_hall_insert,
    &sql_hall_select,        &sql_hall_list,          &sql_seat_list,
    &sql_seat_list_after,    &sql_session_select,     &sql_session_list,
    &sql_session_exists,     &sql_seats_unavailable,  &sql_versions_select,
    &sql_holds_scan,         &sql_dead_letter_list,   &sql_dead_letter_select,
    &sql_dead_letter_delete, &sql_dead_letter_replay, &sql_dead_letter_replay_all,
    &tk_sql_key_claim,       &tk_sql_key_keep,        &tk_sql_key_give_back,
    &tk_sql_key_look,        &sql_lineage_judge,      &sql_trail_seat,
    &sql_trail_page,         &sql_sessions_by_start,  &sql_lineage_read,
};

static const struct tk_pg_statement *const bulk[] = {
    &sql_hall_lock,
    &sql_hall_exists,
    &sql_seat_insert,
    &sql_seat_insert_grids,
    &sql_session_insert,
    &sql_session_insert_seats,
    &sql_session_insert_version,
    &sql_purge_keys,
    &sql_purge_trail,
    &tk_sql_key_claim,
    &tk_sql_key_keep,
    &tk_sql_key_give_back,
    &tk_sql_key_look,
};

static const struct tk_pg_statement *const seat[] = {
    &sql_reserve_holds,
    &sql_reserve_seats,
    &sql_settle_holds,
    &sql_settle_seats,
};

static const struct tk_pg_statement *const settle[] = {
    &sql_settle_holds,
    &sql_settle_seats,
};

static const struct tk_pg_statement *const collect[] = {
    &sql_dead_letter_insert,
    &sql_dead_letter_count,
};

static const struct tk_pg_statement *const seat_map[] = {
    &sql_seat_map_select,
};

static const struct tk_pg_statement *const picture[] = {
    &sql_plan_select,
    &sql_seats_snapshot,
};

const struct statement_list catalogue_statements = LIST(catalogue);
const struct statement_list bulk_statements = LIST(bulk);
const struct statement_list seat_statements = LIST(seat);
const struct statement_list settle_statements = LIST(settle);
const struct statement_list collect_statements = LIST(collect);
const struct statement_list seat_map_statements = LIST(seat_map);
const struct statement_list picture_statements = LIST(picture);

void statement_with_id(struct tk_pg_op *op, const struct tk_pg_statement *statement, const struct tk_uuid *id)
{
    tk_params_uuid(tk_pg_op_step(op, statement), id);
}

void statement_with_page(struct tk_pg_op *op, const struct tk_pg_statement *statement, const struct tk_uuid *after,
                         int64_t limit)
{
    struct tk_params *p = tk_pg_op_step(op, statement);
    tk_params_uuid(p, after);
    tk_params_i64(p, limit);
}
