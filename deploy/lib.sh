# shellcheck shell=bash
#
# The stack as shell functions: start.sh, stop.sh, deploy/run-tests.sh and test_integration.sh all stand on this file.
#
# How a test starts and breaks a private stack
#
#   . deploy/lib.sh                  # from bash, any directory; defines functions, starts nothing
#   stack_private                    # picks free ports and a RUN_DIR below .run/, ignores .env, exports the names below;
#                                    # an argument names another directory
#   export MOCK_PAYMENT_ENABLED=true # whatever is exported now reaches the three services
#   stack_start || exit 1            # Postgres, Redis, RabbitMQ, migrations, services; waits until all are healthy.
#                                    # On failure: shows the tail of the failing log, stops what it started, returns 1
#   stack_stop --delete-data         # or --keep-data; services first; put it into a trap on EXIT
#
#   stack_attach [RUN_DIR]           # instead of stack_private: take over the addresses of a stack that runs already
#                                    # (native or Compose), returns 1 when there is none
#
# Names exported by stack_private and stack_attach
#   EVENT_URL BOOKING_URL WORKER_URL          http://127.0.0.1:PORT, no slash at the end
#   RABBITMQ_UI_URL RABBITMQ_USER RABBITMQ_PASSWORD, RABBITMQ_URL, REDIS_URL
#   EVENT_DATABASE_URL BOOKING_DATABASE_URL   for psql
#   STACK_MODE (native or docker), RUN_DIR
#
# Single parts; NAME is postgres, redis, rabbitmq, event-svc, booking-svc or booking-worker. Native stacks only.
#   service_stop NAME                graceful (SIGTERM; SIGINT for Postgres), returns when the process is gone
#   service_kill NAME                SIGKILL, returns when the process is gone
#   service_start NAME [KEY=VALUE…]  starts it again and waits until it is healthy; KEY=VALUE for this start only
#   service_restart NAME [KEY=VALUE…]
#   service_signal NAME SIGNAL       e.g. STOP and CONT
#   service_pid NAME, service_log NAME   the pid (empty when it does not run) / the path of its log
#   service_healthy NAME             one question, no waiting
#   wait_for SECONDS COMMAND…        repeats COMMAND until it succeeds; returns 1 after SECONDS
#   stack_sql event_service|booking_db "SELECT …"   rows without header, columns separated by |
#
# From another language or a terminal: `deploy/service.sh [--run-dir DIR] stop|kill|start|restart|pid|log|healthy NAME [KEY=VALUE…]`,
# `./start.sh --run-dir DIR --free-ports`, `./stop.sh --run-dir DIR --delete-data`; DIR/stack.env holds the names above.

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
for stack_part in output process ports packages settings postgres redis rabbitmq services stack compose; do
    # shellcheck source=/dev/null
    . "$ROOT/deploy/lib/$stack_part.sh"
done
unset stack_part
