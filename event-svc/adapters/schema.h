/**
 * The schema of database event_service: its migrations, embedded.
 */
#ifndef EVENT_SVC_ADAPTERS_SCHEMA_H
#define EVENT_SVC_ADAPTERS_SCHEMA_H

#include "shared/pg/pg.h"

extern const struct tk_migration event_migrations[];
extern const size_t event_migration_count;

#endif
