/**
 * libcurl's easy interface: one handle per caller, so that connections are kept alive between calls.
 */
#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>

#include "booking-worker/adapters/http_call.h"
#include "shared/http/address.h"
#include "shared/log/log.h"

#define MAX_URL 4096

struct http_caller {
    struct http_caller_config config;
    CURL *curl;
    struct curl_slist *headers;
    struct tk_buf answer;
    bool down_logged; /* one warning per outage */
};

enum tk_err http_call_global_init(void)
{
    return curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK ? TK_OK : TK_ERR_IO;
}

static size_t on_body(char *bytes, size_t size, size_t count, void *arg)
{
    struct http_caller *caller = arg;
    tk_buf_append(&caller->answer, bytes, size * count);
    return caller->answer.overflow ? 0 : size * count; /* 0 makes libcurl give up */
}

static void add_header(struct http_caller *caller, const char *line)
{
    caller->headers = curl_slist_append(caller->headers, line);
    assert(caller->headers != NULL);
}

struct http_caller *http_caller_new(const struct http_caller_config *config)
{
    struct http_caller *caller = tk_alloc(sizeof(*caller));
    caller->config = *config;
    caller->answer = TK_BUF_INIT(config->max_answer);
    caller->curl = curl_easy_init();
    assert(caller->curl != NULL);
    add_header(caller, "Content-Type: application/json");
    add_header(caller, "Expect:"); /* no 100-continue round trip for large bodies */
    if (config->internal_api_key[0] != '\0') {
        char line[512];
        snprintf(line, sizeof(line), "X-Internal-Api-Key: %s", config->internal_api_key);
        add_header(caller, line);
    }
    return caller;
}

void http_caller_free(struct http_caller *caller)
{
    if (caller == NULL)
        return;
    curl_easy_cleanup(caller->curl);
    curl_slist_free_all(caller->headers);
    tk_buf_release(&caller->answer);
    free(caller);
}

static void prepare(struct http_caller *caller, const char *method, const char *url, struct tk_slice body)
{
    CURL *curl = caller->curl;
    curl_easy_reset(curl); /* options only; connections stay */
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, tk_http_unix_path(caller->config.base_url));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
    curl_easy_setopt(curl, CURLOPT_HTTPHEADER, caller->headers);
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)caller->config.timeout_ms);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* threads */
    curl_easy_setopt(curl, CURLOPT_PROXY, "");    /* our own services, whatever the environment says */
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (caller->config.ca_file[0] != '\0')
        curl_easy_setopt(curl, CURLOPT_CAINFO, caller->config.ca_file);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, caller);
    if (body.len > 0) {
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)body.len);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body.ptr);
    }
}

static enum tk_err lost(struct http_caller *caller, CURLcode code)
{
    tk_log(caller->down_logged ? TK_LOG_DEBUG : TK_LOG_WARNING, "service is away",
           TK_KV_STR("url", caller->config.base_url), TK_KV_STR("reason", curl_easy_strerror(code)));
    caller->down_logged = true;
    return code == CURLE_OPERATION_TIMEDOUT ? TK_ERR_TIMEOUT : TK_ERR_UNAVAILABLE;
}

enum tk_err http_call(struct http_caller *caller, const char *method, const char *path, struct tk_slice body, long *status,
                      struct tk_slice *answer)
{
    char url[MAX_URL];
    tk_buf_reset(&caller->answer);
    const char *base = tk_http_unix_path(caller->config.base_url) != NULL ? "http://localhost" : caller->config.base_url;
    if ((size_t)snprintf(url, sizeof(url), "%s%s", base, path) >= sizeof(url))
        return TK_ERR_LIMIT;
    prepare(caller, method, url, body);
    CURLcode code = curl_easy_perform(caller->curl);
    if (code != CURLE_OK)
        return lost(caller, code);
    if (caller->down_logged)
        tk_log(TK_LOG_INFO, "service is back", TK_KV_STR("url", caller->config.base_url));
    caller->down_logged = false;
    curl_easy_getinfo(caller->curl, CURLINFO_RESPONSE_CODE, status);
    *answer = tk_buf_slice(&caller->answer);
    return TK_OK;
}
