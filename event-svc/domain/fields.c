/*
 * Field checks. They refuse what is certainly wrong and leave the rest alone.
 */
#include "event-svc/domain/fields.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

#define EMAIL_MAX        254 /* RFC 5321 section 4.5.3.1.3, minus the angle brackets */
#define EMAIL_LOCAL_MAX  64
#define PHONE_MAX        32
#define PHONE_MIN_DIGITS 5
#define PHONE_MAX_DIGITS 15 /* ITU-T E.164 */

static bool all_of(struct tk_slice text, const char *punctuation)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (!isalnum(c) && (c == '\0' || strchr(punctuation, c) == NULL))
            return false;
    }
    return true;
}

static bool is_domain(struct tk_slice text)
{
    const char *dot = text.len > 0 ? memchr(text.ptr, '.', text.len) : NULL;
    return dot != NULL && dot != text.ptr && text.ptr[text.len - 1] != '.' && all_of(text, ".-") &&
           memmem(text.ptr, text.len, "..", 2) == NULL;
}

const char *field_email_problem(struct tk_slice text)
{
    const char *at = text.len > 0 ? memrchr(text.ptr, '@', text.len) : NULL;
    if (at == NULL || text.len > EMAIL_MAX)
        return "must be an e-mail address";
    struct tk_slice local = {.ptr = text.ptr, .len = (size_t)(at - text.ptr)};
    struct tk_slice domain = {.ptr = at + 1, .len = text.len - local.len - 1};
    bool good_local = local.len > 0 && local.len <= EMAIL_LOCAL_MAX && all_of(local, ".!#$%&'*+/=?^_`{|}~-");
    return good_local && is_domain(domain) ? NULL : "must be an e-mail address";
}

const char *field_phone_problem(struct tk_slice text)
{
    int digits = 0;
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];
        if (isdigit(c))
            digits++;
        else if (c == '\0' || strchr("+-(). /", c) == NULL)
            return "must be a telephone number";
    }
    bool sized = text.len <= PHONE_MAX && digits >= PHONE_MIN_DIGITS && digits <= PHONE_MAX_DIGITS;
    return sized ? NULL : "must be a telephone number of 5 to 15 digits";
}

const char *field_timezone_problem(struct tk_slice text)
{
    bool has_area = text.len > 0 && memchr(text.ptr, '/', text.len) != NULL;
    if (text.len > 0 && text.len <= 64 && isalpha((unsigned char)text.ptr[0]) && all_of(text, "/_-+") &&
        (has_area || tk_slice_eq_str(text, "UTC") || tk_slice_eq_str(text, "GMT")))
        return NULL;
    return "must be an IANA time zone such as Europe/Vienna or UTC";
}

const char *field_currency_problem(struct tk_slice text)
{
    bool good = text.len == 3;
    for (size_t i = 0; good && i < text.len; i++)
        good = text.ptr[i] >= 'A' && text.ptr[i] <= 'Z';
    return good ? NULL : "must be an ISO 4217 code such as EUR";
}

const char *session_times_problem(int64_t start_us, int64_t end_us, int64_t now_us, const char **pointer)
{
    *pointer = "/end_time";
    if (end_us <= start_us)
        return "must be after start_time";
    if (end_us - start_us > SESSION_MAX_US)
        return "must be within 30 days of start_time";
    *pointer = "/start_time";
    return start_us <= now_us ? "must be in the future" : NULL;
}
