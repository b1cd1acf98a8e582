# shellcheck shell=bash
# The private PostgreSQL cluster: one server, two databases, 127.0.0.1 only, no socket file.
#
# PostgreSQL refuses to run as root, so root starts it as `postgres` (or as whoever owns the data directory already).
# That user may be unable to enter the directory the clone lies in (/root is mode 700). The data stays in RUN_DIR all the
# same: root opens the directory as file descriptor 9, gives up its privileges, and the server is told that its data
# directory is /proc/self/fd/9. Opening through that link needs rights on the directory itself, not on the path to it.
# Every process of PostgreSQL is a fork of the first and so has the same descriptor. Nothing outside RUN_DIR is written.

PG_BIN=/usr/lib/postgresql/15/bin
PG_DATA_FD=/proc/self/fd/9

postgres_data() { echo "$RUN_DIR/postgres"; }

# postgres_owner: the user the server runs as.
postgres_owner() {
    local owner
    owner=$(stat -c %U "$(postgres_data)" 2>/dev/null) || owner=root
    if [ "$(id -u)" -ne 0 ]; then
        id -un
    elif [ "$owner" != root ]; then
        echo "$owner"
    else
        echo postgres
    fi
}

# postgres_as: fills the array PG_AS with the command that changes to the server's user; empty when we are that user.
postgres_as() {
    local owner
    owner=$(postgres_owner)
    PG_AS=()
    if [ "$owner" != "$(id -un)" ]; then
        PG_AS=(setpriv "--reuid=$owner" "--regid=$(id -gn "$owner")" --init-groups --)
    fi
}

# The superuser's password never leaves RUN_DIR; role ticketing does everything else.
postgres_secret() { echo "$RUN_DIR/secrets/postgres"; }

postgres_create_cluster() {
    local data secret
    data=$(postgres_data) secret=$(postgres_secret)
    mkdir -p "$(dirname "$secret")" && chmod 700 "$(dirname "$secret")" || return 1
    (umask 077 && od -An -N16 -tx1 /dev/urandom | tr -d ' \n' >"$secret") || return 1
    # initdb opens the password through its standard input, for the same reason as the directory through descriptor 9.
    [ "${#PG_AS[@]}" -eq 0 ] || chown "$(postgres_owner):" "$secret" || return 1
    if ! (cd / && LC_ALL=C "${PG_AS[@]}" "$PG_BIN/initdb" -D "$PG_DATA_FD" --username=postgres --auth=scram-sha-256 \
        --pwfile=/dev/stdin --encoding=UTF8 --locale=C.UTF-8 <"$secret" 9<"$data") >"$(service_log initdb)" 2>&1; then
        complain "initdb failed"
        show_tail "$(service_log initdb)"
        return 1
    fi
}

# postgres_prepare: data directory, cluster, our configuration; repeated before every start, so that edits take effect.
postgres_prepare() {
    local data
    data=$(postgres_data)
    postgres_as
    mkdir -p "$RUN_DIR/log" "$data" && chmod 700 "$data" || return 1
    [ "${#PG_AS[@]}" -eq 0 ] || chown -R "$(postgres_owner):" "$data" || return 1
    if [ ! -s "$data/PG_VERSION" ]; then
        find "$data" -mindepth 1 -delete # what an interrupted initdb left
        postgres_create_cluster || return 1
    fi
    cp "$ROOT/deploy/postgresql.conf" "$data/postgresql.conf" || return 1
    [ "${#PG_AS[@]}" -eq 0 ] || chown "$(postgres_owner):" "$data/postgresql.conf"
    postgres_drop_stale_lock "$data/postmaster.pid"
}

# After a crash the lock file may name a pid that now belongs to another program; PostgreSQL would refuse to start.
postgres_drop_stale_lock() {
    local pid
    { read -r pid <"$1"; } 2>/dev/null || return 0
    if [[ $(readlink "/proc/$pid/exe" 2>/dev/null) != */postgres* ]] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" != postgres ]; then
        rm -f "$1"
    fi
}

# A quarter of the memory where the 1 GB of postgresql.conf would be more than that.
postgres_buffers() {
    awk '/^MemTotal:/ { quarter = int($2 / 4096); print (quarter < 1024 ? quarter : 1024) "MB" }' /proc/meminfo
}

postgres_launch() {
    postgres_prepare || return 1
    process_launch postgres / "${PG_AS[@]}" "$PG_BIN/postgres" -D "$PG_DATA_FD" -p "$POSTGRES_PORT" \
        -c "shared_buffers=$(postgres_buffers)" 9<"$(postgres_data)"
}

postgres_psql() {
    PGPASSWORD=$(cat "$(postgres_secret)") PGCONNECT_TIMEOUT=5 "$PG_BIN/psql" -XAtq -v ON_ERROR_STOP=1 \
        -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres "$@"
}

postgres_healthy() { "$PG_BIN/pg_isready" -q -t 2 -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres -d postgres; }

# After SIGKILL the children of the old server need a moment to leave; until then a new one ends at once. Then: again.
postgres_await() {
    local deadline=$(($(now_ms) + 40000))
    until wait_for 40 healthy_or_dead postgres postgres_healthy && process_running postgres; do
        if [ "$(now_ms)" -gt "$deadline" ] || ! postgres_still_leaving; then
            process_await postgres 0 postgres_healthy
            return 1
        fi
        sleep 0.2
        postgres_launch || return 1
    done
    postgres_create_databases
}

postgres_still_leaving() {
    tail -n 5 "$(service_log postgres)" | grep -qE 'postmaster.pid|shared memory block|Address already in use'
}

postgres_create_databases() {
    postgres_psql -v role="$POSTGRES_USER" -v password="$POSTGRES_PASSWORD" <<'SQL'
SET client_min_messages = warning;
SELECT format('CREATE ROLE %I LOGIN', :'role')
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'role') \gexec
SELECT format('ALTER ROLE %I PASSWORD %L', :'role', :'password') \gexec
SELECT format('CREATE DATABASE %I OWNER %I', name, :'role')
FROM unnest(ARRAY['event_service', 'booking_db']) AS name
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = name) \gexec
SQL
}

# SIGINT is PostgreSQL's "fast" shutdown: open transactions roll back, then a checkpoint.
postgres_stop() { process_stop postgres INT 60; }

# stack_sql DATABASE STATEMENT: rows without header, columns separated by |.
stack_sql() {
    local url=$EVENT_DATABASE_URL
    [ "$1" = event_service ] || url=$BOOKING_DATABASE_URL
    PGCONNECT_TIMEOUT=5 psql -XAtq -v ON_ERROR_STOP=1 "$url" -c "$2"
}
