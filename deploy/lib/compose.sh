# shellcheck shell=bash
# The Docker mode: docker-compose.yml, by either version of Compose.

COMPOSE_PROJECT=ticketing
COMPOSE_IMAGES='postgres:15 redis:7 rabbitmq:3-management debian:bookworm-slim'

# compose COMMAND…: `docker compose` where it exists, else `docker-compose`.
compose() {
    if docker compose version >/dev/null 2>&1; then
        (cd "$ROOT" && docker compose -p "$COMPOSE_PROJECT" "$@")
    else
        (cd "$ROOT" && docker-compose -p "$COMPOSE_PROJECT" "$@")
    fi
}

compose_present() { docker compose version >/dev/null 2>&1 || docker-compose version >/dev/null 2>&1; }
docker_answers() { command -v docker >/dev/null && timeout 10 docker info >/dev/null 2>&1; }

# compose_images: every image is here or can be pulled. The first that cannot is named.
compose_images() {
    local image
    for image in $COMPOSE_IMAGES; do
        docker image inspect "$image" >/dev/null 2>&1 && continue
        say "pulling $image"
        if ! timeout 600 docker pull -q "$image" >/dev/null 2>"${TMPDIR:-/tmp}/ticketing-pull.$$"; then
            say "image $image cannot be had: $(tail -n 1 "${TMPDIR:-/tmp}/ticketing-pull.$$")"
            rm -f "${TMPDIR:-/tmp}/ticketing-pull.$$"
            return 1
        fi
        rm -f "${TMPDIR:-/tmp}/ticketing-pull.$$"
    done
}

# compose_usable: says why not when it is not.
compose_usable() {
    if ! command -v docker >/dev/null; then
        say "Docker is not installed"
    elif ! docker_answers; then
        say "no Docker engine answers"
    elif ! compose_present; then
        say "neither 'docker compose' nor 'docker-compose' is installed"
    else
        compose_images
        return
    fi
    return 1
}

compose_running() { docker_answers && compose_present && [ -n "$(compose ps -q 2>/dev/null)" ]; }

# Containers of this very clone, running or not.
compose_exists() {
    docker_answers && compose_present && [ -n "$(docker ps -aq --filter "label=com.docker.compose.project=$COMPOSE_PROJECT" \
        --filter "label=com.docker.compose.project.working_dir=$ROOT" 2>/dev/null)" ]
}

compose_healthy() {
    local states
    states=$(docker inspect -f '{{.State.Health.Status}}' event-service booking-service booking-worker 2>/dev/null) &&
        [ "$states" = $'healthy\nhealthy\nhealthy' ]
}

compose_check_ports() {
    local bad=0
    port_complain "$EVENT_SERVICE_PORT" event-svc EVENT_SERVICE_PORT || bad=1
    port_complain "$BOOKING_SERVICE_PORT" booking-svc BOOKING_SERVICE_PORT || bad=1
    port_complain "$WORKER_PORT" booking-worker WORKER_PORT || bad=1
    port_complain "$POSTGRES_PORT" event-db POSTGRES_PORT || bad=1
    port_complain "${BOOKING_DB_PORT:-5434}" booking-db BOOKING_DB_PORT || bad=1
    port_complain "$REDIS_PORT" Redis REDIS_PORT || bad=1
    port_complain "$RABBITMQ_PORT" "RabbitMQ, AMQP" RABBITMQ_PORT || bad=1
    port_complain "$RABBITMQ_UI_PORT" "RabbitMQ, management" RABBITMQ_UI_PORT || bad=1
    return "$bad"
}

# compose_fail WHY fresh|was-running: shows what is known; a composition that this run started is taken down again.
compose_fail() {
    local service
    complain "$1"
    compose ps >&2 || true
    for service in event-svc booking-svc booking-worker; do
        compose logs --tail 15 "$service" >&2 || true
    done
    [ "$2" = was-running ] || compose down >/dev/null 2>&1 || true
    return 1
}

compose_build() {
    local began log="$RUN_DIR/log/image.log"
    began=$(now_ms)
    step "Building the image of the services (log: $log)"
    if ! compose build >"$log" 2>&1; then
        complain "the image could not be built"
        show_tail "$log" 40
        return 1
    fi
    good "image ticketing-backend ($(seconds_since "$began"))"
}

compose_start() {
    local before=fresh
    export STACK_MODE=docker
    : "${BOOKING_DB_PORT:=5434}"
    export BOOKING_DB_PORT
    settings_addresses
    if compose_running; then
        before=was-running
    else
        compose_check_ports || return 1
    fi
    settings_save || return 1
    compose_build || return 1
    step "Starting the composition"
    if ! compose up -d; then
        compose_fail "the composition did not come up" "$before"
    elif ! wait_for 90 compose_healthy; then
        compose_fail "the services are not healthy after 90 s" "$before"
    else
        good "all services are healthy"
    fi
}

# compose_stop --keep-data|--delete-data
compose_stop() {
    if [ "$1" = --delete-data ]; then
        compose down --volumes --timeout 15
    else
        compose down --timeout 15
    fi
}
