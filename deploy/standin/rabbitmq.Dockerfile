# Stand-in for rabbitmq:3-management; see README.md.
FROM debian:bookworm-slim
ENV DEBIAN_FRONTEND=noninteractive
COPY forbid-starts.sh /usr/sbin/policy-rc.d
RUN apt-get update && apt-get install -y --no-install-recommends rabbitmq-server \
 && rm -rf /var/lib/apt/lists/* /var/lib/rabbitmq/.erlang.cookie \
 && install -d -o rabbitmq -g rabbitmq /etc/rabbitmq/conf.d /var/log/rabbitmq \
 && echo '[rabbitmq_management].' > /etc/rabbitmq/enabled_plugins
COPY rabbitmq-entrypoint.sh /usr/local/bin/entrypoint
ENV HOME=/var/lib/rabbitmq PATH=/usr/lib/rabbitmq/bin:/usr/local/bin:/usr/bin:/bin
VOLUME /var/lib/rabbitmq
USER rabbitmq
EXPOSE 5672 15672
ENTRYPOINT ["entrypoint"]
CMD ["rabbitmq-server"]
