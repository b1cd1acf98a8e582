/*
 * The geometry never changes, so it is read apart from the seats; these come as one value of one moment.
 */
#include "event-svc/app/picture_reader.h"

#include <assert.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/adapters/seat_reads.h"
#include "event-svc/domain/seat_picture.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define GEOMETRY_FORMAT "geometry 1" /* part of the hash: another rendering of the same seats gets another URL */

static struct tk_metric reads = TK_HISTOGRAM("seat_picture_read_seconds", NULL, "Reading a session's seats into memory");

static void fill_plan(struct tk_pg_op *op, const void *session_id)
{
    plan_select(op, session_id);
}

static void fill_snapshot(struct tk_pg_op *op, const void *session_id)
{
    seats_snapshot(op, session_id);
}

/* --- the name of a geometry --------------------------------------------------------------------------------------- */

static void hash_label(EVP_MD_CTX *md, struct tk_slice label)
{
    uint8_t len = (uint8_t)label.len;
    int ok = EVP_DigestUpdate(md, &len, 1) && EVP_DigestUpdate(md, label.ptr, label.len);
    assert(ok);
    (void)ok;
}

static void hash_seat(EVP_MD_CTX *md, const struct seat_plan *plan, uint32_t place)
{
    const struct plan_row *row = &plan->rows[plan->rows_of[place]];
    int ok = EVP_DigestUpdate(md, plan->ids[place].bytes, sizeof(plan->ids[place].bytes)) &&
             EVP_DigestUpdate(md, &plan->prices_minor[place], sizeof(plan->prices_minor[place]));
    assert(ok);
    (void)ok;
    hash_label(md, plan->sections[row->section].label);
    hash_label(md, row->label);
    hash_label(md, tk_slice_of(plan->numbers[place]));
}

static void set_hash(struct seat_plan *plan)
{
    uint8_t digest[EVP_MAX_MD_SIZE];
    static const char HEX[] = "0123456789abcdef";
    EVP_MD_CTX *md = EVP_MD_CTX_new();
    int ok = md != NULL && EVP_DigestInit_ex(md, EVP_sha256(), NULL);
    assert(ok);
    hash_label(md, TK_SLICE(GEOMETRY_FORMAT));
    for (uint32_t i = 0; i < plan->seat_count; i++)
        hash_seat(md, plan, i);
    ok = EVP_DigestFinal_ex(md, digest, NULL);
    assert(ok);
    (void)ok;
    EVP_MD_CTX_free(md);
    for (size_t i = 0; i < sizeof(plan->hash) / 2; i++) {
        plan->hash[2 * i] = HEX[digest[i] >> 4];
        plan->hash[2 * i + 1] = HEX[digest[i] & 15];
    }
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void build_plan(struct picture_read *job, const PGresult *rows)
{
    int count = PQntuples(rows);
    if (count == 0) {
        job->err = TK_ERR_NOT_FOUND;
        return;
    }
    struct plan_head head = plan_read_head(rows);
    job->plan = seat_plan_new((uint32_t)count);
    job->plan->session_id = job->session_id;
    job->plan->hall_id = head.hall_id;
    job->plan->start_time_us = head.start_time_us;
    for (int row = 0; row < count; row++) {
        struct plan_seat seat = plan_read_seat(rows, row);
        seat_plan_add(job->plan, &seat);
    }
    seat_plan_finish(job->plan);
    set_hash(job->plan);
}

static void keep_seats(struct picture_read *job, const PGresult *rows)
{
    struct tk_slice seats = {NULL, 0};
    job->version = seats_snapshot_read(rows, &seats);
    if (job->version == 0 || seats.len == 0) {
        job->err = TK_ERR_NOT_FOUND;
        return;
    }
    job->seats = tk_alloc(seats.len);
    job->seats_size = seats.len;
    memcpy(job->seats, seats.ptr, seats.len);
}

static void read_one(struct picture_read *job, struct tk_pgs *pg, void (*fill)(struct tk_pg_op *, const void *),
                     void (*take)(struct picture_read *, const PGresult *))
{
    struct tk_pg_op op;
    if (read_twice(pg, &op, fill, &job->session_id) == TK_STEP_OK) {
        take(job, op.outcome.rows[0]);
    } else {
        tk_log(TK_LOG_WARNING, "seats cannot be read", TK_KV_UUID("session", &job->session_id),
               TK_KV_STR("why", op.outcome.message));
        job->err = TK_ERR_UNAVAILABLE;
    }
    tk_pgs_release(&op);
}

static void work(struct read_job *read, struct tk_pgs *pg)
{
    struct picture_read *job = TK_CONTAINER_OF(read, struct picture_read, read);
    job->started_us = tk_mono_us();
    job->err = TK_OK;
    if (job->with_plan)
        read_one(job, pg, fill_plan, build_plan);
    if (!job->err)
        read_one(job, pg, fill_snapshot, keep_seats);
    if (!job->err && job->with_plan && job->seats_size != (size_t)job->plan->seat_count * PICTURE_SEAT_BYTES)
        job->err = TK_ERR_NOT_FOUND; /* deleted in between */
    tk_metric_observe_us(&reads, tk_mono_us() - job->started_us);
}

struct read_thread *picture_reader_start(struct tk_loop *loop, const char *url, int64_t timeout_ms)
{
    const struct read_thread_config config = {
        .name = "event-svc pictures",
        .url = url,
        .server_options = "-c enable_seqscan=off -c jit=off -c max_parallel_workers_per_gather=0", /* one session of many */
        .timeout_ms = timeout_ms,
        .statements = &picture_statements,
    };
    tk_metrics_register(&reads);
    return read_thread_start(loop, &config);
}

void picture_read_submit(struct read_thread *reader, struct picture_read *job)
{
    job->read.work = work;
    read_thread_submit(reader, &job->read);
}
