/* What is known at the door. */
#include "booking-svc/app/admission.h"

#include "shared/base/clock.h"
#include "shared/metrics/metrics.h"

static struct tk_metric recalled_seats =
    TK_COUNTER("memory_refused_total", "why=\"seats_taken\"", "Reservations refused from memory, without asking anybody");
static struct tk_metric recalled_sections =
    TK_COUNTER("memory_refused_total", "why=\"sold_out\"", "Reservations refused from memory, without asking anybody");
static struct tk_metric turned_away =
    TK_COUNTER("reservations_turned_away_total", NULL, "Reservations refused at the door because of the queues ahead");

void admission_metrics(void)
{
    tk_metrics_register(&recalled_seats);
    tk_metrics_register(&recalled_sections);
    tk_metrics_register(&turned_away);
}

/* --- memory -------------------------------------------------------------------------------------------------------- */

static bool recalls_seats(struct booking_app *app, const struct create_request *request, int64_t now_us,
                          struct tk_hold_answer *answer)
{
    size_t lost = 0;
    for (size_t i = 0; i < request->seat_count; i++) {
        const struct tk_uuid *seat = &request->seats[i].session_seat_id;
        enum tk_seat_status status;
        if (seat_memory_is_taken(app->memory, seat, now_us, &status))
            app->recalled[lost++] = (struct tk_hold_seat){.session_seat_id = *seat, .status = status};
    }
    *answer = (struct tk_hold_answer){.outcome = TK_HOLD_SEATS_TAKEN, .seats = app->recalled, .seat_count = lost};
    return lost > 0;
}

bool admission_recalls(struct booking_app *app, const struct create_request *request, int64_t now_us,
                       struct tk_hold_answer *answer)
{
    if (request->seats != NULL) {
        const bool taken = recalls_seats(app, request, now_us, answer);
        tk_metric_add(&recalled_seats, taken);
        return taken;
    }
    *answer = (struct tk_hold_answer){0};
    const bool refused = seat_memory_refuses(app->memory, &request->session_id, &request->best, now_us, answer);
    tk_metric_add(&recalled_sections, refused);
    return refused;
}

void admission_learn_refusal(struct booking_app *app, const struct create_request *request,
                             const struct tk_hold_answer *answer, int64_t asked_us)
{
    const int64_t now_us = tk_mono_us();
    if (answer->outcome == TK_HOLD_SOLD_OUT || answer->outcome == TK_HOLD_NO_ADJACENT_BLOCK)
        seat_memory_learn_refusal(app->memory, &request->session_id, &request->best, answer, asked_us, now_us);
    if (answer->outcome != TK_HOLD_SEATS_TAKEN)
        return;
    for (size_t i = 0; i < answer->seat_count; i++)
        seat_memory_learn_taken(app->memory, &answer->seats[i].session_seat_id, answer->seats[i].status, asked_us, now_us);
}

void admission_learn_hold(struct booking_app *app, const struct tk_hold_answer *answer)
{
    const int64_t now_us = tk_mono_us();
    for (size_t i = 0; i < answer->seat_count; i++)
        seat_memory_learn_taken(app->memory, &answer->seats[i].session_seat_id, TK_SEAT_RESERVED, now_us, now_us);
}

/* --- queues -------------------------------------------------------------------------------------------------------- */

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/**
 * Whoever is in the house must pass each station before the newcomer does. Counting flows instead of queue lengths also
 * counts those on their way to a queue: a turn of the loop can let in thousands before the first of them gets there.
 */
static int64_t way_ahead_us(const struct booking_app *app, bool keyed)
{
    const size_t *at = app->creating;
    const size_t binding = at[RESERVATION_FLOW_PRICING] + at[RESERVATION_FLOW_BINDING];
    const size_t holding = binding + at[RESERVATION_FLOW_LOCKING] + at[RESERVATION_FLOW_HOLDING];
    const size_t persisting = holding + at[RESERVATION_FLOW_PERSISTING];
    int64_t longest = event_client_hold_time_us(app->events, holding);
    longest = later(longest, write_queue_time_us(app->persists, persisting));
    longest = later(longest, write_queue_wait_us(app->begins));
    longest = later(longest, write_queue_wait_us(app->settles));
    return keyed ? longest + write_queue_time_us(app->binds, binding) : longest;
}

bool admission_is_full(struct booking_app *app, bool keyed)
{
    const int64_t most_us = app->config->queue_max_wait_ms * TK_US_PER_MS;
    const bool full = most_us > 0 && way_ahead_us(app, keyed) > most_us;
    tk_metric_add(&turned_away, full);
    return full;
}

bool admission_is_closed(struct booking_app *app)
{
    const bool closed = event_client_breaker(app->events) != TK_BREAKER_CLOSED;
    tk_metric_add(&turned_away, closed);
    return closed;
}
