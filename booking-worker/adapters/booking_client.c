/**
 * Calls to booking-svc.
 */
#include <stdio.h>

#include "booking-worker/adapters/booking_client.h"
#include "shared/log/log.h"

enum tk_err booking_client_settle(struct http_caller *caller, const struct tk_uuid *reservation, bool *settled)
{
    char path[128];
    long status = 0;
    struct tk_slice answer;
    snprintf(path, sizeof(path), "/api/internal/reservations/%s/settle", TK_UUID_TEXT(reservation));
    enum tk_err err = http_call(caller, "POST", path, (struct tk_slice){0}, &status, &answer);
    tk_log(TK_LOG_WARNING, "stuck payment", TK_KV_UUID("reservation", reservation), TK_KV_STR("result", tk_err_name(err)),
           TK_KV_INT("status", status));
    *settled = !err && status < 500;
    return err;
}

bool booking_client_is_up(struct http_caller *caller)
{
    long status;
    struct tk_slice answer;
    return http_call(caller, "GET", "/livez", (struct tk_slice){0}, &status, &answer) == TK_OK;
}
