/*
 * The calls between booking-svc and event-svc: requests for holds and releases, and the answers to them.
 */
#include "shared/contract/seat_api.h"
#include "tests/fuzz/fuzz.h"

static void requests(const struct tk_json *json, struct tk_arena *arena)
{
    struct tk_json_errors errors = {.arena = arena};
    struct tk_hold_request hold;
    struct tk_release_request release;
    if (tk_hold_request_decode(json, "", arena, &hold, &errors) == TK_OK) {
        MUST(hold.hold_seconds > 0);
        if (hold.best_available)
            MUST(hold.best.quantity >= 1 && hold.best.quantity <= TK_SEAT_API_MAX_SEATS);
        else
            MUST(hold.seat_count >= 1 && hold.seat_count <= TK_SEAT_API_MAX_SEATS);
    } else {
        MUST(errors.count > 0);
    }
    if (tk_release_request_decode(json, "", arena, &release, &errors) == TK_OK)
        MUST(release.revision >= 0);
}

static void answers(const struct tk_json *json, struct tk_arena *arena)
{
    struct tk_hold_answer hold;
    struct tk_release_answer release;
    if (tk_hold_answer_decode(json, arena, &hold) == TK_OK)
        MUST(tk_hold_outcome_name(hold.outcome) != NULL);
    if (tk_release_answer_decode(json, &release) == TK_OK)
        MUST(tk_release_outcome_name(release.outcome) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct tk_arena arena = {0};
    const struct tk_json *json = NULL;
    const char *why = NULL;
    if (tk_json_parse(&arena, input_slice(data, size), &json, &why) == TK_OK && json->type == TK_JSON_OBJECT) {
        requests(json, &arena);
        answers(json, &arena);
    }
    tk_arena_release(&arena);
    return 0;
}
