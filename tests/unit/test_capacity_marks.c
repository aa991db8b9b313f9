/* What capacity counts keeps the marks of nodes as if each were worked out anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "effect_timing.h"
#include "rng.h"
#include "tables.h"

enum { ORDERS = 200, STEPS = 20000, HOUR_MS = 3600000 };

static const uint64_t start_ms = 1700000000000;
static const uint8_t secret[] = "0123456789abcdef";
static const struct tables_options options = {100,  16384, 64 << 20, 20000, 1000, 1000,
                                              256,  1000,  1000, 0, 0, 0};

/* An order of the test: open units, 0 = not there. */
struct own {
    uint32_t serial;
    uint32_t open;
};

struct rig {
    struct tables tables;
    struct rng rng;
    uint64_t lsn;
    uint32_t serial;
    struct own orders[ORDERS];
};

static uint32_t draw(struct rig *rig, uint32_t below)
{
    return (uint32_t)rng_below(&rig->rng, below);
}

static void world(struct rig *rig)
{
    struct effect_node node = {.id = {"n", 1}, .config = {.type = NODE_STORE, .country = "US"}};
    struct effect_item item = {.id = {"i", 1}};
    const struct effect_stock_row row = {0, 1000000000};
    const struct effect_stock stock = {.is_count = true, .at_ms = 1, .count = 1, .rows = &row};
    assert_int_equal(tables_init(&rig->tables, &options, secret), 0);
    assert_int_equal(tables_apply_node(&rig->tables, ++rig->lsn, start_ms, &node), 0);
    assert_int_equal(tables_apply_item(&rig->tables, ++rig->lsn, start_ms, &item), 0);
    assert_int_equal(tables_apply_stock(&rig->tables, ++rig->lsn, start_ms, &stock), 0);
    tables_turn(&rig->tables, start_ms);
}

/* Limits about the bounds of marks: nothing free, and fewer units than are tight. */
static void rule_set(struct rig *rig)
{
    static const uint8_t services[] = {SERVICE_STANDARD, CAPACITY_ANY_SERVICE};
    struct effect_capacity effect = {.is_whole = draw(rig, 4) == 0, .count = 1};
    const uint32_t hour = (uint32_t)(start_ms / HOUR_MS) + draw(rig, 3);
    const bool is_exception = draw(rig, 4) == 0;
    const uint8_t kind = (uint8_t)draw(rig, 2);
    effect.rules[0] = (struct capacity_rule){
        .kind = kind, .per = (uint8_t)draw(rig, 2), .service = services[draw(rig, 2)],
        .is_removed = draw(rig, 5) == 0, .is_exception = is_exception,
        .from = is_exception ? hour : 0, .to = is_exception ? hour + 2 : 0,
        .limit = draw(rig, kind == CAPACITY_UNITS ? 400 : 20)};
    assert_int_equal(tables_apply_capacity(&rig->tables, ++rig->lsn, start_ms, &effect), 0);
}

static void order_put(struct rig *rig, struct own *own)
{
    char id[16];
    const uint32_t qty = 1 + draw(rig, 20);
    const uint8_t service = draw(rig, 2) ? SERVICE_STANDARD : SERVICE_PICKUP;
    const uint32_t slot = (uint32_t)(start_ms / HOUR_MS) + draw(rig, 2) * draw(rig, 600);
    own->serial = ++rig->serial;
    own->open = qty;
    const struct effect_line line = {.item = 0, .qty = qty, .service = service, .node = NODE_NONE};
    const struct effect_part part = {.way = WAY_SHIP_FROM_STORE, .service = service,
                                     .dates = {1, 1, 1, slot}};
    const struct effect_share share = {0, 0, qty};
    struct effect_order effect = {.id = {id, (uint32_t)snprintf(id, sizeof id, "o%u", own->serial)},
                                  .status = ORDER_ROUTED, .service = service,
                                  .max_splits = UINT32_MAX, .max_m = UINT32_MAX,
                                  .line_count = 1, .part_count = 1, .share_count = 1,
                                  .lines = &line, .parts = &part, .shares = &share};
    effect.id_hash = orders_hash(&rig->tables.orders, effect.id.at, effect.id.len);
    assert_int_equal(tables_apply_order(&rig->tables, ++rig->lsn, start_ms, &effect), 0);
}

static void order_cancel(struct rig *rig, struct own *own)
{
    char id[16];
    const struct effect_quantity quantity = {0, 1 + draw(rig, own->open)};
    const struct effect_cancel effect = {
        .id = {id, (uint32_t)snprintf(id, sizeof id, "o%u", own->serial)}, .count = 1,
        .shares = &quantity};
    own->open -= quantity.qty;
    assert_int_equal(tables_apply_cancel(&rig->tables, ++rig->lsn, start_ms, &effect), 0);
}

/* After each order, cancellation and rule no mark is another one when it is worked out anew; and
 * the steps do meet full and nearly full hours. */
static void marks_are_as_worked_out(void **state)
{
    static struct rig rig;
    uint32_t tight = 0;
    (void)state;
    rng_init(&rig.rng, 3);
    world(&rig);
    for (uint32_t i = 0; i < STEPS; i++) {
        struct own *own = &rig.orders[draw(&rig, ORDERS)];
        if (draw(&rig, 50) == 0) {
            rule_set(&rig);
        } else if (own->open > 0) {
            order_cancel(&rig, own);
        } else if (rig.serial < 16000) {
            order_put(&rig, own);
        }
        assert_false(timing_node(&rig.tables.timing, &rig.tables.network, 0, start_ms));
        const struct capacity_room room = capacity_room(
            &rig.tables.timing.capacity, 0, SERVICE_STANDARD, (uint32_t)(start_ms / HOUR_MS));
        tight += room.orders == 0 || room.units < NETWORK_TIGHT_UNITS;
    }
    assert_true(tight > STEPS / 100);
    assert_true(tight < STEPS - STEPS / 100);
    tables_check(&rig.tables);
    tables_close(&rig.tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_are_as_worked_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
