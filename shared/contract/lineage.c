/* Lineage: on the wire and in rows. */
#include "shared/contract/lineage.h"

#include "shared/json/reader.h"
#include "shared/json/writer.h"

void tk_lineage_judge(struct tk_params *p, const struct tk_lineage *peer)
{
    tk_params_uuid(p, &peer->system_id);
    tk_params_i64(p, peer->epoch);
    tk_params_uuid(p, tk_uuid_is_nil(&peer->peer_system_id) ? NULL : &peer->peer_system_id);
    tk_params_i64(p, peer->peer_epoch);
    tk_params_bool(p, peer->diverged);
}

struct tk_lineage tk_lineage_of_row(const PGresult *rows)
{
    return (struct tk_lineage){.system_id = tk_row_uuid(rows, 0, 0),
                               .epoch = tk_row_i64(rows, 0, 1),
                               .peer_system_id = tk_row_uuid(rows, 0, 2),
                               .peer_epoch = tk_row_i64(rows, 0, 3),
                               .diverged = tk_row_bool(rows, 0, 4)};
}

bool tk_lineage_contradicts(const struct tk_lineage *one, const struct tk_lineage *other)
{
    return !tk_uuid_is_nil(&one->peer_system_id) &&
           (!tk_uuid_eq(&one->peer_system_id, &other->system_id) || one->peer_epoch > other->epoch);
}

void tk_lineage_encode(const struct tk_lineage *lineage, struct tk_buf *out)
{
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "system_id", &lineage->system_id);
    tk_jsonw_i64(&w, "epoch", lineage->epoch);
    if (tk_uuid_is_nil(&lineage->peer_system_id))
        tk_jsonw_null(&w, "peer_system_id");
    else
        tk_jsonw_uuid(&w, "peer_system_id", &lineage->peer_system_id);
    tk_jsonw_i64(&w, "peer_epoch", lineage->peer_epoch);
    tk_jsonw_bool(&w, "diverged", lineage->diverged);
    tk_jsonw_end_object(&w);
}

#define FIELD(member, field_type, field_flags, most)                                                                       \
    {                                                                                                                      \
        .name = #member, .type = (field_type), .flags = (field_flags), .offset = offsetof(struct tk_lineage, member),      \
        .present_offset = TK_FIELD_NO_PRESENCE, .min = 0, .max = (most)                                                    \
    }

enum tk_err tk_lineage_decode(struct tk_slice body, struct tk_arena *arena, struct tk_lineage *out)
{
    static const struct tk_field fields[] = {
        FIELD(system_id, TK_FIELD_UUID, TK_FIELD_REQUIRED, 0),
        FIELD(epoch, TK_FIELD_INT, TK_FIELD_REQUIRED, INT64_MAX),
        FIELD(peer_system_id, TK_FIELD_UUID, TK_FIELD_NULLABLE, 0),
        FIELD(peer_epoch, TK_FIELD_INT, TK_FIELD_REQUIRED, INT64_MAX),
        FIELD(diverged, TK_FIELD_BOOL, TK_FIELD_REQUIRED, 0),
    };
    struct tk_json_errors errors = {.arena = arena};
    const struct tk_json *root = NULL;
    const char *why = "";
    *out = (struct tk_lineage){0};
    if (tk_json_parse(arena, body, &root, &why))
        return TK_ERR_INVALID;
    return tk_json_bind_known(root, "", fields, sizeof(fields) / sizeof(fields[0]), out, &errors);
}
