# shellcheck shell=bash
# What is printed and written: one row per figure, and $OUT/summary.json.

report_begin() {
    read -r -a CPU_BEFORE < <(grep '^cpu ' /proc/stat)
    FDATASYNC=$(fdatasync_per_s)
}

# Synchronised 8 KB writes per second of the disk under the stack. The probe would go on with other ways of writing: it is
# stopped at the line it was started for.
fdatasync_per_s() {
    local name rate='' probe pid
    exec {probe}< <(exec timeout 20 stdbuf -oL "$PG_BIN/pg_test_fsync" -s 1 -f "$OUT/fsync.probe" 2>/dev/null)
    pid=$!
    while read -r name rate _ <&"$probe" && [ "$name" != fdatasync ]; do
        rate=''
    done
    kill "$pid" 2>/dev/null || true
    exec {probe}<&-
    rm -f "$OUT/fsync.probe"
    printf '%d' "${rate%.*}"
}

# Time the hypervisor gave to others since report_begin, in percent.
steal_percent() {
    local -a now
    read -r -a now < <(grep '^cpu ' /proc/stat)
    awk -v before="${CPU_BEFORE[*]}" -v now="${now[*]}" 'BEGIN { n = split(before, a, " "); split(now, b, " ")
        for (i = 2; i <= n && i <= 9; i++) total += b[i] - a[i]
        printf "%.2f", total ? (b[9] - a[9]) * 100 / total : 0 }'
}

package_version() { dpkg-query -W -f '${Version}' "$1" 2>/dev/null || echo unknown; }

environment() {
    jq -n --arg cpu "$(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)" --argjson cores "$(nproc)" \
        --argjson memory_mb "$(awk '/^MemTotal:/ { print int($2 / 1024) }' /proc/meminfo)" --arg kernel "$(uname -r)" \
        --arg postgres "$(package_version postgresql-15)" --arg redis "$(package_version redis-server)" \
        --arg rabbitmq "$(package_version rabbitmq-server)" --arg h2o "$(package_version libh2o-evloop0.13)" \
        --arg libpq "$(package_version libpq5)" --arg compiler "$(${CC:-gcc} --version | head -n 1)" \
        --arg commit "$(git -C "$ROOT" rev-parse --short HEAD 2>/dev/null || echo unknown)" \
        --argjson fdatasync "${FDATASYNC:-0}" --argjson steal "$(steal_percent)" --argjson connections "$CONNECTIONS" \
        '{cpu: $cpu, cores: $cores, memory_mb: $memory_mb, versions: {kernel: $kernel, postgres: $postgres, redis: $redis,
          rabbitmq: $rabbitmq, h2o: $h2o, libpq: $libpq, compiler: $compiler, commit: $commit},
          "fdatasync/s": $fdatasync, "steal %": $steal, connections: $connections}'
}

# report_row NAME: a line of the table, when there is a figure.
report_row() {
    [ -f "$OUT/$1.json" ] || return 0
    jq -r --arg name "$1" '
        def rounded: if . == null then "" elif . >= 100 then round else (. * 100 | round) / 100 end;
        [$name, (.median | rounded | tostring), "worst \(.worst | rounded)", .unit,
         (to_entries | map(select(.key as $k | ["median", "worst", "unit", "runs", "floor", "unbatched", "cpu_us"] | index($k) | not)
          | select(.value != 0) | "\(.key) \(.value | rounded)") | join(", "))] | @tsv' "$OUT/$1.json" |
        awk -F '\t' -v bold="$C_BOLD" -v off="$C_OFF" '{ printf "%s%-9s %10s %-14s%s %s; %s\n", bold, $1, $2, $4, off, $3, $5 }'
    jq -r '.cpu_us // empty | "          processor time, us each: \([.[]] | add | round) = " +
        (to_entries | sort_by(-.value) | map("\(.key) \(.value | round)") | join(" + "))' "$OUT/$1.json"
}

report_end() {
    local file name
    for file in "$OUT"/*.json; do
        [ -f "$file" ] || continue
        name=$(basename "$file" .json)
        case $name in last | summary | *' '*) continue ;; esac
        jq --arg name "$name" '{($name): .}' "$file"
    done | jq -s --argjson env "$(environment)" '(add // {}) + {env: $env}' >"$OUT/summary.json"
    step "Summary"
    jq -r 'keys[] | select(. != "env")' "$OUT/summary.json" | while read -r name; do
        report_row "$name"
    done
    jq -r '.env | "on \(.cores) x \(.cpu), \(.["fdatasync/s"]) fdatasync/s, steal \(.["steal %"]) %, Postgres \(.versions.postgres)"' "$OUT/summary.json"
    good "written to ${OUT#"$ROOT"/}/summary.json"
}
