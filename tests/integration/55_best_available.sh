# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Best available: the seats are chosen by event-svc; availability in two bits a seat

BEST_URL=$EVENT_URL # the instance asked
STATUS_NAMES=(available reserved sold blocked)

# Holds made here behind booking-svc's back have no reservation: they are noted and given back at the end.
best_json() { # RESERVATION QUANTITY [MORE JSON MEMBERS] → one hold of reserve-batch
    echo "$1 $SESSION_ID" >>"$WORK/direct_holds"
    printf '{"reservation_id": "%s", "session_id": "%s", "best": {"quantity": %d%s}, "hold_seconds": 600}' \
        "$1" "$SESSION_ID" "$2" "${3:-}"
}

best() { # RESERVATION QUANTITY [MORE JSON MEMBERS]: leaves the one result as the body
    send POST "$BEST_URL/api/internal/seats/reserve-batch" "{\"holds\": [$(best_json "$@")]}" \
        ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
    [ "$STATUS" = 200 ] || fail "$(answer_summary)"
    jq '.results[0]' "$WORK/body" >"$WORK/result" && mv "$WORK/result" "$WORK/body"
}

best_release() { # RESERVATION
    send POST "$BEST_URL/api/internal/seats/release-batch" \
        "{\"releases\": [{\"reservation_id\": \"$1\", \"session_id\": \"$SESSION_ID\"}]}" \
        ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
}

give_back_direct_holds() {
    local id
    while read -r id SESSION_ID; do
        best_release "$id"
        expect_status 200
    done <"$WORK/direct_holds"
}

expect_seats() { # "1-5 1-6": row-seat of each, in order
    expect "seats" "$(json '[.seats[]? | .row_number + "-" + .seat_number] | join(" ")')" "$1"
}

chosen_side_by_side() {
    open_session 3 10
    best "$(uuid)" 2
    expect_json '.outcome == "held" and all(.seats[]; .status == "reserved" and .section == "Stalls")'
    expect_seats "1-5 1-6"
    best "$(uuid)" 4
    expect_seats "1-1 1-2 1-3 1-4"
    best "$(uuid)" 3
    expect_seats "2-4 2-5 2-6" # not 1-7 1-8 1-9, which would leave 1-10 alone
    best "$(uuid)" 4 ', "section": "Stalls"'
    expect_seats "1-7 1-8 1-9 1-10"
    expect "held in the database" "$(seats_with_status "$SESSION_ID" reserved)" 13
}

nobody_is_left_alone() {
    open_session 1 5
    best "$(uuid)" 2
    expect_seats "1-1 1-2"
    best "$(uuid)" 2 # an orphan cannot be helped now
    expect_seats "1-3 1-4"
}

gaps_are_offered() {
    open_session 1 5
    local id odd
    id=$(uuid)
    odd=$(uuid)
    echo "$odd $SESSION_ID" >>"$WORK/direct_holds"
    internal POST "sessions/$SESSION_ID/seats/reserve" \
        "{\"reservation_id\": \"$odd\", \"session_seat_ids\": [\"${SEATS[1]}\", \"${SEATS[3]}\"], \"hold_seconds\": 600}"
    expect_status 200
    best "$id" 2
    expect_json '.outcome == "no_adjacent_block" and .offer == {"available": 3, "largest_block": 1}'
    best "$id" 2 ', "adjacent": false'
    expect_seats "1-1 1-3"
    best "$(uuid)" 2
    expect_json '.outcome == "sold_out" and .offer == {"available": 1, "largest_block": 1}'
    best "$(uuid)" 1 ', "section": "Attic"'
    expect_json '.outcome == "sold_out" and .offer == {"available": 0, "largest_block": 0}'
}

choice_is_idempotent() {
    open_session 2 5
    local id first
    id=$(uuid)
    best "$id" 3
    first=$(json '[.reserved_until, .seats[].session_seat_id] | tojson')
    best "$(uuid)" 5
    expect_json '.outcome == "held"'
    best "$id" 3
    expect "again" "$(json '[.reserved_until, .seats[].session_seat_id] | tojson')" "$first"
    best "$id" 2
    expect_json '.outcome == "mismatch"'
    best "$(uuid)" 2
    best "$id" 3 # everything is gone by now
    expect "again, sold out" "$(json '[.reserved_until, .seats[].session_seat_id] | tojson')" "$first"
    expect "held in the database" "$(seats_with_status "$SESSION_ID" reserved)" 10
    best_release "$id"
    best "$id" 3
    expect_json '.outcome == "released"'
}

expect_all_sold_once() { # SEATS: as many holds of one seat each, no seat twice
    expect "seats held" "$(seats_with_status "$SESSION_ID" reserved)" "$1"
    expect "reservations that hold them" "$(event_sql "SELECT count(DISTINCT reservation_id) FROM session_seats
        WHERE session_id = '$SESSION_ID' AND status = 'reserved'")" "$1"
    expect "holds that hold them" "$(event_sql "SELECT sum(cardinality(session_seat_ids)) FROM holds
        WHERE session_id = '$SESSION_ID' AND state = 'held'")" "$1"
}

fifty_buyers_twenty_seats() {
    open_session 2 10
    volley_open
    for _ in {1..50}; do
        volley_add POST "$BOOKING_URL/api/v1/reservations" "$(uuid)" \
            "{\"session_id\": \"$SESSION_ID\", \"section\": \"Stalls\", \"quantity\": 1}"
    done
    volley_fire 50
    expect "answers" "$(volley_tally)" "201:20 409:30"
    expect_all_sold_once 20
    local n seats
    seats=$(for n in $(volley_with 201); do jq -r '.items[].session_seat_id' "$WORK/volley.$n"; done | sort -u | wc -l)
    expect "different seats in the answers" "$seats" 20
}

open_second_instance() {
    have_programs || return 1
    instance_start event-svc HOST=127.0.0.1
    SECOND_URL=$INSTANCE_URL
}

# Both know the session, neither is told what the other sells.
two_instances_race() {
    local n url
    open_session 4 10
    volley_open
    for n in {1..60}; do
        url=$EVENT_URL
        [ $((n % 2)) = 0 ] && url=$SECOND_URL
        volley_add POST "$url/api/internal/seats/reserve-batch" "$(uuid)" "{\"holds\": [$(best_json "$(uuid)" 1)]}" \
            ${INTERNAL_API_KEY:+"X-Internal-Api-Key: $INTERNAL_API_KEY"}
    done
    volley_fire 60
    local outcomes
    outcomes=$(for n in {1..60}; do jq -r '.results[0].outcome // .code' "$WORK/volley.$n"; done | sort | uniq -c | xargs)
    expect "outcomes" "$outcomes" "40 held 20 sold_out"
    expect_all_sold_once 40
}

sellable_again() { # INSTANCE → held or sold_out
    BEST_URL=$1 best "$(uuid)" 1
    json .outcome
}

freed_elsewhere_is_sellable_here() {
    open_session 1 2
    local id
    id=$(uuid)
    BEST_URL=$SECOND_URL best "$id" 2
    expect_json '.outcome == "held"'
    eventually 2 "sold out here as well" sold_out sellable_again "$EVENT_URL"
    BEST_URL=$SECOND_URL best_release "$id"
    expect_status 200
    eventually 2 "freed there, sold here" held sellable_again "$EVENT_URL"
}

# The snapshot as one status name per line, in seat order.
unpack_statuses() { # SEAT COUNT
    local name
    json .statuses | base64 -d | od -An -v -tu1 -w1 | awk -v n="$1" '
        { for (k = 0; k < 4 && seen < n; k++) { print int($1 / 4 ^ k) % 4; seen++ } }' |
        while read -r name; do echo "${STATUS_NAMES[name]}"; done
}

availability() { # [QUERY] [CURL ARGUMENT…]
    local query=${1:-}
    [ $# -gt 0 ] && shift
    get "$BEST_URL/api/v1/sessions/$SESSION_ID/availability$query" "$@"
}

availability_agrees() {
    open_session 3 7
    local id user version
    id=$(uuid) user=$(uuid)
    best "$id" 3
    reserve "$user" "${SEATS[0]}"
    expect_status 201
    confirm "$user" "$RESERVATION_ID"
    eventually 5 "status" sold seat_status "${SEATS[0]}"
    availability
    expect_status 200
    version=$(json .version)
    expect_json '.seat_count == 21 and .sections == [{"section": "Stalls", "available": 17, "reserved": 3, "sold": 1, "blocked": 0}]'
    unpack_statuses 21 >"$WORK/unpacked"
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    json '.[].status' >"$WORK/listed"
    expect "snapshot, against /seats" "$(diff "$WORK/unpacked" "$WORK/listed")" ""
    availability "" -H "If-None-Match: \"v$version\""
    expect_status 304
    best_release "$id"
    availability "" -H "If-None-Match: \"v$version\""
    expect_status 200
    availability "?since=$version"
    expect_json '.since == $since and (.changes | length) == 3 and all(.changes[]; .[1] == 0) and (has("statuses") | not)' \
        --argjson since "$version"
    availability "?since=$(json .version)"
    expect_json '.changes == []'
    availability "?since=0"
    expect_json 'has("statuses")'
    availability "?since=-1"
    expect_problem 422 validation_failed
}

geometry_is_for_ever() {
    local url
    availability
    url=$(json .geometry)
    get "$EVENT_URL$url"
    expect_status 200
    expect "cache control" "$(header cache-control)" "public, max-age=31536000, immutable"
    expect_json '.seat_count == 21 and ([.sections[].rows[].first] == [0, 7, 14]) and ([.sections[].rows[].prices[]] | all(. == 100))'
    expect "seats" "$(json '[.sections[].rows[].session_seat_ids[]] | join(" ")')" "${SEATS[*]}"
    get "$EVENT_URL$url" --compressed -H 'Accept-Encoding: gzip'
    expect_json '.seat_count == 21'
    get "$EVENT_URL${url}0"
    expect_problem 404 not_found
    get "$EVENT_URL/api/v1/sessions/$NOBODY/availability"
    expect_problem 404 not_found
}

availability_sees_the_other_instance() {
    open_session 2 5
    availability
    expect_json '.sections[0].available == 10'
    local n
    for n in {1..5}; do
        BEST_URL=$SECOND_URL best "$(uuid)" 1
        availability
        expect_json '.sections[0].reserved == $n' --argjson n "$n"
    done
}

check "seats side by side: best row, centre first" chosen_side_by_side
check "no single seat is left behind where that can be helped" nobody_is_left_alone
check "no block: what there is, and scattered seats on request" gaps_are_offered
check "a choice comes again under its id" choice_is_idempotent
check "50 buyers, a section of 20 seats: all sold, none twice" fifty_buyers_twenty_seats
check "availability agrees with the seats, and deltas add up" availability_agrees
check "geometry under its hash" geometry_is_for_ever
if open_second_instance; then
    check "two instances, 60 buyers, 40 seats: all sold, none twice" two_instances_race
    check "a seat freed by one instance is soon sold by the other" freed_elsewhere_is_sellable_here
    check "availability shows what another instance wrote" availability_sees_the_other_instance
else
    skip "two instances" "the programs are not built here"
fi
check "holds made directly can all be given back" give_back_direct_holds
