#include "bench/seats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BODY 65536

void seats_load(struct seats *seats, const char *path, int skip)
{
    FILE *file = fopen(path, "r");
    size_t cap = 0;
    struct seat seat;
    seats->body = TK_BUF_INIT(MAX_BODY);
    if (!file) {
        perror(path);
        exit(1);
    }
    while (fscanf(file, "%36s %36s", seat.session, seat.seat) == 2) {
        if (skip-- > 0)
            continue;
        if (seats->count == cap) {
            cap = cap ? cap * 2 : 65536;
            seats->list = tk_realloc(seats->list, cap * sizeof(*seats->list));
        }
        seats->list[seats->count++] = seat;
    }
    fclose(file);
}

uint64_t random_next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static struct seat_range take_section(struct seats *seats, size_t wanted, size_t requests, uint64_t *random)
{
    if (seats->next == requests || seats->count == 0)
        return (struct seat_range){0};
    seats->next++;
    return (struct seat_range){.first = random_next(random) % seats->count, .count = wanted};
}

struct seat_range seats_take(struct seats *seats, const struct options *opt, uint64_t *random)
{
    if (seats->returned_count > 0)
        return seats->returned[--seats->returned_count];
    size_t wanted = (size_t)opt->seats_min + random_next(random) % (size_t)(opt->seats_max - opt->seats_min + 1);
    if (opt->workload == WORKLOAD_BEST)
        return take_section(seats, wanted, (size_t)opt->requests, random);
    if (opt->workload == WORKLOAD_REFUSE && seats->next + wanted > seats->count)
        seats->next = 0;
    const struct seat *first = &seats->list[seats->next];
    struct seat_range range = {.first = seats->next};
    while (range.count < wanted && seats->next < seats->count &&
           strcmp(seats->list[seats->next].session, first->session) == 0) {
        range.count++;
        seats->next++;
    }
    return range;
}

void seats_return(struct seats *seats, struct seat_range range)
{
    if (seats->returned_count == seats->returned_cap) {
        seats->returned_cap = seats->returned_cap ? seats->returned_cap * 2 : 1024;
        seats->returned = tk_realloc(seats->returned, seats->returned_cap * sizeof(*seats->returned));
    }
    seats->returned[seats->returned_count++] = range;
}

static void put_head(struct tk_buf *out, const char *path, const char *suffix, const char *user, size_t body_len)
{
    tk_buf_append_str(out, "POST ");
    tk_buf_append_str(out, path);
    tk_buf_append_str(out, suffix);
    tk_buf_append_str(out, " HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: ");
    tk_buf_append_str(out, user);
    if (body_len > 0)
        tk_buf_append_str(out, "\r\ncontent-type: application/json");
    tk_buf_append_str(out, "\r\ncontent-length: ");
    tk_buf_append_i64(out, (int64_t)body_len);
    tk_buf_append_str(out, "\r\n\r\n");
}

static void begin_body(struct tk_buf *body, const char *session)
{
    tk_buf_reset(body);
    tk_buf_append_str(body, "{\"session_id\":\"");
    tk_buf_append_str(body, session);
}

static void put_reservation(const struct seats *seats, const char *user, struct tk_buf *out)
{
    put_head(out, "/api/v1/reservations", "", user, seats->body.len);
    tk_buf_append_slice(out, tk_buf_slice(&seats->body));
}

void request_reserve(struct seats *seats, struct seat_range range, const char *user, struct tk_buf *out)
{
    const struct seat *list = &seats->list[range.first];
    begin_body(&seats->body, list->session);
    tk_buf_append_str(&seats->body, "\",\"seats\":[");
    for (size_t i = 0; i < range.count; i++) {
        tk_buf_append_str(&seats->body, i ? ",{\"session_seat_id\":\"" : "{\"session_seat_id\":\"");
        tk_buf_append_str(&seats->body, list[i].seat);
        tk_buf_append_str(&seats->body, "\"}");
    }
    tk_buf_append_str(&seats->body, "]}");
    put_reservation(seats, user, out);
}

void request_best(struct seats *seats, struct seat_range range, const char *user, struct tk_buf *out)
{
    const struct seat *section = &seats->list[range.first];
    begin_body(&seats->body, section->session);
    tk_buf_append_str(&seats->body, "\",\"section\":\"");
    tk_buf_append_str(&seats->body, section->seat);
    tk_buf_append_str(&seats->body, "\",\"quantity\":");
    tk_buf_append_i64(&seats->body, (int64_t)range.count);
    tk_buf_append_str(&seats->body, "}");
    put_reservation(seats, user, out);
}

void request_confirm(const char *reservation, const char *user, struct tk_buf *out)
{
    char path[64] = "/api/v1/reservations/";
    memcpy(path + sizeof("/api/v1/reservations/") - 1, reservation, TK_UUID_TEXT_LEN);
    put_head(out, path, "/confirm", user, 0);
}

void request_get(const struct options *opt, struct tk_buf *out)
{
    tk_buf_append_str(out, "GET ");
    tk_buf_append_str(out, opt->path);
    tk_buf_append_str(out, " HTTP/1.1\r\nhost: 127.0.0.1\r\n");
    if (opt->header) {
        tk_buf_append_str(out, opt->header);
        tk_buf_append_str(out, "\r\n");
    }
    tk_buf_append_str(out, "\r\n");
}
