#!/bin/sh
# Turns RABBITMQ_DEFAULT_USER and RABBITMQ_DEFAULT_PASS into configuration, then runs the command.
set -eu
cat >/etc/rabbitmq/conf.d/10-defaults.conf <<CONF
loopback_users = none
default_user = ${RABBITMQ_DEFAULT_USER:-guest}
default_pass = ${RABBITMQ_DEFAULT_PASS:-guest}
CONF
export RUNNING_UNDER_SYSTEMD=true # become the Erlang VM: SIGTERM then stops the node in good order
exec "$@"
