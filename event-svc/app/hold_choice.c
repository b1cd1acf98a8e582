/*
 * Choosing and refusing from memory. Nothing here waits or sends.
 */
#include "event-svc/app/hold_choice.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "event-svc/domain/seat_picker.h"
#include "shared/base/clock.h"

void hold_prepare(struct hold_call *call)
{
    const struct tk_hold_request *request = &call->request;
    size_t count = request->best_available ? (size_t)request->best.quantity : request->seat_count;
    assert(count > 0 && count <= TK_SEAT_API_MAX_SEATS);
    call->tag = seat_tag(&request->reservation_id);
    call->sorted_seats = tk_arena_alloc(call->arena, count * sizeof(*call->sorted_seats));
    call->places = tk_arena_alloc(call->arena, count * sizeof(*call->places));
    call->seat_count = count;
    call->seats = request->best_available ? call->sorted_seats : request->seats;
    if (request->best_available)
        return;
    memcpy(call->sorted_seats, request->seats, count * sizeof(*call->sorted_seats));
    qsort(call->sorted_seats, count, sizeof(*call->sorted_seats), tk_uuid_order);
}

static bool may_refuse(const struct hold_call *call, int64_t now_us)
{
    return call->looked || now_us - call->session->verified_us <= PICTURE_TRUST_MS * TK_US_PER_MS;
}

static void start_refusal(struct hold_call *call, enum tk_hold_outcome outcome)
{
    call->answer = (struct tk_hold_answer){
        .reservation_id = call->request.reservation_id, .outcome = outcome, .reserved_until_us = TK_TIME_NONE};
}

static void claim(struct hold_call *call)
{
    for (size_t i = 0; i < call->seat_count; i++)
        if (call->places[i] != SEAT_NOWHERE)
            seat_picture_claim(call->session->picture, call->places[i], call->tag);
}

void hold_unclaim(struct hold_call *call)
{
    struct seat_picture *picture = call->session->picture;
    for (size_t i = 0; picture != NULL && i < call->seat_count; i++)
        if (call->places[i] != SEAT_NOWHERE)
            seat_picture_unclaim(picture, call->places[i], call->tag);
}

bool hold_learn(struct hold_call *call)
{
    struct seat_picture *picture = call->session->picture;
    uint32_t before = picture->seen_taken;
    for (size_t i = 0; i < call->answer.seat_count; i++) {
        uint32_t place = seat_plan_find(picture->plan, &call->answer.seats[i].session_seat_id);
        if (place != SEAT_NOWHERE)
            seat_picture_see_taken(picture, place, call->answer.seats[i].status);
    }
    return picture->seen_taken > before;
}

/* --- best available ------------------------------------------------------------------------------------------------- */

static void take_places(struct hold_call *call, size_t count)
{
    call->seat_count = count;
    for (size_t i = 0; i < count; i++)
        call->sorted_seats[i] = call->session->picture->plan->ids[call->places[i]];
}

/* A replay: seats under this reservation's tag. Postgres tells what became of it. */
static bool take_own(struct hold_call *call)
{
    size_t quantity = (size_t)call->request.best.quantity;
    size_t count = seat_picture_of_tag(call->session->picture, call->tag, call->places, quantity);
    if (count == 0 || call->tries > 0)
        return false;
    take_places(call, count);
    return true;
}

static void refuse_best(struct hold_call *call, enum pick_result result, const struct pick_offer *offer, bool closed)
{
    start_refusal(call, closed                    ? TK_HOLD_SALES_CLOSED
                        : result == PICK_NO_BLOCK ? TK_HOLD_NO_ADJACENT_BLOCK
                                                  : TK_HOLD_SOLD_OUT);
    call->answer.offer_available = offer->available;
    call->answer.offer_largest_block = offer->largest_block;
    call->seat_count = 0;
}

static enum hold_choice choose_best(struct hold_call *call, int64_t now_us, int64_t unix_us)
{
    struct seat_picture *picture = call->session->picture;
    struct pick_offer offer = {0};
    if (take_own(call))
        return HOLD_GO;
    enum pick_result result = seat_pick(picture, &call->request.best, call->places, &offer);
    if (result == PICK_FOUND) {
        take_places(call, (size_t)call->request.best.quantity);
        claim(call);
        return HOLD_GO;
    }
    if (!may_refuse(call, now_us))
        return HOLD_LOOK;
    refuse_best(call, result, &offer, picture->plan->start_time_us <= unix_us);
    return HOLD_REFUSE;
}

/* --- the seats asked for -------------------------------------------------------------------------------------------- */

static size_t count_status(const struct hold_call *call, enum tk_seat_status *statuses, enum tk_seat_status *worst)
{
    size_t lost = 0;
    for (size_t i = 0; i < call->request.seat_count; i++) {
        uint32_t place = seat_plan_find(call->session->picture->plan, &call->request.seats[i]);
        statuses[i] = TK_SEAT_AVAILABLE;
        if (place == SEAT_NOWHERE)
            statuses[i] = *worst = TK_SEAT_UNKNOWN;
        else if (!seat_picture_is_lost(call->session->picture, place, call->tag, &statuses[i]))
            statuses[i] = TK_SEAT_AVAILABLE;
        lost += statuses[i] != TK_SEAT_AVAILABLE;
    }
    return lost;
}

/* Refused when somebody else has one of the seats; seats of another session are Postgres' to judge: it is rare. */
static bool refuse_taken(struct hold_call *call)
{
    enum tk_seat_status statuses[TK_SEAT_API_MAX_SEATS];
    enum tk_seat_status worst = TK_SEAT_AVAILABLE;
    size_t lost = count_status(call, statuses, &worst);
    if (lost == 0 || worst == TK_SEAT_UNKNOWN)
        return false;
    start_refusal(call, TK_HOLD_SEATS_TAKEN);
    call->answer.seats = tk_arena_alloc(call->arena, lost * sizeof(*call->answer.seats));
    for (size_t i = 0; i < call->request.seat_count; i++)
        if (statuses[i] != TK_SEAT_AVAILABLE)
            call->answer.seats[call->answer.seat_count++] =
                (struct tk_hold_seat){.session_seat_id = call->request.seats[i], .status = statuses[i]};
    return true;
}

static enum hold_choice choose_asked(struct hold_call *call, int64_t now_us, int64_t unix_us)
{
    const struct seat_plan *plan = call->session->picture->plan;
    for (size_t i = 0; i < call->seat_count; i++)
        call->places[i] = seat_plan_find(plan, &call->sorted_seats[i]);
    if (plan->start_time_us > unix_us && refuse_taken(call))
        return may_refuse(call, now_us) ? HOLD_REFUSE : HOLD_LOOK;
    claim(call);
    return HOLD_GO;
}

enum hold_choice hold_choose(struct hold_call *call, int64_t now_us, int64_t unix_us)
{
    assert(call->session->picture != NULL);
    return call->request.best_available ? choose_best(call, now_us, unix_us) : choose_asked(call, now_us, unix_us);
}

bool hold_is_overtaken(struct hold_call *call, int64_t now_us)
{
    enum tk_seat_status status;
    struct seat_picture *picture = call->session->picture;
    bool lost = false;
    if (call->request.best_available || !may_refuse(call, now_us))
        return false;
    for (size_t i = 0; i < call->seat_count && !lost; i++)
        lost = call->places[i] != SEAT_NOWHERE && seat_picture_is_lost(picture, call->places[i], call->tag, &status);
    return lost && refuse_taken(call);
}
