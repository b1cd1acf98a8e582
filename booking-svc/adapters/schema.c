/* The embedded files. */
#include "booking-svc/adapters/schema.h"

#include "shared/base/embed.h"

TK_EMBED(migration_0001, "booking-svc/migrations/0001_bookings.sql")
TK_EMBED(migration_0002, "booking-svc/migrations/0002_idempotency.sql")
TK_EMBED(migration_0003, "booking-svc/migrations/0003_seat_limit.sql")
TK_EMBED(migration_0004, "booking-svc/migrations/0004_lineage.sql")
TK_EMBED(migration_0005, "booking-svc/migrations/0005_refunds.sql")
TK_EMBED(migration_0006, "booking-svc/migrations/0006_one_index_less.sql")
TK_EMBED(openapi, "booking-svc/openapi.json")

const struct tk_migration booking_migrations[] = {
    {.version = 1, .name = "bookings", .sql = migration_0001},
    {.version = 2, .name = "idempotency", .sql = migration_0002},
    {.version = 3, .name = "seat_limit", .sql = migration_0003},
    {.version = 4, .name = "lineage", .sql = migration_0004},
    {.version = 5, .name = "refunds", .sql = migration_0005},
    {.version = BOOKING_SCHEMA_VERSION, .name = "one_index_less", .sql = migration_0006},
};
const size_t booking_migration_count = sizeof(booking_migrations) / sizeof(booking_migrations[0]);

struct tk_slice booking_openapi_document(void)
{
    return openapi();
}
