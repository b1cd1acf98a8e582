# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# The full purchase: from an organizer to a ticket a phone can scan

BUYER=$(uuid)

a_show_is_announced() {
    open_session 5 10 100.00
    expect "seats for sale" "$(seats_with_status "$SESSION_ID" available)" 50
    create_tier 1.5
}

seats_are_reserved() {
    take 2
    send POST "$BOOKING_URL/api/v1/reservations" "{\"session_id\": \"$SESSION_ID\", \"seats\": [
        {\"session_seat_id\": \"${TAKEN[0]}\", \"price_tier_id\": \"$TIER_ID\", \"row_number\": \"1\", \"seat_number\": 99},
        {\"session_seat_id\": \"${TAKEN[1]}\"}]}" -H "X-User-ID: $BUYER"
    expect_status 201
    PURCHASE=$(json .id)
    expect "Location" "$(header location)" "/api/v1/reservations/$PURCHASE"
    expect_json '.user_id == $user and .session_id == $session and .status == "active" and .seats_count == 2
        and (.total_amount | tonumber) == 250 and (.items | length) == 2' --arg user "$BUYER" --arg session "$SESSION_ID"
    expect_match "two decimals in the text" "$(body)" '"total_amount": ?250\.00'
    expect_json '[.items[] | {s: .session_seat_id, p: (.final_price | tonumber)}] | sort_by(.p)
        == [{s: $second, p: 100}, {s: $first, p: 150}]' --arg first "${TAKEN[0]}" --arg second "${TAKEN[1]}"
    expect_json '.items | all(has("id") and has("row_number") and has("seat_number") and has("price") and has("discount_amount"))'
    expect_json '.time_remaining_seconds > 0 and .time_remaining_seconds <= 86400'
}

the_hint_is_not_believed() { # the labels come from event-svc, not from the request
    expect_json '.items | map(.row_number + "/" + .seat_number) | sort == ["1/1", "1/2"]'
}

both_databases_agree_on_the_hold() {
    local until
    expect "first seat" "$(seat_status "${TAKEN[0]}")" reserved
    expect "second seat" "$(seat_status "${TAKEN[1]}")" reserved
    expect "reservation" "$(reservation_status "$PURCHASE")" active
    expect "amount" "$(booking_sql "SELECT total_amount FROM reservations WHERE id = '$PURCHASE'")" 250.00
    until=$(json .expiry_time)
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    expect_json '[.[] | select(.status == "reserved") | .reserved_until] == [$until, $until]' --arg until "$until"
}

the_reservation_is_confirmed() {
    confirm "$BUYER" "$PURCHASE"
    expect_status 200
    expect_json '.status == "confirmed" and .id == $id and (.total_amount | tonumber) == 250' --arg id "$PURCHASE"
    expect "reservation" "$(reservation_status "$PURCHASE")" confirmed
}

the_seats_are_sold() {
    eventually 5 "first seat" sold seat_status "${TAKEN[0]}"
    eventually 5 "second seat" sold seat_status "${TAKEN[1]}"
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    expect_json '[.[] | select(.status == "sold")] | length == 2 and all(.reserved_until != null)'
}

tickets_are_issued() {
    get "$BOOKING_URL/api/v1/tickets/user/$BUYER"
    expect_status 200
    expect_json 'length == 2 and ([.[].session_seat_id] | sort) == ([$a, $b] | sort)' --arg a "${TAKEN[0]}" --arg b "${TAKEN[1]}"
    expect_json 'all(.reservation_id == $id and .user_id == $user and .session_id == $session and .is_used == false
        and (.status | length > 0) and (.row_number | type) == "string" and (.qr_code | startswith("data:image/png;base64,")))' \
        --arg id "$PURCHASE" --arg user "$BUYER" --arg session "$SESSION_ID"
    expect_json '[.[].price | tonumber] | sort == [100, 150]'
    TICKET=$(json '.[0].id')
    get "$BOOKING_URL/api/v1/tickets/$TICKET"
    expect_status 200
    expect_json '.id == $id' --arg id "$TICKET"
    json .qr_code | cut -d, -f2 | base64 -d >"$WORK/inline.png"
}

the_code_scans() {
    get "$BOOKING_URL/api/v1/tickets/$TICKET/qr"
    expect_status 200
    expect "content type" "$(header content-type)" image/png
    expect "PNG signature" "$(head -c 8 "$WORK/body" | od -An -tx1 | tr -d ' \n')" 89504e470d0a1a0a
    QR_PAYLOAD=$(zbarimg --quiet --raw "$WORK/body" 2>/dev/null)
    expect_match "what a phone reads" "$QR_PAYLOAD" "$TICKET"
    expect "what it reads from the ticket's own picture" "$(zbarimg --quiet --raw "$WORK/inline.png" 2>/dev/null)" "$QR_PAYLOAD"
}

# At the door there is no network: whoever has the key can tell a real ticket from a made-up one.
the_code_verifies_offline() {
    local signature
    signature=$(printf '%s' "$TICKET" | openssl dgst -sha256 -hmac "$SECRET_KEY" -binary | base64 | tr '+/' '-_' | tr -d '=')
    expect "what the code says" "$QR_PAYLOAD" "$TICKET.$signature"
}

strangers_see_nothing() {
    get "$BOOKING_URL/api/v1/tickets/$TICKET" -H "X-User-ID: $(uuid)"
    expect_problem 404 not_found
    get "$BOOKING_URL/api/v1/tickets/$TICKET/qr" -H "X-User-ID: $(uuid)"
    expect_problem 404 not_found
    get "$BOOKING_URL/api/v1/tickets/user/$BUYER" -H "X-User-ID: $(uuid)"
    expect_problem 404 not_found
    get "$BOOKING_URL/api/v1/tickets/user/$(uuid)"
    expect_status 200
    expect_json '. == []'
}

ticket_lists_have_a_limit() {
    get "$BOOKING_URL/api/v1/tickets/user/$BUYER?limit=1"
    expect_status 200
    expect_json 'length == 1'
    local first next
    first=$(json '.[0].id')
    next=$(header link | sed -n 's/.*<\([^>]*\)>; *rel="next".*/\1/p')
    expect_match "Link to the next page" "$next" '/api/v1/tickets/user/'
    get "$BOOKING_URL$next"
    expect_json 'length == 1 and .[0].id != $first' --arg first "$first"
}

reserve_at() { # TIER USER SEAT
    send POST "$BOOKING_URL/api/v1/reservations" \
        "{\"session_id\": \"$SESSION_ID\", \"seats\": [{\"session_seat_id\": \"$3\", \"price_tier_id\": \"$1\"}]}" -H "X-User-ID: $2"
}

# amount_is PRICE MULTIPLIER EXPECTED: one seat at PRICE with a tier of MULTIPLIER
amount_is() {
    local user
    user=$(uuid)
    open_session 1 1 "$1"
    create_tier "$2"
    reserve_at "$TIER_ID" "$user" "${SEATS[0]}"
    expect_status 201
    RESERVATION_ID=$(json .id)
    expect "$1 times $2" "$(booking_sql "SELECT total_amount FROM reservations WHERE id = '$RESERVATION_ID'")" "$3"
    cancel "$user" "$RESERVATION_ID"
}

totals_round_half_up() {
    amount_is 10.01 0.5 5.01
    amount_is 0.01 0.5 0.01
    amount_is 0.01 0.4999 0.00
    amount_is 33.33 1.3333 44.44
    amount_is 9999999999.99 100 999999999999.00
}

tier_names_have_an_alias() {
    send POST "$BOOKING_URL/api/v1/admin/price-tiers" '{"name": "Student", "description": "with a card", "base_multiplier": "0.8"}'
    expect_status 201
    expect_json '.id == .price_tier_id and (.multiplier | tonumber) == 0.8'
    local id
    id=$(json .id)
    get "$BOOKING_URL/api/v1/price-tiers?limit=200"
    expect_status 200
    expect_json '(if type == "array" then . else .data end) | map(.id) | length > 0'
    expect "in the database" "$(booking_sql "SELECT multiplier FROM price_tiers WHERE id = '$id'")" 8000
}

tiers_of_other_sessions_are_refused() {
    open_session 1 1
    local other=$SESSION_ID user
    user=$(uuid)
    create_tier 0.5 ", \"session_id\": \"$other\""
    open_session 1 1
    reserve_at "$TIER_ID" "$user" "${SEATS[0]}"
    expect_problem 422 validation_failed /seats/0/price_tier_id
    expect "nothing is held" "$(seats_with_status "$SESSION_ID" reserved)" 0
}

check "organizer, location, hall, seats, event, session, tier" a_show_is_announced
check "two seats are reserved, priced by tier" seats_are_reserved
check "row and seat of the request are hints only" the_hint_is_not_believed
check "seats are reserved in the event database, deadlines are equal" both_databases_agree_on_the_hold
check "the reservation is confirmed" the_reservation_is_confirmed
check "the seats are sold in the event database within 5 s" the_seats_are_sold
check "a ticket per seat" tickets_are_issued
check "the QR code scans" the_code_scans
check "the QR code's signature verifies offline" the_code_verifies_offline
check "another user's tickets are 404" strangers_see_nothing
check "ticket lists take a limit and link the next page" ticket_lists_have_a_limit
check "totals round half up, to the cent, up to the largest price" totals_round_half_up
check "price tiers under both paths and both names" tier_names_have_an_alias
check "a tier of another session is 422" tiers_of_other_sessions_are_refused
