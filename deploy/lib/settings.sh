# shellcheck shell=bash
# Settings of a stack: defaults, .env, and what follows from them.

# Ports a person may override, with what they are for. Everything listens on 127.0.0.1.
PORT_TABLE='EVENT_SERVICE_PORT   8000  event-svc
BOOKING_SERVICE_PORT 8001  booking-svc
WORKER_PORT          8002  health and metrics of booking-worker
POSTGRES_PORT        5433  PostgreSQL
REDIS_PORT           6379  Redis
RABBITMQ_PORT        5672  RabbitMQ, AMQP
RABBITMQ_UI_PORT     15672 RabbitMQ, management
RABBITMQ_EPMD_PORT   14369 name server of the private RabbitMQ
RABBITMQ_DIST_PORT   25673 Erlang distribution of the private RabbitMQ'

# load_env_file FILE: KEY=VALUE lines; what the environment already has wins, as it does with Compose.
load_env_file() {
    local line key value
    [ -f "$1" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        line=${line%$'\r'}
        [[ $line =~ ^[[:space:]]*([A-Za-z_][A-Za-z0-9_]*)=(.*)$ ]] || continue
        key=${BASH_REMATCH[1]} value=${BASH_REMATCH[2]}
        if [[ $value =~ ^\"(.*)\"$ || $value =~ ^\'(.*)\'$ ]]; then
            value=${BASH_REMATCH[1]}
        else
            value=${value%%[[:space:]]#*}
            value=${value%"${value##*[![:space:]]}"}
        fi
        [ -n "${!key+set}" ] || export "$key=$value"
    done <"$1"
}

# settings_defaults: fills what neither the environment nor .env set, then derives the addresses.
settings_defaults() {
    local name port rest
    while read -r name port rest; do
        [ -n "${!name:-}" ] || export "$name=$port"
        [[ ${!name} =~ ^[0-9]+$ && ${!name} -ge 1 && ${!name} -le 65535 ]] || {
            complain "$name=${!name} is not a port number ($rest)"
            return 1
        }
    done <<<"$PORT_TABLE"
    : "${RUN_DIR:=$ROOT/.run}" "${VARIANT:=release}" "${POSTGRES_USER:=ticketing}" "${POSTGRES_PASSWORD:=ticketing}"
    : "${RABBITMQ_USER:=guest}" "${RABBITMQ_PASSWORD:=guest}" "${STACK_MODE:=native}"
    export RUN_DIR VARIANT POSTGRES_USER POSTGRES_PASSWORD RABBITMQ_USER RABBITMQ_PASSWORD STACK_MODE
    settings_addresses
}

settings_addresses() {
    local database="postgresql://$POSTGRES_USER:$POSTGRES_PASSWORD@127.0.0.1"
    export EVENT_URL="http://127.0.0.1:$EVENT_SERVICE_PORT" BOOKING_URL="http://127.0.0.1:$BOOKING_SERVICE_PORT"
    export WORKER_URL="http://127.0.0.1:$WORKER_PORT" RABBITMQ_UI_URL="http://127.0.0.1:$RABBITMQ_UI_PORT"
    export EVENT_DATABASE_URL="$database:$POSTGRES_PORT/event_service"
    export BOOKING_DATABASE_URL="$database:$POSTGRES_PORT/booking_db"
    export REDIS_URL="redis://127.0.0.1:$REDIS_PORT/0"
    export RABBITMQ_URL="amqp://$RABBITMQ_USER:$RABBITMQ_PASSWORD@127.0.0.1:$RABBITMQ_PORT/%2F"
    if [ "$STACK_MODE" = docker ]; then # there the two databases are two servers
        BOOKING_DATABASE_URL="$database:${BOOKING_DB_PORT:-5434}/booking_db"
    fi
}

# settings_save: writes RUN_DIR/stack.env, from which stop.sh and the tests learn how this stack was started.
settings_save() {
    local name rest
    mkdir -p "$RUN_DIR" && (
        umask 077
        {
            while read -r name rest; do
                echo "$name=${!name}"
            done <<<"$PORT_TABLE"
            for name in STACK_MODE VARIANT POSTGRES_USER POSTGRES_PASSWORD RABBITMQ_USER RABBITMQ_PASSWORD BOOKING_DB_PORT \
                EVENT_URL BOOKING_URL WORKER_URL RABBITMQ_UI_URL RABBITMQ_URL REDIS_URL EVENT_DATABASE_URL \
                BOOKING_DATABASE_URL; do
                [ -z "${!name:-}" ] || echo "$name=${!name}"
            done
        } >"$RUN_DIR/stack.env"
    )
}

# settings_restore: takes over the settings of the stack in RUN_DIR, whatever the environment says.
settings_restore() {
    local key value
    [ -f "$RUN_DIR/stack.env" ] || return 1
    while IFS='=' read -r key value; do
        export "$key=$value"
    done <"$RUN_DIR/stack.env"
}

# stack_private [RUN_DIR]: settings for a second stack of its own, on free ports.
stack_private() {
    local name rest
    local -a ports
    mkdir -p "$ROOT/.run" || return 1
    RUN_DIR=${1:-$(mktemp -d "$ROOT/.run/private.XXXXXX")}
    mkdir -p "$RUN_DIR" && RUN_DIR=$(cd "$RUN_DIR" && pwd) || return 1
    mapfile -t ports < <(free_ports "$(wc -l <<<"$PORT_TABLE")")
    while read -r name rest; do
        export "$name=${ports[0]}"
        ports=("${ports[@]:1}")
    done <<<"$PORT_TABLE"
    STACK_MODE=native
    settings_defaults
}
