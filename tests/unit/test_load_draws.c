/* Properties of what the load generator draws: arrivals, items, places, stock, orders. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alias_draw.h"
#include "geo.h"
#include "load_network.h"
#include "load_run.h"
#include "stock_model.h"
#include "workload.h"
#include "zip3.h"

static struct load_opts opts_of(int argc, const char *const *argv)
{
    struct load_opts opts;
    assert_int_equal(load_opts_parse(&opts, argc, argv), LOAD_OPTS_RUN);
    return opts;
}

/* A small network with its workload, from flags. */
struct world {
    struct load_opts opts;
    struct network network;
    struct workload workload;
    struct stock_model model;
};

static void world_init(struct world *world, const char *kind, const char *seed)
{
    const char *const argv[] = {"x",   "--workload", kind,   "--seed", seed, "--nodes",
                                "200", "--items",    "5000", "--tag",  "7"};
    world->opts = opts_of(11, argv);
    assert_int_equal(load_network_init(&world->network, &world->opts), ERR_OK);
    assert_int_equal(workload_init(&world->workload, &world->opts, &world->network), ERR_OK);
    stock_model_init(&world->model, &world->opts, &world->network, world->opts.items);
}

static void world_close(struct world *world)
{
    workload_close(&world->workload);
    load_network_close(&world->network);
}

/* Gaps between arrivals have the mean and the spread of a Poisson process. */
static void arrivals_are_poisson(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 1);
    double sum = 0, squares = 0;
    const int count = 400000;
    for (int i = 0; i < count; i++) {
        double gap = (double)load_run_gap_ns(&rng, 5000) / 1e9;
        sum += gap;
        squares += gap * gap;
    }
    double mean = sum / count;
    double deviation = sqrt(squares / count - mean * mean);
    assert_true(fabs(mean * 5000 - 1) < 0.01);
    assert_true(fabs(deviation * 5000 - 1) < 0.01);
}

/* Frequencies follow 1 / rank^exponent: the slope on logarithmic scales is the exponent. */
static void zipf_has_its_slope(void **state)
{
    (void)state;
    enum { ITEMS = 1000, DRAWS = 2000000 };
    static uint32_t counts[ITEMS];
    struct alias alias;
    struct rng rng;
    rng_init(&rng, 2);
    assert_int_equal(alias_init_zipf(&alias, ITEMS, 0.8), ERR_OK);
    for (int i = 0; i < DRAWS; i++) {
        counts[alias_draw(&alias, &rng)]++;
    }
    double slope = log((double)counts[0] / counts[99]) / log(100.0);
    assert_true(fabs(slope - 0.8) < 0.05);
    assert_true(counts[ITEMS - 1] > 0);
    alias_close(&alias);
}

/* Weights of 0 are never drawn, and shares are those of the weights. */
static void alias_keeps_shares(void **state)
{
    (void)state;
    const double weights[] = {0, 1, 0, 3, 6, 0};
    uint32_t counts[6] = {0};
    struct alias alias;
    struct rng rng;
    rng_init(&rng, 3);
    assert_int_equal(alias_init(&alias, weights, 6), ERR_OK);
    for (int i = 0; i < 100000; i++) {
        counts[alias_draw(&alias, &rng)]++;
    }
    assert_int_equal(counts[0] + counts[2] + counts[5], 0);
    assert_true(abs((int)counts[1] - 10000) < 500);
    assert_true(abs((int)counts[4] - 60000) < 1000);
    alias_close(&alias);
}

/* The table is sorted, inside the United States, and holds nearly all people counted in 2010. */
static void zip3_is_sane(void **state)
{
    (void)state;
    uint64_t people = 0;
    for (uint32_t i = 0; i < zip3_count; i++) {
        const struct zip3 *row = &zip3_rows[i];
        assert_true(i == 0 || strcmp(zip3_rows[i - 1].digits, row->digits) < 0);
        assert_int_equal(strlen(row->digits), 3);
        assert_true(row->lat > 17 && row->lat < 72 && row->lon > -180 && row->lon < -60);
        people += row->people;
    }
    assert_in_range(zip3_count, 880, 900);
    assert_in_range(people, 300000000, 309000000);
}

/* The ten warehouse sites lie at least 500 km apart, the most populous area first. */
static void warehouses_are_apart(void **state)
{
    (void)state;
    uint32_t rows[10];
    assert_int_equal(network_choose_apart(10, 500000, rows), 10);
    for (uint32_t i = 0; i < zip3_count; i++) {
        assert_true(zip3_rows[i].people <= zip3_rows[rows[0]].people);
    }
    for (int a = 0; a < 10; a++) {
        struct geo_point here = geo_point(zip3_rows[rows[a]].lat, zip3_rows[rows[a]].lon);
        for (int b = 0; b < a; b++) {
            struct geo_point there = geo_point(zip3_rows[rows[b]].lat, zip3_rows[rows[b]].lon);
            assert_true(geo_metres(&here, &there) >= 500000);
        }
    }
}

/* Orders are the same for the same seed and number, in any order, and others for another seed. */
static void orders_are_reproducible(void **state)
{
    (void)state;
    static struct world first, second, other;
    static struct order a, b;
    world_init(&first, "consumer", "11");
    world_init(&second, "consumer", "11");
    world_init(&other, "consumer", "12");
    uint32_t differing = 0;
    for (uint64_t i = 0; i < 1000; i++) {
        workload_draw(&first.workload, i, &a);
        workload_draw(&second.workload, i, &b);
        assert_int_equal(a.count, b.count);
        assert_memory_equal(a.lines, b.lines, a.count * sizeof a.lines[0]);
        assert_true(a.lat == b.lat && a.lon == b.lon);
        workload_draw(&other.workload, i, &b);
        differing += a.lat != b.lat;
    }
    assert_true(differing > 950);
    world_close(&first);
    world_close(&second);
    world_close(&other);
}

/* The consumer mix: 90 % of orders have 1 to 5 lines, 9.5 % 6 to 50, the rest more. */
static void consumer_mix_has_its_shares(void **state)
{
    (void)state;
    static struct world world;
    static struct order order;
    world_init(&world, "consumer", "1");
    uint32_t small = 0, middle = 0;
    for (uint64_t i = 0; i < 100000; i++) {
        workload_draw(&world.workload, i, &order);
        assert_in_range(order.count, 1, 200);
        small += order.count <= 5;
        middle += order.count > 5 && order.count <= 50;
    }
    assert_in_range(small, 89500, 90500);
    assert_in_range(middle, 9200, 9800);
    world_close(&world);
}

/* Two-line orders ask for two different items. */
static void two_line_items_differ(void **state)
{
    (void)state;
    static struct world world;
    static struct order order;
    world_init(&world, "two-line", "1");
    for (uint64_t i = 0; i < 10000; i++) {
        workload_draw(&world.workload, i, &order);
        assert_int_equal(order.count, 2);
        assert_int_not_equal(order.lines[0].item, order.lines[1].item);
        assert_true(order.lines[0].item < 5000 && order.lines[1].item < 5000);
    }
    world_close(&world);
}

/* Warehouses hold 70 % of the items, stores 5 to 30 %; each decade of quantities is as likely. */
static void stock_has_its_shape(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, "consumer", "1");
    for (uint32_t node = 0; node < world.network.count; node++) {
        uint32_t held = 0, low = 0, high = 0;
        for (uint32_t item = 256; item < 5000; item++) {
            uint32_t units = stock_model_units(&world.model, node, item);
            held += units > 0;
            low += units >= 1 && units < 10;
            high += units >= 10 && units < 100;
        }
        double share = held / 4744.0;
        if (world.network.sites[node].is_warehouse) {
            assert_true(share > 0.67 && share < 0.73);
            assert_true(fabs((double)low / held - 0.25) < 0.04);
        } else {
            assert_true(share > 0.035 && share < 0.325);
            assert_true(fabs((double)low / (low + high) - 0.5) < 0.13);
        }
    }
    world_close(&world);
}

/* An order's id gives its number back, and the id of another run does not. */
static void order_id_round_trip(void **state)
{
    (void)state;
    static struct world world;
    world_init(&world, "consumer", "1");
    const uint64_t numbers[] = {0, 1, 255, 123456789, (UINT64_C(1) << 46) + 5};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char id[ORDER_ID_SIZE];
        uint64_t number = 0;
        workload_order_id(&world.workload, numbers[i], id);
        assert_true(workload_order_number(&world.workload, id, sizeof id, &number));
        assert_true(number == numbers[i]);
        id[3] ^= 1;
        assert_false(workload_order_number(&world.workload, id, sizeof id, &number));
    }
    world_close(&world);
}

/* With arrivals and lives of equal rate the wheel holds rate times mean life, and no more. */
static void life_is_steady(void **state)
{
    (void)state;
    static struct life_wheel wheel;
    struct rng rng;
    rng_init(&rng, 4);
    const uint64_t step = 1000000;
    uint64_t taken = 0, now = 1000 * step;
    life_wheel_init(&wheel, 500 * step, now);
    for (uint64_t i = 0; i < 5000; i++, now += step) {
        for (uint64_t k = 0; k < 10; k++) {
            uint32_t words[3] = {(uint32_t)i, (uint32_t)k, 77};
            life_wheel_add(&wheel, now + load_run_gap_ns(&rng, 10), i * 10 + k, words,
                           (uint32_t)(1 + k % 3));
        }
        struct life_record record;
        while (life_wheel_take(&wheel, now, &record)) {
            assert_int_equal(record.words[0], record.order / 10);
            taken++;
        }
        if (i > 1000) {
            assert_in_range(wheel.waiting, 850, 1150);
        }
    }
    assert_int_equal(taken + wheel.waiting, 50000);
    life_wheel_close(&wheel);
}

/* No record comes before its time, nor later than one slot after it. */
static void life_keeps_its_times(void **state)
{
    (void)state;
    static struct life_wheel wheel;
    struct rng rng;
    rng_init(&rng, 5);
    life_wheel_init(&wheel, 1022000, 0);
    static uint64_t due[1000];
    for (uint64_t i = 0; i < 1000; i++) {
        const uint32_t word = 1;
        due[i] = rng_below(&rng, 1000000);
        life_wheel_add(&wheel, due[i], i, &word, 1);
    }
    uint32_t taken = 0;
    for (uint64_t now = 0; now < 1100000; now += 100) {
        struct life_record record;
        while (life_wheel_take(&wheel, now, &record)) {
            assert_true(now >= due[record.order]);
            assert_true(now <= due[record.order] + 3 * wheel.width_ns);
            taken++;
        }
    }
    assert_int_equal(taken, 1000);
    life_wheel_close(&wheel);
}

/* What one slot holds comes evenly over the next one's time, not at once. */
static void life_comes_evenly(void **state)
{
    (void)state;
    static struct life_wheel wheel;
    enum { COUNT = 1000 };
    life_wheel_init(&wheel, 1000 * (uint64_t)LIFE_SLOTS, 0);
    const uint64_t width = wheel.width_ns;
    for (uint32_t i = 0; i < COUNT; i++) {
        const uint32_t words[2] = {i, i};
        life_wheel_add(&wheel, 5 * width + i % width, i, words, 1 + i % 2);
    }
    uint32_t taken = 0;
    for (uint32_t tenth = 0; tenth <= 10; tenth++) {
        struct life_record record;
        while (life_wheel_take(&wheel, 6 * width + width * tenth / 10, &record)) {
            assert_int_equal(record.order, taken);
            taken++;
        }
        assert_in_range(taken, COUNT * tenth / 10 - (tenth > 0 ? 1 : 0), COUNT * tenth / 10 + 2);
    }
    assert_int_equal(taken, COUNT);
    assert_int_equal(wheel.waiting, 0);
    life_wheel_close(&wheel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(life_comes_evenly),
        cmocka_unit_test(arrivals_are_poisson),
        cmocka_unit_test(zipf_has_its_slope),
        cmocka_unit_test(alias_keeps_shares),
        cmocka_unit_test(zip3_is_sane),
        cmocka_unit_test(warehouses_are_apart),
        cmocka_unit_test(orders_are_reproducible),
        cmocka_unit_test(consumer_mix_has_its_shares),
        cmocka_unit_test(two_line_items_differ),
        cmocka_unit_test(stock_has_its_shape),
        cmocka_unit_test(order_id_round_trip),
        cmocka_unit_test(life_is_steady),
        cmocka_unit_test(life_keeps_its_times),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
