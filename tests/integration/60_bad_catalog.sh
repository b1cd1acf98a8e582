# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Bad input to the catalog: each gets its problem document and changes nothing

ORGANIZERS=$EVENT_URL/api/v1/organizers
EVENTS=$EVENT_URL/api/v1/events
LOCATIONS=$EVENT_URL/api/v1/locations
SESSIONS=$EVENT_URL/api/v1/sessions

A_SEAT='{"section": "Stalls", "row_number": 1, "seat_number": 1, "seat_type": "standard"}'

bad_fixtures() {
    open_catalog
    create "/api/v1/locations/$LOCATION_ID/halls" '{"name": "Empty", "capacity": 10}' hall_id
    EMPTY_HALL_ID=$ID
    create "/api/v1/locations/$LOCATION_ID/halls" '{"name": "Roomy", "capacity": 10}' hall_id
    ROOMY_HALL_ID=$ID
    create "/api/v1/halls/$ROOMY_HALL_ID/seats" "$A_SEAT" seat_id
    open_session 2 2
    settle_first
    repeat '[' 10000 >"$WORK/deep"
    repeat ']' 10000 >>"$WORK/deep"
    { repeat '{"a":' 10000 && printf 1 && repeat '}' 10000; } >"$WORK/deep-objects"
    { printf '{"name": "' && repeat x 1100000 && printf '"}'; } >"$WORK/huge"
    { printf '{"name": "' && printf '\xff\xfe' && printf '"}'; } >"$WORK/not-utf8"
    { printf '{"name": "a' && printf '\0' && printf 'b"}'; } >"$WORK/raw-nul"
}

check "both databases are at rest" bad_fixtures

# --- not JSON
refused "a truncated object" POST "$ORGANIZERS" 400 not_json - '{"name": '
refused "an empty body" POST "$ORGANIZERS" 400 not_json - ''
refused "two texts" POST "$ORGANIZERS" 400 not_json - '{"name": "a"} {"name": "b"}'
refused "a comment" POST "$ORGANIZERS" 400 not_json - '{"name": "a" /* b */}'
refused "NaN" POST "$SESSIONS" 400 not_json - "$(session_json NaN "$(from_now '1 day')" "$(from_now '2 days')")"
refused "Infinity" POST "$SESSIONS" 400 not_json - "$(session_json Infinity "$(from_now '1 day')" "$(from_now '2 days')")"
refused "the same key twice" POST "$ORGANIZERS" 400 not_json - '{"name": "a", "name": "b"}'
refused "10,000 nested arrays" POST "$ORGANIZERS" 400 not_json - "@$WORK/deep"
refused "10,000 nested objects" POST "$ORGANIZERS" 400 not_json - "@$WORK/deep-objects"
refused "invalid UTF-8" POST "$ORGANIZERS" 400 not_json - "@$WORK/not-utf8"
refused "a raw NUL in a string" POST "$ORGANIZERS" 400 not_json - "@$WORK/raw-nul"
refused "an escaped NUL in a string" POST "$ORGANIZERS" 400 not_json - '{"name": "a\u0000b"}'
refused "half a surrogate pair" POST "$ORGANIZERS" 400 not_json - '{"name": "\ud83c"}'

# --- around the body
CONTENT_TYPE='' refused "no content type" POST "$ORGANIZERS" 415 unsupported_media_type - '{"name": "a"}'
CONTENT_TYPE=text/plain refused "another content type" POST "$ORGANIZERS" 415 unsupported_media_type - '{"name": "a"}'
refused "more than 1 MiB" POST "$ORGANIZERS" 413 body_too_large - "@$WORK/huge"
refused "more than 1 MiB in chunks" POST "$ORGANIZERS" 413 body_too_large - "@$WORK/huge" -H 'Transfer-Encoding: chunked'
refused "a method the path does not have" PUT "$ORGANIZERS" 405 method_not_allowed - '{"name": "a"}'

allow_is_told() {
    request DELETE "$ORGANIZERS"
    expect_problem 405 method_not_allowed
    expect_match "Allow" "$(header allow)" 'GET'
    expect_match "Allow" "$(header allow)" 'POST'
}
check "405 says what is allowed" allow_is_told

# --- types and members
refused_member "an array instead of an object" POST "$ORGANIZERS" "" '[]'
refused_member "a missing member" POST "$ORGANIZERS" /name '{"description": "x"}'
refused_member "an unknown member" POST "$ORGANIZERS" /nickname '{"name": "a", "nickname": "b"}'
refused_member "a number for a text" POST "$ORGANIZERS" /name '{"name": 5}'
refused_member "null for a text" POST "$ORGANIZERS" /name '{"name": null}'
refused_member "an empty name" POST "$ORGANIZERS" /name '{"name": ""}'
refused_member "a blank name" POST "$ORGANIZERS" /name '{"name": "   "}'
refused_member "a name of 10,000 letters" POST "$ORGANIZERS" /name "{\"name\": \"$(repeat x 10000)\"}"
refused_member "no UUID" POST "$EVENTS" /organizer_id '{"title": "t", "description": "", "event_type": "concert", "organizer_id": "1"}'
refused_member "a UUID with a brace" POST "$EVENTS" /organizer_id \
    "{\"title\": \"t\", \"description\": \"\", \"event_type\": \"concert\", \"organizer_id\": \"{$ORGANIZER_ID}\"}"

several_errors_at_once() {
    send POST "$EVENTS" '{"title": 1, "organizer_id": "x", "surplus": true}'
    expect_problem 422 validation_failed /title
    expect_json '[.errors[].pointer] | contains(["/title", "/organizer_id", "/surplus"])'
    expect_nothing_changed
}
check "several errors are told at once" several_errors_at_once

# --- numbers
HALLS=$LOCATIONS/$LOCATION_ID/halls
BULK=$EVENT_URL/api/v1/halls/$HALL_ID/seats/bulk
for value in 0 -1 1.5 '"many"' 99999999999 1e400 99999999999999999999999999; do
    refused_member "capacity $value" POST "$HALLS" /capacity "{\"name\": \"h\", \"capacity\": $value}"
done
for value in 0 -1 100000000000000000000; do
    refused_member "a grid of $value rows" POST "$BULK" /0/row_count \
        "[{\"section\": \"s\", \"row_count\": $value, \"col_count\": 1, \"seat_type\": \"standard\"}]"
done
refused_member "a grid of more seats than a hall holds" POST "$BULK" "/0/row_count" \
    '[{"section": "s", "row_count": 1000000, "col_count": 1000000, "seat_type": "standard"}]'
for value in -1 -0.01 100.001 10000000000.00 1e3 '"12,50"' true 99999999999999999999999999; do
    refused_member "price $value" POST "$SESSIONS" /base_price \
        "$(session_json "$value" "$(from_now '80 days')" "$(from_now '81 days')")"
done

# --- times
refused_member "end before start" POST "$SESSIONS" /end_time "$(session_json 1 "$(from_now '81 days')" "$(from_now '80 days')")"
refused_member "end equal to start" POST "$SESSIONS" /end_time \
    "$(session_json 1 2099-01-01T00:00:00Z 2099-01-01T00:00:00Z)"
refused_member "a session in the past" POST "$SESSIONS" /start_time \
    "$(session_json 1 2020-01-01T00:00:00Z 2020-01-01T02:00:00Z)"
refused_member "no time" POST "$SESSIONS" /start_time "$(session_json 1 tomorrow "$(from_now '81 days')")"
refused_member "31 February" POST "$SESSIONS" /start_time "$(session_json 1 2099-02-31T00:00:00Z 2099-04-01T00:00:00Z)"

# --- what the catalog's state forbids
refused "a seat that is there already" POST "$EVENT_URL/api/v1/halls/$ROOMY_HALL_ID/seats" 409 duplicate_seat - "$A_SEAT"
refused "more seats than the hall has room for" POST "$BULK" 409 capacity_exceeded - \
    '[{"section": "s", "row_count": 1, "col_count": 1, "seat_type": "standard"}]'
refused "a session in a hall without seats" POST "$SESSIONS" 409 hall_without_seats - \
    "$(HALL_ID=$EMPTY_HALL_ID && session_json 1 "$(from_now '80 days')" "$(from_now '81 days')")"

# --- ids that lead nowhere
refused "an unknown organizer" POST "$EVENTS" 404 not_found /organizer_id \
    "{\"title\": \"t\", \"description\": \"\", \"event_type\": \"concert\", \"organizer_id\": \"$NOBODY\"}"
refused "seats for an unknown hall" POST "$EVENT_URL/api/v1/halls/$NOBODY/seats/bulk" 404 not_found - \
    '[{"section": "s", "row_count": 1, "col_count": 1, "seat_type": "standard"}]'
refused "a session in an unknown hall" POST "$SESSIONS" 404 not_found /hall_id \
    "$(HALL_ID=$NOBODY && session_json 1 "$(from_now '80 days')" "$(from_now '81 days')")"
refused "no UUID in the path" GET "$ORGANIZERS/1" 404 not_found - ''
refused "an unknown session" GET "$SESSIONS/$NOBODY" 404 not_found - ''
refused "the seat map of an unknown session" GET "$SESSIONS/$NOBODY/seat-map" 404 not_found - ''
refused "limit 0" GET "$ORGANIZERS?limit=0" 422 validation_failed - ''
refused "limit 201" GET "$ORGANIZERS?limit=201" 422 validation_failed - ''
refused "limit many" GET "$ORGANIZERS?limit=many" 422 validation_failed - ''
refused "a made-up cursor" GET "$ORGANIZERS?cursor=%27%3B--" 422 validation_failed - ''
