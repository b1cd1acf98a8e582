# shellcheck shell=bash
# The private RabbitMQ: a node, a cookie, an epmd and a distribution port of its own, all on the loopback interface.
#
# /usr/lib/rabbitmq/bin/rabbitmq-server runs as any user; the wrapper in /usr/sbin insists on root or rabbitmq and would
# use the system-wide directories. No rabbitmqctl either: it is another Erlang node, with ports of its own. The
# management API answers every question here, and SIGTERM stops a node in good order.

RABBITMQ_NODE=ticketing@localhost

# rabbitmq_env: fills the array RABBITMQ_ENV with every path, port and name of the private node.
rabbitmq_env() {
    local dir="$RUN_DIR/rabbitmq" dist='-kernel inet_dist_use_interface {127,0,0,1}'
    # +S 1:1: one scheduler; handing work from one to another is mostly waking up, about 6 % of a message's 100 us.
    # +sbwt…: idle schedulers sleep instead of spinning.
    local vm='+S 1:1 +sbwt none +sbwtdcpu none +sbwtdio none'
    RABBITMQ_ENV=(
        HOME="$dir"
        RABBITMQ_NODENAME="$RABBITMQ_NODE"
        RABBITMQ_DIST_PORT="$RABBITMQ_DIST_PORT"
        ERL_EPMD_ADDRESS=127.0.0.1
        ERL_EPMD_PORT="$RABBITMQ_EPMD_PORT"
        RABBITMQ_CONF_ENV_FILE="$dir/no-env.conf" # absent on purpose, as the next two: nothing of /etc/rabbitmq is read
        RABBITMQ_CONFIG_FILES="$dir/no-conf.d"
        RABBITMQ_ADVANCED_CONFIG_FILE="$dir/no-advanced.config"
        RABBITMQ_CONFIG_FILE="$dir/rabbitmq.conf"
        RABBITMQ_ENABLED_PLUGINS_FILE="$dir/enabled_plugins"
        RABBITMQ_GENERATED_CONFIG_DIR="$dir/generated"
        RABBITMQ_SCHEMA_DIR="$dir/schema"
        RABBITMQ_MNESIA_BASE="$dir/data"
        RABBITMQ_FEATURE_FLAGS_FILE="$dir/feature_flags"
        RABBITMQ_PID_FILE="$dir/node.pid"
        RABBITMQ_LOG_BASE="$RUN_DIR/log"
        ERL_CRASH_DUMP="$RUN_DIR/log/erl_crash.dump"
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="$dist $vm"
        RUNNING_UNDER_SYSTEMD=true # the script then becomes the Erlang VM instead of watching over it: one pid
    )
}

rabbitmq_prepare() {
    local dir="$RUN_DIR/rabbitmq"
    mkdir -p "$dir/data" "$dir/generated" "$dir/schema" "$RUN_DIR/log" || return 1
    if [ ! -s "$dir/.erlang.cookie" ]; then
        (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$dir/.erlang.cookie") || return 1
        chmod 400 "$dir/.erlang.cookie"
    fi
    echo '[rabbitmq_management].' >"$dir/enabled_plugins"
    (
        umask 077
        cat "$ROOT/deploy/rabbitmq.conf" - >"$dir/rabbitmq.conf" <<-CONF

		# Added by start.sh from .env
		listeners.tcp.1 = 127.0.0.1:$RABBITMQ_PORT
		management.tcp.ip = 127.0.0.1
		management.tcp.port = $RABBITMQ_UI_PORT
		default_user = $RABBITMQ_USER
		default_pass = $RABBITMQ_PASSWORD
		CONF
        # A file of further lines, for a listener with TLS, say.
        [ -z "${RABBITMQ_MORE_CONF:-}" ] || cat "$RABBITMQ_MORE_CONF" >>"$dir/rabbitmq.conf"
    )
}

epmd_answers() { epmd -port "$RABBITMQ_EPMD_PORT" -names >/dev/null 2>&1; }

rabbitmq_launch() {
    rabbitmq_prepare || return 1
    if ! process_running epmd; then
        process_launch epmd / epmd -address 127.0.0.1 -port "$RABBITMQ_EPMD_PORT" || return 1
        process_await epmd 30 epmd_answers || return 1
    fi
    rabbitmq_env
    process_launch rabbitmq "$RUN_DIR/rabbitmq" env "${RABBITMQ_ENV[@]}" /usr/lib/rabbitmq/bin/rabbitmq-server
}

rabbitmq_api() { curl -fsS --max-time 5 -u "$RABBITMQ_USER:$RABBITMQ_PASSWORD" "$RABBITMQ_UI_URL/api/$1"; }
rabbitmq_healthy() { rabbitmq_api "health/checks/port-listener/$RABBITMQ_PORT" >/dev/null 2>&1; }
rabbitmq_await() { process_await rabbitmq 180 rabbitmq_healthy; }

rabbitmq_stop() {
    process_stop rabbitmq TERM 40 && process_stop epmd TERM 5
}
