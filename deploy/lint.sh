#!/usr/bin/env bash
# make lint: format, layers, headers on their own, clang-tidy, shellcheck. Reports everything it finds, then fails.
#   lint.sh [format|layers|headers|tidy|shell]…   only these; nothing named: all
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

sources() { # EXTENSION
    local dir
    for dir in shared event-svc booking-svc booking-worker bench tests; do
        [ ! -d "$dir" ] || find "$dir" -name "*.$1"
    done | sort
}

# The flags of the Makefile itself, so that there is one list of them.
compiler_flags() {
    # shellcheck disable=SC2016
    make -s --no-print-directory -f <(printf 'include Makefile\nshow-flags:\n\t@echo $(CPPFLAGS) $(filter-out -Werror,$(CFLAGS))\n') show-flags
}

lint_format() {
    { sources c && sources h; } | xargs -r clang-format --dry-run -Werror
}

lint_layers() {
    { sources c && sources h; } | xargs -r awk -f deploy/lint-layers.awk
}

lint_headers() {
    local flags
    flags=$(compiler_flags)
    # A header that needs another one before it, or that names a file that is not there, fails here.
    # shellcheck disable=SC2086
    sources h | xargs -r -P "$(nproc)" -I{} gcc $flags -Werror -fsyntax-only -Wno-unused-macros -include {} -x c /dev/null
}

lint_tidy() {
    local flags
    flags=$(compiler_flags)
    # One process per file: with several, clang 14 takes va_start in the later ones for an unknown function and sees
    # uninitialised argument lists everywhere.
    # shellcheck disable=SC2016
    sources c | xargs -r -P "$(nproc)" -n 1 sh -c 'flags=$1; shift; exec clang-tidy --quiet "$@" -- $flags' sh "$flags" \
        2> >(grep -vE '^[0-9]+ warnings? (generated|treated)|^Suppressed|^Use -header' >&2)
}

lint_shell() {
    local -a files
    mapfile -t files < <(ls ./*.sh deploy/*.sh deploy/lib/*.sh deploy/standin/*.sh bench/*.sh bench/lib/*.sh .ci/run 2>/dev/null)
    shellcheck -x "${files[@]}"
}

main() {
    local part bad=0 began
    cd "$ROOT"
    packages_ensure build lint
    [ $# -gt 0 ] || set -- format layers headers shell tidy
    for part in "$@"; do
        began=$(now_ms)
        step "$part"
        if "lint_$part"; then
            good "$part ($(seconds_since "$began"))"
        else
            complain "$part"
            bad=1
        fi
    done
    return "$bad"
}

main "$@"
