/**
 * What travels inside the binary: the migrations of booking_db and the API document.
 */
#ifndef BOOKING_ADAPTERS_SCHEMA_H
#define BOOKING_ADAPTERS_SCHEMA_H

#include "shared/pg/pg.h"

#define BOOKING_SCHEMA_VERSION 6 /* of the newest migration */

extern const struct tk_migration booking_migrations[];
extern const size_t booking_migration_count;

struct tk_slice booking_openapi_document(void);

#endif
