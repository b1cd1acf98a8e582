/*
 * Embedded files. A migration that was released never changes; the next one corrects it.
 */
#include "event-svc/adapters/schema.h"

#include "shared/base/embed.h"

TK_EMBED(event_schema_0001, "event-svc/migrations/0001_schema.sql")
TK_EMBED(event_schema_0002, "event-svc/migrations/0002_idempotency.sql")
TK_EMBED(event_schema_0003, "event-svc/migrations/0003_hold_history.sql")
TK_EMBED(event_schema_0004, "event-svc/migrations/0004_dead_letters.sql")
TK_EMBED(event_schema_0005, "event-svc/migrations/0005_lineage.sql")
TK_EMBED(openapi, "event-svc/openapi.json")

const struct tk_migration event_migrations[] = {
    {1, "schema", event_schema_0001},       {2, "idempotency", event_schema_0002}, {3, "hold history", event_schema_0003},
    {4, "dead_letters", event_schema_0004}, {5, "lineage", event_schema_0005},
};
const size_t event_migration_count = sizeof(event_migrations) / sizeof(event_migrations[0]);

struct tk_slice event_openapi_document(void)
{
    return openapi();
}
