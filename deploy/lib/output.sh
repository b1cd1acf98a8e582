# shellcheck shell=bash
# What the person in front of the terminal sees. Everything goes to stdout except failures.

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
    C_BOLD=$'\e[1m' C_DIM=$'\e[2m' C_RED=$'\e[31m' C_GREEN=$'\e[32m' C_YELLOW=$'\e[33m' C_OFF=$'\e[0m'
else
    C_BOLD='' C_DIM='' C_RED='' C_GREEN='' C_YELLOW='' C_OFF=''
fi

step() { printf '%s==> %s%s\n' "$C_BOLD" "$*" "$C_OFF"; }
say() { printf '    %s\n' "$*"; }
good() { printf '    %sok%s %s\n' "$C_GREEN" "$C_OFF" "$*"; }
warn() { printf '    %s!  %s%s\n' "$C_YELLOW" "$*" "$C_OFF" >&2; }
complain() { printf '%serror: %s%s\n' "$C_RED" "$*" "$C_OFF" >&2; }

die() {
    complain "$*"
    exit 1
}

# show_tail FILE [LINES]: the end of a log, marked as such.
show_tail() {
    [ -s "$1" ] || return 0
    printf '%s--- last lines of %s ---%s\n' "$C_DIM" "$1" "$C_OFF" >&2
    tail -n "${2:-25}" "$1" >&2
    printf '%s---%s\n' "$C_DIM" "$C_OFF" >&2
}

now_ms() {
    local t=${EPOCHREALTIME/[.,]/}
    echo "$((t / 1000))"
}

# seconds_since MS: "1.4 s"
seconds_since() {
    local ms=$(($(now_ms) - $1))
    printf '%d.%d s' "$((ms / 1000))" "$((ms % 1000 / 100))"
}
