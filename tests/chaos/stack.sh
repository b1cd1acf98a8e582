#!/usr/bin/env bash
# stack.sh VERB RUN_DIR [NAME]: the stack under tests/chaos. The driver calls it for single parts, run.sh for the whole.
#   up                 infrastructure, proxy, services behind it; `stack.env` and `chaos.env` tell where
#   start NAME         starts one part (again) and waits until it is healthy or dead
#   fill NAME | free NAME   takes all room on its disk / gives it back
#   poison NAME        sends it a message that makes no sense
#   down               stops everything and deletes the data
# Environment of `up`: VARIANT, CHAOS_SEED, CHAOS_WORKERS, CHAOS_GRACE, CHAOS_WITH (words of crash, disk, clock, shuffle).
set -u
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"

# NAME of the link and the port variable of its far end (deploy/lib/settings.sh), in the order of plan.c.
LINKS='client-booking BOOKING_SERVICE_PORT
booking-event EVENT_SERVICE_PORT
booking-postgres POSTGRES_PORT
booking-redis REDIS_PORT
booking-rabbitmq RABBITMQ_PORT
event-postgres POSTGRES_PORT
event-rabbitmq RABBITMQ_PORT
worker-postgres POSTGRES_PORT
worker-event EVENT_SERVICE_PORT
worker-booking BOOKING_SERVICE_PORT
worker-redis REDIS_PORT
worker-rabbitmq RABBITMQ_PORT'

FAKETIME=/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1

link_variable() { # booking-event → LINK_BOOKING_EVENT
    local name=${1^^}
    echo "LINK_${name//-/_}"
}

# Settings that make minutes of a normal day fit into seconds.
service_settings() {
    export MOCK_PAYMENT_ENABLED=true MOCK_PAYMENT_SUCCESS_RATE=1.0 SECRET_KEY=chaos-secret-key-0123456789 LOG_LEVEL=warning
    export RESERVATION_TIMEOUT_SECONDS=10 ORPHAN_SWEEP_INTERVAL_SECONDS=1 ORPHAN_GRACE_SECONDS=${CHAOS_GRACE:-2} PAYING_SETTLE_AFTER_SECONDS=3
    export EXPIRY_WORKER_INTERVAL_SECONDS=1 MAX_SEATS_HELD_PER_USER=3
}

through() { # URL LINK: the URL with the port of the proxy's end
    local variable
    variable=$(link_variable "$2")
    sed -E "s#(127\.0\.0\.1):[0-9]+#\1:${!variable}#" <<<"$1"
}

# proxied NAME: fills PROXIED with what makes a service talk through the proxy.
proxied() {
    PROXIED=()
    case $1 in
    event-svc)
        PROXIED=(DATABASE_URL="$(through "$EVENT_DATABASE_URL" event-postgres)" RABBITMQ_URL="$(through "$RABBITMQ_URL" event-rabbitmq)")
        ;;
    booking-svc)
        PROXIED=(DATABASE_URL="$(through "$BOOKING_DATABASE_URL" booking-postgres)" REDIS_URL="$(through "$REDIS_URL" booking-redis)"
            RABBITMQ_URL="$(through "$RABBITMQ_URL" booking-rabbitmq)" EVENT_SERVICE_URL="$(through "$EVENT_URL" booking-event)")
        ;;
    booking-worker)
        PROXIED=(DATABASE_URL="$(through "$BOOKING_DATABASE_URL" worker-postgres)" REDIS_URL="$(through "$REDIS_URL" worker-redis)"
            RABBITMQ_URL="$(through "$RABBITMQ_URL" worker-rabbitmq)" EVENT_SERVICE_URL="$(through "$EVENT_URL" worker-event)"
            BOOKING_SERVICE_URL="$(through "$BOOKING_URL" worker-booking)")
        ;;
    esac
    if [ -f "$RUN_DIR/fault/$1" ]; then
        PROXIED+=(FAULT_CONTROL="$RUN_DIR/fault/$1")
    fi
    if [ -f "$RUN_DIR/clock/$1" ]; then # waits and deadlines run on the monotonic clock, which is never set back
        PROXIED+=(LD_PRELOAD="$FAKETIME" FAKETIME_TIMESTAMP_FILE="$RUN_DIR/clock/$1" FAKETIME_CACHE_DURATION=1
            FAKETIME_DONT_FAKE_MONOTONIC=1)
    fi
    if [ -f "$RUN_DIR/shuffled" ] && [ "$1" = event-svc ]; then
        PROXIED+=(RABBITMQ_EXCHANGE=chaos_events RABBITMQ_QUEUE=chaos_queue)
    fi
}

attach() {
    if ! settings_restore || ! settings_defaults; then
        die "no stack was started in $RUN_DIR"
    fi
    # shellcheck source=/dev/null
    . "$RUN_DIR/chaos.env"
    service_settings
}

# wait_up NAME: as process_await, but a part that dies meanwhile is the supervisor's business, not an error.
start_part() {
    local began name=$1
    proxied "$name"
    began=$(now_ms)
    case $name in
    postgres) service_start postgres ;;
    *)
        service_launch "$name" "${PROXIED[@]}" && wait_for 60 healthy_or_dead "$name" service_healthy
        ;;
    esac
    process_running "$name" && echo "$name $(($(now_ms) - began)) ms" >>"$RUN_DIR/restarts"
}

open_proxy() {
    local name target variable
    local -a ports arguments
    mapfile -t ports < <(free_ports "$(wc -l <<<"$LINKS")")
    : >"$RUN_DIR/chaos.env"
    while read -r name target; do
        variable=$(link_variable "$name")
        echo "$variable=${ports[0]}" >>"$RUN_DIR/chaos.env"
        arguments+=("$name=${ports[0]}:${!target}")
        ports=("${ports[@]:1}")
    done <<<"$LINKS"
    process_launch proxy / "$ROOT/build/$VARIANT/tests/chaos/proxy" "$RUN_DIR/proxy.socket" "${arguments[@]}"
    wait_for 30 test -S "$RUN_DIR/proxy.socket"
}

crash_points() {
    local name
    mkdir -p "$RUN_DIR/fault"
    for name in event-svc booking-svc booking-worker; do
        : >"$RUN_DIR/fault/$name"
    done
}

# small_disk MIB DIRECTORY: a file system in a file, small enough to be filled in a moment.
small_disk() {
    local image
    image=$RUN_DIR/$(basename "$2").disk
    mkdir -p "$2" && truncate -s "$1M" "$image" && mkfs.ext4 -q -m 0 "$image" && mount -o loop "$image" "$2"
}

# RabbitMQ takes nothing more from publishers when its alarm rings, long before its disk is full.
small_disks() {
    if ! small_disk 400 "$RUN_DIR/postgres" || ! small_disk 300 "$RUN_DIR/rabbitmq/data"; then
        die "small disks need root and loop devices"
    fi
    echo 'disk_free_limit.absolute = 100MB' >"$RUN_DIR/small-broker.conf"
    export RABBITMQ_MORE_CONF=$RUN_DIR/small-broker.conf
}

disk_of() {
    case $1 in
    postgres) echo "$RUN_DIR/postgres" ;;
    rabbitmq) echo "$RUN_DIR/rabbitmq/data" ;;
    *) die "$1 has no disk of its own" ;;
    esac
}

# The consumer's business: not JSON, under a key it listens to.
send_poison() {
    curl -fsS --max-time 5 -u "$RABBITMQ_USER:$RABBITMQ_PASSWORD" -H 'Content-Type: application/json' -d '{"properties": {},
        "routing_key": "reservation.confirmed", "payload": "neither JSON nor a booking", "payload_encoding": "string"}' \
        "$RABBITMQ_UI_URL/api/exchanges/%2F/ticketing_events/publish"
}

# Until nothing more fits; what is left is less than a page.
fill_disk() {
    local disk
    disk=$(disk_of "$1")
    dd if=/dev/zero of="$disk/filler" bs=1M status=none 2>/dev/null
    dd if=/dev/zero of="$disk/filler.2" bs=512 status=none 2>/dev/null
}

free_disk() {
    local disk
    disk=$(disk_of "$1")
    rm -f "$disk/filler" "$disk/filler.2"
}

wrong_clocks() {
    local name
    [ -f "$FAKETIME" ] || die "$FAKETIME is missing: apt-get install faketime"
    mkdir -p "$RUN_DIR/clock"
    for name in $SERVICES; do
        echo '+0' >"$RUN_DIR/clock/$name"
    done
}

start_shuffler() {
    process_launch shuffler / "$ROOT/build/$VARIANT/tests/chaos/shuffler" "$RABBITMQ_URL" "${CHAOS_SEED:-1}" "$RUN_DIR/shuffled"
}

up() {
    local name
    RUN_DIR=$1
    stack_private "$RUN_DIR" && stack_check_ports && settings_save || return 1
    service_settings
    case ${CHAOS_WITH:-} in *crash*) crash_points ;; esac
    case ${CHAOS_WITH:-} in *disk*) small_disks || return 1 ;; esac
    case ${CHAOS_WITH:-} in *clock*) wrong_clocks ;; esac
    case ${CHAOS_WITH:-} in *shuffle*) : >"$RUN_DIR/shuffled" ;; esac
    stack_start_infrastructure && stack_migrate && open_proxy || return 1
    attach
    [ ! -f "$RUN_DIR/shuffled" ] || start_shuffler || return 1
    for name in $SERVICES; do
        proxied "$name"
        service_launch "$name" "${PROXIED[@]}" || return 1
    done
    for name in $SERVICES; do
        service_await "$name" || return 1
    done
    more_workers "${CHAOS_WORKERS:-0}"
}

# Nobody harms these; they compete with the one that is paused and killed.
more_workers() {
    local i
    proxied booking-worker
    program_env booking-worker
    for ((i = 1; i <= $1; i++)); do
        process_launch "more-$i" "$ROOT" env "${PROGRAM_ENV[@]}" "${PROXIED[@]}" PORT=0 "$(program booking-worker)"
        echo "more-$i" >>"$RUN_DIR/more"
    done
}

down() {
    local name
    attach
    if [ -f "$RUN_DIR/more" ]; then
        while read -r name; do
            process_stop "$name" TERM 15
        done <"$RUN_DIR/more"
    fi
    process_stop shuffler TERM 5
    stack_stop --keep-data
    process_stop proxy TERM 5
    umount "$RUN_DIR/postgres" "$RUN_DIR/rabbitmq/data" 2>/dev/null
    rm -f "$RUN_DIR"/*.disk "$RUN_DIR/small-broker.conf"
    stack_delete_data && (cd "$RUN_DIR" 2>/dev/null && rm -rf fault clock disk.lock more shuffled chaos.env proxy.socket restarts seats.txt)
    rmdir "$RUN_DIR" 2>/dev/null || true
}

main() {
    local verb=$1
    RUN_DIR=$2
    case $verb in
    up) up "$RUN_DIR" ;;
    start)
        attach
        start_part "$3" >>"$RUN_DIR/log/supervisor.log" 2>&1
        ;;
    poison)
        attach
        send_poison >>"$RUN_DIR/log/supervisor.log" 2>&1
        ;;
    fill | free) # one after the other: what is still being filled cannot be freed
        exec 5>"$RUN_DIR/disk.lock" && flock 5 || exit 1
        if [ "$verb" = fill ]; then
            fill_disk "$3"
        else
            free_disk "$3"
        fi
        ;;
    down) down ;;
    *) die "unknown verb $verb" ;;
    esac
}

main "$@"; exit
