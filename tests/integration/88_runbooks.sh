# shellcheck shell=bash
# shellcheck disable=SC2016 # jq and the runbooks have dollar signs
# Runbooks: the commands of docs/OPERATIONS.md, run as they are printed there

# runbook HEADING N: the Nth block of commands below that heading.
runbook() {
    awk -v heading="## $1" -v want="$2" '$0 == heading { inside = 1; next } /^## / { inside = 0 }
        inside && /^```sh$/ { on = ++n == want; next } /^```$/ { on = 0 } inside && on' docs/OPERATIONS.md
}

# The first block of the page: the settings of the stack.
runbook_settings() {
    awk '/^```sh$/ { on = 1; next } /^```$/ { exit } on' docs/OPERATIONS.md
}

# follow HEADING N [KEY=VALUE…]: its output is in $WORK/followed.
follow() {
    local heading=$1 n=$2 commands
    shift 2
    commands=$(runbook "$heading" "$n")
    expect "$heading, block $n is there" "${commands:+yes}" yes
    quietly env RUN_DIR="$RUN_DIR" backup="$WORK/backup" "$@" bash -euo pipefail -c "$(runbook_settings)
$commands"
    cp "$WORK/quietly" "$WORK/followed"
}

followed_says() { # PATTERN
    expect_match "what it printed" "$(cat "$WORK/followed")" "$1"
}

is_read_only() { # URL
    get "$1/health"
    json .details.read_only
}

works_again() {
    local url
    for url in "$EVENT_URL" "$BOOKING_URL" "$WORKER_URL"; do
        eventually 10 "$url read-only" false is_read_only "$url"
    done
    eventually 10 "event-svc as booking-svc sees it" up sees event-svc
    buy_one
    eventually 20 "its seat" sold seat_status "$BOUGHT_SEAT"
}

sees() { # DEPENDENCY → its state for booking-svc
    get "$BOOKING_URL/health"
    json ".checks[\"$1\"]"
}

broker_down() {
    open_session 4 5
    quietly service_stop rabbitmq
    buy_one
    eventually 20 "the broker as booking-svc sees it" down sees rabbitmq
    follow "Broker down, or full" 1
    followed_says '"rabbitmq": *"down"'
    followed_says 'event_service_queue'
    eventually 30 "the seat" sold seat_status "$BOUGHT_SEAT"
}

disk_full() {
    follow "Disk full" 1
    followed_says '"status":"(ok|degraded)"'
}

dead_letter() {
    dead_letters_purge
    expect "routed" "$(broker_publish reservation.confirmed 'not a message')" true
    eventually 20 "letters" 1 dead_letters_like 'not a message'
    follow "Dead letters" 1
    followed_says 'not a message'
    eventually 20 "letters, come back after the replay" 1 dead_letters_like 'not a message'
    dead_letters_purge
}

best_available_code() { # QUANTITY → code of the refusal, or the status of the reservation
    reserve_best "$(uuid)" "\"quantity\": $1"
    json '.code // .status'
}

selling_stops() {
    open_session 2 5
    reserve_best "$(uuid)" '"quantity": 2'
    expect_status 201
    follow "Stop selling a session" 1 SESSION="$SESSION_ID"
    expect "seats blocked" "$(seats_with_status "$SESSION_ID" blocked)" 8
    eventually 10 "best available" sold_out best_available_code 1
    reserve "$(uuid)" "${SEATS[9]}"
    expect_problem 409 seats_taken
    follow "Stop selling a session" 2 SESSION="$SESSION_ID"
    expect "seats free again" "$(seats_with_status "$SESSION_ID" available)" 8
    eventually 10 "best available" active best_available_code 1
}

seat_in_dispute() {
    buy_one
    eventually 20 "the seat" sold seat_status "$BOUGHT_SEAT"
    follow "A seat is disputed" 1 SEAT="$BOUGHT_SEAT"
    followed_says "sold *\| *$BOUGHT"
    followed_says "confirmed"
}

# After the backup one reservation is made and one is paid that was only held.
backup_and_more() {
    HOLDER=$(uuid)
    take 1
    reserve "$HOLDER" "${TAKEN[0]}"
    expect_status 201
    HELD=$RESERVATION_ID
    HELD_SEAT=${TAKEN[0]}
    follow "Backup" 1
}

booking_restored() {
    local lost
    backup_and_more
    take 1
    lost=${TAKEN[0]}
    reserve "$(uuid)" "$lost"
    expect_status 201
    settle
    follow "Restore one database" 1
    followed_says 'verify: [0-9]+ reservations'
    follow "Restore one database" 2
    followed_says true
    works_again
    confirm "$HOLDER" "$HELD"
    expect_status 200
    eventually 20 "the seat that was held" sold seat_status "$HELD_SEAT"
    psql -XAtq "$EVENT_DATABASE_URL" -c "UPDATE holds SET reserved_until = now() - interval '1 minute'
        WHERE session_id = '$SESSION_ID' AND state = 'held'" # its deadline, ten minutes earlier
    eventually 30 "the seat of the reservation that is lost" available seat_status "$lost"
}

event_restored() {
    local sold
    backup_and_more
    confirm "$HOLDER" "$HELD"
    expect_status 200
    buy_one
    sold=$BOUGHT_SEAT
    eventually 20 "the seat" sold seat_status "$sold"
    settle
    follow "Restore one database" 3
    follow "Restore one database" 4
    followed_says true
    expect "a seat that was sold after the backup" "$(seat_status "$sold")" sold
    expect "a seat that was held at the backup" "$(seat_status "$HELD_SEAT")" sold
    works_again
}

internal_key() {
    local name
    for name in event-svc booking-svc booking-worker; do
        quietly service_restart "$name" INTERNAL_API_KEY=the-key-of-now-0123456789
    done
    follow "Rotating keys" 1 old=the-key-of-now-0123456789
    followed_says '403'
    eventually 10 "event-svc as booking-svc sees it" up sees event-svc
    buy_one
    for name in event-svc booking-svc booking-worker; do
        quietly service_restart "$name"
    done
}

jwt_keys() {
    local name
    token_key first rsa
    token_key second rsa
    printf '{"keys": [%s]}' "$(token_jwk first)" >"$WORK/keys.json"
    printf '{"keys": [%s]}' "$(token_jwk second)" >"$WORK/more.json"
    for name in event-svc booking-svc; do
        quietly service_restart "$name" "${JWT_MODE[@]}" JWT_KEYS_FILE="$WORK/keys.json"
    done
    follow "Rotating keys" 2 JWT_KEYS_FILE="$WORK/keys.json" more="$WORK/more.json"
    expect "services that read two keys" "$(grep -c 'keys reloaded.*keys=2' "$WORK/followed")" 2
    get "$BOOKING_URL/api/v1/reservations" -H \
        "Authorization: Bearer $(token_sign RS256 second '{"alg": "RS256", "kid": "second"}' "$(token_claims "$(uuid)")")"
    expect_status 200
    for name in event-svc booking-svc; do
        quietly service_restart "$name"
    done
}

qr_secret() {
    local code
    buy_one
    get "$BOOKING_URL/api/v1/tickets/user/$BOUGHT_BY"
    get "$BOOKING_URL/api/v1/tickets/$(json '.[0].id')/qr"
    code=$(zbarimg -q --raw "$WORK/body" 2>/dev/null)
    follow "Rotating keys" 4 SECRET_KEY="$SECRET_KEY" code="$code"
    followed_says 'invalid
valid ticket'
    quietly service_restart booking-svc
}

database_password() {
    local kept=$POSTGRES_PASSWORD
    follow "Rotating keys" 5
    buy_one
    expect "the old password" "$(psql -XAtq "$EVENT_DATABASE_URL" -c 'SELECT 1' 2>&1 | grep -c 'authentication failed')" 1
    quietly postgres_psql -c "ALTER ROLE $POSTGRES_USER PASSWORD '$kept'"
    quietly settings_save
    for name in event-svc booking-svc booking-worker; do
        quietly service_restart "$name"
    done
}

if [ "$PRIVATE" = yes ] && [ "$VARIANT" = release ]; then # the commands name build/release
    # shellcheck source=tests/integration/lib/tokens.sh
    . "$TESTS/lib/tokens.sh"
    check "broker down" broker_down
    check "disk full" disk_full
    check "dead letters" dead_letter
    check "a seat is disputed" seat_in_dispute
    check "booking_db is restored from a backup" booking_restored
    check "event_service is restored from a backup" event_restored
    check "rotating INTERNAL_API_KEY" internal_key
    check "rotating the issuer's keys" jwt_keys
    check "rotating SECRET_KEY" qr_secret
    check "rotating the database password" database_password
    check "a session is not sold for a while" selling_stops
else
    skip "runbooks" "they stop parts of the stack and name build/release; --private follows them"
fi
