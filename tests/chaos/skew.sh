#!/usr/bin/env bash
# skew.sh [SEED]: P12, wrong clocks of our processes change nothing about what expires. The same purchases twice, each buyer
# with seats of his own, once with right clocks and once with scenarios/clocks.plan; how each purchase ended must be the
# same. Needs the package faketime.
set -u
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../deploy/lib.sh"
SEED=${1:-31}

# ends NAME OPTION…: runs, and leaves "buyer/nth end" of every purchase that is over in .run/chaos/ends.NAME.
ends() {
    local name=$1
    shift
    "$ROOT/tests/chaos/run.sh" --apart --seed "$SEED" --seconds 45 --rate 100 "$@" >"$ROOT/.run/skew.$name" || {
        show_tail "$ROOT/.run/skew.$name" 20
        die "the run with $name clocks failed"
    }
    grep -E '^(expired|lost) ' "$ROOT/.run/skew.$name" | sed "s/^/$name clocks: /"
    sed -nE 's#^([0-9]+/[0-9]+) wish=.* end=(confirmed|cancelled|expired) .*#\1 \2#p' "$ROOT/.run/chaos/history" |
        sort >"$ROOT/.run/chaos/ends.$name"
}

mkdir -p "$ROOT/.run"
ends right --schedule "$ROOT/tests/chaos/scenarios/calm.plan"
ends wrong --with clock --schedule "$ROOT/tests/chaos/scenarios/clocks.plan"
join "$ROOT/.run/chaos/ends.right" "$ROOT/.run/chaos/ends.wrong" >"$ROOT/.run/chaos/ends.both"
differ=$(awk '$2 != $3' "$ROOT/.run/chaos/ends.both" | tee "$ROOT/.run/chaos/ends.differ" | wc -l)
expired=$(awk '$2 == "expired"' "$ROOT/.run/chaos/ends.both" | wc -l)
say "seed $SEED: $(wc -l <"$ROOT/.run/chaos/ends.both") purchases ended in both runs, $expired of them expired, $differ ended otherwise"
[ "$expired" -gt 0 ] && [ "$differ" -eq 0 ]
