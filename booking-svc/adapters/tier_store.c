/* Price tiers and their cache. */
#include "booking-svc/adapters/tier_store.h"

#include <stdlib.h>

#include "booking-svc/adapters/statements.h"

#define CACHE_MAX 10000 /* tiers; about 100 bytes each */

#define TIER_COLUMNS "id, name, description, multiplier, session_id, created_at"

const struct tk_pg_statement sql_tier_insert = {
    "tier_insert",
    "INSERT INTO price_tiers (id, name, description, multiplier, session_id)"
    " VALUES ($1::uuid, $2::text, $3::text, $4::bigint, $5::uuid) RETURNING " TIER_COLUMNS,
};

const struct tk_pg_statement sql_tier_page = {
    "tier_page",
    "SELECT " TIER_COLUMNS " FROM price_tiers WHERE ($1::uuid IS NULL OR session_id IS NULL OR session_id = $1::uuid)"
    " AND ($2::uuid IS NULL OR id > $2::uuid) ORDER BY id LIMIT $3::bigint",
};

const struct tk_pg_statement sql_tiers_by_id = {
    "tiers_by_id",
    "SELECT " TIER_COLUMNS " FROM price_tiers WHERE id = ANY($1::uuid[])",
};

/** What pricing needs; names stay in the database. */
struct tier_store {
    struct tk_pg *pg;
    struct tk_uuid_map cache;
    struct tk_arena arena; /* the cached tiers */
};

struct tier_op {
    struct tk_pg_op op;
    struct tier_store *store;
    struct tk_arena *arena;
    int64_t limit;
    tier_list_done *list_done;
    tier_load_done *load_done;
    void *arg;
};

struct tier_store *tier_store_new(struct tk_pg *pg)
{
    struct tier_store *store = tk_alloc(sizeof(*store));
    store->pg = pg;
    return store;
}

const struct price_tier *tier_store_cached(const struct tier_store *store, const struct tk_uuid *id)
{
    return tk_uuid_map_get(&store->cache, id);
}

void tier_from_row(const PGresult *rows, int row, struct tk_arena *arena, struct price_tier *out)
{
    out->id = tk_row_uuid(rows, row, 0);
    out->name = row_text_copy(rows, row, 1, arena);
    out->description = row_text_copy(rows, row, 2, arena);
    out->multiplier = tk_row_i64(rows, row, 3);
    out->session_id = tk_row_uuid(rows, row, 4);
    out->created_at_us = tk_row_time(rows, row, 5);
}

/** Before a load, not in it: those loaded together are wanted together. */
static void cache_make_room(struct tier_store *store, int rows)
{
    if (store->cache.count + (size_t)rows <= CACHE_MAX)
        return;
    tk_uuid_map_clear(&store->cache);
    tk_arena_release(&store->arena);
}

static void cache_put(struct tier_store *store, const PGresult *rows, int row)
{
    const struct tk_uuid id = tk_row_uuid(rows, row, 0);
    if (tk_uuid_map_get(&store->cache, &id) != NULL)
        return;
    struct price_tier *tier = tk_arena_alloc(&store->arena, sizeof(*tier));
    tier->id = id;
    tier->multiplier = tk_row_i64(rows, row, 3);
    tier->session_id = tk_row_uuid(rows, row, 4);
    tk_uuid_map_put(&store->cache, &id, tier);
}

static struct tier_op *tier_op_new(struct tier_store *store, int64_t deadline_us, tk_pg_done_fn *done, void *arg)
{
    struct tier_op *tier = tk_alloc(sizeof(*tier));
    tk_pg_op_init(&tier->op);
    tier->op.deadline_us = deadline_us;
    tier->op.done = done;
    tier->op.arg = tier;
    tier->store = store;
    tier->arg = arg;
    return tier;
}

static enum tk_err tier_op_submit(struct tier_op *tier)
{
    const enum tk_err err = tk_pg_submit(tier->store->pg, &tier->op);
    if (err)
        free(tier);
    return err;
}

static void on_load(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct tier_op tier = *(struct tier_op *)op->arg;
    free(op->arg);
    if (outcome->step == TK_STEP_OK) {
        cache_make_room(tier.store, PQntuples(outcome->rows[0]));
        for (int row = 0; row < PQntuples(outcome->rows[0]); row++)
            cache_put(tier.store, outcome->rows[0], row);
    }
    tier.load_done(tier.arg, outcome->step);
}

enum tk_err tier_store_load(struct tier_store *store, const struct tk_uuid *ids, size_t count, int64_t deadline_us,
                            tier_load_done *done, void *arg)
{
    struct tier_op *tier = tier_op_new(store, deadline_us, on_load, arg);
    tier->load_done = done;
    struct tk_params *p = tk_pg_op_step(&tier->op, &sql_tiers_by_id);
    TK_ARRAY_PARAM(p, count, UUID, uuid, &ids[i]);
    return tier_op_submit(tier);
}

static void on_list(struct tk_pg_op *op, const struct tk_pg_outcome *outcome)
{
    const struct tier_op tier = *(struct tier_op *)op->arg;
    struct price_tier *list = NULL;
    size_t count = 0;
    bool more = false;
    free(op->arg);
    if (outcome->step == TK_STEP_OK) {
        const size_t found = (size_t)PQntuples(outcome->rows[0]);
        more = found > (size_t)tier.limit;
        count = more ? (size_t)tier.limit : found;
        list = tk_arena_alloc(tier.arena, (count + 1) * sizeof(*list));
        for (size_t i = 0; i < count; i++)
            tier_from_row(outcome->rows[0], (int)i, tier.arena, &list[i]);
    }
    tier.list_done(tier.arg, outcome->step, list, count, more);
}

void tier_insert(struct tk_pg_op *op, const struct price_tier *tier)
{
    struct tk_params *p = tk_pg_op_step(op, &sql_tier_insert);
    tk_params_uuid(p, &tier->id);
    tk_params_text(p, tier->name);
    tk_params_text(p, tier->description.ptr ? tier->description : TK_SLICE(""));
    tk_params_i64(p, tier->multiplier);
    tk_params_uuid(p, tk_uuid_is_nil(&tier->session_id) ? NULL : &tier->session_id);
}

enum tk_err tier_store_list(struct tier_store *store, const struct tk_uuid *session, const struct tk_uuid *after,
                            int64_t limit, int64_t deadline_us, struct tk_arena *arena, tier_list_done *done, void *arg)
{
    struct tier_op *list = tier_op_new(store, deadline_us, on_list, arg);
    list->list_done = done;
    list->arena = arena;
    list->limit = limit;
    struct tk_params *p = tk_pg_op_step(&list->op, &sql_tier_page);
    tk_params_uuid(p, session);
    tk_params_uuid(p, tk_uuid_is_nil(after) ? NULL : after);
    tk_params_i64(p, limit + 1);
    return tier_op_submit(list);
}
