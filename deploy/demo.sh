#!/usr/bin/env bash
# demo.sh FILE: loads the demo through the public API and prints curl lines to book with (`./start.sh --demo`).
#
# Every id is noted in FILE as soon as it exists, so a second run creates nothing twice and an interrupted one continues.
# Ids of a database that has been deleted since are recognised and forgotten.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

NOTES=${1:?usage: demo.sh FILE}
USER_ID=11111111-1111-4111-8111-111111111111
SEATS=2000

declare -A ID=()

notes_read() {
    local key value
    [ -f "$NOTES" ] || return 0
    while IFS='=' read -r key value; do
        [ -z "$key" ] || ID[$key]=$value
    done <"$NOTES"
    if ! curl -fsS -o /dev/null "$EVENT_URL/api/v1/organizers/${ID[organizer]:-none}" 2>/dev/null; then
        ID=()
        rm -f "$NOTES"
    fi
}

note() { # KEY VALUE
    ID[$1]=$2
    echo "$1=$2" >>"$NOTES"
}

# post URL JSON: the answer; shows it and fails unless the status is 2xx.
post() {
    local answer status
    answer=$(curl -sS --max-time 30 -w '\n%{http_code}' -H 'Content-Type: application/json' -d "$2" "$1")
    status=${answer##*$'\n'}
    if [[ $status != 2?? ]]; then
        complain "POST $1 answered $status: ${answer%$'\n'*}"
        return 1
    fi
    echo "${answer%$'\n'*}"
}

# ensure KEY URL FILTER JSON: creates what KEY stands for, unless it is noted already; jq FILTER finds its id in the answer.
ensure() {
    local answer
    [ -z "${ID[$1]:-}" ] || return 0
    answer=$(post "$2" "$4")
    note "$1" "$(jq -er "$3" <<<"$answer")"
}

load_arena() {
    ensure organizer "$EVENT_URL/api/v1/organizers" .organizer_id '{"name": "Aurora Concerts",
        "description": "Demo organizer", "contact_email": "desk@aurora.example", "contact_phone": "+49 30 1234567"}'
    ensure location "$EVENT_URL/api/v1/locations" .location_id '{"name": "Riverside Arena", "address": "1 Quay Street",
        "city": "Berlin", "country": "DE", "timezone": "Europe/Berlin"}'
    ensure hall "$EVENT_URL/api/v1/locations/${ID[location]}/halls" .hall_id '{"name": "Main hall", "capacity": 2000}'
    ensure seats "$EVENT_URL/api/v1/halls/${ID[hall]}/seats/bulk" '"loaded"' '[
        {"section": "Floor", "row_count": 20, "col_count": 30, "seat_type": "standard"},
        {"section": "Lower North", "row_count": 10, "col_count": 25, "seat_type": "standard"},
        {"section": "Lower South", "row_count": 10, "col_count": 25, "seat_type": "standard"},
        {"section": "Upper East", "row_count": 15, "col_count": 20, "seat_type": "standard"},
        {"section": "Upper West", "row_count": 15, "col_count": 20, "seat_type": "standard"},
        {"section": "Boxes", "row_count": 10, "col_count": 30, "seat_type": "vip"}]'
    good "Riverside Arena, six sections, $SEATS seats"
}

# load_event KEY TITLE TYPE PRICE DAY…: an event with one evening session per DAY (days from now)
load_event() {
    local key=$1 title=$2 type=$3 price=$4 day
    shift 4
    ensure "$key" "$EVENT_URL/api/v1/events" .event_id "{\"title\": \"$title\", \"description\": \"Demo event\",
        \"event_type\": \"$type\", \"organizer_id\": \"${ID[organizer]}\"}"
    for day in "$@"; do
        ensure "${key}_$day" "$EVENT_URL/api/v1/sessions" .session_id "{\"event_id\": \"${ID[$key]}\",
            \"hall_id\": \"${ID[hall]}\", \"start_time\": \"$(date -u -d "+$day days" +%FT18:00:00Z)\",
            \"end_time\": \"$(date -u -d "+$day days" +%FT21:00:00Z)\", \"base_price\": \"$price\"}"
    done
    good "$title: $# session(s) at $price"
}

load_tiers() {
    local tier
    for tier in standard=1.0 premium=1.5 student=0.75; do
        ensure "tier_${tier%=*}" "$BOOKING_URL/api/v1/price-tiers" .id "{\"name\": \"${tier%=*}\",
            \"description\": \"Demo tier\", \"multiplier\": ${tier#*=}}"
    done
    good "price tiers standard x 1.0, premium x 1.5, student x 0.75"
}

print_curl_lines() {
    cat <<TEXT

${C_BOLD}Book a seat${C_OFF} (paste line by line; jq is installed)

    SEAT=\$(curl -s $EVENT_URL/api/v1/sessions/${ID[concert_14]}/seats | jq -r 'map(select(.status == "available"))[0].session_seat_id')
    RESERVATION=\$(curl -s $BOOKING_URL/api/v1/reservations -H 'Content-Type: application/json' -H 'X-User-ID: $USER_ID' -d "{\"session_id\": \"${ID[concert_14]}\", \"seats\": [{\"session_seat_id\": \"\$SEAT\", \"price_tier_id\": \"${ID[tier_standard]}\"}]}" | jq -r .id)
    curl -s $BOOKING_URL/api/v1/reservations/\$RESERVATION -H 'X-User-ID: $USER_ID' | jq
    curl -s -X POST $BOOKING_URL/api/v1/reservations/\$RESERVATION/confirm -H 'Content-Type: application/json' -H 'X-User-ID: $USER_ID' -d '{"payment_id": "99999999-0000-0000-0000-000000000001"}' | jq
    curl -s $BOOKING_URL/api/v1/tickets/user/$USER_ID -H 'X-User-ID: $USER_ID' | jq 'map(del(.qr_code))'
    curl -s $EVENT_URL/api/v1/sessions/${ID[concert_14]}/seats | jq -c --arg seat "\$SEAT" '.[] | select(.session_seat_id == \$seat)'
TEXT
}

main() {
    settings_defaults
    step "Loading the demo"
    notes_read
    load_arena
    load_event concert "Northern Lights Orchestra" concert 80.00 14 15
    load_event comedy "An Evening of Comedy" theatre 35.00 21
    load_event match "Basketball: City Derby" sport 55.50 28 35
    load_tiers
    print_curl_lines
}

main "$@"
