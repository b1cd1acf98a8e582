#include "shared/http/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "shared/log/log.h"

/* TLS 1.2; what 1.3 offers needs no picking. */
#define CIPHERS "ECDHE+AESGCM:ECDHE+CHACHA20"

static enum tk_err refuse(SSL_CTX *ctx, const char *what, const char *file)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    tk_log(TK_LOG_ERROR, what, TK_KV_STR("file", file), TK_KV_STR("reason", reason != NULL ? reason : "unreadable"));
    ERR_clear_error();
    SSL_CTX_free(ctx);
    return TK_ERR_INVALID;
}

/** Nobody is there to type one; without this OpenSSL would ask on the terminal. */
static int no_passphrase(char *out, int size, int for_writing, void *arg)
{
    (void)out;
    (void)size;
    (void)for_writing;
    (void)arg;
    return 0;
}

/** ALPN: http/1.1 or nothing. Who insists on another protocol is turned away in the handshake (RFC 7301, section 3.2). */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len, const unsigned char *offered,
                           unsigned offered_len, void *arg)
{
    static const unsigned char HTTP_1_1[] = "\x08http/1.1";
    unsigned char *chosen = NULL;
    (void)ssl;
    (void)arg;
    if (SSL_select_next_proto(&chosen, out_len, HTTP_1_1, sizeof(HTTP_1_1) - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static SSL_CTX *context_new(const SSL_METHOD *method)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(method);
    assert(ctx != NULL); /* only without memory */
    int fine = SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) && SSL_CTX_set_cipher_list(ctx, CIPHERS) &&
               SSL_CTX_set_num_tickets(ctx, 0);
    assert(fine); /* constants of ours */
    (void)fine;
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS); /* idle connections give 34 KiB back */
    return ctx;
}

enum tk_err tk_tls_server_context(const char *cert_file, const char *key_file, SSL_CTX **out)
{
    SSL_CTX *ctx = context_new(TLS_server_method());
    SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, NULL);
    if (SSL_CTX_use_certificate_chain_file(ctx, cert_file) != 1)
        return refuse(ctx, "TLS_CERT is no certificate chain in PEM", cert_file);
    if (SSL_CTX_use_PrivateKey_file(ctx, key_file, SSL_FILETYPE_PEM) != 1)
        return refuse(ctx, "TLS_KEY is no unencrypted private key in PEM, or not that of TLS_CERT", key_file);
    *out = ctx;
    return TK_OK;
}

static void expect_host(SSL_CTX *ctx, const char *host)
{
    X509_VERIFY_PARAM *param = SSL_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    int set = X509_VERIFY_PARAM_set1_ip_asc(param, host) || X509_VERIFY_PARAM_set1_host(param, host, 0);
    assert(set); /* else any name would do */
    (void)set;
}

enum tk_err tk_tls_client_context(const char *ca_file, const char *host, SSL_CTX **out)
{
    SSL_CTX *ctx = context_new(TLS_client_method());
    int loaded = ca_file[0] != '\0' ? SSL_CTX_load_verify_file(ctx, ca_file) : SSL_CTX_set_default_verify_paths(ctx);
    if (loaded != 1)
        return refuse(ctx, "no certificates of authorities in PEM", ca_file);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    expect_host(ctx, host);
    *out = ctx;
    return TK_OK;
}
