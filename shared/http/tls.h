/**
 * TLS contexts of the HTTP server and of the HTTP client, on OpenSSL: TLS 1.2 and later, authenticated ciphers with
 * ephemeral keys only, no renegotiation, no compression, no resumption (a ticket key that lives as long as the process
 * would undo forward secrecy). HTTP/2 cannot be negotiated (docs/DECISIONS.md 28).
 */
#ifndef TK_HTTP_TLS_H
#define TK_HTTP_TLS_H

#include <openssl/ssl.h>

#include "shared/base/result.h"

/**
 * Reads a certificate chain (PEM, the server's own first) and its unencrypted private key (PEM). TK_ERR_INVALID, logged
 * with the file's name and OpenSSL's reason: a file cannot be read, is no such thing, or the two do not belong together.
 * Owns: the caller frees *out with SSL_CTX_free().
 */
TK_MUSTCHECK enum tk_err tk_tls_server_context(const char *cert_file, const char *key_file, SSL_CTX **out);

/**
 * For calls to one host: trusts the authorities of `ca_file` (PEM; "": those of the system) and insists on a certificate of
 * theirs for `host`, a DNS name or an address. OpenSSL compares the names, within the handshake: h2o 2.2.5 does it by
 * itself for TLS 1.2, and forgets it for TLS 1.3. Errors and ownership as above.
 */
TK_MUSTCHECK enum tk_err tk_tls_client_context(const char *ca_file, const char *host, SSL_CTX **out);

#endif
