/**
 * GET (and HEAD) of a handful of pages; everything else is a problem document.
 */
#include <microhttpd.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "booking-worker/adapters/status_server.h"
#include "shared/log/log.h"

#define MAX_PAGE        (1u << 20)
#define IDLE_TIMEOUT_S  10u
#define MAX_CONNECTIONS 64u
#define BACKLOG         64

struct status_server {
    struct MHD_Daemon *daemon;
    const struct status_page *pages;
    size_t page_count;
};

static const struct status_page *find_page(const struct status_server *server, const char *path)
{
    for (size_t i = 0; i < server->page_count; i++)
        if (strcmp(server->pages[i].path, path) == 0)
            return &server->pages[i];
    return NULL;
}

static enum MHD_Result respond(struct MHD_Connection *connection, unsigned status, const char *content_type,
                               struct tk_slice body, const char *allow)
{
    struct MHD_Response *response =
        MHD_create_response_from_buffer(body.len, (void *)(uintptr_t)body.ptr, MHD_RESPMEM_MUST_COPY);
    if (response == NULL)
        return MHD_NO;
    MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, content_type);
    MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    if (allow != NULL)
        MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow);
    enum MHD_Result queued = MHD_queue_response(connection, status, response);
    MHD_destroy_response(response);
    return queued;
}

static enum MHD_Result respond_problem(struct MHD_Connection *connection, unsigned status, struct tk_slice body)
{
    return respond(connection, status, "application/problem+json", body, status == 405 ? "GET, HEAD" : NULL);
}

static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url, const char *method,
                                  const char *version, const char *upload, size_t *upload_size, void **state)
{
    struct status_server *server = arg;
    const struct status_page *page = find_page(server, url);
    (void)version;
    (void)upload;
    *upload_size = 0;
    if (page == NULL)
        return respond_problem(
            connection, 404,
            TK_SLICE("{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"code\":\"not_found\"}"));
    if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0)
        return respond_problem(connection, 405,
                               TK_SLICE("{\"type\":\"about:blank\",\"title\":\"Method Not "
                                        "Allowed\",\"status\":405,\"code\":\"method_not_allowed\"}"));
    if (*state == NULL) { /* libmicrohttpd calls twice: with the headers, and when the request is complete */
        *state = server;
        return MHD_YES;
    }
    struct tk_buf body = TK_BUF_INIT(MAX_PAGE);
    unsigned status = page->render(page->arg, &body);
    enum MHD_Result queued = respond(connection, status, page->content_type, tk_buf_slice(&body), NULL);
    tk_buf_release(&body);
    return queued;
}

/* A listening socket of our own: libmicrohttpd takes addresses, the setting may be a name. */
static int listen_on(const char *host, int64_t port)
{
    const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
    struct addrinfo *found;
    char service[16];
    int one = 1;
    snprintf(service, sizeof(service), "%lld", (long long)port);
    if (getaddrinfo(host, service, &hints, &found) != 0)
        return -1;
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0)
        setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    if (fd >= 0 && (bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, BACKLOG) != 0)) {
        close(fd);
        fd = -1;
    }
    freeaddrinfo(found);
    return fd;
}

enum tk_err status_server_start(const char *host, int64_t port, const struct status_page *pages, size_t count,
                                struct status_server **out)
{
    struct status_server *server = tk_alloc(sizeof(*server));
    server->pages = pages;
    server->page_count = count;
    int fd = listen_on(host, port);
    if (fd >= 0)
        server->daemon = MHD_start_daemon(MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO, 0, NULL, NULL, on_request, server,
                                          MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_TIMEOUT_S,
                                          MHD_OPTION_CONNECTION_LIMIT, MAX_CONNECTIONS, MHD_OPTION_END);
    if (server->daemon == NULL) {
        tk_log(TK_LOG_ERROR, "cannot listen", TK_KV_STR("host", host), TK_KV_INT("port", port),
               TK_KV_STR("reason", fd < 0 ? "address in use or not ours" : "no resources"));
        if (fd >= 0)
            close(fd);
        free(server);
        return TK_ERR_IO;
    }
    *out = server;
    return TK_OK;
}

void status_server_stop(struct status_server *server)
{
    if (server == NULL)
        return;
    MHD_stop_daemon(server->daemon); /* closes the listening socket, too */
    free(server);
}
