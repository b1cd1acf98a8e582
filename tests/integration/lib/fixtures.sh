# shellcheck shell=bash
# shellcheck disable=SC2034 # the themes use what is set here
#
# Things to sell and people to sell them to. Each theme opens halls and sessions of its own, so that none depends on another.

ALWAYS_PAYS=99999999-0000-0000-0000-000000000001
NEVER_PAYS=99999999-0000-0000-0000-000000000002
NOBODY=00000000-0000-7000-8000-000000000000
SEATS=()

uuid() {
    cat /proc/sys/kernel/random/uuid
}

from_now() { # "2 days" → RFC 3339
    date -u -d "+$1" +%Y-%m-%dT%H:%M:%SZ
}

# create PATH JSON FIELD: posts to event-svc, leaves the id in ID. A failure is evidence.
create() {
    send POST "$EVENT_URL$1" "$2"
    [ "$STATUS" = 201 ] || fail "cannot create a fixture: $(answer_summary)"
    ID=$(json ".$3")
}

open_catalog() {
    [ -n "${EVENT_ID:-}" ] && return
    create /api/v1/organizers '{"name": "North Stage", "contact_email": "desk@northstage.example"}' organizer_id
    ORGANIZER_ID=$ID
    create /api/v1/locations '{"name": "Harbour Arena", "address": "1 Quay", "city": "Bergen", "country": "NO",
        "timezone": "Europe/Oslo"}' location_id
    LOCATION_ID=$ID
    create /api/v1/events "{\"title\": \"Night of Strings\", \"description\": \"\", \"event_type\": \"concert\",
        \"organizer_id\": \"$ORGANIZER_ID\"}" event_id
    EVENT_ID=$ID
}

open_hall() { # ROWS COLUMNS → HALL_ID
    open_catalog
    create "/api/v1/locations/$LOCATION_ID/halls" "{\"name\": \"Hall\", \"capacity\": $(($1 * $2))}" hall_id
    HALL_ID=$ID
    send POST "$EVENT_URL/api/v1/halls/$HALL_ID/seats/bulk" \
        "[{\"section\": \"Stalls\", \"row_count\": $1, \"col_count\": $2, \"seat_type\": \"standard\"}]"
    [ "$STATUS" = 201 ] || fail "cannot create seats: $(answer_summary)"
}

session_json() { # PRICE START END → body for POST /sessions in HALL_ID
    printf '{"event_id": "%s", "hall_id": "%s", "start_time": "%s", "end_time": "%s", "base_price": %s}' \
        "$EVENT_ID" "$HALL_ID" "$2" "$3" "$1"
}

# open_session ROWS COLUMNS [PRICE] [FROM NOW]: a new hall with one session; SESSION_ID, and SEATS in natural order.
open_session() {
    local start=${4:-30 days}
    open_hall "$1" "$2"
    create /api/v1/sessions "$(session_json "${3:-100.00}" "$(from_now "$start")" "$(from_now "$start 3 hours")")" session_id
    SESSION_ID=$ID
    get "$EVENT_URL/api/v1/sessions/$SESSION_ID/seats"
    mapfile -t SEATS < <(json '.[].session_seat_id')
    [ "${#SEATS[@]}" -eq $(($1 * $2)) ] || fail "the session has ${#SEATS[@]} seats, expected $(($1 * $2))"
}

# take COUNT: moves the next seats from SEATS to TAKEN.
take() {
    TAKEN=("${SEATS[@]:0:$1}")
    SEATS=("${SEATS[@]:$1}")
}

create_tier() { # MULTIPLIER [MORE JSON MEMBERS] → TIER_ID
    send POST "$BOOKING_URL/api/v1/price-tiers" "{\"name\": \"Tier $1\", \"description\": \"\", \"multiplier\": $1${2:-}}"
    [ "$STATUS" = 201 ] || fail "cannot create a price tier: $(answer_summary)"
    TIER_ID=$(json .id)
}

reservation_json() { # SEAT… → body for POST /reservations in SESSION_ID
    local seat list=
    for seat in "$@"; do
        list+="${list:+, }{\"session_seat_id\": \"$seat\"}"
    done
    printf '{"session_id": "%s", "seats": [%s]}' "$SESSION_ID" "$list"
}

reserve() { # USER SEAT… → RESERVATION_ID when it worked
    local user=$1
    shift
    send POST "${RESERVE_URL:-$BOOKING_URL}/api/v1/reservations" "$(reservation_json "$@")" -H "X-User-ID: $user"
    RESERVATION_ID=$(json '.id // empty' 2>/dev/null)
}

reserve_status() { # USER SEAT… → status
    reserve "$@"
    echo "$STATUS"
}

reserve_best() { # USER JSON-MEMBERS [CURL ARGUMENT…]
    local user=$1 members=$2
    shift 2
    send POST "$BOOKING_URL/api/v1/reservations" "{\"session_id\": \"$SESSION_ID\", $members}" -H "X-User-ID: $user" "$@"
}

confirm() { # USER RESERVATION [PAYMENT]
    send POST "$BOOKING_URL/api/v1/reservations/$2/confirm" "{\"payment_id\": \"${3:-$ALWAYS_PAYS}\"}" -H "X-User-ID: $1"
}

cancel() { # USER RESERVATION
    request DELETE "$BOOKING_URL/api/v1/reservations/$2" -H "X-User-ID: $1"
}

reservation() { # USER RESERVATION
    get "$BOOKING_URL/api/v1/reservations/$2" -H "X-User-ID: $1"
}

buy_one() { # a complete booking; leaves the reservation's id in BOUGHT and the seat's in BOUGHT_SEAT
    local user
    user=$(uuid)
    take 1
    BOUGHT_SEAT=${TAKEN[0]}
    reserve "$user" "$BOUGHT_SEAT"
    expect_status 201
    BOUGHT=$RESERVATION_ID
    BOUGHT_BY=$user
    confirm "$user" "$BOUGHT"
    expect_status 200
}

# event-svc's internal API wants a key when the stack has one.
INTERNAL_AUTH=()
[ -n "${INTERNAL_API_KEY:-}" ] && INTERNAL_AUTH=(-H "X-Internal-Api-Key: $INTERNAL_API_KEY")

internal() { # METHOD PATH [JSON]
    send "$1" "$EVENT_URL/api/internal/$2" "${3:-}" ${INTERNAL_AUTH[@]+"${INTERNAL_AUTH[@]}"}
}
