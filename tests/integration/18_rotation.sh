# shellcheck shell=bash
# shellcheck disable=SC2016 # jq has dollar signs
# Rotating keys: the steps of docs/OPERATIONS.md, one by one, while the stack sells (JWT: theme identity, TLS: theme tls)

OLD_KEY=old-inside-key-0123456789
NEW_KEY=new-inside-key-0123456789
NEW_SECRET=a-new-qr-secret-0123456789-0123456789
KEYS_KEPT=${INTERNAL_API_KEY:-}

knock() { # URL KEY → status of an internal route
    get "$1" -H "X-Internal-Api-Key: $2"
    echo "$STATUS"
}

doors() { # KEY → statuses at event-svc and booking-svc
    local settle=$BOOKING_URL/api/internal/reservations/$NOBODY/settle
    echo "$(knock "$EVENT_URL/api/internal/health" "$1") $(curl -s -o "$WORK/settle" -w '%{http_code}' -X POST \
        -H "X-Internal-Api-Key: $1" "$settle")"
}

sweeps() { # → how often the worker has asked event-svc successfully since it started
    get "$WORKER_URL/health"
    json '.jobs.sweep_orphans | .runs - .failures'
}

has_swept_since() { # COUNT
    [ "$(sweeps)" -gt "$1" ] && echo yes
}

# Every caller gets through: booking-svc to event-svc, the worker to both.
sells_and_tidies() {
    eventually 10 "event-svc as booking-svc sees it" closed breaker
    buy_one
    eventually 10 "the worker gets an answer" yes has_swept_since "$(sweeps)"
}

breaker() {
    get "$BOOKING_URL/health"
    json .details.event_svc_breaker
}

restart_with_keys() { # NAME CURRENT PREVIOUS
    quietly service_restart "$1" INTERNAL_API_KEY="$2" INTERNAL_API_KEY_PREVIOUS="$3"
}

keys_before() {
    local name
    for name in event-svc booking-svc booking-worker; do
        restart_with_keys "$name" "$OLD_KEY" ""
    done
    open_session 5 5
    sells_and_tidies
    expect "the old key" "$(doors "$OLD_KEY")" "200 404"
    expect "the new key" "$(doors "$NEW_KEY")" "403 403"
}

internal_key_rotates() {
    local name
    for name in event-svc booking-svc; do
        restart_with_keys "$name" "$NEW_KEY" "$OLD_KEY"
        sells_and_tidies
    done
    expect "both keys, new" "$(doors "$NEW_KEY")" "200 404"
    expect "both keys, old" "$(doors "$OLD_KEY")" "200 404"
    restart_with_keys booking-worker "$NEW_KEY" ""
    sells_and_tidies
    for name in event-svc booking-svc; do
        restart_with_keys "$name" "$NEW_KEY" ""
        sells_and_tidies
    done
    expect "the new key" "$(doors "$NEW_KEY")" "200 404"
    expect "the old key" "$(doors "$OLD_KEY")" "403 403"
    expect "keys in the logs" "$(grep -lE "$OLD_KEY|$NEW_KEY" "$RUN_DIR"/log/*.log)" ""
}

keys_after() {
    local name
    for name in event-svc booking-svc booking-worker; do
        restart_with_keys "$name" "$KEYS_KEPT" ""
    done
    sells_and_tidies
}

# qr_payload TICKET: what its picture says now.
qr_payload() {
    get "$BOOKING_URL/api/v1/tickets/$1/qr"
    zbarimg -q --raw "$WORK/body" 2>/dev/null
}

verify_qr() { # PAYLOAD SECRET → the gate's word
    program_env booking-svc
    env "${PROGRAM_ENV[@]}" SECRET_KEY="$2" "$(program booking-svc)" --verify-qr "$1" | cut -d' ' -f1
}

qr_secret_rotates() {
    local ticket printed
    buy_one
    get "$BOOKING_URL/api/v1/tickets/user/$BOUGHT_BY"
    ticket=$(json '.[0].id')
    printed=$(qr_payload "$ticket")
    quietly service_restart booking-svc SECRET_KEY="$NEW_SECRET"
    expect "a printed code at the gate: old secret" "$(verify_qr "$printed" "$SECRET_KEY")" valid
    expect "a printed code at the gate: new secret" "$(verify_qr "$printed" "$NEW_SECRET")" invalid
    expect "the same ticket drawn again: new secret" "$(verify_qr "$(qr_payload "$ticket")" "$NEW_SECRET")" valid
    quietly service_restart booking-svc
}

set_password() { # PASSWORD
    quietly postgres_psql -c "ALTER ROLE $POSTGRES_USER PASSWORD '$1'"
}

restart_with_password() { # PASSWORD
    local name
    POSTGRES_PASSWORD=$1
    settings_addresses
    for name in event-svc booking-svc booking-worker; do
        quietly service_restart "$name"
    done
    sells_and_tidies
}

database_password_rotates() {
    local kept=$POSTGRES_PASSWORD
    set_password another-password
    sells_and_tidies # open connections stay
    restart_with_password another-password
    expect "with the old password" "$(psql -XAtq "${EVENT_DATABASE_URL/another-password/$kept}" -c 'SELECT 1' 2>&1 |
        grep -c 'password authentication failed')" 1
    set_password "$kept"
    restart_with_password "$kept"
}

if [ "$PRIVATE" = yes ]; then
    later_collect # a restart ends the connections of those who wait for that
    check "the stack sells with an internal key" keys_before
    check "INTERNAL_API_KEY rotates: every step sells, the old key ends with the last" internal_key_rotates
    check "the stack sells without again" keys_after
    check "SECRET_KEY rotates: printed codes need the old one, drawn ones the new one" qr_secret_rotates
    check "the database password rotates" database_password_rotates
else
    skip "rotating keys" "restarts the services; --private does it"
fi
