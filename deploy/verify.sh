#!/usr/bin/env bash
# verify.sh [--run-dir DIR] [--limit N] [--grace SECONDS]: do both databases agree? Compares those that DATABASE_URL and
# EVENT_DATABASE_URL name, else those of the running stack. Exit status: 0 they agree, 1 they diverge, 2 could not be found out.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

if [ "${1:-}" = --run-dir ]; then
    RUN_DIR=$(cd "$2" && pwd)
    shift 2
fi
if [ -z "${DATABASE_URL:-}" ] || [ -z "${EVENT_DATABASE_URL:-}" ]; then
    load_env_file "$ROOT/.env"
    stack_attach "${RUN_DIR:-}" || {
        complain "no stack is running; name the databases: DATABASE_URL=… EVENT_DATABASE_URL=…"
        exit 2
    }
    export DATABASE_URL=$BOOKING_DATABASE_URL
fi
: "${VARIANT:=release}"
export DATABASE_URL EVENT_DATABASE_URL
exec "$(program verify)" "$@"
