#!/usr/bin/env bash
# Stops what ./start.sh started, and nothing else: services first, then Redis, RabbitMQ with its epmd, PostgreSQL.
set -euo pipefail
# shellcheck source=deploy/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/deploy/lib.sh"

usage() {
    cat <<'TEXT'
usage: ./stop.sh [--keep-data | --delete-data] [--run-dir DIR]

  (nothing)      asks on a terminal; keeps the data otherwise
  --keep-data    stops the stack; the next ./start.sh continues where it was
  --delete-data  stops the stack and deletes its databases, queues and logs
  --run-dir DIR  the stack that ./start.sh --run-dir DIR started
TEXT
}

parse_arguments() {
    CHOICE=ask RUN_DIR=${RUN_DIR:-$ROOT/.run}
    while [ $# -gt 0 ]; do
        case $1 in
        --keep-data | --delete-data) CHOICE=$1 ;;
        --run-dir)
            [ $# -ge 2 ] || die "--run-dir needs a directory"
            RUN_DIR=$2
            shift
            ;;
        -h | --help)
            usage
            exit 0
            ;;
        *)
            usage >&2
            exit 2
            ;;
        esac
        shift
    done
    if [ -d "$RUN_DIR" ]; then
        RUN_DIR=$(cd "$RUN_DIR" && pwd)
    fi
}

ask() {
    local answer
    if [ ! -t 0 ] || [ ! -t 1 ]; then
        CHOICE=--keep-data
        return
    fi
    printf 'Stop the ticketing stack and\n  1) keep its data\n  2) delete its data\n  3) cancel, leave it running\n'
    read -r -p 'Choice [1]: ' answer || answer=3
    case $answer in
    '' | 1) CHOICE=--keep-data ;;
    2) CHOICE=--delete-data ;;
    *)
        say "nothing was changed"
        exit 0
        ;;
    esac
}

stop_native() {
    if stack_running; then
        step "Stopping the native stack"
    else
        say "no stack is running"
    fi
    stack_stop "$CHOICE" || die "not everything stopped; see above"
}

say_about_data() {
    if [ "$CHOICE" = --delete-data ]; then
        good "data deleted"
    else
        say "data kept; ./stop.sh --delete-data removes it"
    fi
}

main() {
    parse_arguments "$@"
    load_env_file "$ROOT/.env"
    settings_restore || true
    settings_defaults || exit 1
    [ "$CHOICE" != ask ] || ask
    # Volumes outlive their containers: a stack that was stopped with its data kept can still be asked to delete it.
    if [ "$RUN_DIR" = "$ROOT/.run" ] && { compose_exists || { [ "$STACK_MODE" = docker ] && docker_answers; }; }; then
        step "Stopping the Compose stack"
        compose_stop "$CHOICE"
        [ "$CHOICE" = --keep-data ] || stack_delete_data
    elif [ -d "$RUN_DIR" ]; then
        stop_native
    else
        say "no stack was started here"
        exit 0
    fi
    say_about_data
}

main "$@"
