/*
 * Keys and the memory of verified tokens: sets of four places, chosen by the token's hash; a new token takes an empty or
 * expired place, else one of the four in turn.
 */
#include "shared/auth/auth.h"

#include <openssl/evp.h>
#include <string.h>

#include "shared/log/log.h"
#include "shared/metrics/metrics.h"

#define WAYS      4
#define HASH_SIZE 32

struct seen {
    unsigned char hash[HASH_SIZE];
    struct tk_identity identity; /* valid_until_s 0: empty */
};

struct tk_auth {
    struct tk_auth_config config;
    struct tk_keys *keys;
    struct seen *seen; /* sets * WAYS */
    size_t sets;
    unsigned turn;
    EVP_MD *sha256;
    EVP_MD_CTX *hasher;
};

static struct tk_metric from_memory = TK_COUNTER("auth_tokens_total", "result=\"remembered\"", "Bearer tokens looked at");
static struct tk_metric verified = TK_COUNTER("auth_tokens_total", "result=\"verified\"", "Bearer tokens looked at");
static struct tk_metric refused = TK_COUNTER("auth_tokens_total", "result=\"refused\"", "Bearer tokens looked at");
static struct tk_metric reloaded = TK_COUNTER("auth_key_reloads_total", "result=\"ok\"", "Reloads of JWT_KEYS_FILE");
static struct tk_metric not_reloaded =
    TK_COUNTER("auth_key_reloads_total", "result=\"failed\"", "Reloads of JWT_KEYS_FILE");

/* --- keys -------------------------------------------------------------------------------------------------------- */

static struct tk_keys *read_keys(const struct tk_auth_config *config, const char **why)
{
    if (config->keys_file[0] != '\0')
        return tk_keys_read(config->keys_file, why);
    *why = "the secret is too short";
    return tk_keys_from_secret(tk_slice_of(config->secret));
}

static void forget_all(struct tk_auth *auth)
{
    if (auth->sets > 0)
        memset(auth->seen, 0, auth->sets * WAYS * sizeof(*auth->seen));
}

void tk_auth_reload(struct tk_auth *auth)
{
    const char *why = NULL;
    if (auth == NULL || auth->config.keys_file[0] == '\0') {
        tk_log(TK_LOG_INFO, "there is no file of keys to read again");
        return;
    }
    struct tk_keys *keys = read_keys(&auth->config, &why);
    if (keys == NULL) {
        tk_metric_add(&not_reloaded, 1);
        tk_log(TK_LOG_ERROR, "keys not reloaded, the old ones stay", TK_KV_STR("file", auth->config.keys_file),
               TK_KV_STR("reason", why));
        return;
    }
    tk_keys_free(auth->keys);
    auth->keys = keys;
    forget_all(auth);
    tk_metric_add(&reloaded, 1);
    tk_log(TK_LOG_INFO, "keys reloaded", TK_KV_STR("file", auth->config.keys_file), TK_KV_INT("keys", tk_keys_count(keys)));
}

enum tk_err tk_auth_open(const struct tk_auth_config *config, struct tk_auth **out)
{
    const char *why = NULL;
    struct tk_keys *keys = read_keys(config, &why);
    if (keys == NULL) {
        tk_log(TK_LOG_ERROR, "no keys to verify tokens with", TK_KV_STR("file", config->keys_file),
               TK_KV_STR("reason", why));
        return TK_ERR_INVALID;
    }
    struct tk_auth *auth = tk_alloc(sizeof(*auth));
    auth->config = *config;
    auth->keys = keys;
    auth->sets = (config->cache_tokens + WAYS - 1) / WAYS;
    auth->seen = tk_alloc((auth->sets > 0 ? auth->sets : 1) * WAYS * sizeof(*auth->seen));
    auth->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    auth->hasher = EVP_MD_CTX_new();
    struct tk_metric *const metrics[] = {&from_memory, &verified, &refused, &reloaded, &not_reloaded};
    for (size_t i = 0; i < sizeof(metrics) / sizeof(metrics[0]); i++)
        tk_metrics_register(metrics[i]);
    *out = auth;
    return TK_OK;
}

void tk_auth_free(struct tk_auth *auth)
{
    tk_keys_free(auth->keys);
    EVP_MD_CTX_free(auth->hasher);
    EVP_MD_free(auth->sha256);
    free(auth->seen);
    free(auth);
}

/* --- memory ------------------------------------------------------------------------------------------------------ */

static bool hash_token(struct tk_auth *auth, struct tk_slice token, unsigned char out[HASH_SIZE])
{
    return auth->sets > 0 && EVP_DigestInit_ex2(auth->hasher, auth->sha256, NULL) == 1 &&
           EVP_DigestUpdate(auth->hasher, token.ptr, token.len) == 1 && EVP_DigestFinal_ex(auth->hasher, out, NULL) == 1;
}

static struct seen *set_of(struct tk_auth *auth, const unsigned char hash[HASH_SIZE])
{
    uint64_t number;
    memcpy(&number, hash, sizeof(number));
    return &auth->seen[number % auth->sets * WAYS];
}

static const struct seen *recall(struct tk_auth *auth, const unsigned char hash[HASH_SIZE], int64_t now_s)
{
    const struct seen *set = set_of(auth, hash);
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].identity.valid_until_s > now_s && memcmp(set[i].hash, hash, HASH_SIZE) == 0)
            return &set[i];
    return NULL;
}

static void remember(struct tk_auth *auth, const unsigned char hash[HASH_SIZE], const struct tk_identity *identity,
                     int64_t now_s)
{
    struct seen *set = set_of(auth, hash);
    struct seen *place = &set[auth->turn++ % WAYS];
    for (size_t i = 0; i < WAYS; i++)
        if (set[i].identity.valid_until_s <= now_s)
            place = &set[i];
    memcpy(place->hash, hash, HASH_SIZE);
    place->identity = *identity;
}

enum tk_err tk_auth_verify(struct tk_auth *auth, int64_t now_s, struct tk_arena *arena, struct tk_slice token,
                           struct tk_identity *out, const char **why)
{
    unsigned char hash[HASH_SIZE];
    bool hashed = token.len <= TK_TOKEN_MAX && hash_token(auth, token, hash);
    const struct seen *seen = hashed ? recall(auth, hash, now_s) : NULL;
    if (seen != NULL) {
        tk_metric_add(&from_memory, 1);
        *out = seen->identity;
        return TK_OK;
    }
    enum tk_err err = tk_token_verify(auth->keys, &auth->config.rules, now_s, arena, token, out, why);
    tk_metric_add(err ? &refused : &verified, 1);
    if (!err && hashed)
        remember(auth, hash, out, now_s);
    return err;
}

const char *tk_auth_scope_name(const struct tk_auth *auth, unsigned bits)
{
    for (unsigned i = 0; i < TK_SCOPES_MAX; i++)
        if ((bits & 1u << i) != 0)
            return auth->config.rules.scopes[i];
    return "";
}
