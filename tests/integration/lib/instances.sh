# shellcheck shell=bash
#
# Second instances of our programs beside the stack, on its databases: holds of a few seconds without changing the stack's
# settings, and processes that a test may end and whose exit status it gets.

INSTANCES=()

have_programs() {
    [ -x "$(program event-svc)" ] && [ -x "$(program booking-svc)" ] && [ -x "$(program booking-worker)" ]
}

have_verify() { [ -x "$(program verify)" ]; }

# Above the ports a private stack takes, whose parts may be down at the moment, and below those of clients.
free_port() {
    local port
    while :; do
        port=$((30000 + RANDOM % 2700))
        (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
    done
    echo "$port"
}

# instance_start NAME [KEY=VALUE…]: leaves INSTANCE_PID and INSTANCE_URL; ready when it returns 0. INSTANCE_SCHEME=https in
# front of it when it is given a certificate.
instance_start() {
    local name=$1 port tries
    shift
    port=$(free_port)
    program_env "$name"
    env "${PROGRAM_ENV[@]}" PORT="$port" "$@" "$(program "$name")" >"$WORK/instance.$port.log" 2>&1 &
    INSTANCE_PID=$!
    INSTANCE_LOG=$WORK/instance.$port.log
    INSTANCE_URL=${INSTANCE_SCHEME:-http}://127.0.0.1:$port
    INSTANCES+=("$INSTANCE_PID")
    for tries in {1..400}; do
        curl -sfk -o "$WORK/instance.health" --max-time 1 "$INSTANCE_URL/health" && return 0
        kill -0 "$INSTANCE_PID" 2>/dev/null || break
        sleep 0.1
    done
    fail "$name is not healthy after $tries looks:" "$(tail -n 5 "$INSTANCE_LOG")"
    return 1
}

# instance_end SIGNAL → the exit status, 255 when it did not end within 60 s
instance_end() {
    local tries
    kill -s "$1" "$INSTANCE_PID"
    for tries in {1..600}; do
        kill -0 "$INSTANCE_PID" 2>/dev/null || {
            wait "$INSTANCE_PID"
            return
        }
        sleep 0.1
    done
    fail "still running $((tries / 10)) s after SIG$1"
    kill -s KILL "$INSTANCE_PID"
    return 255
}

instances_stop() {
    local pid
    for pid in ${INSTANCES[@]+"${INSTANCES[@]}"}; do
        kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
    done
    INSTANCES=()
}
