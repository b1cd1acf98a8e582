# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Holds that nobody confirms come back

HOLD_SECONDS=3

short_instance() { # a booking-svc beside the stack's own, with holds of a few seconds
    instance_start booking-svc RESERVATION_TIMEOUT_SECONDS=$HOLD_SECONDS \
        MOCK_PAYMENT_ENABLED=true MOCK_PAYMENT_SUCCESS_RATE=1.0
    expect "health" $? 0
    SHORT_URL=$INSTANCE_URL
}

reserve_briefly() { # USER SEAT…; also leaves ASKED_MS
    ASKED_MS=$(now_ms)
    RESERVE_URL=$SHORT_URL reserve "$@"
}

ms_until() { # RFC 3339 time [FROM] → milliseconds from FROM, or from now
    echo $(($(date -u -d "$1" +%s%3N) - ${2:-$(now_ms)}))
}

an_unconfirmed_hold_comes_back() {
    local expiry user other
    open_session 2 5
    user=$(uuid)
    other=$(uuid)
    take 2
    reserve "$other" "${TAKEN[1]}"
    expect_status 201
    OTHER_HOLDER=$other
    OTHER_HOLD=$RESERVATION_ID
    reserve_briefly "$user" "${TAKEN[0]}"
    expect_status 201
    expiry=$(json .expiry_time)
    expect_between "milliseconds from the request to the expiry, at least" "$(ms_until "$expiry" "$ASKED_MS")" \
        $((HOLD_SECONDS * 1000 - 1000)) 60000
    expect_between "milliseconds until the expiry, at most" "$(ms_until "$expiry")" -60000 $((HOLD_SECONDS * 1000 + 200))
    expect_json '.time_remaining_seconds <= 3'
    EXPIRED=$RESERVATION_ID
    EXPIRED_USER=$user
    eventually 6 "seat" available seat_status "${TAKEN[0]}"
    expect_between "milliseconds after its expiry" $((-$(ms_until "$expiry"))) 0 $((2000 * PATIENCE))
    expect "reservation" "$(reservation_status "$EXPIRED")" expired
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    expect_json '[.[] | select(.session_seat_id == $seat)] == [.[] | select(.session_seat_id == $seat and .reserved_until == null)]' \
        --arg seat "${TAKEN[0]}"
    expect "the longer hold beside it" "$(seat_status "${TAKEN[1]}")" reserved
    FREED=${TAKEN[0]}
}

confirming_too_late() {
    confirm "$EXPIRED_USER" "$EXPIRED"
    expect_problem 410 hold_expired
    cancel "$EXPIRED_USER" "$EXPIRED"
    expect_problem 410 hold_expired
    reservation "$EXPIRED_USER" "$EXPIRED"
    expect_json '.status == "expired" and .time_remaining_seconds == 0'
    expect "tickets" "$(booking_sql "SELECT count(*) FROM tickets WHERE reservation_id = '$EXPIRED'")" 0
}

the_seat_sells_to_the_next() {
    local user
    user=$(uuid)
    reserve "$user" "$FREED"
    expect_status 201
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    eventually 5 "seat" sold seat_status "$FREED"
    cancel "$OTHER_HOLDER" "$OTHER_HOLD"
    expect_status 200
}

# At the very deadline one side wins, and both databases tell the same winner.
confirm_races_expiry() {
    local user id expiry
    take 1
    user=$(uuid)
    reserve_briefly "$user" "${TAKEN[0]}"
    id=$RESERVATION_ID
    expiry=$(json .expiry_time)
    sleep "$(printf '%d' $(($(ms_until "$expiry") - 60)) | awk '{ print ($1 > 0 ? $1 : 0) / 1000 }')"
    volley_open
    for _ in {1..12}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations/$id/confirm" "$user" "{\"payment_id\": \"$ALWAYS_PAYS\"}"
    done
    volley_fire 3
    expect "other answers than 200, 409 and 410 in $(volley_tally)" "$(grep -cvE ' (200|409|410)$' "$WORK/volley.codes")" 0
    if [ "$(volley_count 200)" -gt 0 ]; then
        expect "reservation" "$(reservation_status "$id")" confirmed
        eventually 5 "seat" sold seat_status "${TAKEN[0]}"
    else
        eventually 5 "seat" available seat_status "${TAKEN[0]}"
        expect "reservation" "$(reservation_status "$id")" expired
    fi
}

many_holds_expire_together() {
    local n
    open_session 10 10
    volley_open
    for n in "${SEATS[@]}"; do
        volley_add POST "$SHORT_URL/api/v1/reservations" "$(uuid)" "$(reservation_json "$n")"
    done
    volley_fire 20
    expect "answers" "$(volley_tally)" "201:100"
    eventually $((HOLD_SECONDS + 3)) "seats back" 100 seats_with_status "$SESSION_ID" available
    expect "reservations" "$(booking_sql "SELECT count(*) FROM reservations WHERE session_id = '$SESSION_ID' AND status = 'expired'")" 100
    eventually 5 "outbox" 0 booking_sql "SELECT count(*) FROM outbox"
}

if have_programs; then
    check "a second booking-svc with short holds starts beside the first" short_instance
    check "an unconfirmed hold comes back soon after its expiry; longer holds stay" an_unconfirmed_hold_comes_back
    check "confirm and cancel after the expiry are 410" confirming_too_late
    check "the seat sells to the next buyer" the_seat_sells_to_the_next
    check "confirm against expiry: one wins, both databases agree" confirm_races_expiry
    check "a hundred holds expire together" many_holds_expire_together
else
    skip "expiry of holds" "the programs are not built here"
fi
