/*
 * Per row: its first seat's place in the statuses of …/availability, and one array per attribute of its seats.
 */
#include "event-svc/app/geometry.h"

#include <assert.h>
#include <stdlib.h>

#include "shared/base/mem.h"
#include "shared/http/gzip.h"
#include "shared/json/writer.h"

#define MAX_BYTES  ((size_t)64 << 20)
#define GZIP_LEVEL 1 /* as for seat maps */

struct geometry_job {
    struct read_job read;
    struct session_picture *session;
    struct tk_buf json;
    struct tk_buf gzipped;
};

static void write_ids(struct tk_jsonw *w, const struct seat_plan *plan, const struct plan_row *row)
{
    tk_jsonw_begin_array(w, "session_seat_ids");
    for (uint32_t i = row->first; i < row->first + row->count; i++)
        tk_jsonw_uuid(w, NULL, &plan->ids[i]);
    tk_jsonw_end_array(w);
}

static void write_numbers(struct tk_jsonw *w, const struct seat_plan *plan, const struct plan_row *row)
{
    tk_jsonw_begin_array(w, "seat_numbers");
    for (uint32_t i = row->first; i < row->first + row->count; i++)
        tk_jsonw_str(w, NULL, plan->numbers[i]);
    tk_jsonw_end_array(w);
}

static void write_prices(struct tk_jsonw *w, const struct seat_plan *plan, const struct plan_row *row)
{
    tk_jsonw_begin_array(w, "prices");
    for (uint32_t i = row->first; i < row->first + row->count; i++)
        tk_jsonw_money(w, NULL, plan->prices_minor[i]);
    tk_jsonw_end_array(w);
}

static void write_section(struct tk_jsonw *w, const struct seat_plan *plan, const struct plan_section *section)
{
    tk_jsonw_begin_object(w, NULL);
    tk_jsonw_text(w, "section", section->label);
    tk_jsonw_begin_array(w, "rows");
    for (uint32_t i = section->first_row; i < section->first_row + section->row_count; i++) {
        tk_jsonw_begin_object(w, NULL);
        tk_jsonw_text(w, "row_number", plan->rows[i].label);
        tk_jsonw_i64(w, "first", plan->rows[i].first);
        write_numbers(w, plan, &plan->rows[i]);
        write_ids(w, plan, &plan->rows[i]);
        write_prices(w, plan, &plan->rows[i]);
        tk_jsonw_end_object(w);
    }
    tk_jsonw_end_array(w);
    tk_jsonw_end_object(w);
}

static void render(const struct seat_plan *plan, struct tk_buf *out)
{
    struct tk_jsonw w = TK_JSONW(out);
    tk_jsonw_begin_object(&w, NULL);
    tk_jsonw_uuid(&w, "session_id", &plan->session_id);
    tk_jsonw_uuid(&w, "hall_id", &plan->hall_id);
    tk_jsonw_i64(&w, "seat_count", plan->seat_count);
    tk_jsonw_begin_array(&w, "sections");
    for (uint32_t i = 0; i < plan->section_count; i++)
        write_section(&w, plan, &plan->sections[i]);
    tk_jsonw_end_array(&w);
    tk_jsonw_end_object(&w);
}

static void work(struct read_job *read, struct tk_pgs *pg)
{
    struct geometry_job *job = TK_CONTAINER_OF(read, struct geometry_job, read);
    (void)pg;
    job->json = TK_BUF_INIT(MAX_BYTES);
    job->gzipped = TK_BUF_INIT(MAX_BYTES);
    render(job->session->picture->plan, &job->json); /* pinned, and a plan never changes */
    enum tk_err err = tk_gzip_append(&job->gzipped, tk_buf_slice(&job->json), GZIP_LEVEL);
    assert(!err && !job->json.overflow);
    (void)err;
}

static void answer(struct session_picture *session)
{
    struct tk_link *link;
    while ((link = tk_list_pop_front(&session->geometry.waiting)) != NULL) {
        struct geometry_call *call = TK_CONTAINER_OF(link, struct geometry_call, link);
        call->done(call, TK_OK);
    }
}

static void answer_later(void *arg)
{
    struct session_picture *session = arg;
    answer(session);
    seat_pictures_unpin(session);
}

static void on_rendered(struct read_job *read)
{
    struct geometry_job *job = TK_CONTAINER_OF(read, struct geometry_job, read);
    struct session_picture *session = job->session;
    session->geometry.json = job->json;
    session->geometry.gzipped = job->gzipped;
    session->geometry.rendering = false;
    seat_pictures_grew(session, job->json.cap + job->gzipped.cap);
    free(job);
    answer_later(session);
}

void geometry_want(struct geometry_call *call)
{
    struct session_picture *session = call->session;
    struct geometry *geometry = &session->geometry;
    bool first = tk_list_is_empty(&geometry->waiting);
    tk_list_push_back(&geometry->waiting, &call->link);
    if (geometry->rendering || !first)
        return;
    session->pins++;
    if (geometry->json.len > 0) {
        tk_loop_defer(seat_pictures_loop(session), &geometry->answer, answer_later, session);
        return;
    }
    struct geometry_job *job = tk_alloc(sizeof(*job));
    job->session = session;
    job->read = (struct read_job){.work = work, .done = on_rendered};
    geometry->rendering = true;
    read_thread_submit(seat_pictures_reader(session), &job->read);
}
