/* Single sources by random strategies in random networks against a plain program: every node is
 * judged by the rules as the contract tells them, one after the other. Nodes change between the
 * strategies, and in some rounds a carrier's rows are part of the cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rng.h"
#include "strategy.h"
#include "timing.h"
#include "world.h"

enum { ITEMS = 3, ROUNDS = 60, STRATEGIES = 25, ORDERS = 8 };

static uint32_t below(struct rng *rng, uint32_t limit)
{
    return (uint32_t)rng_below(rng, limit);
}

/* -- a carrier: what each row takes, by the first digits of origin and destination, 0 = any; -1:
 * there is no such row -- */

enum { DIGITS = 4 };

static struct timing timing;
static int lanes[DIGITS][DIGITS];

static struct area_name area_of(uint32_t digit)
{
    struct area_name area = {.len = digit ? 4 : 2};
    snprintf(area.text, sizeof area.text, digit ? "US:%u" : "US", digit);
    return area;
}

static void carrier_load(struct rng *rng)
{
    uint32_t carrier;
    uint32_t new_origin;
    assert_int_equal(timing_init(&timing), ERR_OK);
    assert_int_equal(carriers_need(&timing.carriers, "parcel", 6, &carrier), ERR_OK);
    for (uint32_t i = 0; i < DIGITS * DIGITS; i++) {
        int cents = below(rng, 2) ? (int)below(rng, 9) * 100 : -1;
        const struct carrier_row row = {.service = SERVICE_STANDARD,
                                        .origin = area_of(i / DIGITS),
                                        .dest = area_of(i % DIGITS),
                                        .business_days = 1,
                                        .cents = (uint32_t)cents};
        lanes[i / DIGITS][i % DIGITS] = cents;
        if (cents >= 0) {
            assert_int_equal(carriers_set(&timing.carriers, carrier, &row, &new_origin), ERR_OK);
        }
    }
}

static uint32_t digit_of(const char *postcode)
{
    return postcode[0] ? (uint32_t)(postcode[0] - '0') : 0;
}

/* The longest destination counts, then the longest origin. */
static uint64_t plain_lane(const struct world *world, const struct route_request *request,
                           uint16_t node)
{
    uint32_t to = digit_of(request->postcode);
    uint32_t from = digit_of(world->network.nodes[node].config.postcode);
    const int found[4] = {lanes[from][to], lanes[0][to], lanes[from][0], lanes[0][0]};
    for (uint32_t i = 0; i < 4 && world->view.timing; i++) {
        if (found[i] >= 0) {
            return (uint64_t)found[i];
        }
    }
    return 0;
}

/* -- the plain program -- */

static uint64_t plain_value(const struct world *world, const struct route_request *request,
                            uint16_t node, uint32_t metres, const struct strategy_term *term,
                            uint32_t keep)
{
    const struct node_config *config = &world->network.nodes[node].config;
    uint64_t value = 0;
    switch ((enum strategy_term_kind)term->term) {
    case STRATEGY_TERM_DISTANCE:
    case STRATEGY_TERM_ROAD: /* no roads are loaded */
        value = metres;
        break;
    case STRATEGY_TERM_MINUTES:
        value = 30 + (uint64_t)metres * 60 / 25000;
        break;
    case STRATEGY_TERM_COST:
        value = config->handling_cents + plain_lane(world, request, node);
        break;
    case STRATEGY_TERM_DATE: /* without times all are the same, and never drawn with rows */
        break;
    case STRATEGY_TERM_STORE:
        value = config->type != NODE_STORE;
        break;
    case STRATEGY_TERM_WAREHOUSE:
        value = config->type != NODE_WAREHOUSE;
        break;
    case STRATEGY_TERM_VENDOR:
        value = config->type != NODE_VENDOR;
        break;
    case STRATEGY_TERM_PRIORITY:
        value = (uint64_t)(config->priority + 1000000);
        break;
    case STRATEGY_TERM_LOAD:
        value = world->queues[node].count;
        break;
    case STRATEGY_TERM_ACCEPTANCE:
        value = world->declines[node];
        break;
    case STRATEGY_TERM_SCARCITY:
        for (uint32_t i = 0; i < request->line_count; i++) {
            const struct row *row = world->catalogue.items[request->lines[i].item].row;
            int32_t index = row_find(row, world->network.nodes[node].slot);
            cell_word word = row_word(row, (uint32_t)index);
            uint64_t free = (uint64_t)(cell_on_hand(word) - cell_reserved(word)) - keep;
            uint64_t share = request->lines[i].qty * 1000ull / free;
            value = share > value ? share : value;
        }
        break;
    case STRATEGY_TERM_COUNT:
        break;
    }
    return value / term->band * term->band;
}

static bool plain_fences(const struct world *world, const struct route_request *request,
                         uint16_t node, uint32_t metres, uint32_t *keep)
{
    const struct strategy *strategy = request->strategy;
    const struct node_config *config = &world->network.nodes[node].config;
    bool takes = true;
    *keep = 0;
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        uint32_t value = strategy->fences[i].value;
        switch ((enum strategy_fence_kind)strategy->fences[i].fence) {
        case STRATEGY_FENCE_MAX_KM:
            takes = takes && metres <= value;
            break;
        case STRATEGY_FENCE_MAX_MINUTES:
            takes = takes && 30 + (uint64_t)metres * 60 / 25000 <= value;
            break;
        case STRATEGY_FENCE_MAX_COST:
            takes = takes && config->handling_cents + plain_lane(world, request, node) <= value;
            break;
        case STRATEGY_FENCE_MAX_LOAD:
            takes = takes && world->queues[node].count < value;
            break;
        case STRATEGY_FENCE_MIN_ACCEPTANCE:
            takes = takes && 1000000 - world->declines[node] >= value;
            break;
        case STRATEGY_FENCE_KEEP_LAST:
            *keep = value > *keep ? value : *keep;
            break;
        case STRATEGY_FENCE_TYPES:
            takes = takes && (value >> config->type & 1);
            break;
        case STRATEGY_FENCE_COUNT:
            break;
        }
    }
    return takes;
}

static bool plain_holds(const struct world *world, const struct route_request *request,
                        uint16_t node, uint32_t keep)
{
    for (uint32_t i = 0; i < request->line_count; i++) {
        const struct row *row = world->catalogue.items[request->lines[i].item].row;
        int32_t index = row ? row_find(row, world->network.nodes[node].slot) : -1;
        cell_word word = index < 0 ? 0 : row_word(row, (uint32_t)index);
        int64_t free = (int64_t)cell_on_hand(word) - cell_reserved(word) - keep;
        if (free < (int64_t)request->lines[i].qty) {
            return false;
        }
    }
    return true;
}

/* a's score against b's; weights as they were given, in 128 bits: no factor of the engine's. */
__extension__ typedef unsigned __int128 wide;

static const uint32_t wire_steps[STRATEGY_TERM_COUNT] = {
    [STRATEGY_TERM_DISTANCE] = 1000, [STRATEGY_TERM_ROAD] = 1000, [STRATEGY_TERM_MINUTES] = 1,
    [STRATEGY_TERM_COST] = 1,        [STRATEGY_TERM_DATE] = 1,    [STRATEGY_TERM_STORE] = 1,
    [STRATEGY_TERM_WAREHOUSE] = 1,   [STRATEGY_TERM_VENDOR] = 1,  [STRATEGY_TERM_PRIORITY] = 1,
    [STRATEGY_TERM_LOAD] = 1,        [STRATEGY_TERM_ACCEPTANCE] = 10000,
    [STRATEGY_TERM_SCARCITY] = 10,
};

static wide weighted(const struct strategy *strategy, const uint64_t *values)
{
    wide sum = 0;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        sum += (wide)values[i] * term->weight * (10000 / wire_steps[term->term]);
    }
    return sum;
}

static bool plain_less(const struct strategy *strategy, const uint64_t *a, const uint64_t *b,
                       bool *is_equal)
{
    *is_equal = false;
    if (strategy->mode == STRATEGY_WEIGHTED) {
        wide x = weighted(strategy, a);
        wide y = weighted(strategy, b);
        *is_equal = x == y;
        return x < y;
    }
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        if (a[i] != b[i]) {
            return a[i] < b[i];
        }
    }
    *is_equal = true;
    return false;
}

static uint16_t plain_source(const struct world *world, const struct route_request *request)
{
    const struct strategy *strategy = request->strategy;
    uint16_t best = NODE_NONE;
    uint32_t best_metres = 0;
    uint64_t best_values[STRATEGY_TERMS_MAX];
    for (uint32_t node = 0; node < world->network.count; node++) {
        const struct node *own = &world->network.nodes[node];
        uint32_t metres = geo_metres(&own->point, &request->dest);
        uint64_t values[STRATEGY_TERMS_MAX];
        uint32_t keep;
        bool is_equal = false;
        if (metres > own->config.max_m[SERVICE_STANDARD] ||
            !plain_fences(world, request, (uint16_t)node, metres, &keep) ||
            !plain_holds(world, request, (uint16_t)node, keep)) {
            continue;
        }
        for (uint32_t i = 0; i < strategy->term_count; i++) {
            values[i] = plain_value(world, request, (uint16_t)node, metres, &strategy->terms[i],
                                    keep);
        }
        bool is_less = best == NODE_NONE || plain_less(strategy, values, best_values, &is_equal);
        bool is_nearer = is_equal && (metres < best_metres ||
                                      (metres == best_metres &&
                                       strcmp(own->id, world->network.nodes[best].id) < 0));
        if (is_less || is_nearer) {
            best = (uint16_t)node;
            best_metres = metres;
            memcpy(best_values, values, sizeof values);
        }
    }
    return best;
}

/* -- random worlds -- */

static void draw_way(struct world *world, struct rng *rng, struct node_config *config)
{
    config->type = (enum node_type)below(rng, NODE_TYPE_COUNT);
    config->handling_cents = below(rng, 6) * 100;
    if (world->view.timing) {
        memcpy(config->country, "US", 3);
        snprintf(config->postcode, sizeof config->postcode, "%u0000", 1 + below(rng, DIGITS - 1));
    }
}

static uint16_t node_put(struct world *world, const char *id, const struct node_config *config)
{
    uint16_t node = world_node(world, id, config);
    if (world->view.timing) {
        carriers_node(&timing.carriers, node, config->country, config->postcode);
        timing.carriers.generation++;
    }
    return node;
}

/* What is kept of a node's type, cost and origin is not what it was. */
static void change(struct world *world, struct rng *rng)
{
    const struct node *node = &world->network.nodes[below(rng, world->network.count)];
    struct node_config config = node->config;
    char id[ID_MAX + 1];
    memcpy(id, node->id, sizeof id);
    draw_way(world, rng, &config);
    node_put(world, id, &config);
}

static void fill(struct world *world, struct rng *rng, uint32_t nodes)
{
    bool is_small = below(rng, 2) == 0; /* of one town, or of a continent */
    for (uint32_t i = 0; i < nodes; i++) {
        char id[16];
        double lat = 40 + (is_small ? 0.001 : 0.1) * below(rng, 100);
        double lon = -90 + (is_small ? 0.001 : 0.1) * below(rng, 100);
        struct node_config config = world_config(NODE_STORE, lat, lon);
        draw_way(world, rng, &config);
        config.priority = below(rng, 3) ? 0 : (int32_t)below(rng, 5) - 2;
        config.max_m[SERVICE_STANDARD] = below(rng, 5) ? UINT32_MAX : below(rng, 800000);
        snprintf(id, sizeof id, "n%u", below(rng, 1000000));
        uint16_t node = node_put(world, id, &config);
        world->queues[node].count = below(rng, 8);
        world->declines[node] = below(rng, 3) * 250000;
        for (uint32_t item = 0; item < ITEMS; item++) {
            if (below(rng, 10) < 7) {
                world_stock(world, item, node, (int32_t)below(rng, 12), 0);
            }
        }
    }
    world_layout(world);
}

static uint32_t compare(struct world *world, struct rng *rng, struct strategies *strategies)
{
    static const char *const post[3] = {"10000", "20000", "30000"};
    struct route_line lines[ITEMS];
    uint32_t found = 0;
    for (uint32_t i = 0; i < ORDERS; i++) {
        struct route_request request = {.lines = lines,
                                        .line_count = 1 + below(rng, ITEMS),
                                        .has_dest = true,
                                        .country = world->view.timing ? "US" : "",
                                        .postcode = world->view.timing ? post[below(rng, 3)] : "",
                                        .max_splits = 0,
                                        .max_m = ROUTE_NO_LIMIT,
                                        .strategy = strategies_at(strategies, 1)};
        request.dest = geo_point(40 + 0.01 * below(rng, 1000), -90 + 0.01 * below(rng, 1000));
        for (uint32_t line = 0; line < request.line_count; line++) {
            lines[line] = (struct route_line){line, 1 + below(rng, 3), SERVICE_STANDARD,
                                              NODE_NONE, 0};
        }
        struct route_answer answer;
        route_decide(world->route, &world->view, &request, &answer);
        uint16_t wanted = plain_source(world, &request);
        uint16_t got = answer.part_count > 0 ? answer.parts[0].node : NODE_NONE;
        assert_int_equal(got, wanted);
        assert_true(answer.part_count <= 1);
        assert_true(answer.part_count == 0 || answer.is_optimal);
        found += got != NODE_NONE;
    }
    return found;
}

/* The node that is chosen is the one that a plain search finds, whatever the strategy. */
static void test_single_sources(void **state)
{
    struct rng rng;
    uint32_t found = 0;
    uint32_t asked = 0;
    (void)state;
    rng_init(&rng, 20261122);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct world world;
        world_init(&world, ITEMS);
        for (uint32_t item = 0; item < ITEMS; item++) {
            char id[8];
            snprintf(id, sizeof id, "i%u", item);
            world_item(&world, id);
        }
        if (round % 3 == 0) {
            carrier_load(&rng);
            world.view.timing = &timing;
        }
        fill(&world, &rng, 1 + below(&rng, round % 2 ? 30 : 900));
        for (uint32_t i = 0; i < STRATEGIES; i++) {
            struct strategies strategies;
            struct strategy strategy = world_strategy(&rng);
            for (uint32_t k = 0; k < strategy.term_count && world.view.timing; k++) {
                bool is_dated = strategy.terms[k].term == STRATEGY_TERM_DATE;
                strategy.terms[k].term = is_dated ? STRATEGY_TERM_COST : strategy.terms[k].term;
            }
            change(&world, &rng);
            assert_int_equal(strategies_init(&strategies), ERR_OK);
            assert_true(strategy_is_sound(&strategy));
            assert_int_equal(strategies_add(&strategies, &strategy), ERR_OK);
            found += compare(&world, &rng, &strategies);
            asked += ORDERS;
            strategies_close(&strategies);
        }
        if (world.view.timing) {
            timing_close(&timing);
        }
        world_close(&world);
    }
    assert_true(found > asked / 4); /* most are no refusals */
    printf("%u of %u had a source\n", found, asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_single_sources)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
