/**
 * Lineage on the wire: what is written is read, and what is not one is refused.
 */
#include <criterion/criterion.h>

#include "shared/contract/lineage.h"

static struct tk_arena arena;

static enum tk_err decode(const char *text, struct tk_lineage *out)
{
    return tk_lineage_decode(tk_slice_of(text), &arena, out);
}

Test(lineage, what_is_written_is_read)
{
    struct tk_lineage read;
    struct tk_lineage written = {.system_id = tk_uuid_v7(), .epoch = 42, .peer_epoch = 0, .diverged = false};
    for (int i = 0; i < 2; i++) {
        struct tk_buf body = TK_BUF_INIT(TK_LINEAGE_MAX_BYTES);
        tk_lineage_encode(&written, &body);
        cr_assert_not(body.overflow);
        cr_assert_eq(tk_lineage_decode(tk_buf_slice(&body), &arena, &read), TK_OK);
        cr_expect(tk_uuid_eq(&read.system_id, &written.system_id));
        cr_expect(tk_uuid_eq(&read.peer_system_id, &written.peer_system_id));
        cr_expect_eq(read.epoch, written.epoch);
        cr_expect_eq(read.peer_epoch, written.peer_epoch);
        cr_expect_eq(read.diverged, written.diverged);
        tk_buf_release(&body);
        written.peer_system_id = tk_uuid_v7();
        written.peer_epoch = INT64_MAX;
        written.diverged = true;
    }
    tk_arena_release(&arena);
}

Test(lineage, anything_else_is_refused)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"system_id\":\"x\",\"epoch\":1,\"peer_epoch\":0,\"diverged\":false}",
        "{\"system_id\":\"0193d2a0-1b2c-4def-8a01-23456789abcd\",\"epoch\":-1,\"peer_epoch\":0,\"diverged\":false}",
        "{\"system_id\":\"0193d2a0-1b2c-4def-8a01-23456789abcd\",\"epoch\":1,\"peer_epoch\":0}",
    };
    struct tk_lineage read;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        cr_expect_eq(decode(bad[i], &read), TK_ERR_INVALID, "%s", bad[i]);
    tk_arena_release(&arena);
}

Test(lineage, who_remembers_more_than_there_is_contradicts)
{
    struct tk_lineage event = {.system_id = tk_uuid_v7(), .epoch = 10};
    struct tk_lineage booking = {.system_id = tk_uuid_v7(), .epoch = 20};
    cr_expect_not(tk_lineage_contradicts(&event, &booking), "nothing is remembered");
    event.peer_system_id = booking.system_id;
    event.peer_epoch = 20;
    cr_expect_not(tk_lineage_contradicts(&event, &booking));
    event.peer_epoch = 21;
    cr_expect(tk_lineage_contradicts(&event, &booking), "put back");
    event.peer_epoch = 1;
    booking.system_id = tk_uuid_v7();
    cr_expect(tk_lineage_contradicts(&event, &booking), "replaced");
}
