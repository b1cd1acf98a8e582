#!/usr/bin/env bash
# profile.sh WORKLOAD [SECONDS]: where the processor time of a workload goes, by process, by function and by SQL statement, as
# text in .run/bench/profile-WORKLOAD.txt. Needs perf; samples the processor clock, so it works inside virtual machines too.
# PLANS=1 also samples the plans of the statements: .run/bench/postgres.log. Figures of such a run are a little lower, since
# sampling and pg_stat_statements are not free.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

OUT=$ROOT/.run/bench
DATA=$OUT/perf.data

# All processes of the stack, Postgres' children included, and the generator.
stack_pids() {
    local name pid
    for name in $SERVICES $INFRASTRUCTURE; do
        pid=$(service_pid "$name")
        [ -z "$pid" ] || { echo "$pid" && { pgrep -P "$pid" || true; }; }
    done
    pgrep -n -x loadgen || true
}

# One statement in fifty leaves its plan in Postgres' log, with the rows each node saw.
explain_some() {
    sql -c 'ALTER SYSTEM SET auto_explain.sample_rate = 0.02' -c 'ALTER SYSTEM SET auto_explain.log_min_duration = 0' \
        -c 'ALTER SYSTEM SET auto_explain.log_analyze = on' -c 'ALTER SYSTEM SET auto_explain.log_buffers = on' \
        -c 'SELECT pg_reload_conf()' >/dev/null
}

# Processor time of each statement's execution, as Postgres itself reads it, over two seconds of the load.
executor_times() {
    local from
    from=$(wc -c <"$(service_log postgres)")
    sql -c 'ALTER SYSTEM SET log_executor_stats = on' -c 'SELECT pg_reload_conf()' >/dev/null
    sleep 2
    sql -c 'ALTER SYSTEM SET log_executor_stats = off' -c 'SELECT pg_reload_conf()' >/dev/null
    tail -c "+$from" "$(service_log postgres)" | awk '
        /LOG:  EXECUTOR STATISTICS/ { split($0, at, /@| LOG/); database = at[2]; next }
        / s user, .* s system, .* s elapsed/ { for (i = 1; i <= NF; i++) if ($i == "s" && $(i + 1) ~ /^user/) { cpu = $(i - 1) + $(i + 2); wall = $(i + 5) } }
        /STATEMENT:/ { sub(/.*STATEMENT: */, ""); key = database " " substr($0, 1, 90); n[key]++; time[key] += cpu; elapsed[key] += wall }
        END { for (key in n) if (time[key] > 0.005) printf "%7.1f ms cpu %8.1f ms elapsed %6d times %8.0f us cpu each  %s\n", time[key] * 1e3, elapsed[key] * 1e3, n[key], time[key] * 1e6 / n[key], key }' | sort -rn
}

sql() { postgres_psql -F ' ' "$@"; }

# The hook of bench/run.sh: waits for the warm-up to end, then samples. A process of the list may end before perf has found
# it (an autovacuum worker): then once more.
record() {
    local seconds=$1
    sleep 3
    stack_attach "$ROOT/.run/bench-stack"
    sql -c 'CREATE EXTENSION IF NOT EXISTS pg_stat_statements' -c 'SELECT pg_stat_statements_reset()' >/dev/null
    [ -z "${PLANS:-}" ] || explain_some
    for _ in 1 2 3; do
        perf record -q -F 999 -e cpu-clock --call-graph fp -o "$DATA" -p "$(stack_pids | paste -sd,)" -- sleep "$seconds" \
            >"$OUT/perf.log" 2>&1 && break
    done
    {
        echo "== Postgres: time, calls, mean, rows, log bytes by statement"
        sql -c "SELECT round(total_exec_time) || ' ms', calls || ' calls', round(mean_exec_time::numeric, 2) || ' ms each',
            rows || ' rows', pg_size_pretty(wal_bytes), wal_fpi || ' page images', d.datname, left(regexp_replace(query, '\s+', ' ', 'g'), 60)
            FROM pg_stat_statements s JOIN pg_database d ON d.oid = s.dbid ORDER BY total_exec_time DESC LIMIT 25"
        echo
        echo "== Postgres: processor time of executions in two seconds, commits not included"
        executor_times
        echo
        echo "== Postgres: processor seconds since its start by process"
        ps -o time,pid,args --ppid "$(service_pid postgres)" | sort -r | sed -n 1,20p
    } >"$OUT/statements.txt"
    cp "$(service_log postgres)" "$OUT/postgres.log"
}

report() {
    local comm
    echo "== by process"
    perf report -i "$DATA" --no-children --stdio -g none --sort comm 2>/dev/null | grep -v '^#' | grep -v '^$'
    for comm in $(perf report -i "$DATA" --no-children --stdio -g none --sort comm 2>/dev/null | awk '!/^#/ && NF == 2 && ++n <= 7 { print $2 }'); do
        echo
        echo "== $comm"
        perf report -i "$DATA" --no-children --stdio -g none --comms "$comm" --sort dso,symbol --percentage relative 2>/dev/null |
            grep -v '^#' | grep -v '^$' | sed -n 1,45p
    done
}

main() {
    local workload=$1 seconds=${2:-6}
    BENCH_PRELOAD=pg_stat_statements,auto_explain BENCH_HOOK="$ROOT/bench/profile.sh --record $seconds" BENCH_REPEATS=1 BENCH_SECONDS=$((seconds + 5)) "$ROOT/bench/run.sh" "$workload"
    { report && echo && cat "$OUT/statements.txt"; } >"$OUT/profile-$workload.txt"
    good "written to ${OUT#"$ROOT"/}/profile-$workload.txt"
}

case ${1:-} in
--record) record "$2" ;;
'') die "usage: bench/profile.sh WORKLOAD [SECONDS]" ;;
*) main "$@" ;;
esac
