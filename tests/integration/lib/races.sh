# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
#
# Races. Run with Redis they show what a client sees; run without it they show that the database alone decides.

# Compares the answers of the volley with both databases: nobody holds half of what was asked for, and nobody holds what was
# refused.
expect_whole_holds() {
    expect "other answers than 201 and 409 in $(volley_tally)" "$(grep -cvE ' (201|409)$' "$WORK/volley.codes")" 0
    local n
    for n in $(volley_with 201); do
        jq -r '.id as $id | .items[] | $id + "|" + .session_seat_id' "$WORK/volley.$n"
    done | sort >"$WORK/answered"
    event_sql "SELECT reservation_id, session_seat_id FROM session_seats
        WHERE session_id = '$SESSION_ID' AND status = 'reserved'" | sort >"$WORK/held"
    expect "held, against what was answered" "$(diff "$WORK/answered" "$WORK/held")" ""
    booking_sql "SELECT r.id, i.session_seat_id FROM reservations r JOIN reservation_items i ON i.reservation_id = r.id
        WHERE r.session_id = '$SESSION_ID' AND r.status = 'active'" | sort >"$WORK/stored"
    expect "stored, against what was answered" "$(diff "$WORK/answered" "$WORK/stored")" ""
}

race_for_one_seat() { # one round: fifty buyers, one seat
    take 1
    volley_open
    local n
    for n in {1..50}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "${BUYERS[n]}" "$(reservation_json "${TAKEN[0]}")"
    done
    volley_fire 50
    expect "answers" "$(volley_tally)" "201:1 409:49"
}

fifty_race_for_one() { # ROUNDS
    local round
    open_session 5 10
    mapfile -t BUYERS < <(for round in {0..50}; do uuid; done)
    for ((round = 1; round <= $1; round++)); do
        race_for_one_seat
    done
    expect "winners in the event database" "$(event_sql "SELECT count(DISTINCT reservation_id) FROM session_seats
        WHERE session_id = '$SESSION_ID' AND status = 'reserved'")" "$1"
    expect "winners in the booking database" "$(booking_sql "SELECT count(*) FROM reservations
        WHERE session_id = '$SESSION_ID'")" "$1"
}

overlapping_pairs() { # {1,2}, {2,3}, {3,1}: exactly one of each round gets both of its seats
    local round a b c
    open_session 6 10
    for round in {1..10}; do
        take 3
        a=${TAKEN[0]} b=${TAKEN[1]} c=${TAKEN[2]}
        volley_open
        for _ in {1..8}; do
            volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$a" "$b")"
            volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$b" "$c")"
            volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$c" "$a")"
        done
        volley_fire 24
        expect "round $round" "$(volley_tally)" "201:1 409:23"
    done
    expect "seats held after ten rounds" "$(seats_with_status "$SESSION_ID" reserved)" 20
    expect "halves" "$(event_sql "SELECT count(*) FROM (SELECT reservation_id FROM session_seats WHERE session_id = '$SESSION_ID'
        AND status = 'reserved' GROUP BY 1 HAVING count(*) <> 2) AS halves")" 0
}

random_groups() { # 60 groups of 1 to 4 among 20 seats
    local n
    open_session 2 10
    volley_open
    for n in {1..60}; do
        mapfile -t TAKEN < <(shuf -n $((n % 4 + 1)) -e "${SEATS[@]}")
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "${TAKEN[@]}")"
    done
    volley_fire 60
    expect_between "winners" "$(volley_count 201)" 5 20
    expect_whole_holds
}
