/*
 * Rendering of seat maps.
 */
#include <criterion/criterion.h>
#include <zlib.h>

#include "event-svc/app/seat_map.h"
#include "event-svc/tests/fake_rows.h"

#define COLUMNS 10

static void seat_row(PGresult *rows, int row, const char *section, const char *status, int64_t until_us)
{
    struct tk_uuid hall = fake_id(100);
    struct tk_uuid id = fake_id((uint8_t)(row + 1));
    fake_i64(rows, row, 0, 7);
    fake_uuid(rows, row, 1, &hall);
    fake_uuid(rows, row, 2, &id);
    fake_uuid(rows, row, 3, &id);
    fake_text(rows, row, 4, section);
    fake_text(rows, row, 5, "1");
    fake_text(rows, row, 6, "2");
    fake_i64(rows, row, 7, 9950);
    fake_text(rows, row, 8, status);
    if (until_us != 0)
        fake_time(rows, row, 9, until_us);
    else
        fake_null(rows, row, 9);
}

Test(seat_map, no_rows_no_map)
{
    PGresult *rows = fake_rows(COLUMNS);
    struct tk_uuid session = fake_id(50);
    cr_expect_null(seat_map_render(&session, rows));
    PQclear(rows);
    seat_map_free(NULL);
}

Test(seat_map, both_forms_share_their_bytes)
{
    PGresult *rows = fake_rows(COLUMNS);
    struct tk_uuid session = fake_id(50);
    seat_row(rows, 0, "A \"front\"", "available", 0);
    seat_row(rows, 1, "A", "sold", INT64_C(1800000000) * 1000000);
    struct seat_map *map = seat_map_render(&session, rows);
    cr_assert_not_null(map);
    cr_expect_eq(map->version, 7);
    static const char expected[] =
        "{\"session_id\":\"0193d2a0-0000-7000-8000-000000000032\",\"hall_id\":\"0193d2a0-0000-7000-8000-000000000064\","
        "\"seats\":[{\"session_seat_id\":\"0193d2a0-0000-7000-8000-000000000001\","
        "\"seat_id\":\"0193d2a0-0000-7000-8000-000000000001\",\"section\":\"A \\\"front\\\"\",\"row_number\":\"1\","
        "\"seat_number\":\"2\",\"price\":99.50,\"status\":\"available\",\"reserved_until\":null},"
        "{\"session_seat_id\":\"0193d2a0-0000-7000-8000-000000000002\","
        "\"seat_id\":\"0193d2a0-0000-7000-8000-000000000002\",\"section\":\"A\",\"row_number\":\"1\","
        "\"seat_number\":\"2\",\"price\":99.50,\"status\":\"sold\",\"reserved_until\":\"2027-01-15T08:00:00Z\"}]}";
    struct tk_slice object = map->forms[SEAT_MAP_OBJECT];
    struct tk_slice array = map->forms[SEAT_MAP_ARRAY];
    cr_expect(tk_slice_eq_str(object, expected), "%.*s", (int)object.len, object.ptr);
    cr_expect_eq(array.ptr[0], '[');
    cr_expect_eq(array.ptr[array.len - 1], ']');
    cr_expect_eq(array.ptr + array.len + 1, object.ptr + object.len);
    seat_map_free(map);
    PQclear(rows);
}

static struct tk_slice gunzip(struct tk_slice packed, char *out, size_t cap)
{
    z_stream stream = {.next_in = (Bytef *)(uintptr_t)packed.ptr, .avail_in = (uInt)packed.len};
    stream.next_out = (Bytef *)out;
    stream.avail_out = (uInt)cap;
    cr_assert_eq(inflateInit2(&stream, 15 + 16), Z_OK);
    cr_assert_eq(inflate(&stream, Z_FINISH), Z_STREAM_END);
    cr_assert_eq(inflateEnd(&stream), Z_OK);
    return (struct tk_slice){.ptr = out, .len = cap - stream.avail_out};
}

Test(seat_map, compressed_forms_hold_the_same_bytes)
{
    char plain[4096];
    PGresult *rows = fake_rows(COLUMNS);
    struct tk_uuid session = fake_id(50);
    seat_row(rows, 0, "A", "available", 0);
    struct seat_map *map = seat_map_render(&session, rows);
    size_t before = seat_map_size(map);
    for (enum seat_map_form form = 0; form < SEAT_MAP_FORMS; form++) {
        seat_map_compress(map, form);
        cr_expect(tk_slice_eq(gunzip(tk_buf_slice(&map->gzipped[form]), plain, sizeof(plain)), map->forms[form]));
        const char *bytes = map->gzipped[form].ptr;
        seat_map_compress(map, form);
        cr_expect_eq(map->gzipped[form].ptr, bytes, "made once");
    }
    cr_expect_gt(seat_map_size(map), before);
    seat_map_free(map);
    PQclear(rows);
}
