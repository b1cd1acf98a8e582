# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Races: many buyers, few seats

RACE_ROUNDS=${RACE_ROUNDS:-20}

losers_learn_which_seat() {
    reserve "$(uuid)" "${TAKEN[0]}"
    expect_problem 409 seats_taken
    expect_json '.unavailable_seats | map(.session_seat_id) == [$seat]' --arg seat "${TAKEN[0]}"
}

crossed_orders() { # the same seats in opposite order: no deadlock, no half
    local reversed
    open_session 2 5
    mapfile -t reversed < <(printf '%s\n' "${SEATS[@]}" | tac)
    volley_open
    for _ in {1..10}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "${SEATS[@]}")"
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "${reversed[@]}")"
    done
    volley_fire 20
    expect "answers" "$(volley_tally)" "201:1 409:19"
    expect_whole_holds
}

everybody_gets_one() { # enough for all: nobody is refused for no reason
    local seat
    open_session 10 10
    volley_open
    for seat in "${SEATS[@]}"; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$seat")"
    done
    volley_fire 50
    expect "answers" "$(volley_tally)" "201:100"
    expect_whole_holds
}

check "50 buyers, one seat, $RACE_ROUNDS rounds: one winner each" fifty_race_for_one "$RACE_ROUNDS"
check "losers learn which seat is gone" losers_learn_which_seat
check "overlapping pairs, ten rounds: one winner each, no halves" overlapping_pairs
check "the same ten seats in both orders: one winner, no deadlock" crossed_orders
check "60 groups among 20 seats: only whole holds" random_groups
check "100 buyers, 100 seats: everybody gets one" everybody_gets_one
