#!/usr/bin/env bash
# service.sh [--run-dir DIR] stop|kill|start|restart|pid|log|healthy NAME [KEY=VALUE…]: one part of a native stack.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${1:-}" = --run-dir ]; then
    RUN_DIR=$(cd "$2" && pwd)
    shift 2
fi
case ${1:-} in
stop | kill | start | restart | pid | log | healthy) ;;
*)
    sed -n 's/^# \(service.sh.*\)/usage: \1/p' "$0" >&2
    exit 2
    ;;
esac
action=$1
shift
RUN_DIR=${RUN_DIR:-$ROOT/.run}
[ "$RUN_DIR" != "$ROOT/.run" ] || load_env_file "$ROOT/.env"
settings_restore || die "no stack was started in $RUN_DIR"
settings_defaults
service_known "${1:-}"
"service_$action" "$@"
