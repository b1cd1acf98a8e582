#!/usr/bin/env bash
# Starts the whole ticketing stack and waits until it is healthy. `./start.sh --help` lists the options.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy/lib.sh"

usage() {
    cat <<'TEXT'
usage: ./start.sh [--native | --docker] [--demo] [--run-dir DIR] [--free-ports]

  (nothing)      Docker Compose when a Docker engine answers and the images can be had, else native
  --native       PostgreSQL, Redis and RabbitMQ from Debian packages, private to this directory (.run/)
  --docker       Docker Compose
  --demo         also loads a demo: an arena with 2,000 seats, three events, price tiers; prints curl lines to book
  --run-dir DIR  native: keep data, logs and pid files in DIR, a second stack beside the first (.env is not read then)
  --free-ports   native: take free ports instead of the usual ones; DIR/stack.env tells which

Ports and settings: copy .env.example to .env. Stop with ./stop.sh.
TEXT
}

parse_arguments() {
    MODE=auto DEMO=no OWN_DIR='' FREE_PORTS=no
    while [ $# -gt 0 ]; do
        case $1 in
        --native) MODE=native ;;
        --docker) MODE=docker ;;
        --demo) DEMO=yes ;;
        --free-ports) FREE_PORTS=yes ;;
        --run-dir)
            [ $# -ge 2 ] || die "--run-dir needs a directory"
            OWN_DIR=$2
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
        esac
        shift
    done
}

prepare_settings() {
    if [ -n "$OWN_DIR" ] || [ "$FREE_PORTS" = yes ]; then
        MODE=native
        if [ "$FREE_PORTS" = yes ]; then
            stack_private ${OWN_DIR:+"$OWN_DIR"}
        else
            mkdir -p "$OWN_DIR"
            RUN_DIR=$(cd "$OWN_DIR" && pwd)
            load_env_file "$RUN_DIR/stack.env" # the ports it had, if it has been started before
        fi
    else
        load_env_file "$ROOT/.env"
    fi
    settings_defaults || exit 1
}

# A stack that runs already decides the mode: two of them would fight for the same ports.
choose_mode() {
    if [ "$MODE" != docker ] && stack_running; then
        MODE=native
    elif [ "$MODE" = docker ]; then
        ! stack_running || die "the native stack is running; ./stop.sh first"
        compose_usable || die "Docker mode is not possible here; try ./start.sh --native"
    elif [ "$MODE" = native ]; then
        ! compose_running || die "the Compose stack is running; ./stop.sh first"
    elif compose_usable; then
        MODE=docker
    else
        say "so: native mode"
        MODE=native
    fi
}

# One start at a time, and a directory that is ours.
take_lock() {
    if ! mkdir -p "$RUN_DIR/log" 2>/dev/null || [ ! -w "$RUN_DIR" ]; then
        die "cannot write to $RUN_DIR (it belongs to $(stat -c %U "$RUN_DIR" 2>/dev/null || echo nobody)): another user started the stack here"
    fi
    exec 8>"$RUN_DIR/lock"
    flock -n 8 || die "another start.sh is at work in $RUN_DIR"
}

build_programs() {
    local began log="$RUN_DIR/log/build.log"
    began=$(now_ms)
    step "Building"
    if ! make -C "$ROOT" -j"$(nproc)" VARIANT="$VARIANT" all >"$log" 2>&1; then
        show_tail "$log" 40
        die "the build failed"
    fi
    good "event-svc, booking-svc, booking-worker ($(seconds_since "$began"))"
    fetch_documentation_pages
}

# Swagger UI is a convenience: without npm, or without a network, /docs says what is missing.
fetch_documentation_pages() {
    local log="$RUN_DIR/log/docs-assets.log"
    [ ! -d "$ROOT/build/swagger-ui" ] || return 0
    if ! command -v npm >/dev/null; then
        say "npm is not installed: /docs will link /openapi.json instead of showing Swagger UI"
        say "(to have it: sudo apt-get install npm, about 400 packages, then make docs-assets)"
    elif make -C "$ROOT" docs-assets >"$log" 2>&1; then
        good "Swagger UI for /docs"
    else
        warn "Swagger UI could not be fetched, /docs will link /openapi.json ($log)"
    fi
}

start_native() {
    stack_check_ports_early || exit 1
    packages_ensure build stack demo || exit 1
    build_programs
    exec 6>&1 7>&2 # the trap may run while a probe's output is redirected
    trap 'trap - INT TERM; stack_undo >&6 2>&7; exit 130' INT TERM
    step "Starting PostgreSQL, Redis, RabbitMQ, the migrations and the services"
    if ! stack_start; then
        die "the stack did not start; its logs are in $RUN_DIR/log"
    fi
    trap - INT TERM
}

# Before anything is installed or built; stack_start asks again in case somebody was faster.
stack_check_ports_early() {
    step "Checking ports"
    stack_check_ports || return 1
    if stack_running; then
        good "this stack runs already, at least in part: what is healthy stays as it is"
    else
        good "all free"
    fi
}

# Docker hosts need not be Debian: what is there is not asked for as a package.
load_demo() {
    if ! command -v curl >/dev/null || ! command -v jq >/dev/null; then
        packages_ensure demo || exit 1
    fi
    "$ROOT/deploy/demo.sh" "$RUN_DIR/demo.env" || die "the demo could not be loaded"
}

print_table() {
    local line='    %-22s %s\n'
    printf '\n%sThe ticketing stack is up%s (%s mode, %s)\n\n' "$C_BOLD" "$C_OFF" "$STACK_MODE" "$(seconds_since "$BEGAN")"
    # shellcheck disable=SC2059
    {
        printf "$line" "Events API" "$EVENT_URL" "  its documentation" "$EVENT_URL/docs"
        printf "$line" "Booking API" "$BOOKING_URL" "  its documentation" "$BOOKING_URL/docs"
        printf "$line" "Worker health" "$WORKER_URL/health"
        printf "$line" "RabbitMQ" "$RABBITMQ_UI_URL  (login $RABBITMQ_USER / $RABBITMQ_PASSWORD)"
        printf "$line" "PostgreSQL" "127.0.0.1:$POSTGRES_PORT  event_service" \
            "" "127.0.0.1:$([ "$STACK_MODE" = docker ] && echo "$BOOKING_DB_PORT" || echo "$POSTGRES_PORT")  booking_db  (login $POSTGRES_USER)"
        printf "$line" "Redis" "127.0.0.1:$REDIS_PORT"
        if [ "$STACK_MODE" = native ]; then
            printf "$line" "Logs" "$RUN_DIR/log/"
        fi
    }
    printf '\n    Stop it with ./stop.sh%s\n' "$([ "$RUN_DIR" = "$ROOT/.run" ] || echo " --run-dir $RUN_DIR")"
}

main() {
    BEGAN=$(now_ms)
    parse_arguments "$@"
    prepare_settings
    choose_mode
    take_lock
    if [ "$MODE" = docker ]; then
        fetch_documentation_pages
        compose_start || exit 1
    else
        start_native
    fi
    if [ "$DEMO" = yes ]; then
        load_demo
    fi
    print_table
}

main "$@"
