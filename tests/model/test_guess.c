/* Model test of batches: guesses made beforehand, then confirmed in order while stock falls and
 * rises, and load and declines of nodes rise and fall, give exactly what deciding one at a time
 * gives; by nearest, and by drawn strategies.
 *
 * Usage: test_guess [seed [rounds]]; a failure prints the command that replays it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "world.h"

enum { NODES = 300, ITEMS = 12, LINES = 3, BATCH_MAX = 64 };

struct order {
    struct route_line lines[LINES];
    struct route_request request;
    struct route_guess guess;
    struct route_rank rank;
};

/* What changed since the guesses of a batch were made. */
struct since {
    bool raised[ITEMS];
    bool is_eased;
};

static struct rng rng;
static struct world world;
static uint64_t seed;
static uint32_t round_now;
static uint64_t stood[2], fell[2], void_ones[2]; /* by nearest, by a strategy */
static struct strategies strategies;
static const struct strategy *strategy; /* of the round, NULL = nearest */

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\nreplay: test_guess %llu 1\n", what,
            (unsigned long long)(seed + round_now * 1000003u));
    exit(1);
}

static void draw_world(void)
{
    bool has_priorities = draw(3) == 0;
    world_init(&world, 100);
    for (uint32_t i = 0; i < NODES; i++) {
        char id[16];
        struct node_config config =
            world_config(NODE_STORE, 25 + 24 * rng_unit(&rng), -124 + 57 * rng_unit(&rng));
        config.priority = has_priorities ? (int32_t)draw(3) : 0;
        config.safety_stock = draw(4) == 0;
        config.handling_cents = draw(4) * 100;
        config.max_m[SERVICE_STANDARD] = draw(8) ? UINT32_MAX : draw(3000000);
        snprintf(id, sizeof id, "n%u", i);
        uint16_t node = world_node(&world, id, &config);
        world.queues[node].count = draw(8);
        world.declines[node] = draw(3) * 200000;
    }
    world_layout(&world);
    for (uint32_t item = 0; item < ITEMS; item++) {
        char id[16];
        double density = item % 2 ? 0.6 : 0.05;
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t node = 0; node < NODES; node++) {
            if (rng_unit(&rng) < density) {
                world_stock(&world, item, (uint16_t)node, (int32_t)(draw(4) * draw(12)), 0);
            }
        }
    }
}

/* Of the drawn ones, often one by which a fulfilment more outweighs the next node's distance. */
static void draw_strategy(void)
{
    struct strategy drawn = world_strategy(&rng);
    strategy = NULL;
    if (draw(3) == 0) {
        drawn.mode = STRATEGY_WEIGHTED;
        drawn.term_count = 2;
        drawn.fence_count = 0;
        drawn.terms[0] = (struct strategy_term){STRATEGY_TERM_DISTANCE, 1000, 1};
        drawn.terms[1] = (struct strategy_term){STRATEGY_TERM_LOAD, 1000 + draw(200000), 1};
    }
    if (draw(4)) {
        CHECK(strategies_add(&strategies, &drawn) == ERR_OK);
        strategy = strategies_at(&strategies, (uint16_t)strategies.count);
    }
}

static void draw_order(struct order *order)
{
    bool is_odd = draw(10) == 0; /* not of the common case: two services */
    double lat = draw(2) ? 37 : 25 + 24 * rng_unit(&rng);
    order->request = (struct route_request){.lines = order->lines,
                                            .line_count = 1 + draw(LINES),
                                            .has_dest = true,
                                            .dest = geo_point(lat, -100),
                                            .country = "",
                                            .postcode = "",
                                            .max_splits = ROUTE_NO_LIMIT,
                                            .max_m = ROUTE_NO_LIMIT,
                                            .strategy = strategy,
                                            .allow_partial = draw(4) == 0};
    for (uint32_t i = 0; i < LINES; i++) {
        order->lines[i] =
            (struct route_line){draw(ITEMS), 1 + draw(2), SERVICE_STANDARD, NODE_NONE, 0};
    }
    if (draw(3) == 0) { /* many of a batch want the same */
        order->request.line_count = 1;
        order->lines[0].item = 0;
    }
    order->lines[LINES - 1].service = is_odd ? SERVICE_PICKUP : SERVICE_STANDARD;
}

/* What route_decide says, copied, as answers live until the next call. */
struct copy {
    struct route_answer answer;
    struct route_part parts[ROUTE_PARTS_MAX];
    struct route_share shares[ROUTE_SHARES_MAX];
};

static void copy_answer(struct copy *copy, const struct route_answer *answer)
{
    copy->answer = *answer;
    memcpy(copy->parts, answer->parts, answer->part_count * sizeof *answer->parts);
    memcpy(copy->shares, answer->shares, answer->share_count * sizeof *answer->shares);
}

static void compare(const struct copy *wanted, const struct route_answer *answer)
{
    const struct route_answer *full = &wanted->answer;
    if (full->status != answer->status || full->part_count != answer->part_count ||
        full->share_count != answer->share_count || full->total_m != answer->total_m ||
        full->is_optimal != answer->is_optimal) {
        fail("a confirmed guess is not the decision");
    }
    for (uint32_t i = 0; i < full->part_count; i++) {
        const struct route_part *a = &wanted->parts[i];
        const struct route_part *b = &answer->parts[i];
        if (a->node != b->node || a->metres != b->metres || a->way != b->way ||
            a->service != b->service || a->cost_cents != b->cost_cents) {
            fail("a confirmed guess has another part");
        }
    }
    for (uint32_t i = 0; i < full->share_count; i++) {
        const struct route_share *a = &wanted->shares[i];
        const struct route_share *b = &answer->shares[i];
        if (a->part != b->part || a->line != b->line || a->qty != b->qty) {
            fail("a confirmed guess has another share");
        }
    }
}

static bool is_void(const struct order *order, const struct since *since)
{
    if (strategy && strategy->is_moving && since->is_eased) {
        return true;
    }
    for (uint32_t i = 0; i < order->request.line_count; i++) {
        if (since->raised[order->lines[i].item]) {
            return true;
        }
    }
    return false;
}

static bool confirm(const struct order *order, struct route_answer *answer)
{
    return strategy ? route_confirm_ruled(world.route, &world.view, &order->request, &order->guess,
                                          &order->rank, answer)
                    : route_confirm(world.route, &world.view, &order->request, &order->guess,
                                    answer);
}

static void apply(const struct order *order, const struct since *since)
{
    bool is_ruled = strategy != NULL;
    static struct copy wanted;
    struct route_answer answer;
    route_decide(world.route, &world.view, &order->request, &answer);
    copy_answer(&wanted, &answer);
    if (is_void(order, since)) {
        void_ones[is_ruled]++;
    } else if (confirm(order, &answer)) {
        compare(&wanted, &answer);
        stood[is_ruled]++;
    } else {
        fell[is_ruled]++;
    }
    route_decide(world.route, &world.view, &order->request, &answer);
    compare(&wanted, &answer);
    world_apply(&world, &order->request, &answer);
    for (uint32_t i = 0; i < answer.part_count; i++) {
        world.queues[answer.parts[i].node].count++;
    }
}

/* A node takes on what it had, or declines less; another one declines more. */
static void ease(struct since *since)
{
    uint16_t node = (uint16_t)draw(NODES);
    uint32_t *load = &world.queues[node].count;
    uint32_t *declines = &world.declines[node];
    since->is_eased |= *load > 0 || *declines > 0;
    *load -= *load > 0;
    *declines -= *declines / 2;
    world.declines[draw(NODES)] += 1000;
}

static void raise(struct since *since)
{
    uint32_t item = draw(ITEMS);
    uint16_t node = (uint16_t)draw(NODES);
    const struct row *row = world.catalogue.items[item].row;
    if (row_find(row, world.network.nodes[node].slot) >= 0) {
        world_stock(&world, item, node, (int32_t)draw(6), 0);
        since->raised[item] = true;
    }
}

static void run_batch(uint32_t count)
{
    static struct order orders[BATCH_MAX];
    struct since since = {.is_eased = false};
    for (uint32_t i = 0; i < count; i++) {
        draw_order(&orders[i]);
        const struct route_request *request = &orders[i].request;
        route_prefetch(world.route, &world.view, request->lines, request->line_count,
                       &request->dest);
        route_prefetch_rows(world.route, &world.view, request->lines, request->line_count,
                            &request->dest, strategy);
        if (strategy) {
            route_guess_ruled(world.route, &world.view, request, &orders[i].guess,
                              &orders[i].rank);
        } else {
            route_guess(world.route, &world.view, request, &orders[i].guess);
        }
        route_guess_prefetch_places(&world.view, request->lines, request->line_count,
                                    &orders[i].guess);
        route_guess_prefetch(&world.view, request->lines, request->line_count, &orders[i].guess);
    }
    for (uint32_t i = 0; i < count; i++) {
        apply(&orders[i], &since);
        if (draw(16) == 0) {
            raise(&since);
        }
        if (draw(32) == 0) {
            ease(&since);
        }
    }
}

/* The near node's load outweighs, until its guess is confirmed, what the search left out as too
 * far: around the place, in turn to all sides, so that the near one is also met first. */
static void check_far_one(uint32_t side)
{
    static const double sides[4][2] = {{0.5, 0}, {-0.5, 0}, {0, 0.5}, {0, -0.5}};
    struct strategies own;
    struct strategy weighted = {.name = "s", .name_len = 1, .version = 1,
                                .mode = STRATEGY_WEIGHTED, .term_count = 2};
    weighted.terms[0] = (struct strategy_term){STRATEGY_TERM_DISTANCE, 1000, 1};
    weighted.terms[1] = (struct strategy_term){STRATEGY_TERM_LOAD, 5000, 1}; /* as 5 km */
    world_init(&world, 1);
    struct node_config near = world_config(NODE_STORE, 40.05, -90);
    struct node_config far = world_config(NODE_STORE, 40 + sides[side][0], -90 + sides[side][1]);
    uint16_t first = world_node(&world, "near", &near);
    uint16_t second = world_node(&world, "far", &far);
    world_layout(&world);
    world_item(&world, "i0");
    world_stock(&world, 0, first, 9, 0);
    world_stock(&world, 0, second, 9, 0);
    CHECK(strategies_init(&own) == ERR_OK);
    CHECK(strategies_add(&own, &weighted) == ERR_OK);
    struct route_line line = {0, 1, SERVICE_STANDARD, NODE_NONE, 0};
    const struct route_request request = {.lines = &line, .line_count = 1, .has_dest = true,
                                          .dest = geo_point(40, -90), .country = "",
                                          .postcode = "", .max_splits = ROUTE_NO_LIMIT,
                                          .max_m = ROUTE_NO_LIMIT,
                                          .strategy = strategies_at(&own, 1)};
    struct route_guess guess;
    struct route_rank rank;
    struct route_answer answer;
    route_guess_ruled(world.route, &world.view, &request, &guess, &rank);
    CHECK(guess.node == first);
    CHECK(route_confirm_ruled(world.route, &world.view, &request, &guess, &rank, &answer));
    world.queues[first].count = 20;
    CHECK(!route_confirm_ruled(world.route, &world.view, &request, &guess, &rank, &answer));
    route_decide(world.route, &world.view, &request, &answer);
    CHECK(answer.parts[0].node == second);
    strategies_close(&own);
    world_close(&world);
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1, 2, 7, BATCH_MAX};
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 5;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 60;
    printf("seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
    for (uint32_t side = 0; side < 4; side++) {
        check_far_one(side);
    }
    for (round_now = 0; round_now < rounds; round_now++) {
        rng_init(&rng, seed + round_now * 1000003u);
        draw_world();
        CHECK(strategies_init(&strategies) == ERR_OK);
        draw_strategy();
        for (uint32_t i = 0; i < 40; i++) {
            run_batch(sizes[draw(4)]);
        }
        world_close(&world);
        strategies_close(&strategies);
    }
    bool is_rich = true;
    for (int i = 0; i < 2; i++) {
        printf("%s: %llu guesses stood, %llu fell, %llu were void\n", i ? "ruled" : "nearest",
               (unsigned long long)stood[i], (unsigned long long)fell[i],
               (unsigned long long)void_ones[i]);
        is_rich = is_rich && stood[i] && fell[i] && void_ones[i];
    }
    return rounds >= 20 && !is_rich;
}
