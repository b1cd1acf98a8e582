/**
 * Files this program carries: the migrations of database event_service, and the API document.
 */
#ifndef EVENT_SVC_ADAPTERS_SCHEMA_H
#define EVENT_SVC_ADAPTERS_SCHEMA_H

#include "shared/pg/pg.h"

extern const struct tk_migration event_migrations[];
extern const size_t event_migration_count;

/** openapi.json, for the life of the process. */
struct tk_slice event_openapi_document(void);

#endif
