# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# The catalog: organizers, locations, halls, seats, events, sessions

organizer_lives() {
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Blue Room", "description": "Jazz", "contact_email": "a@blue.example",
        "contact_phone": "+47 55 00 00 00"}'
    expect_status 201
    expect_json '.name == "Blue Room" and .contact_phone == "+47 55 00 00 00"'
    local id
    id=$(json .organizer_id)
    expect_match "id is a UUIDv7" "$id" '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab]'
    get "$EVENT_URL/api/v1/organizers/$id"
    expect_status 200
    send PATCH "$EVENT_URL/api/v1/organizers/$id" '{"name": "Blue Room 2"}'
    expect_status 200
    expect_json '.name == "Blue Room 2" and .description == "Jazz"'
    request DELETE "$EVENT_URL/api/v1/organizers/$id"
    expect_match "deleted" "$STATUS" '^20[04]$'
    get "$EVENT_URL/api/v1/organizers/$id"
    expect_problem 404 not_found
    request DELETE "$EVENT_URL/api/v1/organizers/$id"
    expect_problem 404 not_found
}

names_need_not_be_unique() {
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Twins"}'
    expect_status 201
    local first
    first=$(json .organizer_id)
    send POST "$EVENT_URL/api/v1/organizers" '{"name": "Twins"}'
    expect_status 201
    expect_json '.organizer_id != $first' --arg first "$first"
}

text_survives() { # any text comes back as it was sent
    local text='Ærø "x" \\ 日本 🎟 </script>'
    send POST "$EVENT_URL/api/v1/organizers" "$(jq -n --arg text "$text" '{name: $text}')"
    expect_status 201
    expect_json '.name == $text' --arg text "$text"
    get "$EVENT_URL/api/v1/organizers/$(json .organizer_id)"
    expect_json '.name == $text' --arg text "$text"
}

pages_cover_everything() {
    local i cursor='' seen pages=0
    for i in {1..7}; do
        create /api/v1/organizers "{\"name\": \"Page $i\"}" organizer_id
        echo "$ID"
    done >"$WORK/made"
    : >"$WORK/listed"
    while :; do
        get "$EVENT_URL/api/v1/organizers?limit=3${cursor:+&cursor=$cursor}"
        expect_status 200
        expect_json '.data | length <= 3'
        json '.data[].organizer_id' >>"$WORK/listed"
        pages=$((pages + 1))
        cursor=$(json '.next_cursor // empty')
        if [ -z "$cursor" ] || [ "$pages" -ge 2000 ]; then break; fi
    done
    seen=$(sort "$WORK/listed" | uniq -d | wc -l)
    expect "listed twice" "$seen" 0
    expect "never listed" "$(sort "$WORK/made" | comm -23 - <(sort "$WORK/listed"))" ""
    expect_between "pages" "$pages" 3 2000
}

deleting_in_use() { # PATH
    request DELETE "$EVENT_URL$1"
    expect_problem 409 in_use
    get "$EVENT_URL$1"
    expect_status 200
}

session_has_a_seat_per_seat() {
    open_session 3 4 55.50
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID"
    expect_status 200
    expect_json '.session_id == $id and (.base_price | tonumber) == 55.5' --arg id "$SESSION_ID"
    expect_match "two decimals in the text" "$(body)" '"base_price": ?55\.50'
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    expect_json 'length == 12 and all(.status == "available" and .reserved_until == null and (.price | tonumber) == 55.5
        and (.row_number | type) == "string" and (.seat_number | type) == "string" and .section == "Stalls")'
    expect_json '[.[].seat_id] | unique | length == 12'
    expect "in the database" "$(seats_with_status "$SESSION_ID" available)" 12
}

labels_sort_naturally() {
    local label
    open_catalog
    create "/api/v1/locations/$LOCATION_ID/halls" '{"name": "Studio", "capacity": 3}' hall_id
    HALL_ID=$ID
    for label in 10 2 1; do
        send POST "$EVENT_URL/api/v1/halls/$HALL_ID/seats" \
            "{\"section\": \"Zeta\", \"row_number\": \"A\", \"seat_number\": $label, \"seat_type\": \"standard\"}"
        expect_status 201
        expect_json '.seat_number == $number' --arg number "$label"
    done
    create /api/v1/sessions "$(session_json 10 "$(from_now '40 days')" "$(from_now '41 days')")" session_id
    get "$EVENT_URL/api/v1/sessions/$ID/seats"
    expect_json 'map(.seat_number) == ["1", "2", "10"]'
}

a_hall_has_a_capacity() {
    send POST "$EVENT_URL/api/v1/halls/$HALL_ID/seats" \
        '{"section": "Zeta", "row_number": "A", "seat_number": "11", "seat_type": "standard"}'
    expect_problem 409 capacity_exceeded
    expect "seats of the hall" "$(event_sql "SELECT count(*) FROM seats WHERE hall_id = '$HALL_ID'")" 3
}

bulk_is_all_or_nothing() {
    open_hall 2 2
    send POST "$EVENT_URL/api/v1/halls/$HALL_ID/seats/bulk" '[
        {"section": "Balcony", "row_count": 2, "col_count": 2, "seat_type": "standard"},
        {"section": "Boxes", "row_count": 0, "col_count": 2, "seat_type": "standard"}]'
    expect_problem 422 validation_failed /1/row_count
    expect "seats of the hall" "$(event_sql "SELECT count(*) FROM seats WHERE hall_id = '$HALL_ID'")" 4
}

overlap_is_refused() {
    open_hall 1 2
    local start end
    start=$(from_now '50 days')
    end=$(from_now '50 days 2 hours')
    send POST "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$start" "$end")"
    expect_status 201
    send POST "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$(from_now '50 days 1 hour')" "$(from_now '50 days 5 hours')")"
    expect_problem 409 session_overlap
    send POST "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$start" "$end")"
    expect_problem 409 session_overlap
    send POST "$EVENT_URL/api/v1/sessions" "$(session_json 10 "$end" "$(from_now '50 days 4 hours')")"
    expect_status 201
    expect "sessions in the hall" "$(event_sql "SELECT count(*) FROM sessions WHERE hall_id = '$HALL_ID'")" 2
}

overlap_race_has_one_winner() {
    open_hall 1 1
    local start end
    start=$(from_now '60 days')
    end=$(from_now '60 days 2 hours')
    volley_open
    for _ in {1..10}; do
        volley_add POST "$EVENT_URL/api/v1/sessions" "$NOBODY" "$(session_json 10 "$start" "$end")"
    done
    volley_fire 10
    expect "answers" "$(volley_tally)" "201:1 409:9"
}

fifty_thousand_seats() {
    local started took
    open_hall 250 200
    started=$(now_ms)
    create /api/v1/sessions "$(session_json 10 "$(from_now '70 days')" "$(from_now '70 days 1 hour')")" session_id
    took=$(($(now_ms) - started))
    expect "seats of the session" "$(seats_with_status "$ID" available)" 50000
    expect_between "milliseconds to open the session" "$took" 0 $((2000 * PATIENCE))
    BIG_SESSION_ID=$ID
}

big_lists_come_whole() {
    get "$EVENT_URL/api/v1/sessions/$BIG_SESSION_ID/seats"
    expect_json 'length == 50000'
    get "$EVENT_URL/api/v1/sessions/$BIG_SESSION_ID/seat-map" --compressed
    expect_json '.seats | length == 50000'
}

seat_map_is_cacheable() {
    open_session 2 3
    local map="$EVENT_URL/api/v1/sessions/$SESSION_ID/seat-map" etag user
    get "$map"
    expect_status 200
    expect_json '.session_id == $id and .hall_id == $hall and (.seats | length) == 6' --arg id "$SESSION_ID" --arg hall "$HALL_ID"
    etag=$(header etag)
    expect_match "a strong ETag" "$etag" '^"[^"]+"$'
    get "$map" -H "If-None-Match: $etag"
    expect_status 304
    expect "bytes of the 304" "$(wc -c <"$WORK/body")" 0
    expect "ETag of the 304" "$(header etag)" "$etag"
    get "$map" -H "If-None-Match: \"other\", $etag"
    expect_status 304
    get "$map" -H 'If-None-Match: "other"'
    expect_status 200
    user=$(uuid)
    take 1
    reserve "$user" "${TAKEN[@]}"
    expect_status 201
    get "$map" -H "If-None-Match: $etag"
    expect_status 200
    expect_json '[.seats[] | select(.status == "reserved") | .session_seat_id] == [$seat]' --arg seat "${TAKEN[0]}"
    cancel "$user" "$RESERVATION_ID"
    expect_status 200
}

seat_map_is_compressible() {
    local map="$EVENT_URL/api/v1/sessions/$BIG_SESSION_ID/seat-map" plain
    get "$map"
    plain=$(sha256sum <"$WORK/body")
    expect "encoding when not asked for" "$(header content-encoding)" ""
    get "$map" -H 'Accept-Encoding: gzip'
    expect "encoding" "$(header content-encoding)" gzip
    expect_match "varies" "$(header vary | tr '[:upper:]' '[:lower:]')" 'accept-encoding'
    expect "same bytes inside" "$(gunzip -c <"$WORK/body" | sha256sum)" "$plain"
    get "$map" -H 'Accept-Encoding: gzip;q=0'
    expect "encoding when refused" "$(header content-encoding)" ""
}

check "an organizer is made, read, changed, deleted" organizer_lives
check "names are not unique" names_need_not_be_unique
check "text comes back as it was sent" text_survives
check "pages cover a list, each row once" pages_cover_everything
check "a session has one available seat per hall seat" session_has_a_seat_per_seat
check "an organizer in use stays" deleting_in_use "/api/v1/organizers/$ORGANIZER_ID"
check "labels sort naturally: 1, 2, 10" labels_sort_naturally
check "a full hall takes no more seats" a_hall_has_a_capacity
check "bulk seats are all or nothing" bulk_is_all_or_nothing
check "overlapping sessions in a hall are refused, adjoining ones are not" overlap_is_refused
check "ten requests for the same slot: one session" overlap_race_has_one_winner
check "a session in a hall of 50,000 seats takes seconds at most" fifty_thousand_seats
check "50,000 seats are listed whole" big_lists_come_whole
check "seat map: ETag, 304, new ETag after a reservation" seat_map_is_cacheable
check "seat map: gzip when asked for, the same bytes" seat_map_is_compressible
