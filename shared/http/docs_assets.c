/*
 * The files behind /docs.
 */
#include "shared/http/docs_assets.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/log/log.h"

#define MAX_ASSET (8u << 20)

static const char PAGE[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>API documentation</title>\n"
    "<link rel=\"stylesheet\" href=\"docs/swagger-ui.css\">\n"
    "<link rel=\"icon\" type=\"image/png\" href=\"docs/favicon-32x32.png\">\n</head>\n<body>\n"
    "<div id=\"swagger-ui\"><p style=\"font-family:sans-serif;margin:2em\">Loading. The document itself: "
    "<a href=\"./openapi.json\">openapi.json</a></p></div>\n"
    "<script src=\"docs/swagger-ui-bundle.js\"></script>\n<script src=\"docs/start.js\"></script>\n</body>\n</html>\n";

/* A file of its own, because the page's content security policy allows no inline script. */
static const char START_SCRIPT[] = "window.ui = SwaggerUIBundle({url: './openapi.json', dom_id: '#swagger-ui', "
                                   "deepLinking: true, tryItOutEnabled: true, validatorUrl: null});\n";

static const char MISSING_PAGE[] =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<title>API documentation</title>\n</head>\n"
    "<body style=\"font-family:sans-serif;max-width:40em;margin:2em auto\">\n<h1>Swagger UI is not installed</h1>\n"
    "<p>The API document itself is at <a href=\"./openapi.json\">openapi.json</a>.</p>\n"
    "<p>To see it here, run <code>make docs-assets</code> in the project. It needs <code>npm</code> (it comes with "
    "Node.js) "
    "and puts the files of <code>swagger-ui-dist</code> where the setting <code>DOCS_DIR</code> points. "
    "No restart is needed.</p>\n</body>\n</html>\n";

struct asset {
    const char *name;
    const char *content_type;
    bool required;
    struct tk_slice content; /* process lifetime once read */
};

static struct asset assets[] = {
    {"swagger-ui.css", "text/css; charset=utf-8", true, {NULL, 0}},
    {"swagger-ui-bundle.js", "text/javascript; charset=utf-8", true, {NULL, 0}},
    {"swagger-ui-standalone-preset.js", "text/javascript; charset=utf-8", false, {NULL, 0}},
    {"favicon-16x16.png", "image/png", false, {NULL, 0}},
    {"favicon-32x32.png", "image/png", false, {NULL, 0}},
    {"start.js", "text/javascript; charset=utf-8", false, {START_SCRIPT, sizeof(START_SCRIPT) - 1}},
};

#define ASSET_COUNT (sizeof(assets) / sizeof(assets[0]))

struct tk_slice tk_docs_page(void)
{
    return TK_SLICE(PAGE);
}

struct tk_slice tk_docs_missing_page(void)
{
    return TK_SLICE(MISSING_PAGE);
}

static enum tk_err read_whole(int fd, struct tk_slice *out)
{
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_size <= 0 || info.st_size > MAX_ASSET)
        return TK_ERR_NOT_FOUND;
    size_t size = (size_t)info.st_size;
    char *bytes = tk_alloc(size);
    size_t got = 0;
    while (got < size) {
        ssize_t n = read(fd, bytes + got, size - got);
        if (n <= 0)
            break;
        got += (size_t)n;
    }
    *out = (struct tk_slice){.ptr = bytes, .len = got};
    return TK_OK;
}

static enum tk_err load(const char *dir, struct asset *asset)
{
    char path[PATH_MAX];
    if (asset->content.ptr != NULL)
        return TK_OK;
    if (dir == NULL || dir[0] == '\0' || snprintf(path, sizeof(path), "%s/%s", dir, asset->name) >= (int)sizeof(path))
        return TK_ERR_NOT_FOUND;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return TK_ERR_NOT_FOUND;
    enum tk_err err = read_whole(fd, &asset->content);
    (void)close(fd);
    if (!err)
        tk_log(TK_LOG_DEBUG, "documentation asset loaded", TK_KV_STR("file", path), TK_KV_INT("bytes", asset->content.len));
    return err;
}

bool tk_docs_complete(const char *dir)
{
    for (size_t i = 0; i < ASSET_COUNT; i++)
        if (assets[i].required && load(dir, &assets[i]) != TK_OK)
            return false;
    return true;
}

enum tk_err tk_docs_asset(const char *dir, struct tk_slice name, const char **content_type, struct tk_slice *content)
{
    for (size_t i = 0; i < ASSET_COUNT; i++) {
        if (!tk_slice_eq_str(name, assets[i].name))
            continue;
        if (load(dir, &assets[i]) != TK_OK)
            return TK_ERR_NOT_FOUND;
        *content_type = assets[i].content_type;
        *content = assets[i].content;
        return TK_OK;
    }
    return TK_ERR_NOT_FOUND;
}
