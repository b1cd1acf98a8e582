/**
 * How two databases notice that one of them was put back in time.
 *
 * Each keeps one row: its own system id and an epoch that only grows, and what it remembers of its peer. booking-svc sends
 * its row every two seconds (POST TK_LINEAGE_PATH), event-svc answers with its own. Each side judges only itself, against
 * its row as it is then: when the peer remembers another system id, or a higher epoch than there is, this database was
 * restored or replaced. A message that was late for any length of time can never look like that. What one side has found
 * the other stores, too: from then on each row says by itself that nothing may be changed, to every process that reads it.
 */
#ifndef TK_CONTRACT_LINEAGE_H
#define TK_CONTRACT_LINEAGE_H

#include <stdbool.h>

#include "shared/base/id.h"
#include "shared/base/mem.h"
#include "shared/pg/params.h"
#include "shared/pg/rows.h"

#define TK_LINEAGE_PATH      "/api/internal/lineage"
#define TK_LINEAGE_MAX_BYTES 512

struct tk_lineage {
    struct tk_uuid system_id;
    int64_t epoch;
    struct tk_uuid peer_system_id; /* nil: nothing is remembered */
    int64_t peer_epoch;
    bool diverged;
};

#define TK_LINEAGE_COLUMNS "system_id, epoch, peer_system_id, peer_epoch, diverged_at IS NOT NULL"

/** The row, for tk_lineage_of_row(). */
#define TK_LINEAGE_READ_SQL "SELECT " TK_LINEAGE_COLUMNS " FROM lineage"

/**
 * $1, $2: the peer's id and epoch, 0 when it has nothing to say; $3, $4: what it remembers of this side; $5: it says that
 * they have diverged. Takes note of the peer, unless that is another one than before, and answers the row. What has
 * diverged stays so until TK_LINEAGE_ACCEPT_SQL.
 */
#define TK_LINEAGE_JUDGE_SQL                                                                                               \
    "UPDATE lineage SET epoch = epoch + 1, "                                                                               \
    "diverged_at = CASE WHEN diverged_at IS NULL AND now() > quiet_until "                                                 \
    "AND ($5::bool OR $3::uuid <> system_id OR $4::int8 > epoch) THEN now() ELSE diverged_at END, "                        \
    "peer_epoch = CASE WHEN coalesce(peer_system_id, $1::uuid) = $1::uuid THEN greatest(peer_epoch, $2::int8) "            \
    "ELSE peer_epoch END, "                                                                                                \
    "peer_system_id = CASE WHEN $2::int8 > 0 THEN coalesce(peer_system_id, $1::uuid) ELSE peer_system_id END "             \
    "RETURNING " TK_LINEAGE_COLUMNS

/**
 * For both databases, within a minute: they begin anew, far ahead of anything that may be remembered, and with nothing
 * remembered.
 */
#define TK_LINEAGE_ACCEPT_SQL                                                                                              \
    "UPDATE lineage SET diverged_at = NULL, quiet_until = now() + interval '1 minute', "                                   \
    "epoch = epoch + 1000000000000, peer_system_id = NULL, peer_epoch = 0"

void tk_lineage_judge(struct tk_params *p, const struct tk_lineage *peer);
struct tk_lineage tk_lineage_of_row(const PGresult *rows);

/**
 * `one` remembers another `other` than there is, or more of it than it knows itself. `other` must have been read after
 * `one`: both go on growing.
 */
bool tk_lineage_contradicts(const struct tk_lineage *one, const struct tk_lineage *other);

void tk_lineage_encode(const struct tk_lineage *lineage, struct tk_buf *out);
/** TK_ERR_INVALID: not one. */
TK_MUSTCHECK enum tk_err tk_lineage_decode(struct tk_slice body, struct tk_arena *arena, struct tk_lineage *out);

#endif
