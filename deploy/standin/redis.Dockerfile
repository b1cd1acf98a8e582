# Stand-in for redis:7; see README.md.
FROM debian:bookworm-slim
ENV DEBIAN_FRONTEND=noninteractive
COPY forbid-starts.sh /usr/sbin/policy-rc.d
RUN apt-get update && apt-get install -y --no-install-recommends redis-server redis-tools \
 && rm -rf /var/lib/apt/lists/* \
 && install -d -o redis -g redis /data
VOLUME /data
WORKDIR /data
USER redis
EXPOSE 6379
CMD ["redis-server"]
