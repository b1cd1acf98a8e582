/*
 * A buyer is a small state machine around one connection:
 *
 *   REST ─▶ HOLD ─▶ (REPLAY) ─▶ THINK ─▶ PAY or CANCEL ─▶ REST
 *
 * In HOLD, REPLAY, PAY and CANCEL a request is either on its way (conn.busy) or waits for its next try (due_us). A step
 * ends with a final answer, or when patience ends: then it stays unknown, to be settled after the last fault.
 */
#include "tests/chaos/buyers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "bench/connection.h"
#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "tests/chaos/plan.h"

#define MAX_EVENTS       256
#define ANSWER_WAIT_US   (5 * TK_US_PER_S)  /* more than twice what the service promises: then the buyer hangs up */
#define STEP_PATIENCE_US (10 * TK_US_PER_S) /* tries to the same end */
#define FIRST_RETRY_US   (100 * TK_US_PER_MS)
#define MAX_RETRY_SHIFT  4
#define THINK_MAX_US     (1500 * TK_US_PER_MS)
#define WINDOW_S         20 /* the window holds this many seconds of purchases: about one try in four meets somebody else's */
#define NEVER_PAYS       "99999999-0000-0000-0000-000000000002"

enum phase { PHASE_REST, PHASE_HOLD, PHASE_REPLAY, PHASE_THINK, PHASE_PAY, PHASE_CANCEL };

enum answer {
    ANSWER_OK,
    ANSWER_REFUSED,
    ANSWER_BUSY,    /* nothing was applied; later */
    ANSWER_PENDING, /* an earlier try is still at work */
    ANSWER_UNKNOWN,
};

struct buyer {
    struct connection conn;
    struct purchase *purchase;
    enum phase phase;
    int tries;
    int64_t due_us;  /* monotonic: when to act next, unless busy */
    int64_t sent_us; /* busy: since when */
    int64_t patience_us;
};

struct buyers {
    struct buyers_config config;
    struct sockaddr_in address;
    struct history *history;
    struct tally *tally;
    struct buyer *list;
    int epoll;
    uint64_t chance;
    size_t sold;
    bool closed;
    bool settling;
    size_t settled; /* purchases looked at by settle */
};

/* --- requests ------------------------------------------------------------------------------------------------------ */

static void put_request(struct tk_buf *out, const char *method, const char *path, const char *key_prefix,
                        const struct purchase *p, struct tk_slice body)
{
    char user[TK_UUID_TEXT_LEN + 1];
    tk_uuid_format(&p->user, user);
    tk_buf_reset(out);
    tk_buf_appendf(out,
                   "%s %s HTTP/1.1\r\nhost: 127.0.0.1\r\nx-user-id: %s\r\nidempotency-key: %s%s\r\n"
                   "content-type: application/json\r\ncontent-length: %zu\r\n\r\n",
                   method, path, user, key_prefix, user, body.len);
    tk_buf_append_slice(out, body);
}

static void put_hold(struct buyers *b, struct tk_buf *out, const struct purchase *p)
{
    struct tk_buf body = TK_BUF_INIT(1024);
    const struct seat_place *first = &b->history->seats[p->seats[0]];
    tk_buf_appendf(&body, "{\"session_id\":\"%s\",\"seats\":[", TK_UUID_TEXT(&first->session));
    for (int i = 0; i < p->seat_count; i++)
        tk_buf_appendf(&body, "%s{\"session_seat_id\":\"%s\"}", i ? "," : "",
                       TK_UUID_TEXT(&b->history->seats[p->seats[i]].seat));
    tk_buf_append_str(&body, "]}");
    put_request(out, "POST", "/api/v1/reservations", "", p, tk_buf_slice(&body));
    tk_buf_release(&body);
}

static void put_step(struct tk_buf *out, const struct purchase *p, enum phase phase)
{
    static const char BAD_CARD[] = "{\"payment_id\":\"" NEVER_PAYS "\"}";
    char path[128];
    snprintf(path, sizeof(path), "/api/v1/reservations/%s%s", TK_UUID_TEXT(&p->reservation),
             phase == PHASE_PAY ? "/confirm" : "");
    if (phase == PHASE_CANCEL)
        put_request(out, "DELETE", path, "cancel-", p, TK_SLICE(""));
    else
        put_request(out, "POST", path, "pay-", p, p->wish == WISH_BAD_CARD ? TK_SLICE(BAD_CARD) : TK_SLICE("{}"));
}

static void put_phase(struct buyers *b, struct buyer *buyer)
{
    if (buyer->phase == PHASE_HOLD || buyer->phase == PHASE_REPLAY)
        put_hold(b, &buyer->conn.out, buyer->purchase);
    else
        put_step(&buyer->conn.out, buyer->purchase, buyer->phase);
}

/* --- what an answer means ------------------------------------------------------------------------------------------ */

static bool says(struct tk_slice body, const char *code)
{
    return body.len > 0 && memmem(body.ptr, body.len, code, strlen(code)) != NULL;
}

static enum answer classify(const struct response *response)
{
    if (response->status == 200 || response->status == 201)
        return ANSWER_OK;
    if (response->status == 409 && says(response->body, "_in_progress\""))
        return ANSWER_PENDING;
    if (response->status == 429 || (response->status == 503 && !says(response->body, "\"outcome_unknown\"")))
        return ANSWER_BUSY;
    return response->status >= 500 ? ANSWER_UNKNOWN : ANSWER_REFUSED;
}

static void count_answer(struct buyers *b, const struct buyer *buyer, const struct response *response, enum answer answer)
{
    struct second *now = tally_now(b->tally);
    int64_t took_us = tk_mono_us() - buyer->sent_us;
    now->worst_us = took_us > now->worst_us ? took_us : now->worst_us;
    if (answer == ANSWER_OK && buyer->phase == PHASE_HOLD)
        now->held++;
    else if (answer == ANSWER_OK && buyer->phase == PHASE_PAY)
        now->confirmed++;
    else if (answer == ANSWER_OK && buyer->phase == PHASE_CANCEL)
        now->cancelled++;
    else if (answer == ANSWER_BUSY)
        now->busy++;
    else if (response->status >= 500)
        now->unknown++;
    else if (response->status >= 400)
        now->refused++;
}

static uint64_t hash_of(struct tk_slice body)
{
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < body.len; i++)
        hash = (hash ^ (uint8_t)body.ptr[i]) * UINT64_C(1099511628211);
    return hash;
}

static bool find_text(struct tk_slice body, const char *member, char *out, size_t cap)
{
    const char *end = body.ptr + body.len;
    const char *at = memmem(body.ptr, body.len, member, strlen(member));
    size_t len = 0;
    if (at == NULL)
        return false;
    for (at += strlen(member); at < end && *at != '"' && len < cap - 1; at++)
        out[len++] = *at;
    out[len] = '\0';
    return true;
}

static void contradiction(struct buyers *b, const struct purchase *p, const char *what)
{
    b->history->contradictions++;
    printf("CONTRADICTION %s: user=%s reservation=%s\n", what, TK_UUID_TEXT(&p->user), TK_UUID_TEXT(&p->reservation));
}

static void learn_hold(struct buyers *b, struct purchase *p, struct tk_slice body)
{
    char id[TK_UUID_TEXT_LEN + 1];
    char expiry[40];
    p->body_hash = hash_of(body);
    if (!find_text(body, "\"id\":\"", id, sizeof(id)) || tk_uuid_parse(tk_slice_of(id), &p->reservation) ||
        !find_text(body, "\"expiry_time\":\"", expiry, sizeof(expiry)) || tk_time_parse(tk_slice_of(expiry), &p->expiry_us))
        contradiction(b, p, "a 201 that cannot be read");
}

/* --- the life of a purchase ---------------------------------------------------------------------------------------- */

static struct step *step_of(struct buyer *buyer)
{
    switch (buyer->phase) {
    case PHASE_HOLD:
        return &buyer->purchase->hold;
    case PHASE_PAY:
        return &buyer->purchase->confirm;
    case PHASE_CANCEL:
        return &buyer->purchase->cancel;
    default:
        return NULL;
    }
}

static void enter(struct buyer *buyer, enum phase phase, int64_t wait_us)
{
    struct step *step;
    buyer->phase = phase;
    buyer->tries = 0;
    buyer->due_us = tk_mono_us() + wait_us;
    buyer->patience_us = buyer->due_us + STEP_PATIENCE_US;
    step = step_of(buyer);
    if (step != NULL && step->outcome == OUTCOME_NOT_ASKED) {
        step->outcome = OUTCOME_NOT_APPLIED; /* until a request has left */
        step->invoked_us = tk_unix_us();
    }
}

/* Uniform around what makes `rate` purchases a second of all buyers. */
static void rest(struct buyers *b, struct buyer *buyer)
{
    int64_t mean_us = (int64_t)((double)b->config.buyers / b->config.rate * 1e6);
    buyer->purchase = NULL;
    enter(buyer, PHASE_REST, b->settling ? 0 : chance_between(&b->chance, 0, 2 * mean_us));
}

static void think(struct buyers *b, struct buyer *buyer)
{
    enter(buyer, PHASE_THINK, chance_between(&b->chance, 0, THINK_MAX_US));
}

static void choose_seats(struct buyers *b, struct purchase *p)
{
    const struct history *h = b->history;
    size_t window = (size_t)(b->config.rate * WINDOW_S);
    window = window < h->seat_count ? window : h->seat_count;
    size_t base = b->sold < h->seat_count - window ? b->sold : h->seat_count - window;
    size_t at = base + (size_t)chance_between(&b->chance, 0, (int64_t)window - 1);
    size_t wanted = (size_t)chance_between(&b->chance, 1, PURCHASE_MAX_SEATS);
    while (p->seat_count < wanted && at < h->seat_count &&
           (p->seat_count == 0 || tk_uuid_eq(&h->seats[at].session, &h->seats[p->seats[0]].session)))
        p->seats[p->seat_count++] = (uint32_t)at++;
}

static void begin_purchase(struct buyers *b, struct buyer *buyer)
{
    int64_t wish = chance_between(&b->chance, 0, 99);
    struct purchase *p = history_add(b->history);
    p->wish = wish < 55 ? WISH_CONFIRM : wish < 78 ? WISH_CANCEL : wish < 95 ? WISH_ABANDON : WISH_BAD_CARD;
    p->replays = chance_between(&b->chance, 0, 9) == 0;
    choose_seats(b, p);
    buyer->purchase = p;
    enter(buyer, PHASE_HOLD, 0);
}

static void act_on_wish(struct buyers *b, struct buyer *buyer)
{
    if (buyer->purchase->wish == WISH_ABANDON)
        rest(b, buyer);
    else
        enter(buyer, buyer->purchase->wish == WISH_CANCEL ? PHASE_CANCEL : PHASE_PAY, 0);
}

/* The step that needs settling, if any. */
static enum phase unsettled(const struct purchase *p)
{
    if (p->hold.outcome == OUTCOME_UNKNOWN)
        return PHASE_HOLD;
    if (p->confirm.outcome == OUTCOME_UNKNOWN)
        return PHASE_PAY;
    return p->cancel.outcome == OUTCOME_UNKNOWN ? PHASE_CANCEL : PHASE_REST;
}

static void next_to_settle(struct buyers *b, struct buyer *buyer)
{
    while (b->settled < b->history->count) {
        struct purchase *p = b->history->purchases[b->settled++];
        enum phase phase = unsettled(p);
        if (phase == PHASE_REST)
            continue;
        buyer->purchase = p;
        enter(buyer, phase, 0);
        return;
    }
    buyer->due_us = INT64_MAX;
}

static void after_step(struct buyers *b, struct buyer *buyer, bool ok)
{
    struct purchase *p = buyer->purchase;
    if (buyer->phase == PHASE_PAY && ok)
        b->sold += p->seat_count;
    if (buyer->phase == PHASE_HOLD && ok && p->replays && !b->settling)
        enter(buyer, PHASE_REPLAY, chance_between(&b->chance, 0, 300 * TK_US_PER_MS));
    else if (((buyer->phase == PHASE_HOLD && ok) || buyer->phase == PHASE_REPLAY) && !b->settling)
        think(b, buyer);
    else
        rest(b, buyer);
}

/* Not yet: again later, or never again when patience is over. */
static void try_later(struct buyers *b, struct buyer *buyer)
{
    int shift = buyer->tries < MAX_RETRY_SHIFT ? buyer->tries : MAX_RETRY_SHIFT;
    int64_t wait_us = FIRST_RETRY_US << shift;
    buyer->tries++;
    buyer->due_us = tk_mono_us() + chance_between(&b->chance, wait_us / 2, wait_us);
    if (buyer->due_us > buyer->patience_us && !b->settling)
        after_step(b, buyer, false);
}

static void check_refusal(struct buyers *b, const struct buyer *buyer, const struct response *response)
{
    const struct purchase *p = buyer->purchase;
    if (response->status != 402 && response->status != 404 && response->status != 409 && response->status != 410) {
        printf("%d %.*s\n", response->status, (int)response->body.len, response->body.ptr);
        contradiction(b, p, "a sound request is refused");
    }
    if (buyer->phase == PHASE_HOLD)
        return;
    if (response->status == 404)
        contradiction(b, p, "an acknowledged reservation is not found");
    if (response->status == 410 && tk_unix_us() < p->expiry_us)
        contradiction(b, p, "a hold expired early");
}

static void finish_step(struct buyers *b, struct buyer *buyer, const struct response *response, enum answer answer)
{
    struct step *step = step_of(buyer);
    if (buyer->phase == PHASE_HOLD && answer == ANSWER_OK)
        learn_hold(b, buyer->purchase, response->body);
    if (answer == ANSWER_REFUSED)
        check_refusal(b, buyer, response);
    if (buyer->phase == PHASE_REPLAY && (answer != ANSWER_OK || hash_of(response->body) != buyer->purchase->body_hash))
        contradiction(b, buyer->purchase, "a replay that differs from the first answer");
    if (step != NULL) {
        step->outcome = answer == ANSWER_OK ? OUTCOME_OK : OUTCOME_REFUSED;
        step->answered_us = tk_unix_us();
    }
    after_step(b, buyer, answer == ANSWER_OK);
}

static void in_doubt(struct buyer *buyer)
{
    struct step *step = step_of(buyer);
    if (step == NULL)
        return;
    step->outcome = OUTCOME_UNKNOWN;
    step->was_unknown = true;
}

static void on_answer(struct buyers *b, struct buyer *buyer, const struct response *response)
{
    enum answer answer = classify(response);
    count_answer(b, buyer, response, answer);
    if (answer == ANSWER_OK || answer == ANSWER_REFUSED) {
        finish_step(b, buyer, response, answer);
        return;
    }
    if (answer != ANSWER_BUSY)
        in_doubt(buyer);
    try_later(b, buyer);
}

static void hang_up(struct buyers *b, struct buyer *buyer, bool silent)
{
    bool was_busy = buyer->conn.busy;
    connection_close(&buyer->conn);
    if (!was_busy)
        return;
    if (silent)
        tally_now(b->tally)->silent++;
    else
        tally_now(b->tally)->broken++;
    in_doubt(buyer);
    try_later(b, buyer);
}

/* --- connections --------------------------------------------------------------------------------------------------- */

static bool connect_buyer(struct buyers *b, struct buyer *buyer)
{
    if (connection_open(&buyer->conn, &b->address) != TK_OK)
        return false;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.ptr = buyer};
    return epoll_ctl(b->epoll, EPOLL_CTL_ADD, buyer->conn.fd, &event) == 0;
}

static void send_request(struct buyers *b, struct buyer *buyer)
{
    if (buyer->conn.fd < 0 && !connect_buyer(b, buyer)) {
        try_later(b, buyer); /* nothing left this process: no doubt */
        return;
    }
    put_phase(b, buyer);
    buyer->sent_us = tk_mono_us();
    if (connection_send(&buyer->conn) != TK_OK)
        hang_up(b, buyer, false);
}

static void receive(struct buyers *b, struct buyer *buyer)
{
    struct response response;
    enum tk_err err = connection_receive(&buyer->conn, &response);
    if (err == TK_OK) {
        on_answer(b, buyer, &response);
        if (response.closes)
            connection_close(&buyer->conn);
    } else if (err != TK_ERR_TIMEOUT)
        hang_up(b, buyer, false);
}

static void act(struct buyers *b, struct buyer *buyer, int64_t now_us)
{
    if (buyer->conn.busy) {
        if (now_us > buyer->sent_us + ANSWER_WAIT_US)
            hang_up(b, buyer, true);
        return;
    }
    if (now_us < buyer->due_us)
        return;
    if (buyer->phase == PHASE_REST && b->settling)
        next_to_settle(b, buyer);
    else if (buyer->phase == PHASE_REST && !b->closed)
        begin_purchase(b, buyer);
    else if (buyer->phase == PHASE_THINK)
        act_on_wish(b, buyer);
    else if (buyer->phase != PHASE_REST)
        send_request(b, buyer);
}

/* --- from outside -------------------------------------------------------------------------------------------------- */

struct buyers *buyers_new(const struct buyers_config *config, struct history *history, struct tally *tally)
{
    struct buyers *b = tk_alloc(sizeof(*b));
    *b = (struct buyers){.config = *config, .history = history, .tally = tally, .chance = config->seed};
    b->epoll = epoll_create1(EPOLL_CLOEXEC);
    b->list = tk_alloc((size_t)config->buyers * sizeof(*b->list));
    buyers_redirect(b, config->port);
    for (int i = 0; i < config->buyers; i++) {
        b->list[i].conn.fd = -1;
        rest(b, &b->list[i]);
    }
    return b;
}

void buyers_free(struct buyers *buyers)
{
    for (int i = 0; i < buyers->config.buyers; i++)
        connection_close(&buyers->list[i].conn);
    free(buyers->list);
    free(buyers);
}

void buyers_redirect(struct buyers *buyers, uint16_t port)
{
    buyers->address =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

void buyers_turn(struct buyers *buyers, int wait_ms)
{
    struct epoll_event events[MAX_EVENTS];
    int n = epoll_wait(buyers->epoll, events, MAX_EVENTS, wait_ms);
    for (int i = 0; i < n; i++)
        receive(buyers, events[i].data.ptr);
    for (int i = 0; i < buyers->config.buyers; i++)
        act(buyers, &buyers->list[i], tk_mono_us());
}

void buyers_close_shop(struct buyers *buyers)
{
    buyers->closed = true;
}

int buyers_busy(const struct buyers *buyers)
{
    int busy = 0;
    for (int i = 0; i < buyers->config.buyers; i++)
        busy += buyers->list[i].phase != PHASE_REST;
    return busy + (buyers->settling && buyers->settled < buyers->history->count);
}

int buyers_settle(struct buyers *buyers)
{
    int count = 0;
    buyers->settling = true;
    buyers->settled = 0;
    for (size_t i = 0; i < buyers->history->count; i++)
        count += unsettled(buyers->history->purchases[i]) != PHASE_REST;
    for (int i = 0; i < buyers->config.buyers; i++)
        if (buyers->list[i].phase == PHASE_REST)
            buyers->list[i].due_us = 0;
    return count;
}
