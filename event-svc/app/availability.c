/*
 * Counts per section and two bits a seat; or, for who knows an earlier version, the seats that changed since.
 */
#include "event-svc/app/availability.h"

#include <stdio.h>
#include <stdlib.h>

#include "shared/base/mem.h"
#include "shared/json/writer.h"

#define DELTA_ALWAYS 64                 /* changes that are told as such in the smallest hall */
#define MAX_BYTES    ((size_t)32 << 20) /* 50,000 sections of one seat, with the longest labels, escaped at worst */

static void write_counts(struct tk_jsonw *w, const uint32_t *counts)
{
    for (int status = 0; status < PICTURE_STATUSES; status++)
        tk_jsonw_i64(w, tk_seat_status_name((enum tk_seat_status)status), counts[status]);
}

static void write_head(struct tk_jsonw *w, const struct seat_picture *picture)
{
    const struct seat_plan *plan = picture->plan;
    char url[128];
    snprintf(url, sizeof(url), "/api/v1/sessions/%s/geometry/%s", TK_UUID_TEXT(&plan->session_id), plan->hash);
    tk_jsonw_uuid(w, "session_id", &plan->session_id);
    tk_jsonw_i64(w, "version", picture->version);
    tk_jsonw_str(w, "geometry", url);
    tk_jsonw_i64(w, "seat_count", plan->seat_count);
}

static void write_sections(struct tk_jsonw *w, const struct seat_picture *picture)
{
    tk_jsonw_begin_array(w, "sections");
    for (uint32_t i = 0; i < picture->plan->section_count; i++) {
        tk_jsonw_begin_object(w, NULL);
        tk_jsonw_text(w, "section", picture->plan->sections[i].label);
        write_counts(w, picture->sections[i].counts);
        tk_jsonw_end_object(w);
    }
    tk_jsonw_end_array(w);
}

static void write_statuses(struct tk_jsonw *w, const struct seat_picture *picture)
{
    size_t size = (picture->plan->seat_count + (size_t)3) / 4;
    uint8_t *packed = tk_alloc(size);
    struct tk_buf text = TK_BUF_INIT(2 * size + 4);
    seat_picture_pack(picture, packed);
    tk_base64_append(&text, packed, size);
    tk_jsonw_text(w, "statuses", tk_buf_slice(&text));
    tk_buf_release(&text);
    free(packed);
}

/* Oldest first, as it happened: [place, status] pairs, both numbers, since thousands of clients ask for these. */
static void write_changes(struct tk_jsonw *w, const struct seat_picture *picture, const uint32_t *places, size_t count)
{
    tk_jsonw_begin_array(w, "changes");
    for (size_t i = count; i-- > 0;) {
        tk_jsonw_begin_array(w, NULL);
        tk_jsonw_i64(w, NULL, places[i]);
        tk_jsonw_i64(w, NULL, seat_picture_status(picture, places[i]));
        tk_jsonw_end_array(w);
    }
    tk_jsonw_end_array(w);
}

static struct tk_slice render_full(struct availability *texts, const struct seat_picture *picture)
{
    struct availability_text *text = &texts->full;
    if (text->version == picture->version)
        return tk_buf_slice(&text->json);
    text->json.max = MAX_BYTES;
    tk_buf_reset(&text->json);
    struct tk_jsonw w = TK_JSONW(&text->json);
    tk_jsonw_begin_object(&w, NULL);
    write_head(&w, picture);
    write_sections(&w, picture);
    write_statuses(&w, picture);
    tk_jsonw_end_object(&w);
    text->version = picture->version;
    return tk_buf_slice(&text->json);
}

static struct tk_slice render_delta(struct availability_text *text, const struct seat_picture *picture,
                                    const uint32_t *places, size_t count)
{
    text->json.max = MAX_BYTES;
    tk_buf_reset(&text->json);
    struct tk_jsonw w = TK_JSONW(&text->json);
    tk_jsonw_begin_object(&w, NULL);
    write_head(&w, picture);
    tk_jsonw_i64(&w, "since", text->since);
    write_changes(&w, picture, places, count);
    tk_jsonw_end_object(&w);
    return tk_buf_slice(&text->json);
}

static struct availability_text *find_delta(struct availability *texts, int64_t version, int64_t since)
{
    for (size_t i = 0; i < AVAILABILITY_DELTAS; i++)
        if (texts->deltas[i].version == version && texts->deltas[i].since == since)
            return &texts->deltas[i];
    return NULL;
}

/* A change takes about nine bytes, a seat in the snapshot a third of one; beyond this many the snapshot is shorter. */
static size_t worthwhile(const struct seat_picture *picture)
{
    return DELTA_ALWAYS + picture->plan->seat_count / 16;
}

struct tk_slice availability_render(struct availability *texts, const struct seat_picture *picture, int64_t since)
{
    uint32_t places[PICTURE_RING];
    size_t count;
    if (since < 0)
        return render_full(texts, picture);
    struct availability_text *text = find_delta(texts, picture->version, since);
    if (text != NULL)
        return tk_buf_slice(&text->json);
    if (!seat_picture_delta(picture, since, places, &count) || count > worthwhile(picture))
        return render_full(texts, picture);
    text = &texts->deltas[texts->next_delta++ % AVAILABILITY_DELTAS];
    text->version = picture->version;
    text->since = since;
    return render_delta(text, picture, places, count);
}

void availability_release(struct availability *texts)
{
    tk_buf_release(&texts->full.json);
    for (size_t i = 0; i < AVAILABILITY_DELTAS; i++)
        tk_buf_release(&texts->deltas[i].json);
}
