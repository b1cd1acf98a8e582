# shellcheck shell=bash
# shellcheck disable=SC2030,SC2031 # check_later counts its assertions in a subshell, on purpose
#
# The test harness: checks, assertions, evidence.
#
# A check is a shell function. Silence is success: whatever it prints, on either stream, is the evidence of its failure, so
# that an assertion that does not hold merely explains itself, and a command that breaks is noticed without being asked. A
# check that asserted nothing fails as well.

PASSED=0
FAILED=0
SKIPPED=0
ASSERTIONS=0
LATER=()
PATIENCE=4 # a busy or slow machine may take so many times as long as an idle one

harness_open() {
    WORK=$(mktemp -d "${TMPDIR:-/tmp}/ticketing-tests.XXXXXX") || exit 2
    EVIDENCE=$WORK/evidence
    HARNESS_BEGAN=$SECONDS
}

harness_close() {
    rm -rf "$WORK"
}

# The last line is for machines; keep it the last.
harness_summary() {
    printf '# took %d s' $((SECONDS - HARNESS_BEGAN))
    [ "$SKIPPED" -gt 0 ] && printf ', %d skipped' "$SKIPPED"
    printf '\n%d passed, %d failed\n' "$PASSED" "$FAILED"
    [ "$FAILED" -eq 0 ]
}

# check TITLE FUNCTION [ARGUMENT…]: runs it in this shell, so that it may set variables for later checks.
check() {
    local title=$1
    shift
    ASSERTIONS=0
    : >"$EVIDENCE"
    "$@" >>"$EVIDENCE" 2>&1
    verdict "$title" "$EVIDENCE" "$ASSERTIONS"
}

verdict() {
    local title=$1 evidence=$2 assertions=$3
    [ -s "$evidence" ] || [ "$assertions" -gt 0 ] || echo "the check asserted nothing" >"$evidence"
    if [ -s "$evidence" ]; then
        FAILED=$((FAILED + 1))
        printf 'not ok %d - %s\n' $((PASSED + FAILED)) "$title"
        head -c 4000 "$evidence" | sed 's/^/#     /'
    else
        PASSED=$((PASSED + 1))
        printf 'ok %d - %s\n' $((PASSED + FAILED)) "$title"
    fi
}

skip() { # TITLE REASON
    SKIPPED=$((SKIPPED + 1))
    printf 'skipped - %s (%s)\n' "$1" "$2"
}

# quietly COMMAND…: what it prints is evidence only when it fails.
quietly() {
    ASSERTIONS=$((ASSERTIONS + 1))
    "$@" >"$WORK/quietly" 2>&1 || { fail "failed: $*" && cat "$WORK/quietly"; }
}

# check_later TITLE FUNCTION [ARGUMENT…]: for checks that mostly wait. Runs in a subshell beside the others, with a WORK of
# its own; must not touch the databases, since other checks compare their contents. Reported by later_collect.
check_later() {
    local title=$1 dir
    shift
    dir=$(mktemp -d "$WORK/later.XXXXXX")
    printf '%s\n' "$title" >"$dir/title"
    (
        WORK=$dir
        ASSERTIONS=0
        "$@" >"$dir/evidence" 2>&1
        echo "$ASSERTIONS" >"$dir/assertions"
    ) &
    LATER+=("$!:$dir")
}

later_collect() {
    local entry dir
    for entry in ${LATER[@]+"${LATER[@]}"}; do
        dir=${entry#*:}
        wait "${entry%%:*}" 2>/dev/null # the shell forgets whom it has not been asked about for long
        verdict "$(cat "$dir/title")" "$dir/evidence" "$(cat "$dir/assertions" 2>/dev/null || echo 0)"
    done
    LATER=()
}

later_abandon() {
    local entry
    for entry in ${LATER[@]+"${LATER[@]}"}; do
        kill "${entry%%:*}" 2>/dev/null
    done
}

# --- assertions -------------------------------------------------------------------------------------------------------

fail() {
    printf '%s\n' "$*"
}

expect() { # WHAT ACTUAL EXPECTED
    ASSERTIONS=$((ASSERTIONS + 1))
    [ "$2" = "$3" ] || fail "$1: got \"$2\", expected \"$3\""
}

expect_match() { # WHAT ACTUAL PATTERN (bash regular expression)
    ASSERTIONS=$((ASSERTIONS + 1))
    [[ $2 =~ $3 ]] || fail "$1: \"$2\" does not match $3"
}

expect_between() { # WHAT ACTUAL LEAST MOST (integers)
    ASSERTIONS=$((ASSERTIONS + 1))
    { [ "$2" -ge "$3" ] && [ "$2" -le "$4" ]; } || fail "$1: $2 is not between $3 and $4"
}

# eventually SECONDS WHAT EXPECTED COMMAND…: asks until the answer is EXPECTED. SECONDS are those of an idle machine.
eventually() {
    local seconds=$(($1 * PATIENCE)) what=$2 expected=$3 deadline got
    shift 3
    deadline=$(($(now_ms) + seconds * 1000))
    ASSERTIONS=$((ASSERTIONS + 1))
    while got=$("$@"); [ "$got" != "$expected" ]; do
        if [ "$(now_ms)" -gt "$deadline" ]; then
            fail "$what: still \"$got\" after $seconds s, expected \"$expected\""
            return
        fi
        sleep 0.05
    done
}
