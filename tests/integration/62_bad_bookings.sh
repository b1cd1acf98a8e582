# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Bad input to bookings: each gets its problem document and changes nothing

RESERVATIONS=$BOOKING_URL/api/v1/reservations
TIERS=$BOOKING_URL/api/v1/price-tiers
ME=X-User-ID:\ $(uuid)

bad_booking_fixtures() {
    open_session 1 2
    OTHER_SEATS=("${SEATS[@]}")
    open_session 4 5
    take 1
    HELD_BY=$(uuid)
    reserve "$HELD_BY" "${TAKEN[0]}"
    HELD=$RESERVATION_ID
    settle_first
    { printf '{"session_id": "%s", "seats": [], "pad": "' "$SESSION_ID" && repeat x 17000 && printf '"}'; } >"$WORK/big-booking"
}

# refused_seats TITLE POINTER SEATS-JSON: a reservation whose seats are wrong
refused_seats() {
    refused_member "$1" POST "$RESERVATIONS" "$2" "{\"session_id\": \"$SESSION_ID\", \"seats\": $3}" -H "$ME"
}

check "both databases are at rest again" bad_booking_fixtures
GOOD=$(reservation_json "${SEATS[0]}")

# --- identity
refused "no identity" POST "$RESERVATIONS" 401 no_identity - "$GOOD"
refused "an identity that is no UUID" POST "$RESERVATIONS" 401 no_identity - "$GOOD" -H 'X-User-ID: alice'
refused "an empty identity" POST "$RESERVATIONS" 401 no_identity - "$GOOD" -H 'X-User-ID;'
refused "no identity for the list" GET "$RESERVATIONS" 401 no_identity - ''

# --- not JSON, not for us
refused "a truncated booking" POST "$RESERVATIONS" 400 not_json - '{"session_id": "' -H "$ME"
refused "an empty booking" POST "$RESERVATIONS" 400 not_json - '' -H "$ME"
refused "a booking with an escaped NUL" POST "$RESERVATIONS" 400 not_json - '{"session_id": "\u0000"}' -H "$ME"
refused "10,000 nested arrays in a booking" POST "$RESERVATIONS" 400 not_json - "$(repeat '[' 8000)" -H "$ME"
refused "a booking of more than 16 KiB" POST "$RESERVATIONS" 413 body_too_large - "@$WORK/big-booking" -H "$ME"
CONTENT_TYPE=application/x-www-form-urlencoded refused "a booking as a form" POST "$RESERVATIONS" 415 unsupported_media_type - \
    "$GOOD" -H "$ME"
refused "PUT" PUT "$RESERVATIONS" 405 method_not_allowed - "$GOOD" -H "$ME"

# --- types and members
refused_member "a booking without seats" POST "$RESERVATIONS" /seats "{\"session_id\": \"$SESSION_ID\"}" -H "$ME"
refused_member "a booking without session" POST "$RESERVATIONS" /session_id \
    "{\"seats\": [{\"session_seat_id\": \"${SEATS[0]}\"}]}" -H "$ME"
refused_member "a total from the client" POST "$RESERVATIONS" /total_amount "${GOOD%\}}, \"total_amount\": 0.01}" -H "$ME"
refused_member "a session that is no UUID" POST "$RESERVATIONS" /session_id \
    "{\"session_id\": 7, \"seats\": [{\"session_seat_id\": \"${SEATS[0]}\"}]}" -H "$ME"
refused_seats "seats as an object" /seats '{}'
refused_seats "no seat" /seats '[]'
refused_seats "a seat that is no object" /seats/0 '["x"]'
refused_seats "a seat without id" /seats/0/session_seat_id '[{}]'
refused_seats "a seat id that is no UUID" /seats/0/session_seat_id '[{"session_seat_id": "12"}]'
refused_seats "a price from the client" /seats/0/price "[{\"session_seat_id\": \"${SEATS[0]}\", \"price\": 1}]"
refused_seats "a row number that is an object" /seats/0/row_number "[{\"session_seat_id\": \"${SEATS[0]}\", \"row_number\": {}}]"
refused_seats "the same seat twice" /seats/1/session_seat_id \
    "[{\"session_seat_id\": \"${SEATS[0]}\"}, {\"session_seat_id\": \"${SEATS[0]}\"}]"
refused_seats "the same seat in other letters" /seats/1/session_seat_id \
    "[{\"session_seat_id\": \"${SEATS[0]}\"}, {\"session_seat_id\": \"${SEATS[0]^^}\"}]"
refused_seats "eleven seats" /seats "$(printf '%s\n' "${SEATS[@]:0:11}" | jq -Rn '[inputs | {session_seat_id: .}]')"
refused_seats "a seat of another session" /seats/1/session_seat_id \
    "[{\"session_seat_id\": \"${SEATS[0]}\"}, {\"session_seat_id\": \"${OTHER_SEATS[0]}\"}]"
refused_seats "an unknown seat" /seats/0/session_seat_id "[{\"session_seat_id\": \"$NOBODY\"}]"
refused_seats "an unknown price tier" /seats/0/price_tier_id \
    "[{\"session_seat_id\": \"${SEATS[0]}\", \"price_tier_id\": \"$NOBODY\"}]"
refused "an unknown session" POST "$RESERVATIONS" 404 not_found - \
    "{\"session_id\": \"$NOBODY\", \"seats\": [{\"session_seat_id\": \"${SEATS[0]}\"}]}" -H "$ME"
refused "a key that is too long" POST "$RESERVATIONS" 400 invalid_idempotency_key - "$GOOD" -H "$ME" \
    -H "Idempotency-Key: $(repeat k 300)"

# --- price tiers
for value in 0 -1 100.0001 1.00001 1e2 '"x"' 99999999999999999999; do
    refused_member "multiplier $value" POST "$TIERS" /multiplier "{\"name\": \"t\", \"description\": \"\", \"multiplier\": $value}"
done
refused_member "both names of the multiplier" POST "$TIERS" /base_multiplier \
    '{"name": "t", "description": "", "multiplier": 1, "base_multiplier": 1}'
refused_member "a tier without name" POST "$TIERS" /name '{"multiplier": 1}'

# --- confirm, cancel, tickets
refused "confirming what does not exist" POST "$RESERVATIONS/$NOBODY/confirm" 404 not_found - \
    "{\"payment_id\": \"$ALWAYS_PAYS\"}" -H "$ME"
refused "confirming with no UUID in the path" POST "$RESERVATIONS/x/confirm" 404 not_found - '{}' -H "$ME"
refused_member "a payment that is no UUID" POST "$RESERVATIONS/$HELD/confirm" /payment_id '{"payment_id": 1}' \
    -H "X-User-ID: $HELD_BY"
refused_member "a confirm with more than a payment" POST "$RESERVATIONS/$HELD/confirm" /amount '{"amount": 1}' \
    -H "X-User-ID: $HELD_BY"
refused "a confirm that is not JSON" POST "$RESERVATIONS/$HELD/confirm" 400 not_json - '{' -H "X-User-ID: $HELD_BY"
refused "cancelling what does not exist" DELETE "$RESERVATIONS/$NOBODY" 404 not_found - '' -H "$ME"
refused "an unknown ticket" GET "$BOOKING_URL/api/v1/tickets/$NOBODY" 404 not_found - ''
refused "the picture of an unknown ticket" GET "$BOOKING_URL/api/v1/tickets/$NOBODY/qr" 404 not_found - ''
refused "tickets of nobody's UUID" GET "$BOOKING_URL/api/v1/tickets/user/alice" 404 not_found - ''

# --- the internal seat API
refused_member "a hold of no seats" POST "$EVENT_URL/api/internal/sessions/$SESSION_ID/seats/reserve" /session_seat_ids \
    "{\"reservation_id\": \"$NOBODY\", \"session_seat_ids\": [], \"hold_seconds\": 60}" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
refused_member "a hold for no time" POST "$EVENT_URL/api/internal/sessions/$SESSION_ID/seats/reserve" /hold_seconds \
    "{\"reservation_id\": \"$NOBODY\", \"session_seat_ids\": [\"${SEATS[0]}\"], \"hold_seconds\": 0}" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
refused "a hold in an unknown session" POST "$EVENT_URL/api/internal/sessions/$NOBODY/seats/reserve" 404 not_found - \
    "{\"reservation_id\": \"$NOBODY\", \"session_seat_ids\": [\"${SEATS[0]}\"], \"hold_seconds\": 60}" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}

cleanup_bad_bookings() {
    cancel "$HELD_BY" "$HELD"
    expect_status 200
}
check "the hold beside all this is still its owner's to cancel" cleanup_bad_bookings
