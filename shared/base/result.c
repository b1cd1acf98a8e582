/* Names of outcomes, for log lines. */
#include "shared/base/result.h"

const char *tk_err_name(enum tk_err err)
{
    switch (err) {
    case TK_OK:
        return "ok";
    case TK_ERR_INVALID:
        return "invalid";
    case TK_ERR_LIMIT:
        return "limit";
    case TK_ERR_NOT_FOUND:
        return "not_found";
    case TK_ERR_CONFLICT:
        return "conflict";
    case TK_ERR_TIMEOUT:
        return "timeout";
    case TK_ERR_UNAVAILABLE:
        return "unavailable";
    case TK_ERR_IO:
        return "io";
    }
    return "unnamed";
}

const char *tk_step_name(enum tk_step step)
{
    switch (step) {
    case TK_STEP_OK:
        return "ok";
    case TK_STEP_REFUSED:
        return "refused";
    case TK_STEP_FAILED:
        return "failed";
    case TK_STEP_UNKNOWN:
        return "unknown";
    }
    return "unnamed";
}
