# shellcheck shell=bash
# The private Redis.

redis_launch() {
    local data="$RUN_DIR/redis"
    mkdir -p "$data" || return 1
    process_launch redis "$data" redis-server "$ROOT/deploy/redis.conf" \
        --bind 127.0.0.1 --port "$REDIS_PORT"
}

redis_healthy() { [ "$(redis-cli -h 127.0.0.1 -p "$REDIS_PORT" ping 2>/dev/null)" = PONG ]; }
redis_await() { process_await redis 30 redis_healthy; }
redis_stop() { process_stop redis TERM 10; }
