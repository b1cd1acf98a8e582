/*
 * One token. Header and claims go through our strict JSON reader: a member given twice, or anything behind the object, is a
 * refusal. `alg` only selects among our keys (keys.h), `none` is nobody's; `crit` names extensions we do not know.
 */
#include "shared/auth/token.h"

#include <string.h>

#include "shared/auth/subject.h"
#include "shared/json/reader.h"

#define MAX_SIGNATURE 1024 /* bytes: 8192-bit RSA */

struct parts {
    struct tk_slice header;
    struct tk_slice claims;
    struct tk_slice signature;
    struct tk_slice signed_text;
};

static enum tk_err refuse(const char **why, const char *reason)
{
    *why = reason;
    return TK_ERR_INVALID;
}

static enum tk_err split(struct tk_slice token, struct parts *out)
{
    const char *first = token.len > 0 && token.len <= TK_TOKEN_MAX ? memchr(token.ptr, '.', token.len) : NULL;
    if (first == NULL)
        return TK_ERR_INVALID;
    const char *end = token.ptr + token.len;
    const char *second = memchr(first + 1, '.', (size_t)(end - first - 1));
    if (second == NULL || memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
        return TK_ERR_INVALID;
    out->header = (struct tk_slice){token.ptr, (size_t)(first - token.ptr)};
    out->claims = (struct tk_slice){first + 1, (size_t)(second - first - 1)};
    out->signature = (struct tk_slice){second + 1, (size_t)(end - second - 1)};
    out->signed_text = (struct tk_slice){token.ptr, (size_t)(second - token.ptr)};
    return TK_OK;
}

static const struct tk_json *decode_object(struct tk_arena *arena, struct tk_slice text)
{
    const struct tk_json *root = NULL;
    const char *syntax;
    size_t len = 0;
    char *bytes = tk_arena_alloc(arena, text.len + 1);
    if (tk_base64url_decode(text, bytes, text.len, &len) != TK_OK ||
        tk_json_parse(arena, (struct tk_slice){bytes, len}, &root, &syntax) != TK_OK || root->type != TK_JSON_OBJECT)
        return NULL;
    return root;
}

static struct tk_slice text_of(const struct tk_json *object, const char *name)
{
    const struct tk_json *member = tk_json_get(object, name);
    return member != NULL && member->type == TK_JSON_STRING ? member->text : (struct tk_slice){NULL, 0};
}

/* --- claims ------------------------------------------------------------------------------------------------------ */

/** NumericDate: seconds, a fraction is cut off; 1e10 is none, since its first digits would be taken for another time. */
static bool read_date(const struct tk_json *member, int64_t *out)
{
    if (member == NULL || member->type != TK_JSON_NUMBER || memchr(member->text.ptr, 'e', member->text.len) != NULL ||
        memchr(member->text.ptr, 'E', member->text.len) != NULL)
        return false;
    const char *dot = memchr(member->text.ptr, '.', member->text.len);
    struct tk_slice whole = {member->text.ptr, dot != NULL ? (size_t)(dot - member->text.ptr) : member->text.len};
    return tk_parse_i64(whole, out) == TK_OK && *out >= 0 && *out <= INT64_MAX / 2;
}

static bool is_listed(const struct tk_json *member, const char *wanted)
{
    if (member == NULL)
        return false;
    if (member->type == TK_JSON_STRING)
        return tk_slice_eq_str(member->text, wanted);
    if (member->type != TK_JSON_ARRAY)
        return false;
    for (const struct tk_json *item = member->child; item != NULL; item = item->next)
        if (item->type == TK_JSON_STRING && tk_slice_eq_str(item->text, wanted))
            return true;
    return false;
}

static enum tk_err check_times(const struct tk_json *claims, const struct tk_token_rules *rules, int64_t now_s,
                               struct tk_identity *out, const char **why)
{
    int64_t expires;
    int64_t not_before = 0;
    const struct tk_json *nbf = tk_json_get(claims, "nbf");
    if (!read_date(tk_json_get(claims, "exp"), &expires))
        return refuse(why, "the token has no exp");
    if (nbf != NULL && !read_date(nbf, &not_before))
        return refuse(why, "the token's nbf is no time");
    out->valid_until_s = expires + rules->leeway_s;
    if (now_s >= out->valid_until_s)
        return refuse(why, "the token has expired");
    if (now_s + rules->leeway_s < not_before)
        return refuse(why, "the token is not valid yet");
    return TK_OK;
}

static unsigned scope_bit(const struct tk_token_rules *rules, struct tk_slice name)
{
    for (unsigned i = 0; rules->scopes != NULL && i < TK_SCOPES_MAX && rules->scopes[i] != NULL; i++)
        if (tk_slice_eq_str(name, rules->scopes[i]))
            return 1u << i;
    return 0;
}

/** Names with spaces between them, RFC 8693 section 4.2. */
static unsigned scope_words(const struct tk_token_rules *rules, struct tk_slice text)
{
    unsigned bits = 0;
    while (text.len > 0) {
        const char *space = memchr(text.ptr, ' ', text.len);
        size_t len = space != NULL ? (size_t)(space - text.ptr) : text.len;
        bits |= scope_bit(rules, (struct tk_slice){text.ptr, len});
        size_t used = space != NULL ? len + 1 : len;
        text = (struct tk_slice){text.ptr + used, text.len - used};
    }
    return bits;
}

static unsigned read_scopes(const struct tk_token_rules *rules, const struct tk_json *member)
{
    unsigned bits = 0;
    if (member == NULL)
        return 0;
    if (member->type == TK_JSON_STRING)
        return scope_words(rules, member->text);
    for (const struct tk_json *item = member->type == TK_JSON_ARRAY ? member->child : NULL; item != NULL; item = item->next)
        if (item->type == TK_JSON_STRING)
            bits |= scope_bit(rules, item->text);
    return bits;
}

static enum tk_err check_claims(const struct tk_json *claims, const struct tk_token_rules *rules, int64_t now_s,
                                struct tk_identity *out, const char **why)
{
    if (!tk_slice_eq_str(text_of(claims, "iss"), rules->issuer))
        return refuse(why, "the token is from another issuer");
    if (!is_listed(tk_json_get(claims, "aud"), rules->audience))
        return refuse(why, "the token is for another audience");
    if (tk_subject_user(tk_slice_of(rules->issuer), text_of(claims, "sub"), &out->user_id))
        return refuse(why, "the token names nobody: it has no sub");
    out->scopes = read_scopes(rules, tk_json_get(claims, "scope")) | read_scopes(rules, tk_json_get(claims, "scp"));
    return check_times(claims, rules, now_s, out, why);
}

/* --- the whole --------------------------------------------------------------------------------------------------- */

enum tk_err tk_token_verify(const struct tk_keys *keys, const struct tk_token_rules *rules, int64_t now_s,
                            struct tk_arena *arena, struct tk_slice token, struct tk_identity *out, const char **why)
{
    struct parts parts;
    char signature[MAX_SIGNATURE];
    size_t signature_len = 0;
    *out = (struct tk_identity){0};
    if (split(token, &parts) || tk_base64url_decode(parts.signature, signature, sizeof(signature), &signature_len) != TK_OK)
        return refuse(why, "not a signed token");
    const struct tk_json *header = decode_object(arena, parts.header);
    const struct tk_json *claims = decode_object(arena, parts.claims);
    if (header == NULL || claims == NULL)
        return refuse(why, "not a signed token");
    if (tk_json_get(header, "crit") != NULL)
        return refuse(why, "the token needs an extension that is not known here");
    const struct tk_key *key = tk_keys_find(keys, text_of(header, "alg"), text_of(header, "kid"));
    if (key == NULL)
        return refuse(why, "no key for this token");
    enum tk_err err = check_claims(claims, rules, now_s, out, why);
    if (err)
        return err;
    if (!tk_key_verify(key, parts.signed_text, (struct tk_slice){signature, signature_len}))
        return refuse(why, "the signature does not match");
    return TK_OK;
}
