# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# INTERNAL_BIND: internal routes behind a door of their own

EVENT_INSIDE=$WORK/event.sock
BOOKING_INSIDE=$WORK/booking.sock

# inside SOCKET METHOD PATH [CURL ARGUMENT…]: a request through the internal door.
inside() {
    local socket=$1 method=$2 path=$3
    shift 3
    request "$method" "http://inside$path" --unix-socket "$socket" "$@"
}

# The whole of a small stack: two services and a worker that reach each other through socket files only.
split_services() {
    quietly instance_start event-svc INTERNAL_BIND="unix:$EVENT_INSIDE" INTERNAL_API_KEY=inside-key-0123456789
    SPLIT_EVENT=$INSTANCE_URL SPLIT_EVENT_PID=$INSTANCE_PID
    quietly instance_start booking-svc INTERNAL_BIND="unix:$BOOKING_INSIDE" INTERNAL_API_KEY=inside-key-0123456789 \
        EVENT_SERVICE_URL="unix:$EVENT_INSIDE"
    SPLIT_BOOKING=$INSTANCE_URL SPLIT_BOOKING_PID=$INSTANCE_PID
}

public_door() {
    local path
    for path in /api/internal/health /api/internal/holds /metrics; do
        get "$SPLIT_EVENT$path" -H 'X-Internal-Api-Key: inside-key-0123456789'
        expect_problem 404 not_found
    done
    request OPTIONS "$SPLIT_EVENT/api/internal/holds"
    expect_problem 404 not_found
    request POST "$SPLIT_BOOKING/api/internal/reservations/$NOBODY/settle" -H 'X-Internal-Api-Key: inside-key-0123456789'
    expect_problem 404 not_found
    get "$SPLIT_EVENT/api/v1/organizers?limit=1"
    expect_status 200
    get "$SPLIT_EVENT/health"
    expect_status 200
}

internal_door() {
    inside "$EVENT_INSIDE" GET '/api/v1/organizers?limit=1'
    expect_status 404
    inside "$BOOKING_INSIDE" GET /api/v1/reservations -H "X-User-ID: $NOBODY"
    expect_status 404
    inside "$EVENT_INSIDE" GET /metrics
    expect_status 200
    inside "$EVENT_INSIDE" GET /readyz
    expect_status 200
    inside "$EVENT_INSIDE" GET '/api/internal/holds?older_than=60'
    expect_status 403
    inside "$EVENT_INSIDE" GET '/api/internal/holds?older_than=60' -H 'X-Internal-Api-Key: inside-key-0123456789'
    expect_status 200
    expect "mode of the socket file" "$(stat -c %a "$EVENT_INSIDE")" 660
}

sells_through_sockets() {
    open_session 1 1
    send POST "$SPLIT_BOOKING/api/v1/reservations" "$(reservation_json "${SEATS[0]}")" -H "X-User-ID: $NOBODY"
    expect_status 201
    request POST "$SPLIT_BOOKING/api/v1/reservations/$(json .id)/confirm" -H "X-User-ID: $NOBODY"
    expect_status 200
    expect_json '.status == "confirmed"'
}

worker_through_sockets() {
    quietly instance_start booking-worker EVENT_SERVICE_URL="unix:$EVENT_INSIDE" BOOKING_SERVICE_URL="unix:$BOOKING_INSIDE" \
        INTERNAL_API_KEY=inside-key-0123456789 ORPHAN_SWEEP_INTERVAL_SECONDS=1
    eventually 5 "event-svc as the worker sees it" up worker_sees event-svc
    instance_end TERM
    expect "exit status" $? 0
}

worker_sees() { # DEPENDENCY
    get "$INSTANCE_URL/health"
    json ".checks[\"$1\"]"
}

socket_files_go() {
    INSTANCE_PID=$SPLIT_BOOKING_PID instance_end TERM
    expect "exit status" $? 0
    INSTANCE_PID=$SPLIT_EVENT_PID instance_end TERM
    expect "exit status" $? 0
    expect "files left" "$(find "$WORK" -name '*.sock')" ""
}

split_by_port() {
    local port
    port=$(free_port)
    quietly instance_start event-svc INTERNAL_BIND="127.0.0.1:$port"
    get "http://127.0.0.1:$port/api/internal/health"
    expect_status 200
    get "http://127.0.0.1:$port/api/v1/organizers"
    expect_status 404
    get "$INSTANCE_URL/api/internal/health"
    expect_status 404
    instance_end TERM
    expect "exit status" $? 0
}

if have_programs; then
    check "two services start with internal doors of their own" split_services
    check "at the public door internal routes and metrics do not exist" public_door
    check "at the internal door nothing else exists, and the key is still wanted" internal_door
    check "a seat is sold when the services reach each other through socket files" sells_through_sockets
    check "the worker reaches both through socket files" worker_through_sockets
    check "socket files go with the services" socket_files_go
    check "the internal door may be a TCP port" split_by_port
else
    skip "INTERNAL_BIND" "the programs are not built here"
fi
