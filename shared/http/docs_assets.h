/**
 * The files behind /docs: our own page and script, and Swagger UI's distribution from disk (deploy/docs-assets.sh puts it
 * there). Names are looked up in a fixed list, so no path a client sends ever reaches the file system. Loop thread only.
 */
#ifndef TK_HTTP_DOCS_ASSETS_H
#define TK_HTTP_DOCS_ASSETS_H

#include <stdbool.h>

#include "shared/base/result.h"
#include "shared/base/str.h"

/** True when `dir` holds what the page cannot do without. Looks at the disk until it does, then no more. */
bool tk_docs_complete(const char *dir);

/** The page that loads Swagger UI, and the one that says how to get it. Static. */
struct tk_slice tk_docs_page(void);
struct tk_slice tk_docs_missing_page(void);

/**
 * One asset by name, read on first use and kept for the life of the process. TK_ERR_NOT_FOUND when the name is not in the
 * list or the file is missing, unreadable or larger than 8 MiB.
 */
TK_MUSTCHECK enum tk_err tk_docs_asset(const char *dir, struct tk_slice name, const char **content_type,
                                       struct tk_slice *content);

#endif
