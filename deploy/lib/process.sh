# shellcheck shell=bash
# Our own processes, each known by a pid file that cannot be fooled.
#
# A pid file holds "PID BIRTH BOOT": the pid, the start time of the process in clock ticks (field 22 of /proc/PID/stat)
# and the kernel's boot id. A pid that was given to somebody else since, or that survived a reboot only as a number, does
# not match and is never signalled. A zombie counts as gone: nothing may be left to reap it inside a container.

pid_file() { echo "$RUN_DIR/pid/$1"; }
service_log() { echo "$RUN_DIR/log/$1.log"; }

# process_birth PID: prints its start time; fails when there is no such living process.
process_birth() {
    local stat fields
    { stat=$(<"/proc/$1/stat"); } 2>/dev/null || return 1
    read -ra fields <<<"${stat##*) }" # the command name before ") " may contain anything
    [[ ${fields[0]} != [ZX] ]] || return 1
    echo "${fields[19]}"
}

boot_id() { cat /proc/sys/kernel/random/boot_id; }

# service_pid NAME: prints the pid of NAME if it runs, else nothing.
service_pid() {
    local pid birth boot
    { read -r pid birth boot <"$(pid_file "$1")"; } 2>/dev/null || return 0
    [ "$(process_birth "$pid")" = "$birth" ] && [ "$(boot_id)" = "$boot" ] && echo "$pid"
    return 0
}

process_running() { [ -n "$(service_pid "$1")" ]; }

# process_launch NAME DIRECTORY COMMAND…: runs COMMAND detached from this terminal, output appended to its log.
process_launch() {
    local name=$1 dir=$2 pid birth
    shift 2
    mkdir -p "$RUN_DIR/pid" "$RUN_DIR/log" || return 1
    printf '\n--- %s starts %s ---\n' "$(date -u +%FT%TZ)" "$name" >>"$(service_log "$name")"
    # Not a process group leader here, so setsid(1) becomes the command instead of forking: $! is its pid.
    { cd "$dir" && exec setsid "$@"; } </dev/null >>"$(service_log "$name")" 2>&1 6>&- 7>&- 8>&- &
    pid=$!
    disown "$pid"
    birth=$(process_birth "$pid") || birth=0 # died at once: the waiting side finds out and shows the log
    echo "$pid $birth $(boot_id)" >"$(pid_file "$name")"
    STARTED="$name ${STARTED:-}"
}

# wait_for SECONDS COMMAND…: repeats COMMAND until it succeeds; 1 when SECONDS have passed.
wait_for() {
    local deadline=$(($(now_ms) + $1 * 1000))
    shift
    until "$@"; do
        [ "$(now_ms)" -lt "$deadline" ] || return 1
        sleep 0.05
    done
}

process_gone() { ! process_running "$1"; }
healthy_or_dead() { "$2" "$1" || process_gone "$1"; }

# process_await NAME SECONDS PROBE: waits until PROBE NAME succeeds; gives up at once when the process dies.
process_await() {
    local name=$1 seconds=$2 probe=$3
    if wait_for "$seconds" healthy_or_dead "$name" "$probe" && process_running "$name"; then
        return 0
    fi
    if process_running "$name"; then
        complain "$name is not healthy after $seconds s"
    else
        complain "$name ended while starting"
    fi
    show_tail "$(service_log "$name")"
    return 1
}

# process_signal NAME SIGNAL: only ever reaches a process that this stack started.
process_signal() {
    local pid
    pid=$(service_pid "$1")
    [ -z "$pid" ] || kill -s "$2" "$pid" 2>/dev/null || process_gone "$1"
}

# process_stop NAME SIGNAL SECONDS: asks, waits, and says so when it has to be SIGKILL.
process_stop() {
    local name=$1 signal=$2 seconds=$3 pid began
    pid=$(service_pid "$name")
    if [ -n "$pid" ]; then
        began=$(now_ms)
        process_signal "$name" "$signal"
        process_signal "$name" CONT # a paused process could not hear the first one
        if wait_for "$seconds" process_gone "$name"; then
            good "$name stopped (pid $pid, $(seconds_since "$began"))"
        else
            warn "$name (pid $pid) did not stop within $seconds s: SIGKILL"
            process_signal "$name" KILL
            wait_for 5 process_gone "$name" || return 1
        fi
    fi
    rm -f "$(pid_file "$name")"
}

service_signal() { process_signal "$1" "$2"; }
