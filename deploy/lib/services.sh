# shellcheck shell=bash
# Our three programs.

service_port() {
    case $1 in
    event-svc) echo "$EVENT_SERVICE_PORT" ;;
    booking-svc) echo "$BOOKING_SERVICE_PORT" ;;
    booking-worker) echo "$WORKER_PORT" ;;
    esac
}

program() {
    case $1 in
    verify) echo "$ROOT/build/$VARIANT/booking-worker/verify" ;;
    *) echo "$ROOT/build/$VARIANT/$1/$1" ;;
    esac
}

# program_env NAME: fills the array PROGRAM_ENV with what this stack decides; everything else comes from the environment.
program_env() {
    local database=$BOOKING_DATABASE_URL
    [ "$1" != event-svc ] || database=$EVENT_DATABASE_URL
    PROGRAM_ENV=(
        HOST=127.0.0.1
        PORT="$(service_port "$1")"
        DATABASE_URL="$database"
        EVENT_DATABASE_URL="$EVENT_DATABASE_URL" # of the worker's audit
        REDIS_URL="$REDIS_URL"
        RABBITMQ_URL="$RABBITMQ_URL"
        RABBITMQ_HOST= # would win over the address of our own broker
        EVENT_SERVICE_URL="$EVENT_URL"
        BOOKING_SERVICE_URL="$BOOKING_URL"
    )
    [ "$VARIANT" != asan ] || PROGRAM_ENV+=(
        "ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0:exitcode=99}"
        "UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}"
        "LSAN_OPTIONS=${LSAN_OPTIONS:-suppressions=$ROOT/deploy/lsan.supp:print_suppressions=0}"
    )
}

# program_migrate NAME: brings its database to the current schema.
program_migrate() {
    program_env "$1"
    if ! (cd "$ROOT" && env "${PROGRAM_ENV[@]}" "$(program "$1")" --migrate) >"$(service_log "$1-migrate")" 2>&1; then
        complain "the migrations of $1 failed"
        show_tail "$(service_log "$1-migrate")"
        return 1
    fi
}

program_launch() {
    local name=$1
    shift
    [ -x "$(program "$name")" ] || {
        complain "$(program "$name") is missing: run make"
        return 1
    }
    program_env "$name"
    process_launch "$name" "$ROOT" env "${PROGRAM_ENV[@]}" "$@" "$(program "$name")"
}

program_healthy() { curl -fsS -o /dev/null --max-time 2 "http://127.0.0.1:$(service_port "$1")/health" 2>/dev/null; }

# True when the file a running service was started from has been built anew since.
program_outdated() { [[ $(readlink "/proc/$(service_pid "$1")/exe" 2>/dev/null) == *' (deleted)' ]]; }

# The services' own drain deadline is 3.5 s, the worker's 10 s.
program_stop() { process_stop "$1" TERM 15; }

# --- one interface for all six parts -----------------------------------------------------------------------------

service_known() {
    case $1 in
    postgres | redis | rabbitmq | event-svc | booking-svc | booking-worker) ;;
    *)
        complain "no such part: $1 (postgres redis rabbitmq event-svc booking-svc booking-worker)"
        return 1
        ;;
    esac
}

# service_launch NAME [KEY=VALUE…]: starts without waiting; nothing happens when it runs already.
service_launch() {
    service_known "$1" || return 1
    ! process_running "$1" || return 0
    case $1 in
    postgres | redis | rabbitmq) "$1_launch" ;;
    *) program_launch "$@" ;;
    esac
}

service_await() {
    case $1 in
    postgres | redis | rabbitmq) "$1_await" ;;
    *) process_await "$1" 60 program_healthy ;;
    esac
}

service_healthy() {
    service_known "$1" || return 1
    case $1 in
    postgres | redis | rabbitmq) "$1_healthy" ;;
    *) program_healthy "$1" ;;
    esac
}

service_start() { service_launch "$@" && service_await "$1"; }

service_stop() {
    service_known "$1" || return 1
    case $1 in
    postgres | redis | rabbitmq) "$1_stop" ;;
    *) program_stop "$1" ;;
    esac
}

service_restart() { service_stop "$1" && service_start "$@"; }

service_kill() {
    service_known "$1" && process_signal "$1" KILL && wait_for 10 process_gone "$1" && rm -f "$(pid_file "$1")"
}
