# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# The life of a reservation: cancel, pay, fail to pay, own, list, repeat

cancelling_returns_the_seat() {
    open_session 6 10
    local user
    user=$(uuid)
    take 2
    reserve "$user" "${TAKEN[@]}"
    expect_status 201
    cancel "$user" "$RESERVATION_ID"
    expect_status 200
    expect_json '.status == "cancelled"'
    expect "seats" "$(seats_with_status "$SESSION_ID" available)" 60
    cp "$WORK/body" "$WORK/first"
    cancel "$user" "$RESERVATION_ID"
    expect_status 200
    expect_json '.status == "cancelled"'
    confirm "$user" "$RESERVATION_ID"
    expect_problem 409 wrong_state
    reserve "$(uuid)" "${TAKEN[@]}"
    expect_status 201
    expect "seats reserved by the next buyer" "$(seats_with_status "$SESSION_ID" reserved)" 2
}

paying_twice_charges_once() {
    local user attempts
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    jq -S 'del(.time_remaining_seconds)' "$WORK/body" >"$WORK/first"
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    expect "same answer" "$(jq -S 'del(.time_remaining_seconds)' "$WORK/body")" "$(cat "$WORK/first")"
    confirm "$user" "$RESERVATION_ID" "$(uuid)"
    expect_status 200
    attempts=$(booking_sql "SELECT count(*) FROM payment_attempts WHERE reservation_id = '$RESERVATION_ID' AND status = 'succeeded'")
    expect "payments" "$attempts" 1
    expect "tickets" "$(booking_sql "SELECT count(*) FROM tickets WHERE reservation_id = '$RESERVATION_ID'")" 1
    cancel "$user" "$RESERVATION_ID"
    expect_problem 409 wrong_state
    expect "reservation" "$(reservation_status "$RESERVATION_ID")" confirmed
}

parallel_confirms_charge_once() {
    local user
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    volley_open
    for _ in {1..10}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/confirm" "$user" "{\"payment_id\": \"$ALWAYS_PAYS\"}"
    done
    volley_fire 10
    expect_between "answers 200 of $(volley_tally)" "$(volley_count 200)" 1 10
    expect "other answers than 200 and 409" "$(grep -cvE ' (200|409)$' "$WORK/volley.codes")" 0
    expect "payments" "$(booking_sql "SELECT count(*) FROM payment_attempts WHERE reservation_id = '$RESERVATION_ID'
        AND status = 'succeeded'")" 1
    expect "tickets" "$(booking_sql "SELECT count(*) FROM tickets WHERE reservation_id = '$RESERVATION_ID'")" 1
}

failed_payment_keeps_the_hold() {
    local user
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    confirm "$user" "$RESERVATION_ID" "$NEVER_PAYS"
    expect_problem 402 payment_failed
    expect "reservation" "$(reservation_status "$RESERVATION_ID")" active
    expect "seat" "$(seat_status "${TAKEN[0]}")" reserved
    expect "tickets" "$(booking_sql "SELECT count(*) FROM tickets WHERE reservation_id = '$RESERVATION_ID'")" 0
    confirm "$user" "$RESERVATION_ID"
    expect_status 200
    eventually 5 "seat after a second try" sold seat_status "${TAKEN[0]}"
}

confirm_body_is_optional() {
    local user
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    request POST "$BOOKING_URL/api/v1/reservations/$RESERVATION_ID/confirm" -H "X-User-ID: $user"
    expect_status 200
    expect_json '.status == "confirmed"'
}

others_see_404() {
    local user stranger
    user=$(uuid)
    stranger=$(uuid)
    take 1
    reserve "$user" "${TAKEN[0]}"
    reservation "$stranger" "$RESERVATION_ID"
    expect_problem 404 not_found
    confirm "$stranger" "$RESERVATION_ID"
    expect_problem 404 not_found
    cancel "$stranger" "$RESERVATION_ID"
    expect_problem 404 not_found
    expect "reservation" "$(reservation_status "$RESERVATION_ID")" active
    reservation "$user" "$RESERVATION_ID"
    expect_status 200
    cancel "$user" "$RESERVATION_ID"
}

own_list_has_pages() {
    local user cursor='' pages=0
    user=$(uuid)
    for _ in {1..5}; do
        take 1
        reserve "$user" "${TAKEN[0]}"
        echo "$RESERVATION_ID"
    done | sort >"$WORK/made"
    SEATS=("${SEATS[@]:5}") # the loop above took them in a subshell
    : >"$WORK/listed"
    while [ "$pages" -lt 10 ]; do
        get "$BOOKING_URL/api/v1/reservations?limit=2${cursor:+&cursor=$cursor}" -H "X-User-ID: $user"
        expect_status 200
        json '.data[].id' >>"$WORK/listed"
        pages=$((pages + 1))
        cursor=$(json '.next_cursor // empty')
        [ -n "$cursor" ] || break
    done
    expect "listed" "$(sort "$WORK/listed")" "$(cat "$WORK/made")"
    expect_between "pages" "$pages" 3 4
    get "$BOOKING_URL/api/v1/reservations" -H "X-User-ID: $(uuid)"
    expect_json '.data == [] and .next_cursor == null'
}

keyed() { # USER KEY SEAT…
    local user=$1 key=$2
    shift 2
    send POST "$BOOKING_URL/api/v1/reservations" "$(reservation_json "$@")" -H "X-User-ID: $user" -H "Idempotency-Key: $key"
}

key_replays_the_answer() {
    local user key
    user=$(uuid)
    key=$(uuid)
    take 2
    keyed "$user" "$key" "${TAKEN[0]}"
    expect_status 201
    cp "$WORK/body" "$WORK/first"
    local location
    location=$(header location)
    keyed "$user" "$key" "${TAKEN[0]}"
    expect_status 201
    expect "bytes" "$(sha256sum <"$WORK/body")" "$(sha256sum <"$WORK/first")"
    expect "Location" "$(header location)" "$location"
    keyed "$user" "$key" "${TAKEN[1]}"
    expect_problem 422 idempotency_key_reuse
    expect "second seat" "$(seat_status "${TAKEN[1]}")" available
    keyed "$(uuid)" "$key" "${TAKEN[1]}"
    expect_status 201
    expect "reservations of the first user" "$(booking_sql "SELECT count(*) FROM reservations WHERE user_id = '$user'")" 1
}

key_twins_share_one_reservation() {
    local user key
    user=$(uuid)
    key=$(uuid)
    take 1
    volley_open
    for _ in {1..10}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$user" "$(reservation_json "${TAKEN[0]}")" "Idempotency-Key: $key"
    done
    volley_fire 10
    expect_between "answers 201 of $(volley_tally)" "$(volley_count 201)" 1 10
    expect "other answers than 201 and 409" "$(grep -cvE ' (201|409)$' "$WORK/volley.codes")" 0
    expect "reservations" "$(booking_sql "SELECT count(*) FROM reservations WHERE user_id = '$user'")" 1
    expect "different bodies" "$(for n in $(volley_with 201); do sha256sum <"$WORK/volley.$n"; done | sort -u | wc -l)" 1
    keyed "$user" "$key" "${TAKEN[0]}"
    expect_status 201
}

a_refusal_is_not_remembered() { # the key of a refused request may be used again, with the same body
    local user key
    user=$(uuid)
    key=$(uuid)
    take 1
    reserve "$(uuid)" "${TAKEN[0]}"
    local holder=$RESERVATION_ID
    keyed "$user" "$key" "${TAKEN[0]}"
    expect_problem 409 seats_taken
    booking_sql "SELECT user_id FROM reservations WHERE id = '$holder'" >"$WORK/holder"
    cancel "$(cat "$WORK/holder")" "$holder"
    expect_status 200
    keyed "$user" "$key" "${TAKEN[0]}"
    expect_status 201
}

check "cancel gives the seats back at once; again: same answer; confirm then: 409" cancelling_returns_the_seat
check "confirming twice answers the same and charges once; cancel then: 409" paying_twice_charges_once
check "ten confirms at once charge once" parallel_confirms_charge_once
check "a failed payment is 402 and leaves the hold alive" failed_payment_keeps_the_hold
check "confirm works without body and content type" confirm_body_is_optional
check "another user's reservation is 404" others_see_404
check "the own list has pages" own_list_has_pages
check "Idempotency-Key: same answer byte for byte, 422 for another body" key_replays_the_answer
check "Idempotency-Key: ten twins at once, one reservation" key_twins_share_one_reservation
check "Idempotency-Key: a refusal is not stored" a_refusal_is_not_remembered
