/*
 * Which tokens are believed: structure, claims, and the tricks of those who have no key.
 */
#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "shared/auth/subject.h"
#include "shared/auth/token.h"
#include "shared/tests/token_fixture.h"

#define HEADER          "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"
#define TOKEN_ROBOT_ID  "36d1dd21-9c1f-596a-8e20-a4a078ef1156"
#define NOBODY(members) "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE "\"," members "}"
#define BARE(members)   "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE "\",\"sub\":\"" TOKEN_USER "\"," members "}"

static const char *const SCOPES[TK_SCOPES_MAX] = {"catalog:write", "pricing:write"};
static const struct tk_token_rules RULES = {
    .issuer = TOKEN_ISSUER, .audience = TOKEN_AUDIENCE, .leeway_s = 30, .scopes = SCOPES};

static struct tk_identity identity;
static const char *why;

/** True when `token` is believed; `identity` or `why` then says more. */
static bool believe(const struct tk_keys *keys, struct tk_slice token)
{
    struct tk_arena arena = {0};
    why = NULL;
    bool good = tk_token_verify(keys, &RULES, TOKEN_NOW, &arena, token, &identity, &why) == TK_OK;
    tk_arena_release(&arena);
    cr_expect_eq(good, why == NULL);
    return good;
}

static struct tk_keys *secret_keys(void)
{
    struct tk_keys *keys = tk_keys_from_secret(tk_slice_of(TOKEN_SECRET));
    cr_assert_not_null(keys);
    return keys;
}

static struct tk_keys *parsed(const char *text)
{
    const char *reason = NULL;
    struct tk_keys *keys = tk_keys_parse(tk_slice_of(text), &reason);
    cr_assert_not_null(keys, "%s", reason);
    return keys;
}

/* --- header and claims ------------------------------------------------------------------------------------------------ */

struct token_case {
    bool good;
    const char *header;
    const char *claims;
};

static const struct token_case TOKENS[] = {
    {true, HEADER, TOKEN_CLAIMS("")},
    {true, "{\"alg\":\"HS256\"}", TOKEN_CLAIMS("")},
    {true, "{\"typ\":\"at+jwt\",\"alg\":\"HS256\",\"kid\":\"../../../../dev/null\"}", TOKEN_CLAIMS("")},
    {true, HEADER, BARE("\"exp\":1800003600.75")},
    {true, HEADER, BARE("\"exp\":1799999971")},
    {true, HEADER, TOKEN_CLAIMS(",\"nbf\":1800000030")},
    {true, HEADER, TOKEN_CLAIMS(",\"unknown\":{\"deep\":[1,2,{\"a\":null}]}")},
    {true, HEADER,
     "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":[\"x\",\"" TOKEN_AUDIENCE "\"],\"exp\":1800003600,\"sub\":\"x\"}"},
    /* time */
    {false, HEADER, BARE("\"exp\":1799999970")},
    {false, HEADER, BARE("\"iat\":1")},
    {false, HEADER, BARE("\"exp\":\"1800003600\"")},
    {false, HEADER, BARE("\"exp\":null")},
    {false, HEADER, BARE("\"exp\":-1")},
    {false, HEADER, BARE("\"exp\":1e99")},
    {false, HEADER, BARE("\"exp\":9999999999.0e-9")},
    {false, HEADER, BARE("\"exp\":9999999999E-9")},
    {false, HEADER, BARE("\"exp\":99999999999999999999999")},
    {false, HEADER, BARE("\"exp\":9223372036854775807")},
    {false, HEADER, BARE("\"exp\":1800003600,\"exp\":1900000000")},
    {false, HEADER, TOKEN_CLAIMS(",\"nbf\":1800000031")},
    {false, HEADER, TOKEN_CLAIMS(",\"nbf\":\"1\"")},
    /* issuer and audience */
    {false, HEADER, "{\"aud\":\"" TOKEN_AUDIENCE "\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "/\",\"aud\":\"" TOKEN_AUDIENCE "\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":[\"" TOKEN_ISSUER "\"],\"aud\":\"" TOKEN_AUDIENCE "\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"ticket\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"ticketing2\",\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":[[\"ticketing\"]],\"exp\":1800003600,\"sub\":\"x\"}"},
    {false, HEADER, "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":{\"ticketing\":1},\"exp\":1800003600,\"sub\":\"x\"}"},
    /* header */
    {false, "{\"alg\":\"none\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":\"hs256\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":\"HS512\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":\"RS256\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":[\"HS256\"]}", TOKEN_CLAIMS("")},
    {false, "{\"typ\":\"JWT\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":\"HS256\",\"alg\":\"HS256\"}", TOKEN_CLAIMS("")},
    {false, "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}", TOKEN_CLAIMS("")},
    {false, "[\"HS256\"]", TOKEN_CLAIMS("")},
    {false, "", TOKEN_CLAIMS("")},
    {false, HEADER "{}", TOKEN_CLAIMS("")},
    /* claims that are none */
    {false, HEADER, TOKEN_CLAIMS("") "x"},
    {false, HEADER, "[]"},
    {false, HEADER, "\"text\""},
    {false, HEADER, ""},
    {false, HEADER, "{\"a\":\"\xff\"}"},
};

Test(auth_token, header_and_claims)
{
    struct tk_keys *keys = secret_keys();
    for (size_t i = 0; i < sizeof(TOKENS) / sizeof(TOKENS[0]); i++) {
        const struct token_case *c = &TOKENS[i];
        const char *token = token_hs256(c->header, c->claims, tk_slice_of(TOKEN_SECRET));
        cr_expect_eq(believe(keys, tk_slice_of(token)), c->good, "%s %s: %s", c->header, c->claims, why);
    }
    tk_keys_free(keys);
}

Test(auth_token, it_says_who_until_when_and_with_which_rights)
{
    struct tk_keys *keys = secret_keys();
    struct tk_slice secret = tk_slice_of(TOKEN_SECRET);
    struct tk_uuid user;
    cr_assert_eq(tk_uuid_parse(tk_slice_of(TOKEN_USER), &user), TK_OK);
    cr_assert(believe(keys, tk_slice_of(token_hs256(HEADER, TOKEN_CLAIMS(""), secret))));
    cr_expect(tk_uuid_eq(&identity.user_id, &user));
    cr_expect_eq(identity.valid_until_s, 1800003630);
    cr_expect_eq(identity.scopes, 0u);
    const char *service = "{\"iss\":\"" TOKEN_ISSUER "\",\"aud\":\"" TOKEN_AUDIENCE
                          "\",\"sub\":\"robot\",\"exp\":1800003600,\"scope\":\"a  pricing:write\"}";
    cr_assert(believe(keys, tk_slice_of(token_hs256(HEADER, service, secret))));
    cr_expect_str_eq(TK_UUID_TEXT(&identity.user_id), TOKEN_ROBOT_ID);
    cr_expect_eq(identity.scopes, 2u);
    tk_keys_free(keys);
}

struct subject_case {
    const char *sub;
    const char *user; /* NULL: the token is refused */
};

/* The ids were computed with Python's uuid.uuid5(). */
static const struct subject_case SUBJECTS[] = {
    {TOKEN_USER, TOKEN_USER},
    {"robot", TOKEN_ROBOT_ID},
    {"Robot", "605aa01c-39ef-50f9-b189-a35f4551452b"},
    {"auth0|5f7c", "c20b89c0-5b8f-52ac-95f9-49fed9fded10"},
    {"7F3C1A90-3B52-4C7E-9D1A-2F6E8B4C5D6E", "130fcc54-e13e-59d0-ba34-cd0a3f95ef86"},
    {"00000000-0000-0000-0000-000000000000", "9ddf27db-2b80-57b7-83ec-c8cc50c0c782"},
    {TOKEN_ROBOT_ID, "971a29c6-06f3-5702-af2a-9c2fe3467340"}, /* who is called like somebody else's derived id */
    {"", NULL},
};

Test(auth_token, no_two_subjects_are_one_user)
{
    struct tk_keys *keys = secret_keys();
    for (size_t i = 0; i < sizeof(SUBJECTS) / sizeof(SUBJECTS[0]); i++) {
        char claims[512];
        (void)snprintf(claims, sizeof(claims), "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"exp\":1800003600}",
                       TOKEN_ISSUER, TOKEN_AUDIENCE, SUBJECTS[i].sub);
        bool good = believe(keys, tk_slice_of(token_hs256(HEADER, claims, tk_slice_of(TOKEN_SECRET))));
        cr_expect_eq(good, SUBJECTS[i].user != NULL, "%s", SUBJECTS[i].sub);
        if (good)
            cr_expect_str_eq(TK_UUID_TEXT(&identity.user_id), SUBJECTS[i].user, "%s", SUBJECTS[i].sub);
    }
    cr_expect_not(believe(keys, tk_slice_of(token_hs256(HEADER, NOBODY("\"exp\":1800003600"), tk_slice_of(TOKEN_SECRET)))));
    cr_expect_not(
        believe(keys, tk_slice_of(token_hs256(HEADER, NOBODY("\"exp\":1800003600,\"sub\":7"), tk_slice_of(TOKEN_SECRET)))));
    tk_keys_free(keys);
}

Test(auth_token, another_issuers_namesake_is_another_user)
{
    struct tk_uuid here;
    struct tk_uuid there;
    cr_assert_eq(tk_subject_user(tk_slice_of(TOKEN_ISSUER), TK_SLICE("robot"), &here), TK_OK);
    cr_assert_eq(tk_subject_user(TK_SLICE("https://other.example"), TK_SLICE("robot"), &there), TK_OK);
    cr_expect_not(tk_uuid_eq(&here, &there));
}

struct scope_case {
    const char *members;
    unsigned bits;
};

static const struct scope_case SCOPE_CASES[] = {
    {",\"scope\":\"catalog:write\"", 1},
    {",\"scope\":\"pricing:write catalog:write\"", 3},
    {",\"scp\":[\"pricing:write\",\"x\"]", 2},
    {",\"scp\":\"catalog:write\",\"scope\":\"pricing:write\"", 3},
    {",\"scope\":\"\"", 0},
    {",\"scope\":\" \"", 0},
    {",\"scope\":\"catalog\"", 0},
    {",\"scope\":\"catalog:write2\"", 0},
    {",\"scope\":\"Catalog:Write\"", 0},
    {",\"scope\":\"catalog:write,pricing:write\"", 0},
    {",\"scope\":{\"catalog:write\":true}", 0},
    {",\"scope\":[[\"catalog:write\"]]", 0},
    {",\"scope\":true", 0},
};

Test(auth_token, scopes_are_whole_words)
{
    struct tk_keys *keys = secret_keys();
    for (size_t i = 0; i < sizeof(SCOPE_CASES) / sizeof(SCOPE_CASES[0]); i++) {
        char claims[512];
        (void)snprintf(claims, sizeof(claims), TOKEN_CLAIMS("%s"), SCOPE_CASES[i].members);
        cr_assert(believe(keys, tk_slice_of(token_hs256(HEADER, claims, tk_slice_of(TOKEN_SECRET)))));
        cr_expect_eq(identity.scopes, SCOPE_CASES[i].bits, "%s", claims);
    }
    tk_keys_free(keys);
}

/* --- structure --------------------------------------------------------------------------------------------------- */

static const char *const SHAPES[] = {"",        ".",        "..",    "...", "a.b",    "a.b.c",
                                     "a.b.c.d", "e30.e30.", "e30..", " ",   "Bearer", "e30=.e30=.AA=="};

Test(auth_token, what_is_no_token)
{
    struct tk_keys *keys = secret_keys();
    for (size_t i = 0; i < sizeof(SHAPES) / sizeof(SHAPES[0]); i++)
        cr_expect_not(believe(keys, tk_slice_of(SHAPES[i])), "%s", SHAPES[i]);
    cr_expect_not(believe(keys, (struct tk_slice){NULL, 0}));
    tk_keys_free(keys);
}

Test(auth_token, a_token_longer_than_the_limit_is_refused_unread)
{
    struct tk_keys *keys = secret_keys();
    static char claims[TK_TOKEN_MAX + 512];
    static char pad[TK_TOKEN_MAX];
    for (size_t len = 5000; len < 7000; len += 400) {
        memset(pad, 'x', len);
        pad[len] = '\0';
        (void)snprintf(claims, sizeof(claims), TOKEN_CLAIMS(",\"pad\":\"%s\""), pad);
        const char *token = token_hs256(HEADER, claims, tk_slice_of(TOKEN_SECRET));
        cr_expect_eq(believe(keys, tk_slice_of(token)), strlen(token) <= TK_TOKEN_MAX, "%zu bytes", strlen(token));
    }
    tk_keys_free(keys);
}

/** Whatever single character changes, the token is worth nothing. */
Test(auth_token, no_character_can_be_changed)
{
    struct tk_keys *keys = secret_keys();
    const char *token = token_hs256(HEADER, TOKEN_CLAIMS(""), tk_slice_of(TOKEN_SECRET));
    char changed[1024];
    size_t len = strlen(token);
    for (size_t i = 0; i < len; i++) {
        memcpy(changed, token, len + 1);
        changed[i] = changed[i] == 'A' ? 'B' : 'A';
        cr_expect_not(believe(keys, tk_slice_of(changed)), "character %zu", i);
        cr_expect_not(believe(keys, (struct tk_slice){token, i}), "cut after %zu", i);
    }
    tk_keys_free(keys);
}

/* --- tricks ------------------------------------------------------------------------------------------------------ */

Test(auth_token, no_signature_is_no_token)
{
    struct tk_keys *keys = secret_keys();
    static const char zeros[64];
    cr_expect_not(believe(keys, tk_slice_of(token_with("{\"alg\":\"none\"}", TOKEN_CLAIMS(""), "", 0))));
    cr_expect_not(believe(keys, tk_slice_of(token_with(HEADER, TOKEN_CLAIMS(""), "", 0))));
    cr_expect_not(believe(keys, tk_slice_of(token_with(HEADER, TOKEN_CLAIMS(""), zeros, 32))));
    cr_expect_not(believe(keys, tk_slice_of(token_hs256(HEADER, TOKEN_CLAIMS(""), TK_SLICE("")))));
    tk_keys_free(keys);
}

Test(auth_token, a_public_key_is_no_secret)
{
    EVP_PKEY *rsa = token_key_rsa(2048);
    const char *pem = token_pem(rsa);
    struct tk_keys *keys = parsed(pem);
    struct tk_slice without_newline = {pem, strlen(pem) - 1};
    cr_expect(believe(keys, tk_slice_of(token_signed("{\"alg\":\"RS256\"}", TOKEN_CLAIMS(""), rsa))));
    cr_expect_not(believe(keys, tk_slice_of(token_hs256(HEADER, TOKEN_CLAIMS(""), tk_slice_of(pem)))));
    cr_expect_not(believe(keys, tk_slice_of(token_hs256(HEADER, TOKEN_CLAIMS(""), without_newline))));
    cr_expect_not(believe(keys, tk_slice_of(token_hs256("{\"alg\":\"RS256\"}", TOKEN_CLAIMS(""), tk_slice_of(pem)))));
    cr_expect_not(believe(keys, tk_slice_of(token_signed("{\"alg\":\"PS256\"}", TOKEN_CLAIMS(""), rsa))));
    tk_keys_free(keys);
    EVP_PKEY_free(rsa);
}

Test(auth_token, es256_wants_both_numbers_whole)
{
    EVP_PKEY *ec = token_key_ec("P-256");
    EVP_PKEY *other = token_key_ec("P-256");
    struct tk_keys *keys = parsed(token_pem(ec));
    static const unsigned char zeros[64];
    cr_expect(believe(keys, tk_slice_of(token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), ec))));
    cr_expect_not(believe(keys, tk_slice_of(token_signed("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), other))));
    cr_expect_not(believe(keys, tk_slice_of(token_with("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), zeros, 64))));
    cr_expect_not(believe(keys, tk_slice_of(token_with("{\"alg\":\"ES256\"}", TOKEN_CLAIMS(""), zeros, 63))));
    tk_keys_free(keys);
    EVP_PKEY_free(ec);
    EVP_PKEY_free(other);
}

/** The issuer's key set, in the middle of a rotation. */
Test(auth_token, kid_selects_among_our_keys_and_does_nothing_else)
{
    char set[8192];
    EVP_PKEY *old = token_key_rsa(2048);
    EVP_PKEY *new = token_key_rsa(2048);
    EVP_PKEY *ec = token_key_ec("P-256");
    (void)snprintf(set, sizeof(set), "{\"keys\":[%s,%s,%s]}", token_jwk(old, ",\"kid\":\"old\",\"alg\":\"RS256\""),
                   token_jwk(new, ",\"kid\":\"new\",\"use\":\"sig\""), token_jwk(ec, ",\"kid\":\"curve\""));
    struct tk_keys *keys = parsed(set);
    const struct {
        const char *header;
        EVP_PKEY *key;
        bool good;
    } cases[] = {
        {"{\"alg\":\"RS256\",\"kid\":\"old\"}", old, true},
        {"{\"alg\":\"RS256\",\"kid\":\"new\"}", new, true},
        {"{\"alg\":\"ES256\",\"kid\":\"curve\"}", ec, true},
        {"{\"alg\":\"ES256\"}", ec, true}, /* the only one of its kind */
        {"{\"alg\":\"RS256\"}", old, false},
        {"{\"alg\":\"RS256\",\"kid\":\"new\"}", old, false},
        {"{\"alg\":\"RS256\",\"kid\":\"curve\"}", new, false},
        {"{\"alg\":\"RS256\",\"kid\":\"\"}", new, false},
        {"{\"alg\":\"RS256\",\"kid\":\"new\\u0020\"}", new, false},
        {"{\"alg\":\"RS256\",\"kid\":\"/dev/null\"}", new, false},
        {"{\"alg\":\"RS256\",\"kid\":\"' OR '1'='1\"}", new, false},
        {"{\"alg\":\"RS256\",\"kid\":\"x\",\"jku\":\"https://evil.example/keys\"}", new, false},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        cr_expect_eq(believe(keys, tk_slice_of(token_signed(cases[i].header, TOKEN_CLAIMS(""), cases[i].key))),
                     cases[i].good, "%s", cases[i].header);
    tk_keys_free(keys);
}

Test(auth_token, a_key_in_the_header_is_not_ours)
{
    char header[2048];
    EVP_PKEY *ours = token_key_ec("P-256");
    EVP_PKEY *theirs = token_key_ec("P-256");
    struct tk_keys *keys = parsed(token_pem(ours));
    (void)snprintf(header, sizeof(header), "{\"alg\":\"ES256\",\"jwk\":%s}", token_jwk(theirs, ""));
    cr_expect_not(believe(keys, tk_slice_of(token_signed(header, TOKEN_CLAIMS(""), theirs))));
    cr_expect_str_eq(why, "the signature does not match");
    tk_keys_free(keys);
}
