/**
 * All prepared statements of this service, by the connections that run them.
 */
#ifndef EVENT_SVC_ADAPTERS_STATEMENTS_H
#define EVENT_SVC_ADAPTERS_STATEMENTS_H

#include "shared/pg/pg.h"

struct statement_list {
    const struct tk_pg_statement *const *items;
    size_t count;
};

extern const struct statement_list catalogue_statements; /* short reads and writes of the catalogue, and probes */
extern const struct statement_list bulk_statements;      /* statements that touch a whole hall */
extern const struct statement_list seat_statements;      /* reserve and settle */
extern const struct statement_list settle_statements;    /* the consumer's */
extern const struct statement_list collect_statements;   /* the dead letters' collector's */
extern const struct statement_list seat_map_statements;  /* the renderer's */
extern const struct statement_list picture_statements;   /* the picture reader's */

extern const struct tk_pg_statement sql_organizer_insert, sql_organizer_select, sql_organizer_list, sql_organizer_update,
    sql_organizer_delete, sql_event_insert, sql_event_select, sql_event_list, sql_location_insert, sql_location_select,
    sql_location_list, sql_hall_insert, sql_hall_select, sql_hall_list, sql_hall_lock, sql_hall_exists, sql_seat_insert,
    sql_seat_insert_grids, sql_seat_list, sql_seat_list_after, sql_session_insert, sql_session_insert_seats,
    sql_session_insert_version, sql_sessions_by_start, sql_session_select, sql_session_list, sql_session_exists,
    sql_seats_unavailable, sql_versions_select, sql_seat_map_select, sql_plan_select, sql_seats_snapshot, sql_holds_scan,
    sql_reserve_holds, sql_reserve_seats, sql_settle_holds, sql_settle_seats, sql_trail_seat, sql_trail_page,
    sql_purge_keys, sql_purge_trail, sql_dead_letter_insert, sql_lineage_judge, sql_lineage_read, sql_dead_letter_count,
    sql_dead_letter_list, sql_dead_letter_select, sql_dead_letter_delete, sql_dead_letter_replay,
    sql_dead_letter_replay_all;

/** Steps with the commonest parameters: one id; a page after an id. */
void statement_with_id(struct tk_pg_op *op, const struct tk_pg_statement *statement, const struct tk_uuid *id);
void statement_with_page(struct tk_pg_op *op, const struct tk_pg_statement *statement, const struct tk_uuid *after,
                         int64_t limit);

#endif
