/*
 * Entity tags and If-None-Match.
 */
#include <criterion/criterion.h>

#include "event-svc/domain/etag.h"

Test(etag, the_forms_differ)
{
    cr_expect_str_eq(etag_of(42, false).text, "\"v42\"");
    cr_expect_str_eq(etag_of(42, true).text, "\"v42-gz\"");
    cr_expect_str_eq(etag_of(INT64_MAX, true).text, "\"v9223372036854775807-gz\"");
}

Test(etag, what_matches_version_42)
{
    static const struct {
        const char *header;
        bool matches;
    } cases[] = {
        {"\"v42\"", true},
        {"\"v42-gz\"", true},
        {"W/\"v42\"", true},
        {"*", true},
        {"\"other\", \"v42\"", true},
        {"\"a\",\"v42\" ,", true},
        {"  \"v42\"\t", true},
        {"\"v4\"", false},
        {"\"v421\"", false},
        {"v42", false},
        {"", false},
        {",,,", false},
        {"W/", false},
        {"\"v42", false},
        {"\"other\"", false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(etag_matches(tk_slice_of(cases[i].header), 42), cases[i].matches, "%s", cases[i].header);
    cr_expect_not(etag_matches((struct tk_slice){NULL, 0}, 42));
}
