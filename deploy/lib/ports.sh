# shellcheck shell=bash
# Who listens where: read from /proc, so that it works before any package is installed.

# port_inodes PORT: socket inodes listening on PORT at an address that collides with 127.0.0.1
# (itself, the wildcard of either family, and the mapped form of both).
port_inodes() {
    cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk -v port="$(printf '%04X' "$1")" '
        BEGIN {
            zero = "00000000"
            split("0100007F " zero " " zero zero zero zero " " zero zero "FFFF00000100007F", list, " ")
            for (i in list) hit[list[i]] = 1
        }
        $4 == "0A" { split($2, at, ":"); if (at[2] == port && at[1] in hit) print $10 }'
}

port_busy() { [ -n "$(port_inodes "$1")" ]; }

# Prints a /proc/PID/fd/N that is this socket, as far as we may look.
# shellcheck disable=SC2016
FIND_DESCRIPTOR='for f in /proc/[0-9]*/fd/*; do
    [ "$(readlink "$f" 2>/dev/null)" != "socket:[$1]" ] || { echo "$f"; break; }
done'

# socket_holder INODE: "redis-server (pid 812)". Our own processes first; other users' only with a sudo that asks nothing.
socket_holder() {
    local fd pid
    fd=$(sh -c "$FIND_DESCRIPTOR" sh "$1")
    if [ -z "$fd" ] && [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then
        fd=$(sudo -n sh -c "$FIND_DESCRIPTOR" sh "$1")
    fi
    pid=${fd#/proc/}
    pid=${pid%%/*}
    if [ -n "$pid" ]; then
        echo "$(cat "/proc/$pid/comm" 2>/dev/null || echo a process) (pid $pid)"
    else
        echo "a process of another user (root can name it: ss -ltnp)"
    fi
}

# port_complain PORT PURPOSE VARIABLE: names the holder when PORT is taken; returns 1 then.
port_complain() {
    local inodes
    inodes=$(port_inodes "$1")
    [ -n "$inodes" ] || return 0
    complain "port $1 ($2) is taken by $(socket_holder "${inodes%%$'\n'*}"); stop it or set $3 in .env"
    return 1
}

# free_ports COUNT: prints COUNT ports nobody listens on, below the range the kernel hands out to clients.
free_ports() {
    local count=$1 port tries=0
    local -A taken=()
    while [ "${#taken[@]}" -lt "$count" ] && [ "$((tries++))" -lt 5000 ]; do
        port=$((10000 + (RANDOM * 32768 + RANDOM) % 20000))
        if [ -z "${taken[$port]:-}" ] && ! port_busy "$port"; then
            taken[$port]=1
            echo "$port"
        fi
    done
    [ "${#taken[@]}" -eq "$count" ]
}
