# shellcheck shell=bash
# shellcheck disable=SC2034 # the themes use what is set here
#
# Certificates for the tests, made anew each time: an authority with two certificates for localhost, and an authority that
# signed neither. A private stack's broker gets a listener with TLS from the start, since it takes long to start twice.

TLS_DIR=

tls_authority() { # NAME
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj "/CN=Tests $1" \
        -keyout "$TLS_DIR/$1.key" -out "$TLS_DIR/$1.pem" 2>"$WORK/openssl.log"
}

tls_certificate() { # NAME AUTHORITY
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj "/CN=$1" \
        -keyout "$TLS_DIR/$1.key" -out "$TLS_DIR/$1.csr" 2>"$WORK/openssl.log" &&
        openssl x509 -req -in "$TLS_DIR/$1.csr" -CA "$TLS_DIR/$2.pem" -CAkey "$TLS_DIR/$2.key" -CAcreateserial -days 2 \
            -extfile <(echo 'subjectAltName = DNS:localhost') -out "$TLS_DIR/$1.pem" 2>"$WORK/openssl.log"
}

tls_files() {
    [ -z "$TLS_DIR" ] || return 0
    TLS_DIR=$(mktemp -d "$WORK/tls.XXXXXX") &&
        tls_authority ca && tls_authority stranger && tls_certificate first ca && tls_certificate second ca
}

# tls_prepare: before a private stack starts.
tls_prepare() {
    tls_files || return 1
    TLS_BROKER_PORT=$(free_port)
    export RABBITMQ_MORE_CONF=$TLS_DIR/rabbitmq.conf
    cat >"$RABBITMQ_MORE_CONF" <<CONF
listeners.ssl.1 = 127.0.0.1:$TLS_BROKER_PORT
ssl_options.cacertfile = $TLS_DIR/ca.pem
ssl_options.certfile = $TLS_DIR/first.pem
ssl_options.keyfile = $TLS_DIR/first.key
ssl_options.versions.1 = tlsv1.3
ssl_options.versions.2 = tlsv1.2
CONF
}

# tls_hello PORT [ARGUMENT…]: one handshake by openssl s_client; what it says goes to $WORK/hello. Its status: 0 when it
# succeeded. Standard input goes to the server. h2o sends no alerts, so a refusal is a closed connection: see tls_refused.
tls_hello() {
    local port=$1
    shift
    timeout 10 openssl s_client -connect "127.0.0.1:$port" -servername localhost -CAfile "$TLS_DIR/ca.pem" \
        -verify_return_error "$@" >"$WORK/hello" 2>&1
}

tls_refused() {
    tls_hello "$@" </dev/null
    expect "handshakes that failed ($*)" "$(grep -c 'Cipher is (NONE)' "$WORK/hello")" 1
}

tls_serial() { # PORT → serial number of the certificate served there
    openssl s_client -connect "127.0.0.1:$1" </dev/null 2>/dev/null | openssl x509 -noout -serial
}

# tls_postgres_on / tls_postgres_off: the private cluster takes or leaves TLS without a restart.
tls_postgres_on() {
    local data owner
    data=$(postgres_data)
    owner=$(postgres_owner)
    cp "$TLS_DIR/first.pem" "$data/server.crt" && cp "$TLS_DIR/first.key" "$data/server.key" &&
        chown "$owner:" "$data/server.crt" "$data/server.key" && chmod 600 "$data/server.key" || return 1
    postgres_psql -c 'ALTER SYSTEM SET ssl = on' && postgres_psql -c 'SELECT pg_reload_conf()' >"$WORK/reload"
}

tls_postgres_off() {
    postgres_psql -c 'ALTER SYSTEM RESET ssl' && postgres_psql -c 'SELECT pg_reload_conf()' >"$WORK/reload"
}
