# shellcheck shell=bash
# The whole native stack: start, stop, take over.

INFRASTRUCTURE='postgres redis rabbitmq'
SERVICES='event-svc booking-svc booking-worker'

# stack_check_ports: names the holder of every busy port; what already runs as part of this stack is no obstacle.
stack_check_ports() {
    local bad=0
    process_running event-svc || port_complain "$EVENT_SERVICE_PORT" event-svc EVENT_SERVICE_PORT || bad=1
    process_running booking-svc || port_complain "$BOOKING_SERVICE_PORT" booking-svc BOOKING_SERVICE_PORT || bad=1
    process_running booking-worker || port_complain "$WORKER_PORT" booking-worker WORKER_PORT || bad=1
    process_running postgres || port_complain "$POSTGRES_PORT" PostgreSQL POSTGRES_PORT || bad=1
    process_running redis || port_complain "$REDIS_PORT" Redis REDIS_PORT || bad=1
    process_running epmd || port_complain "$RABBITMQ_EPMD_PORT" "RabbitMQ's epmd" RABBITMQ_EPMD_PORT || bad=1
    process_running rabbitmq || {
        port_complain "$RABBITMQ_PORT" "RabbitMQ, AMQP" RABBITMQ_PORT || bad=1
        port_complain "$RABBITMQ_UI_PORT" "RabbitMQ, management" RABBITMQ_UI_PORT || bad=1
        port_complain "$RABBITMQ_DIST_PORT" "RabbitMQ, Erlang distribution" RABBITMQ_DIST_PORT || bad=1
    }
    return "$bad"
}

# The three servers start side by side: together they take as long as RabbitMQ alone.
stack_start_infrastructure() {
    local name began
    began=$(now_ms)
    for name in rabbitmq redis postgres; do # the slowest first
        service_launch "$name" || return 1
    done
    for name in redis postgres rabbitmq; do
        service_await "$name" || return 1
        good "$name is healthy (pid $(service_pid "$name"), after $(seconds_since "$began"))"
    done
}

stack_migrate() {
    program_migrate event-svc && good "event_service is at the current schema" &&
        program_migrate booking-svc && good "booking_db is at the current schema"
}

stack_start_services() {
    local name began
    began=$(now_ms)
    for name in $SERVICES; do
        if process_running "$name" && program_outdated "$name"; then
            say "$name has been rebuilt since it was started"
            service_stop "$name" || return 1
        fi
        service_launch "$name" || return 1
    done
    for name in $SERVICES; do
        service_await "$name" || return 1
        good "$name is healthy (pid $(service_pid "$name"), after $(seconds_since "$began"))"
    done
}

# stack_undo: stops what this run started, newest first, and nothing else.
stack_undo() {
    local name
    [ -n "${STARTED:-}" ] || return 0
    warn "stopping what this run started: $STARTED"
    for name in $STARTED; do
        case $name in
        epmd) process_stop epmd TERM 5 ;;
        *) service_stop "$name" ;;
        esac
    done
    STARTED=
}

# stack_start: ports are free or ours, everything is up and healthy; or 1, with nothing left behind by this run.
stack_start() {
    STARTED=
    STACK_MODE=native
    stack_check_ports || return 1
    settings_save || return 1
    if ! { stack_start_infrastructure && stack_migrate && stack_start_services; }; then
        stack_undo
        return 1
    fi
}

stack_running() {
    local name
    for name in $SERVICES $INFRASTRUCTURE epmd; do
        ! process_running "$name" || return 0
    done
    return 1
}

# stack_stop --keep-data|--delete-data: services first, so that they can still finish what they are at.
stack_stop() {
    local name bad=0
    for name in booking-svc booking-worker event-svc redis rabbitmq postgres; do
        service_stop "$name" || bad=1
    done
    [ "$bad" -eq 0 ] || return 1
    if [ "${1:---keep-data}" = --delete-data ]; then
        stack_delete_data
    fi
}

# stack_delete_data: the known contents of RUN_DIR and no more, should somebody have named a wrong directory.
stack_delete_data() {
    ! stack_running || {
        complain "the stack still runs, its data stays"
        return 1
    }
    (cd "$RUN_DIR" 2>/dev/null && rm -rf postgres redis rabbitmq secrets log pid stack.env lock demo.env) || return 0
    rmdir "$RUN_DIR" 2>/dev/null || true
}

# stack_attach [RUN_DIR]: the addresses of a stack that runs already.
stack_attach() {
    RUN_DIR=${1:-${RUN_DIR:-$ROOT/.run}}
    export RUN_DIR
    settings_restore || return 1
    settings_defaults || return 1
    if [ "$STACK_MODE" = docker ]; then
        compose_running
    else
        process_running event-svc && process_running booking-svc
    fi
}
