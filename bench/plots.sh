#!/usr/bin/env bash
# plots.sh: draws docs/img/load.svg (throughput and latency over load) and docs/img/latency.svg (the distribution at 70 % of
# W1) from the figures of the last `make bench`; measures them when there are none.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../deploy/lib.sh"

OUT=$ROOT/.run/bench

main() {
    packages_ensure bench
    if ! [ -s "$OUT/sweep.dat" ] || ! [ -s "$OUT/quantiles.dat" ]; then
        "$ROOT/bench/run.sh" W1 L1 sweep
    fi
    mkdir -p "$ROOT/docs/img"
    (cd "$ROOT" && gnuplot -e "sweep='.run/bench/sweep.dat'; quantiles='.run/bench/quantiles.dat'; folder='docs/img'" bench/plots.gp)
    good "docs/img/load.svg, docs/img/latency.svg"
}

main
