/* Model test of splits: random groups against every subset of the candidates (up to 12), and, on
 * a large network with units of one, against a plain dynamic program.
 *
 * Usage: test_split [seed [rounds]]; a failure prints the command that replays it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "world.h"

enum { ITEMS_MAX = 90, NODES_MAX = 12, LINES_MAX = 100, LARGE = 4613, LARGE_ITEMS = 12 };

static struct rng rng;
static struct world world;
static uint64_t seed;
static uint32_t round_now;
static uint32_t splits_seen, partial_seen, refused_seen, spread_seen, kept_out_seen;
static uint32_t proved_seen, ruled_out_seen; /* of more than 64 items */

static uint32_t node_count, item_count;
static uint32_t stock_of[ITEMS_MAX][NODES_MAX];
static bool is_kept_out[ITEMS_MAX][NODES_MAX]; /* barred or not listed there */
static uint32_t free_of[ITEMS_MAX][NODES_MAX]; /* of this request: at its candidates */
static bool has_candidate;
static struct route_line lines[LINES_MAX];
static struct route_request request;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

static bool chance(double share)
{
    return rng_unit(&rng) < share;
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\nreplay: test_split %llu 1\n", what,
            (unsigned long long)(seed + round_now * 1000003u));
    exit(1);
}

static void draw_nodes(void)
{
    uint32_t priorities = chance(0.3) ? 3 : 1;
    bool has_ties = chance(0.3);
    for (uint32_t i = 0; i < node_count; i++) {
        char id[16];
        double lat = has_ties ? 40 + draw(3) : 30 + 15 * rng_unit(&rng);
        double lon = has_ties ? -80 : -120 + 40 * rng_unit(&rng);
        struct node_config config = world_config(NODE_STORE, lat, lon);
        config.priority = (int32_t)draw(priorities) - 1;
        config.bars = chance(0.1) ? (uint64_t)1 << FLAG_FIXED_COUNT : 0;
        snprintf(id, sizeof id, "n%02u", (i * 7 + 3) % 31);
        CHECK(world_node(&world, id, &config) == i);
    }
}

static void draw_stock(double density, uint32_t most)
{
    memset(stock_of, 0, sizeof stock_of);
    memset(is_kept_out, 0, sizeof is_kept_out);
    for (uint32_t item = 0; item < item_count; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        CHECK(world_item(&world, id) == item);
        for (uint32_t node = 0; node < node_count; node++) {
            if (chance(density)) {
                stock_of[item][node] = draw(most + 1);
                world_stock(&world, item, (uint16_t)node, 5 + (int32_t)stock_of[item][node], 5);
            }
        }
    }
}

/* Some items barred at some nodes, some not listed; with stock there or without. */
static void draw_rules(void)
{
    double share = chance(0.6) ? 0 : 0.5 / item_count;
    uint64_t flag = (uint64_t)1 << FLAG_FIXED_COUNT;
    for (uint32_t item = 0; item < item_count; item++) {
        bool is_flagged = chance(share * 4);
        world.catalogue.items[item].flags = is_flagged ? flag : 0;
        for (uint32_t node = 0; node < node_count; node++) {
            bool is_unlisted = chance(share);
            bool is_barring = world.network.nodes[node].config.bars & flag;
            if (is_unlisted) {
                world_policy(&world, item, (uint16_t)node, &(struct policy){.is_unlisted = true});
            }
            is_kept_out[item][node] = is_unlisted || (is_flagged && is_barring);
        }
    }
}

/* A node that keeps one item of the group out has none of the others for it either. */
static void draw_free(void)
{
    has_candidate = false;
    for (uint32_t node = 0; node < node_count; node++) {
        bool is_candidate = true;
        for (uint32_t line = 0; line < request.line_count; line++) {
            is_candidate = is_candidate && !is_kept_out[lines[line].item][node];
        }
        for (uint32_t item = 0; item < item_count; item++) {
            free_of[item][node] = is_candidate ? stock_of[item][node] : 0;
        }
        has_candidate = has_candidate || is_candidate;
        kept_out_seen += !is_candidate;
    }
}

static void draw_request(uint32_t qty_max)
{
    uint32_t line_count = item_count + (chance(0.3) ? draw(5) : 0);
    request = (struct route_request){.lines = lines,
                                     .line_count = line_count,
                                     .has_dest = true,
                                     .dest = geo_point(30 + 15 * rng_unit(&rng), -100),
                                     .country = "",
                                     .postcode = "",
                                     .max_splits = chance(0.4) ? draw(4) : ROUTE_NO_LIMIT,
                                     .max_m = ROUTE_NO_LIMIT,
                                     .allow_partial = chance(0.4)};
    for (uint32_t i = 0; i < line_count; i++) {
        uint32_t item = i < item_count ? i : draw(item_count);
        lines[i] = (struct route_line){item, 1 + draw(qty_max), SERVICE_STANDARD, NODE_NONE, 0};
    }
}

/* -- the oracle: every subset -- */

static uint32_t demand[ITEMS_MAX];

static uint32_t units_of(uint32_t subset)
{
    uint32_t units = 0;
    for (uint32_t item = 0; item < item_count; item++) {
        uint32_t sum = 0;
        for (uint32_t node = 0; node < node_count; node++) {
            sum += subset >> node & 1 ? free_of[item][node] : 0;
        }
        units += sum < demand[item] ? sum : demand[item];
    }
    return units;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static uint32_t ids_of(uint32_t subset, const char **ids)
{
    uint32_t count = 0;
    for (uint32_t node = 0; node < node_count; node++) {
        if (subset >> node & 1) {
            ids[count++] = world.network.nodes[node].id;
        }
    }
    qsort(ids, count, sizeof *ids, by_text);
    return count;
}

static void cost_of(uint32_t subset, int64_t *priority, uint64_t *metres)
{
    *priority = 0;
    *metres = 0;
    for (uint32_t node = 0; node < node_count; node++) {
        if (subset >> node & 1) {
            *priority += world.network.nodes[node].config.priority;
            *metres += geo_metres(&world.network.nodes[node].point, &request.dest);
        }
    }
}

/* Fewest nodes, lowest priorities, least metres, smallest ids. */
static bool is_better(uint32_t a, uint32_t b)
{
    const char *ids_a[NODES_MAX];
    const char *ids_b[NODES_MAX];
    int64_t priority[2];
    uint64_t metres[2];
    uint32_t count_a = ids_of(a, ids_a);
    uint32_t count_b = ids_of(b, ids_b);
    cost_of(a, &priority[0], &metres[0]);
    cost_of(b, &priority[1], &metres[1]);
    if (count_a != count_b) {
        return count_a < count_b;
    }
    if (priority[0] != priority[1]) {
        return priority[0] < priority[1];
    }
    if (metres[0] != metres[1]) {
        return metres[0] < metres[1];
    }
    for (uint32_t i = 0; i < count_a; i++) {
        if (strcmp(ids_a[i], ids_b[i]) != 0) {
            return strcmp(ids_a[i], ids_b[i]) < 0;
        }
    }
    return false;
}

/* The best subset of at most limit nodes: with all units, or, is_most, with most units. 0: none. */
static uint32_t best_subset(uint32_t limit, uint32_t wanted, bool is_most)
{
    uint32_t best = 0;
    uint32_t best_units = is_most ? 1 : wanted;
    for (uint32_t subset = 1; subset < 1u << node_count; subset++) {
        if ((uint32_t)__builtin_popcount(subset) > limit) {
            continue;
        }
        uint32_t units = units_of(subset);
        if (units > best_units || (units == best_units && (best == 0 || is_better(subset, best)))) {
            best = subset;
            best_units = units;
        }
    }
    return best;
}

static int nearer(const void *a, const void *b)
{
    const struct node *x = &world.network.nodes[*(const uint16_t *)a];
    const struct node *y = &world.network.nodes[*(const uint16_t *)b];
    uint32_t mx = geo_metres(&x->point, &request.dest);
    uint32_t my = geo_metres(&y->point, &request.dest);
    return mx != my ? (mx < my ? -1 : 1) : strcmp(x->id, y->id);
}

/* What the contract says of lines: whole on the nearest that can, else spread, nearest first. */
static uint32_t expected[LINES_MAX][NODES_MAX]; /* by line and place among the nearest */
static uint32_t unserved[LINES_MAX];

static void assign(const uint16_t *nodes, uint32_t count)
{
    static uint32_t left[ITEMS_MAX][NODES_MAX];
    uint32_t can_serve[ITEMS_MAX];
    memset(expected, 0, sizeof expected);
    for (uint32_t item = 0; item < item_count; item++) {
        uint32_t sum = 0;
        for (uint32_t i = 0; i < count; i++) {
            left[item][i] = free_of[item][nodes[i]];
            sum += left[item][i];
        }
        can_serve[item] = sum < demand[item] ? sum : demand[item];
    }
    for (uint32_t line = 0; line < request.line_count; line++) {
        uint32_t item = lines[line].item;
        uint32_t qty = lines[line].qty < can_serve[item] ? lines[line].qty : can_serve[item];
        can_serve[item] -= qty;
        unserved[line] = lines[line].qty - qty;
        uint32_t at = 0;
        while (at < count && left[item][at] < qty) {
            at++;
        }
        spread_seen += at == count && qty > 0;
        for (uint32_t i = at < count ? at : 0; i < count && qty > 0; i++) {
            uint32_t units = left[item][i] < qty ? left[item][i] : qty;
            expected[line][i] = units;
            left[item][i] -= units;
            qty -= units;
        }
    }
}

/* -- comparison -- */

static void compare_plan(const struct route_answer *answer, uint32_t subset)
{
    uint16_t nodes[NODES_MAX];
    uint32_t count = 0;
    for (uint32_t node = 0; node < node_count; node++) {
        if (subset >> node & 1) {
            nodes[count++] = (uint16_t)node;
        }
    }
    qsort(nodes, count, sizeof *nodes, nearer);
    if (answer->part_count != count || answer->splits != count - 1) {
        fail("another number of nodes");
    }
    for (uint32_t i = 0; i < count; i++) {
        if (answer->parts[i].node != nodes[i]) {
            fail("another node");
        }
    }
    assign(nodes, count);
    for (uint32_t i = 0; i < answer->share_count; i++) {
        const struct route_share *share = &answer->shares[i];
        if (expected[share->line][share->part] != share->qty || share->qty == 0) {
            fail("another share");
        }
        expected[share->line][share->part] = 0;
    }
    for (uint32_t line = 0; line < request.line_count; line++) {
        for (uint32_t i = 0; i < count; i++) {
            if (expected[line][i] != 0) {
                fail("a share is missing");
            }
        }
    }
    splits_seen += count > 1;
}

static void compare_unfilled(const struct route_answer *answer)
{
    uint32_t at = 0;
    for (uint32_t line = 0; line < request.line_count; line++) {
        if (unserved[line] == 0) {
            continue;
        }
        if (at == answer->unfilled_count || answer->unfilled[at].line != line ||
            answer->unfilled[at].qty != unserved[line]) {
            fail("another unfilled line");
        }
        at++;
    }
    if (at != answer->unfilled_count) {
        fail("too many unfilled lines");
    }
    bool is_partial = at > 0;
    if (answer->status != (is_partial ? ORDER_PARTIAL : ORDER_ROUTED)) {
        fail("another status");
    }
    partial_seen += is_partial;
}

static void expect_refusal(const struct route_answer *answer, enum reason reason)
{
    refused_seen++;
    if (answer->status != ORDER_REFUSED || answer->reason != reason || answer->part_count != 0) {
        fail("another refusal");
    }
}

/* What is asked for and there; whether some of it is not. */
static bool add_demand(uint32_t *wanted)
{
    bool is_short = false;
    *wanted = 0;
    memset(demand, 0, sizeof demand);
    for (uint32_t line = 0; line < request.line_count; line++) {
        demand[lines[line].item] += lines[line].qty;
    }
    for (uint32_t item = 0; item < item_count; item++) {
        uint32_t sum = 0;
        for (uint32_t node = 0; node < node_count; node++) {
            sum += free_of[item][node];
        }
        is_short = is_short || sum < demand[item];
        demand[item] = sum < demand[item] ? sum : demand[item];
        *wanted += demand[item];
    }
    return is_short;
}

static uint32_t node_limit(void)
{
    return request.max_splits == ROUTE_NO_LIMIT ? NODES_MAX : request.max_splits + 1;
}

static void compare(bool must_be_optimal)
{
    struct route_answer answer;
    uint32_t limit = node_limit();
    uint32_t wanted;
    draw_free();
    bool is_short = add_demand(&wanted);
    route_decide(world.route, &world.view, &request, &answer);
    if (is_short && (!request.allow_partial || wanted == 0)) {
        expect_refusal(&answer,
                       has_candidate ? REASON_INSUFFICIENT_STOCK : REASON_NO_FEASIBLE_SOURCE);
        return;
    }
    uint32_t best = best_subset(limit, wanted, false);
    if (best == 0 && !request.allow_partial) {
        expect_refusal(&answer, REASON_MAX_SPLITS_EXCEEDED);
        return;
    }
    best = best ? best : best_subset(limit, wanted, true);
    if (must_be_optimal && !answer.is_optimal) {
        fail("not proved to be the best");
    }
    compare_plan(&answer, best);
    compare_unfilled(&answer);
}

/* Up to 12 candidates, up to 30 items: all exact. */
static void run_small(void)
{
    static const double densities[] = {0.15, 0.3, 0.5, 0.8};
    uint32_t most = chance(0.4) ? 1 : 1 + draw(6);
    node_count = 1 + draw(NODES_MAX);
    item_count = chance(0.8) ? 1 + draw(12) : 1 + draw(30);
    world_init(&world, 1000);
    route_kernel_set(world.route, round_now % 3);
    draw_nodes();
    draw_stock(densities[draw(4)], most);
    draw_rules();
    for (uint32_t i = 0; i < 4; i++) {
        draw_request(most > 1 ? most + draw(3) : 1);
        compare(true);
    }
    world_close(&world);
}

/* What holds of every answer, however it was found. */
static void check_answer(const struct route_answer *answer)
{
    uint32_t given[LINES_MAX] = {0};
    static uint32_t used[ITEMS_MAX][NODES_MAX];
    uint32_t of_part[NODES_MAX] = {0};
    memset(used, 0, sizeof used);
    for (uint32_t i = 0; i < answer->share_count; i++) {
        const struct route_share *share = &answer->shares[i];
        given[share->line] += share->qty;
        of_part[share->part] += share->qty;
        used[lines[share->line].item][answer->parts[share->part].node] += share->qty;
    }
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        given[answer->unfilled[i].line] += answer->unfilled[i].qty;
    }
    for (uint32_t line = 0; line < request.line_count; line++) {
        if (given[line] != lines[line].qty && answer->status != ORDER_REFUSED) {
            fail("units were lost");
        }
    }
    for (uint32_t item = 0; item < item_count; item++) {
        for (uint32_t node = 0; node < node_count; node++) {
            if (used[item][node] > free_of[item][node]) {
                fail("oversold");
            }
        }
    }
    for (uint32_t i = 0; i < answer->part_count; i++) {
        if (of_part[i] == 0) {
            fail("an empty part");
        }
    }
}

/* An answer that is told to be the best, or impossible, has to be so however many the items are. */
static void check_proof(const struct route_answer *answer)
{
    uint32_t wanted;
    if (add_demand(&wanted) || (answer->status == ORDER_ROUTED && !answer->is_optimal)) {
        return;
    }
    if (answer->status == ORDER_ROUTED) {
        compare_plan(answer, best_subset(node_limit(), wanted, false));
        proved_seen += item_count > 64 && answer->part_count > 1;
    } else if (answer->reason == REASON_MAX_SPLITS_EXCEEDED) {
        ruled_out_seen += item_count > 64;
        if (best_subset(node_limit(), wanted, false) != 0) {
            fail("refused though it can be had");
        }
    }
}

/* More items than masks hold, or hardly any steps: whatever there is stock for is filled. */
static void run_bounded(void)
{
    struct route_answer answer;
    uint32_t most = 1 + draw(5);
    node_count = 1 + draw(NODES_MAX);
    item_count = chance(0.5) ? 65 + draw(25) : 1 + draw(20);
    world_init(&world, 1000);
    route_kernel_set(world.route, round_now % 3);
    draw_nodes();
    draw_stock(chance(0.5) ? 0.6 : 0.93, most);
    draw_rules();
    uint32_t few = draw(chance(0.5) ? 4 : 50);
    route_steps_max_set(world.route, item_count > 64 ? 1000 + draw(9000) : few);
    draw_request(most);
    draw_free();
    route_decide(world.route, &world.view, &request, &answer);
    check_answer(&answer);
    check_proof(&answer);
    bool has_limit = request.max_splits != ROUTE_NO_LIMIT;
    bool is_bound =
        answer.reason == REASON_SEARCH_LIMIT || answer.reason == REASON_MAX_SPLITS_EXCEEDED;
    if (answer.status == ORDER_REFUSED && is_bound && !has_limit) {
        fail("refused though stock was free");
    }
    if (answer.status == ORDER_REFUSED && request.allow_partial && answer.reason != REASON_NONE &&
        is_bound) {
        fail("partial refused");
    }
    world_close(&world);
}

/* -- a large network, one unit each: a plain dynamic program over subsets -- */

static uint32_t mask_of_node[LARGE];
static uint64_t table[1 << LARGE_ITEMS]; /* nodes << 40 | metres */

static uint64_t plain_program(void)
{
    static uint64_t cheapest[1 << LARGE_ITEMS];
    uint32_t masks = 1u << item_count;
    memset(cheapest, 0xff, sizeof cheapest);
    for (uint32_t node = 0; node < node_count; node++) {
        uint64_t metres = geo_metres(&world.network.nodes[node].point, &request.dest);
        uint64_t *at = &cheapest[mask_of_node[node]];
        *at = metres < *at ? metres : *at;
    }
    memset(table, 0xff, sizeof table);
    table[0] = 0;
    for (uint32_t covered = 0; covered + 1 < masks; covered++) {
        for (uint32_t mask = 1; mask < masks && table[covered] != UINT64_MAX; mask++) {
            uint64_t cost = table[covered] + ((uint64_t)1 << 40) + cheapest[mask];
            uint64_t *to = &table[covered | mask];
            *to = cheapest[mask] != UINT64_MAX && cost < *to ? cost : *to;
        }
    }
    return table[masks - 1];
}

static void draw_large(double density)
{
    memset(mask_of_node, 0, sizeof mask_of_node);
    for (uint32_t node = 0; node < node_count; node++) {
        char id[16];
        struct node_config config =
            world_config(NODE_STORE, 25 + 24 * rng_unit(&rng), -124 + 57 * rng_unit(&rng));
        snprintf(id, sizeof id, "s%u", node);
        CHECK(world_node(&world, id, &config) == node);
    }
    world_layout(&world);
    for (uint32_t item = 0; item < item_count; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t node = 0; node < node_count; node++) {
            if (chance(density)) {
                mask_of_node[node] |= 1u << item;
                world_stock(&world, item, (uint16_t)node, 1 + (int32_t)draw(3), 0);
            }
        }
    }
}

static void run_large(double density)
{
    struct route_answer answer;
    node_count = LARGE;
    item_count = LARGE_ITEMS;
    world_init(&world, 1000);
    draw_large(density);
    for (uint32_t i = 0; i < 3; i++) {
        draw_request(1);
        request.line_count = item_count;
        request.max_splits = ROUTE_NO_LIMIT;
        uint64_t wanted = plain_program();
        route_decide(world.route, &world.view, &request, &answer);
        printf("large, density %.2f: %u nodes, %u steps\n", density, answer.part_count,
               answer.steps);
        if (!answer.is_optimal) {
            fail("large: not proved to be the best");
        }
        if (((uint64_t)answer.part_count << 40 | answer.total_m) != wanted) {
            fail("large: another cost");
        }
    }
    world_close(&world);
}

int main(int argc, char **argv)
{
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261122;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1500;
    printf("seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
    for (round_now = 0; round_now < rounds; round_now++) {
        rng_init(&rng, seed + round_now * 1000003u);
        run_small();
        run_bounded();
    }
    run_large(0.1);
    run_large(0.03);
    printf("%u splits, %u partial, %u refused, %u lines spread, %u nodes kept out\n", splits_seen,
           partial_seen, refused_seen, spread_seen, kept_out_seen);
    printf("of more than 64 items %u splits proved, %u ruled out\n", proved_seen, ruled_out_seen);
    bool is_all = splits_seen && partial_seen && refused_seen && spread_seen && kept_out_seen &&
                  proved_seen && ruled_out_seen;
    return rounds > 100 && !is_all;
}
