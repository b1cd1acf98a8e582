/*
 * A buyer is a small state machine around one connection:
 *
 *   REST ─▶ HOLD ─▶ (REPLAY) ─▶ THINK ─┬▶ PAY ─▶ READ ─┬▶ REST
 *                                      └▶ CANCEL ──────┘
 *
 * In HOLD, REPLAY, PAY, READ and CANCEL a request is either on its way (conn.busy) or waits for its next try (due_us). A
 * step ends with a final answer, or when patience ends: then it stays unknown, to be settled after the last fault.
 */
#include "tests/chaos/buyers.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "shared/base/clock.h"
#include "shared/base/mem.h"
#include "tests/chaos/plan.h"
#include "tests/chaos/wire.h"

#define MAX_EVENTS       256
#define ANSWER_WAIT_US   (5 * TK_US_PER_S)  /* more than twice what the service promises: then the buyer hangs up */
#define STEP_PATIENCE_US (10 * TK_US_PER_S) /* tries to the same end */
#define FIRST_RETRY_US   (100 * TK_US_PER_MS)
#define MAX_RETRY_SHIFT  4
#define THINK_MAX_US     (1500 * TK_US_PER_MS)
#define WINDOW_S         20 /* the window holds this many seconds of purchases: about one try in four meets somebody else's */

enum phase { PHASE_REST, PHASE_HOLD, PHASE_REPLAY, PHASE_THINK, PHASE_PAY, PHASE_READ, PHASE_CANCEL };

struct buyer {
    struct connection conn;
    struct purchase *purchase;
    enum phase phase;
    int tries;
    int64_t due_us;  /* monotonic: when to act next, unless busy */
    int64_t sent_us; /* busy: since when */
    int64_t patience_us;
    uint32_t purchases;
    size_t next_seat; /* when buyers keep apart: within the buyer's own part of the hall */
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

/* --- requests and answers ------------------------------------------------------------------------------------------ */

static void put_phase(struct buyers *b, struct buyer *buyer)
{
    struct tk_buf *out = &buyer->conn.out;
    const struct purchase *p = buyer->purchase;
    switch (buyer->phase) {
    case PHASE_PAY:
        wire_put_pay(out, p);
        return;
    case PHASE_CANCEL:
        wire_put_cancel(out, p);
        return;
    case PHASE_READ:
        if (p->reads_tickets)
            wire_put_read_tickets(out, p);
        else
            wire_put_read_reservation(out, p);
        return;
    default:
        wire_put_hold(out, b->history, p);
    }
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

static void contradiction(struct buyers *b, const struct purchase *p, const char *what)
{
    b->history->contradictions++;
    printf("CONTRADICTION %s: user=%s reservation=%s\n", what, TK_UUID_TEXT(&p->user), TK_UUID_TEXT(&p->reservation));
}

static void learn_hold(struct buyers *b, struct purchase *p, struct tk_slice body)
{
    char id[TK_UUID_TEXT_LEN + 1];
    char expiry[40];
    p->body_hash = wire_hash(body);
    if (!wire_find(body, "\"id\":\"", id, sizeof(id)) || tk_uuid_parse(tk_slice_of(id), &p->reservation) ||
        !wire_find(body, "\"expiry_time\":\"", expiry, sizeof(expiry)) || tk_time_parse(tk_slice_of(expiry), &p->expiry_us))
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

/* The window moves through the hall as it sells; who keeps apart goes through a part of his own, every seat once. */
static size_t first_seat(struct buyers *b, struct buyer *buyer, size_t wanted, uint64_t *chance)
{
    size_t count = b->history->seat_count;
    if (b->config.apart) {
        size_t part = count / (size_t)b->config.buyers;
        size_t at = part * (size_t)(buyer - b->list) + buyer->next_seat % part;
        buyer->next_seat += wanted;
        return at;
    }
    size_t window = (size_t)(b->config.rate * WINDOW_S);
    window = window < count ? window : count;
    size_t base = b->sold < count - window ? b->sold : count - window;
    return base + (size_t)chance_between(chance, 0, (int64_t)window - 1);
}

static void choose_seats(struct buyers *b, struct buyer *buyer, struct purchase *p, uint64_t *chance)
{
    const struct history *h = b->history;
    size_t wanted = p->wish == WISH_TOO_MANY ? PURCHASE_MAX_SEATS : (size_t)chance_between(chance, 1, BUYERS_SEAT_LIMIT);
    size_t at = first_seat(b, buyer, wanted, chance);
    while (p->seat_count < wanted && at < h->seat_count &&
           (p->seat_count == 0 || tk_uuid_eq(&h->seats[at].session, &h->seats[p->seats[0]].session)))
        p->seats[p->seat_count++] = (uint32_t)at++;
    if (p->wish == WISH_TOO_MANY && p->seat_count <= BUYERS_SEAT_LIMIT) /* the session ends here */
        p->wish = WISH_ABANDON;
}

static enum wish draw_wish(uint64_t *chance)
{
    int64_t at = chance_between(chance, 0, 99);
    return at < 55   ? WISH_CONFIRM
           : at < 78 ? WISH_CANCEL
           : at < 93 ? WISH_ABANDON
           : at < 98 ? WISH_BAD_CARD
                     : WISH_TOO_MANY;
}

/* What a buyer's n-th purchase is, depends on the seed alone. */
static void begin_purchase(struct buyers *b, struct buyer *buyer)
{
    struct purchase *p = history_add(b->history);
    p->buyer = (uint32_t)(buyer - b->list);
    p->nth = buyer->purchases++;
    uint64_t chance = b->config.seed + ((uint64_t)p->buyer << 32) + p->nth;
    p->wish = draw_wish(&chance);
    p->replays = chance_between(&chance, 0, 9) == 0;
    p->reads_tickets = chance_between(&chance, 0, 1) == 0;
    choose_seats(b, buyer, p, &chance);
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
    if (buyer->phase == PHASE_PAY && outcome_is_final(p->confirm.outcome))
        enter(buyer, PHASE_READ, 0);
    else if (buyer->phase == PHASE_HOLD && ok && p->replays && !b->settling)
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

/* Who was told how his payment went reads it back: whatever the services meant to do later, it must be so already. */
static void check_read(struct buyers *b, const struct purchase *p, struct tk_slice body)
{
    char status[16] = "";
    bool paid = p->confirm.outcome == OUTCOME_OK;
    b->history->reads++;
    if (p->reads_tickets) {
        if (wire_count(body, "\"session_seat_id\"") != (paid ? p->seat_count : 0))
            contradiction(b, p, paid ? "paid, and not all tickets can be read" : "not paid, and yet there are tickets");
        return;
    }
    (void)wire_find(body, "\"status\":\"", status, sizeof(status));
    bool pays = strcmp(status, "confirmed") == 0 || strcmp(status, "paying") == 0;
    if (paid && strcmp(status, "confirmed") != 0)
        contradiction(b, p, "a payment answered 200 reads otherwise");
    else if (!paid && pays)
        contradiction(b, p, "a payment that was refused reads otherwise");
}

static void finish_step(struct buyers *b, struct buyer *buyer, const struct response *response, enum answer answer)
{
    struct step *step = step_of(buyer);
    if (buyer->phase == PHASE_HOLD && answer == ANSWER_OK)
        learn_hold(b, buyer->purchase, response->body);
    if (buyer->phase == PHASE_HOLD && answer == ANSWER_OK && buyer->purchase->wish == WISH_TOO_MANY)
        contradiction(b, buyer->purchase, "more seats than one may hold");
    if (buyer->phase == PHASE_READ && answer == ANSWER_OK)
        check_read(b, buyer->purchase, response->body);
    if (answer == ANSWER_REFUSED)
        check_refusal(b, buyer, response);
    if (buyer->phase == PHASE_REPLAY && (answer != ANSWER_OK || wire_hash(response->body) != buyer->purchase->body_hash))
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
    enum answer answer = wire_classify(response);
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
