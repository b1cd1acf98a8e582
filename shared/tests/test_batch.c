#include <criterion/criterion.h>

#include "shared/base/clock.h"
#include "shared/loop/loop.h"
#include "shared/pg/batch.h"

enum { ITEMS = 64 };

struct order {
    struct tk_batch_item item;
    int key;
    int sent;    /* batch number, from 1 */
    int dropped; /* times */
};

struct bench {
    struct tk_loop *loop;
    struct tk_batch *batch;
    struct tk_flight *flights[8];
    size_t flight_count;
    int batches;
    size_t last_size;
    int keys[ITEMS];
    size_t key_count;
    struct order orders[ITEMS];
};

static struct order *order_of(struct tk_batch_item *item)
{
    return TK_CONTAINER_OF(item, struct order, item);
}

static void forget_keys(void *ctx)
{
    ((struct bench *)ctx)->key_count = 0;
}

static bool join_unless_key_taken(void *ctx, struct tk_batch_item *item)
{
    struct bench *bench = ctx;
    bool taken = false;
    for (size_t i = 0; i < bench->key_count; i++)
        taken = taken || bench->keys[i] == order_of(item)->key;
    bench->keys[bench->key_count++] = order_of(item)->key;
    return !taken;
}

static void remember_flight(void *ctx, struct tk_flight *flight)
{
    struct bench *bench = ctx;
    bench->batches++;
    bench->last_size = flight->count;
    bench->flights[bench->flight_count++] = flight;
    for (size_t i = 0; i < flight->count; i++)
        order_of(flight->items[i])->sent = bench->batches;
}

static void count_drop(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    order_of(item)->dropped++;
}

#define OVERTAKEN_KEY (-1)

static bool key_says_overtaken(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    return order_of(item)->key == OVERTAKEN_KEY;
}

static const struct tk_batch_ops OPS = {.begin = forget_keys,
                                        .join = join_unless_key_taken,
                                        .send = remember_flight,
                                        .drop = count_drop,
                                        .overtaken = key_says_overtaken};

static void setup(struct bench *bench, struct tk_batch_config config)
{
    *bench = (struct bench){.loop = tk_loop_create()};
    config.name = "test";
    bench->batch = tk_batch_new(bench->loop, &config, &OPS, bench);
    for (int i = 0; i < ITEMS; i++) {
        bench->orders[i].key = i;
        bench->orders[i].item.deadline_us = tk_mono_us() + 60 * TK_US_PER_S;
    }
}

static void submit(struct bench *bench, int first, int last)
{
    for (int i = first; i <= last; i++)
        cr_assert_eq(tk_batch_submit(bench->batch, &bench->orders[i].item), TK_OK);
}

static void land_oldest(struct bench *bench)
{
    struct tk_flight *flight = bench->flights[0];
    for (size_t i = 1; i < bench->flight_count; i++)
        bench->flights[i - 1] = bench->flights[i];
    bench->flight_count--;
    tk_batch_landed(flight);
}

static struct bench bench;

Test(batch, one_item_leaves_at_the_end_of_the_turn)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    submit(&bench, 0, 0);
    cr_assert_eq(bench.batches, 0, "never inside submit");
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.batches, 1);
    cr_assert_eq(bench.last_size, 1);
}

Test(batch, items_gather_while_a_batch_is_in_flight)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    submit(&bench, 0, 0);
    tk_loop_turn(bench.loop, 0);
    submit(&bench, 1, 25);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.batches, 1);
    for (int batches = 2; batches <= 4; batches++) {
        land_oldest(&bench);
        tk_loop_turn(bench.loop, 0);
        cr_assert_eq(bench.batches, batches);
    }
    cr_assert_eq(bench.last_size, 5, "25 = 10 + 10 + 5");
    cr_assert_eq(tk_batch_queued(bench.batch), 0);
}

Test(batch, what_was_overtaken_in_the_queue_is_dropped)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    submit(&bench, 0, 0);
    tk_loop_turn(bench.loop, 0);
    submit(&bench, 1, 5);
    for (int i = 2; i <= 4; i++)
        bench.orders[i].key = OVERTAKEN_KEY;
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.last_size, 2);
    cr_assert_eq(bench.orders[3].dropped, 1);
    cr_assert_eq(bench.orders[5].dropped, 0);
    cr_assert_eq(tk_batch_queued(bench.batch), 0);
}

Test(batch, several_flights_may_be_out)
{
    setup(&bench, (struct tk_batch_config){.max_items = 2, .max_in_flight = 3, .max_queued = 100});
    submit(&bench, 0, 9);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(tk_batch_in_flight(bench.batch), 3);
    cr_assert_eq(tk_batch_queued(bench.batch), 4);
}

Test(batch, beside_another_only_a_full_batch_leaves)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 2, .max_queued = 100});
    submit(&bench, 0, 0);
    tk_loop_turn(bench.loop, 0);
    submit(&bench, 1, 9);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.batches, 1, "nine of ten wait");
    submit(&bench, 10, 10);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(tk_batch_in_flight(bench.batch), 2);
    cr_assert_eq(tk_batch_queued(bench.batch), 0);
}

static bool never_join(void *ctx, struct tk_batch_item *item)
{
    (void)ctx;
    (void)item;
    return false;
}

Test(batch, an_item_at_odds_with_itself_travels_alone)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    struct tk_batch_ops ops = OPS;
    ops.join = never_join;
    bench.batch = tk_batch_new(
        bench.loop, &(struct tk_batch_config){.name = "odd", .max_items = 10, .max_in_flight = 1, .max_queued = 100}, &ops,
        &bench);
    submit(&bench, 0, 1);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.last_size, 1);
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[1].sent, 2);
}

Test(batch, a_conflicting_item_waits_and_is_not_overtaken)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    bench.orders[1].key = 0;
    bench.orders[3].key = 0;
    submit(&bench, 0, 3);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.last_size, 2, "items 0 and 2");
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[1].sent, 2);
    cr_assert_eq(bench.orders[3].sent, 0, "the third of one key waits for the third batch");
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[3].sent, 3);
}

Test(batch, weight_caps_a_batch_and_a_heavy_item_goes_alone)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_weight = 5, .max_in_flight = 1, .max_queued = 100});
    bench.orders[0].item.weight = 3;
    bench.orders[1].item.weight = 3;
    bench.orders[2].item.weight = 50;
    submit(&bench, 0, 2);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[1].sent, 0);
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[1].sent, 2);
    land_oldest(&bench);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.orders[2].sent, 3);
    cr_assert_eq(bench.last_size, 1);
}

Test(batch, a_full_queue_refuses_and_leaves_the_item_alone)
{
    setup(&bench, (struct tk_batch_config){.max_items = 1, .max_in_flight = 1, .max_queued = 3});
    submit(&bench, 0, 2);
    cr_assert_eq(tk_batch_submit(bench.batch, &bench.orders[3].item), TK_ERR_LIMIT);
    cr_assert_not(tk_link_is_linked(&bench.orders[3].item.link));
}

Test(batch, overdue_items_are_dropped_exactly_once)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 1, .max_queued = 100});
    bench.orders[1].item.deadline_us = tk_mono_us() - 1;
    submit(&bench, 0, 2);
    tk_loop_turn(bench.loop, 0);
    cr_assert_eq(bench.last_size, 2);
    cr_assert_eq(bench.orders[1].dropped, 1);
    cr_assert_eq(bench.orders[1].sent, 0);
}

Test(batch, a_slow_queue_refuses_by_time)
{
    setup(&bench, (struct tk_batch_config){.max_items = 1, .max_in_flight = 1, .max_queued = 100, .max_wait_us = 5000});
    submit(&bench, 0, 0);
    tk_loop_turn(bench.loop, 0);
    bench.flights[0]->sent_us -= 80 * TK_US_PER_MS; /* as if it had taken 80 ms: the average moves to 10 ms */
    land_oldest(&bench);
    submit(&bench, 1, 1);
    tk_loop_turn(bench.loop, 0);
    cr_assert_geq(tk_batch_estimated_wait_us(bench.batch), 10000);
    cr_assert_eq(tk_batch_submit(bench.batch, &bench.orders[2].item), TK_ERR_LIMIT);
}

Test(batch, freeing_drops_what_waits)
{
    setup(&bench, (struct tk_batch_config){.max_items = 1, .max_in_flight = 1, .max_queued = 100});
    submit(&bench, 0, 4);
    tk_batch_free(bench.batch);
    for (int i = 0; i < 5; i++)
        cr_assert_eq(bench.orders[i].dropped, 1);
}

Test(batch, time_of_many_items_follows_the_latest_flights)
{
    setup(&bench, (struct tk_batch_config){.max_items = 10, .max_in_flight = 2, .max_queued = 100});
    cr_assert_eq(tk_batch_time_us(bench.batch, 1000), 0, "nothing is known yet");
    for (int i = 0; i < 20; i++) {
        submit(&bench, i, i);
        tk_loop_turn(bench.loop, 0);
        const int64_t until_us = tk_mono_us() + 2 * TK_US_PER_MS;
        while (tk_mono_us() < until_us) /* a flight of two milliseconds */
            continue;
        land_oldest(&bench);
    }
    cr_assert_gt(tk_batch_time_us(bench.batch, 100), 7 * TK_US_PER_MS, "five rounds of two full batches");
    cr_assert_eq(tk_batch_time_us(bench.batch, 0), 0);
}

Test(batch, a_flight_that_does_not_return_counts_as_slow)
{
    setup(&bench, (struct tk_batch_config){.max_items = 1, .max_in_flight = 2, .max_queued = 100, .max_wait_us = 5000});
    submit(&bench, 0, 1);
    tk_loop_turn(bench.loop, 0);
    bench.flights[0]->sent_us -= 80 * TK_US_PER_MS;
    cr_assert_geq(tk_batch_time_us(bench.batch, 3), 3 * 40 * TK_US_PER_MS, "the slower of the two that are out");
    cr_assert_eq(tk_batch_submit(bench.batch, &bench.orders[2].item), TK_ERR_LIMIT);
    land_oldest(&bench);
    cr_assert_lt(tk_batch_time_us(bench.batch, 3), 3 * 40 * TK_US_PER_MS, "back, it is one of eight");
}
