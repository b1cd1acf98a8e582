/**
 * What a field must look like beyond its JSON type. Each check returns NULL when the value will do, else one line for the
 * client. Pure: time comes in as an argument.
 */
#ifndef EVENT_SVC_DOMAIN_FIELDS_H
#define EVENT_SVC_DOMAIN_FIELDS_H

#include <stdint.h>

#include "shared/base/str.h"

/** Something@a.domain: the shape, not the RFC 5322 grammar; only a mail proves an address. */
const char *field_email_problem(struct tk_slice text);

/** 5 to 15 digits (E.164 allows no more) among spaces and `+-().`. */
const char *field_phone_problem(struct tk_slice text);

/** The shape of an IANA zone name, `Europe/Vienna` or `UTC`; whether it exists is Postgres' to say. */
const char *field_timezone_problem(struct tk_slice text);

/** Three capital letters, as ISO 4217 has it. */
const char *field_currency_problem(struct tk_slice text);

/** The longest session there is; a longer one is a typing error that would block the hall. */
#define SESSION_MAX_US (INT64_C(30) * 24 * 3600 * 1000000)

/** Unix microseconds. `pointer` receives the member to blame. */
const char *session_times_problem(int64_t start_us, int64_t end_us, int64_t now_us, const char **pointer);

#endif
