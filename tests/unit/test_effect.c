/* The log's records: what is encoded comes back, damage never passes as an effect. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "effect.h"

static struct effect_line lines[2] = {{7, 1, 0, {NULL, 0}, SERVICE_STANDARD, NODE_NONE, {0}},
                                      {90000, 3, 0, {NULL, 0}, SERVICE_STANDARD, NODE_NONE, {0}}};
static struct effect_part parts[2] = {
    {4000, WAY_SHIP_FROM_STORE, SERVICE_STANDARD, 123456, 250, {0}},
    {12, WAY_PICKUP, SERVICE_PICKUP, 0, 0, {0}},
};
static struct effect_share shares[2] = {{0, 0, 1}, {0, 1, 3}};

static struct effect_order order_plain(void)
{
    return (struct effect_order){
        .id = {"order-2026-11-27-0001", 20}, .content = 0x123456789abcdef0, .status = ORDER_ROUTED,
        .service = SERVICE_STANDARD, .is_optimal = true, .has_dest = true, .lat = 40.7, .lon = -74,
        .max_splits = UINT32_MAX, .max_m = UINT32_MAX, .total_m = 123456, .line_count = 2,
        .part_count = 1, .share_count = 2, .lines = lines, .parts = parts, .shares = shares};
}

static struct effect_order order_rich(struct effect_line *rich_lines,
                                      struct effect_share *rich_shares)
{
    struct effect_order effect = order_plain();
    memcpy(rich_lines, lines, sizeof lines);
    memcpy(rich_shares, shares, sizeof shares);
    rich_lines[1].line = (struct effect_text){"gift", 4};
    rich_lines[1].service = SERVICE_PICKUP;
    rich_lines[1].node = 12;
    rich_lines[1].unfilled = 1;
    rich_shares[1] = (struct effect_share){1, 1, 2};
    effect.status = ORDER_PARTIAL;
    effect.is_po_box = effect.allow_partial = true;
    effect.postcode = (struct effect_text){"90210", 5};
    memcpy(effect.country, "US", 3);
    effect.ref = (struct effect_text){"web-77", 6};
    effect.max_splits = 3;
    effect.splits = 1;
    effect.part_count = 2;
    effect.lines = rich_lines;
    effect.shares = rich_shares;
    return effect;
}

/* A two-line order with a 20-byte id takes at most 96 bytes, its 4-byte record head included. */
static void order_is_small(void **state)
{
    (void)state;
    uint8_t bytes[512];
    struct effect_order effect = order_plain();
    uint32_t size = effect_order_encode(bytes, &effect);
    assert_true(size + 4 <= 96);
    assert_true(size <= effect_order_size(&effect));
}

static void assert_same_order(const struct effect_order *a, const struct effect_order *b)
{
    uint8_t x[1024];
    uint8_t y[1024];
    uint32_t size = effect_order_encode(x, a);
    assert_int_equal(effect_order_encode(y, b), size);
    assert_memory_equal(x, y, size);
    assert_int_equal(a->line_count, b->line_count);
    assert_int_equal(a->share_count, b->share_count);
    assert_int_equal(a->total_m, b->total_m);
    for (uint32_t i = 0; i < a->share_count; i++) {
        assert_memory_equal(&a->shares[i], &b->shares[i], sizeof a->shares[i]);
    }
    for (uint32_t i = 0; i < a->line_count; i++) {
        assert_int_equal(a->lines[i].node, b->lines[i].node);
        assert_int_equal(a->lines[i].unfilled, b->lines[i].unfilled);
        assert_int_equal(a->lines[i].service, b->lines[i].service);
    }
}

/* The channel of an order comes back; a record without one, as all were, has none. */
static void channel_round_trip(void **state)
{
    uint8_t bytes[512];
    struct effect_order back;
    struct effect_order effect = order_plain();
    uint32_t size = effect_order_encode(bytes, &effect);
    assert_int_equal(effect_order_decode(bytes, size, *state, &back), 0);
    assert_int_equal(back.channel.len, 0);
    effect.channel = (struct effect_text){"marketplace", 11};
    size = effect_order_encode(bytes, &effect);
    assert_int_equal(effect_order_decode(bytes, size, *state, &back), 0);
    assert_int_equal(back.channel.len, 11);
    assert_memory_equal(back.channel.at, "marketplace", 11);
}

/* A glance at the record tells the id, and the cells of an order that one node fills. */
static void assert_peeked(const struct effect_order *effect, const uint8_t *bytes, uint32_t size)
{
    struct effect_order_peek peek;
    assert_true(effect_order_peek(bytes, size, true, &peek));
    assert_int_equal(peek.id.len, effect->id.len);
    assert_memory_equal(peek.id.at, effect->id.at, peek.id.len);
    assert_int_equal(peek.count, effect->part_count == 1 ? effect->line_count : 0);
    for (uint32_t i = 0; i < peek.count; i++) {
        assert_int_equal(peek.items[i], effect->lines[i].item);
        assert_int_equal(peek.node, effect->parts[0].node);
    }
    assert_true(effect_order_peek(bytes, size, false, &peek));
    assert_int_equal(peek.count, 0);
}

/* Orders plain and rich come back as they were; every truncation is refused. */
static void order_round_trip(void **state)
{
    struct effect_scratch *scratch = *state;
    struct effect_line rich_lines[2];
    struct effect_share rich_shares[2];
    struct effect_order effects[2] = {order_plain(), order_rich(rich_lines, rich_shares)};
    effects[1].total_m = effects[1].parts[0].metres;
    for (int i = 0; i < 2; i++) {
        uint8_t bytes[1024];
        struct effect_order back;
        uint32_t size = effect_order_encode(bytes, &effects[i]);
        assert_int_equal(effect_order_decode(bytes, size, scratch, &back), 0);
        assert_same_order(&effects[i], &back);
        assert_peeked(&effects[i], bytes, size);
        for (uint32_t cut = 0; cut < size; cut++) {
            struct effect_order_peek peek;
            uint8_t *exact = malloc(cut ? cut : 1);
            memcpy(exact, bytes, cut);
            (void)effect_order_peek(exact, cut, true, &peek);
            assert_int_not_equal(effect_order_decode(exact, cut, scratch, &back), 0);
            free(exact);
        }
    }
}

/* A flipped bit never makes a decoder read outside, whatever it answers. */
static void flipped_bits_stay_inside(void **state)
{
    struct effect_scratch *scratch = *state;
    struct effect_line rich_lines[2];
    struct effect_share rich_shares[2];
    struct effect_order effect = order_rich(rich_lines, rich_shares);
    uint8_t bytes[1024];
    uint32_t size = effect_order_encode(bytes, &effect);
    for (uint32_t i = 0; i < size * 8; i++) {
        struct effect_order order;
        struct effect_node node;
        struct effect_stock stock;
        struct effect_fulfil fulfil;
        uint8_t *exact = malloc(size);
        memcpy(exact, bytes, size);
        exact[i / 8] ^= (uint8_t)(1u << (i % 8));
        struct effect_order_peek peek;
        (void)effect_order_peek(exact, size, true, &peek);
        int sum = effect_order_decode(exact, size, scratch, &order) == ERR_OK;
        sum += effect_node_decode(exact, size, scratch, &node) == ERR_OK;
        sum += effect_stock_decode(exact, size, scratch, &stock) == ERR_OK;
        sum += effect_fulfil_decode(exact, size, scratch, &fulfil) == ERR_OK;
        assert_true(sum <= 2);
        free(exact);
    }
}

/* A node with areas and a key comes back as it was. */
static void node_round_trip(void **state)
{
    struct effect_scratch *scratch = *state;
    uint8_t bytes[2048];
    uint8_t again[2048];
    struct area areas[2] = {{false, 2, "US"}, {true, 5, "US:96"}};
    struct effect_node effect = {
        .id = {"S1", 2},
        .config = {.type = NODE_WAREHOUSE, .lat = 1.5, .lon = -2.5, .name = "One",
                   .country = "US", .priority = -5, .safety_stock = 3, .serves_count = 2,
                   .serves = areas, .bars = 9, .status_until = 77},
        .key = {.is_set = true, .content = 5, .facts = {-1, 2, 3, 0, 0}}};
    struct effect_node back;
    uint32_t size = effect_node_encode(bytes, &effect);
    assert_true(size <= effect_node_size(&effect));
    assert_int_equal(effect_node_decode(bytes, size, scratch, &back), 0);
    assert_int_equal(effect_node_encode(again, &back), size);
    assert_memory_equal(bytes, again, size);
    assert_int_equal(back.config.priority, -5);
    assert_true(back.key.facts[0] == -1);
}

/* A place that is none on this earth is damage: distances are worked out from it. */
static void places_off_the_earth_are_damage(void **state)
{
    static const double places[][2] = {{90, 180},     {-90, -180}, {90.1, 0},
                                       {0, -180.1},   {1e205, 0},  {0, (double)INFINITY},
                                       {(double)NAN, 0}};
    struct effect_scratch *scratch = *state;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        uint8_t bytes[2048];
        struct effect_node back;
        struct effect_node effect = {.id = {"S1", 2},
                                     .config = {.lat = places[i][0], .lon = places[i][1]}};
        uint32_t size = effect_node_encode(bytes, &effect);
        assert_int_equal(effect_node_decode(bytes, size, scratch, &back), i < 2 ? 0 : ERR_DAMAGED);
    }
}

/* Spans stand behind the key, rise and do not overlap; movements have none; cut or bent bytes are
 * damage. */
static void spans_round_trip(void **state)
{
    struct effect_scratch *scratch = *state;
    uint8_t bytes[256];
    struct effect_stock_row rows[1] = {{8, 4}};
    struct effect_span spans[3] = {{0, 0}, {5, 300}, {301, UINT32_MAX - 1}};
    struct effect_stock stock = {.is_count = true, .node = 9, .at_ms = 5, .count = 1,
                                 .rows = rows, .span_count = 3, .spans = spans,
                                 .key = {.is_set = true, .content = 5, .facts = {1}}};
    struct effect_stock back;
    uint32_t size = effect_stock_encode(bytes, &stock);
    assert_true(size <= effect_stock_size(&stock));
    assert_int_equal(effect_stock_decode(bytes, size, scratch, &back), 0);
    assert_int_equal(back.span_count, 3);
    assert_memory_equal(back.spans, spans, sizeof spans);
    assert_memory_equal(back.rows, rows, sizeof rows);
    assert_int_equal(effect_stock_decode(bytes, size - 1, scratch, &back), ERR_DAMAGED);
    bytes[size] = 0;
    assert_int_equal(effect_stock_decode(bytes, size + 1, scratch, &back), ERR_DAMAGED);
    bytes[0] = 0; /* movements */
    assert_int_equal(effect_stock_decode(bytes, size, scratch, &back), ERR_DAMAGED);
    stock = (struct effect_stock){.is_count = true, .node = 9, .span_count = 2, .spans = spans};
    size = effect_stock_encode(bytes, &stock);
    bytes[size - 3] = 0; /* the second would begin where the first ends */
    assert_int_equal(effect_stock_decode(bytes, size, scratch, &back), ERR_DAMAGED);
}

/* Stock rows, policies, cancels, life-cycle steps, places and drops come back as they were. */
static void small_effects_round_trip(void **state)
{
    struct effect_scratch *scratch = *state;
    uint8_t bytes[4096];
    struct effect_stock_row rows[3] = {{5, -3}, {5, 4}, {70000, 2000000000}};
    struct effect_stock stock = {.is_count = true, .node = 9, .at_ms = 5, .count = 3, .rows = rows};
    struct effect_stock stock_back;
    uint32_t size = effect_stock_encode(bytes, &stock);
    assert_int_equal(effect_stock_decode(bytes, size, scratch, &stock_back), 0);
    assert_memory_equal(stock_back.rows, rows, sizeof rows);
    assert_int_equal(stock_back.span_count, 0);
    struct effect_policy policy = {.item = 5, .node = 6, .has_safety = true, .safety_stock = 9};
    struct effect_policy policy_back;
    size = effect_policy_encode(bytes, &policy);
    assert_true(size <= EFFECT_SMALL_MAX);
    assert_int_equal(effect_policy_decode(bytes, size, &policy_back), 0);
    assert_true(policy_back.has_safety && !policy_back.is_unlisted);
    assert_int_equal(policy_back.safety_stock, 9);
    assert_false(policy_back.has_quotas);
    policy.has_quotas = true;
    policy.quota_count = 2;
    policy.quotas[0] = (struct effect_quota){{"web", 3}, 1000000};
    policy.quotas[1] = (struct effect_quota){{"marketplace", 11}, 7};
    size = effect_policy_encode(bytes, &policy);
    assert_true(size <= effect_policy_size(&policy));
    assert_int_equal(effect_policy_decode(bytes, size, &policy_back), 0);
    assert_true(policy_back.has_quotas);
    assert_int_equal(policy_back.quota_count, 2);
    assert_int_equal(policy_back.quotas[0].qty, 1000000);
    assert_memory_equal(policy_back.quotas[1].channel.at, "marketplace", 11);
    assert_int_equal(effect_policy_decode(bytes, size - 1, &policy_back), ERR_DAMAGED);
    struct effect_quantity quantities[2] = {{0, 5}, {3, 1}};
    struct effect_fulfil fulfil = {.id = {"o", 1}, .part = 2, .state = STATE_SHIPPED, .at_ms = 99,
                                   .collect_by = 7, .tracking = {"1Z", 2}, .count = 2,
                                   .shares = quantities};
    struct effect_fulfil fulfil_back;
    size = effect_fulfil_encode(bytes, &fulfil);
    assert_int_equal(effect_fulfil_decode(bytes, size, scratch, &fulfil_back), 0);
    assert_int_equal(fulfil_back.state, STATE_SHIPPED);
    assert_false(fulfil_back.is_awaited);
    fulfil.is_awaited = true;
    assert_int_equal(effect_fulfil_encode(bytes, &fulfil), size + 1); /* no other record grows */
    assert_int_equal(effect_fulfil_decode(bytes, size + 1, scratch, &fulfil_back), 0);
    assert_true(fulfil_back.is_awaited);
    bytes[size] = 2;
    assert_int_equal(effect_fulfil_decode(bytes, size + 1, scratch, &fulfil_back), ERR_DAMAGED);
    assert_memory_equal(fulfil_back.shares, quantities, sizeof quantities);
    struct effect_place places[1] = {{"90210", 34.1, -118.4}};
    struct effect_places load = {.country = "US", .count = 1, .rows = places};
    struct effect_places load_back;
    size = effect_places_encode(bytes, &load);
    assert_int_equal(effect_places_decode(bytes, size, scratch, &load_back), 0);
    assert_string_equal(load_back.rows[0].postcode, "90210");
    struct effect_drop drop = {1000, 3, 0};
    struct effect_drop drop_back;
    size = effect_drop_encode(bytes, &drop);
    assert_int_equal(effect_drop_decode(bytes, size, &drop_back), 0);
    assert_int_equal(drop_back.orders, 1000);
    assert_int_equal(effect_drop_decode(bytes, size - 1, &drop_back), ERR_DAMAGED);
}

static void replan_comes_back(struct effect_scratch *scratch, uint8_t type)
{
    const struct order_kit kit = {9, 4, 1};
    uint8_t bytes[4096];
    uint8_t again[4096];
    struct effect_quantity moves[2] = {{0, 5}, {3, 1}};
    struct effect_quantity cancels[1] = {{1, 2}};
    struct effect_stock_row counts[1] = {{7, 12}};
    struct effect_stock_row missing[1] = {{8, -4}};
    struct effect_replan_line changes[1] = {{2, {7, 3, 0, {"new", 3}, SERVICE_PICKUP, 4, {0}}}};
    changes[0].line.kit = type == EFFECT_REPLAN_KITS ? kit : (struct order_kit){0, 0, 0};
    struct effect_part new_parts[1] = {{.node = 4, .way = WAY_PICKUP, .service = SERVICE_PICKUP,
                                    .metres = 99}};
    struct effect_share new_shares[2] = {{0, 0, 3}, {0, 2, 3}};
    struct effect_owed owed[1] = {{1, 6, ORDER_HELD, REASON_MAX_REJECTS_REACHED}};
    struct effect_replan effect = {
        .id = {"o", 1}, .cause = CAUSE_MODIFY, .decline = DECLINE_CLOSED, .has_part = true,
        .has_place = true, .has_dest = true, .is_po_box = true, .part = 3, .at_ms = 77,
        .move_count = 2, .moves = moves, .cancel_count = 1, .cancels = cancels, .count_count = 1,
        .counts = counts, .missing_count = 1, .missing = missing, .line_count = 1, .lines = changes,
        .lat = 1.5, .lon = -2, .country = "US", .postcode = {"902", 3}, .part_count = 1,
        .parts = new_parts, .share_count = 2, .shares = new_shares, .owed_count = 1, .owed = owed,
        .key = {.is_set = true, .content = 5}};
    struct effect_replan back;
    uint32_t size = effect_replan_encode(bytes, &effect);
    assert_int_equal(effect_replan_type(&effect), type);
    assert_true(size <= effect_replan_size(&effect));
    assert_int_equal(effect_replan_decode(type, bytes, size, scratch, &back), 0);
    assert_int_equal(back.missing[0].value, -4);
    assert_memory_equal(&back.lines[0].line.kit, &changes[0].line.kit, sizeof kit);
    assert_int_equal(back.owed[0].reason, REASON_MAX_REJECTS_REACHED);
    assert_int_equal(effect_replan_encode(again, &back), size);
    assert_memory_equal(bytes, again, size);
    for (uint32_t i = 0; i < size * 8; i++) {
        uint8_t *exact = malloc(size);
        memcpy(exact, bytes, size);
        exact[i / 8] ^= (uint8_t)(1u << (i % 8));
        (void)!effect_replan_decode(type, exact, size, scratch, &back);
        assert_int_equal(effect_replan_decode(type, exact, i / 8, scratch, &back), ERR_DAMAGED);
        free(exact);
    }
}

/* A change of an order comes back as it was, and no flipped bit leads outside of it. */
static void replan_round_trip(void **state)
{
    replan_comes_back(*state, EFFECT_REPLAN);
    replan_comes_back(*state, EFFECT_REPLAN_KITS);
}

/* A safety stock below zero would make free what is not there: no record may say so. */
static void negative_safety_is_damage(void **state)
{
    struct effect_scratch *scratch = *state;
    uint8_t bytes[4096];
    struct effect_policy policy = {.item = 5, .node = 6, .has_safety = true, .safety_stock = -1};
    struct effect_policy policy_back;
    uint32_t size = effect_policy_encode(bytes, &policy);
    assert_int_equal(effect_policy_decode(bytes, size, &policy_back), ERR_DAMAGED);
    struct effect_node node = {.id = {"n", 1}, .config = {.safety_stock = -1}};
    struct effect_node node_back;
    size = effect_node_encode(bytes, &node);
    assert_int_equal(effect_node_decode(bytes, size, scratch, &node_back), ERR_DAMAGED);
    node.config.safety_stock = 0;
    size = effect_node_encode(bytes, &node);
    assert_int_equal(effect_node_decode(bytes, size, scratch, &node_back), ERR_OK);
}

static int setup(void **state)
{
    struct effect_scratch *scratch;
    int failed = effect_scratch_new(&scratch) != ERR_OK;
    *state = scratch;
    return failed;
}

static int teardown(void **state)
{
    effect_scratch_free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_small),  cmocka_unit_test(order_round_trip),
        cmocka_unit_test(channel_round_trip),
        cmocka_unit_test(node_round_trip), cmocka_unit_test(flipped_bits_stay_inside),
        cmocka_unit_test(places_off_the_earth_are_damage),
        cmocka_unit_test(spans_round_trip), cmocka_unit_test(replan_round_trip),
        cmocka_unit_test(small_effects_round_trip), cmocka_unit_test(replan_round_trip),
        cmocka_unit_test(negative_safety_is_damage),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
