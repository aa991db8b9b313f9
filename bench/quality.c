/* How good the decisions are, and what they cost: shares proved to be the best, steps, time, and
 * parts and km over the exact result, on orders of the load generator and on drawn hard ones.
 *
 * Flags of its own: --data DIR (stores and baskets), --json FILE, --orders N, --family NAME,
 * --steps N (the bound of a search; 0 = the default), --seed N (of hard draws), --gap N (so many
 * orders of more than 12 items against linear programs that glpsol solves). The stock of a family
 * is never taken: each order meets the same. */
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench.h"
#include "check.h"
#include "quality_draw.h"
#include "quality_gap.h"
#include "rng.h"
#include "world.h"

enum {
    STEPS_EXACT = 400000000, /* far more than any order here needs to be proved */
    LIST_MAX = 16
};

struct options {
    const char *data;
    const char *json;
    const char *family;
    uint32_t orders;
    uint32_t gap;   /* orders that are held against linear programs */
    uint32_t steps; /* the bound; 0 = the default */
    uint64_t seed;  /* of the hard draws */
    bool is_smoke;
};

static struct options options = {.seed = 5};
static uint32_t hard_nodes = 4613;
static uint64_t all_parts, all_metres, best_parts, best_metres; /* of the generator's orders */
static struct world world;
static struct rng rng;
static struct quality_order order;
static struct route_line lines[QUALITY_LINES_MAX];
static json_t *families;

/* Sums over the orders of a family. */
struct tally {
    uint32_t orders, routed, split, proved;
    uint64_t parts, metres;           /* of orders of up to 12 items that were compared */
    uint64_t best_parts, best_metres; /* of the exact result */
    uint32_t compared, unknown;
    uint64_t long_parts, long_metres; /* of orders of more items */
    double us_sum, us_max;
    uint64_t steps_sum;
    double us[65536];
    uint32_t proved_by[2], split_by[2]; /* up to 12 items, more */
};

static struct tally tally;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

static uint32_t items_of(const struct route_request *request)
{
    static uint32_t seen[1 << 16];
    static uint32_t stamp;
    uint32_t count = 0;
    stamp++;
    for (uint32_t i = 0; i < request->line_count; i++) {
        uint32_t *at = &seen[request->lines[i].item & 0xffff];
        count += *at != stamp;
        *at = stamp;
    }
    return count;
}

static struct route_request request_of(const struct quality_order *from)
{
    for (uint32_t i = 0; i < from->count; i++) {
        lines[i] = (struct route_line){from->item[i], from->qty[i], SERVICE_STANDARD, NODE_NONE, 0};
    }
    return (struct route_request){.lines = lines,
                                  .line_count = from->count,
                                  .has_dest = true,
                                  .dest = geo_point(from->lat, from->lon),
                                  .country = "US",
                                  .postcode = "",
                                  .max_splits = ROUTE_NO_LIMIT,
                                  .max_m = ROUTE_NO_LIMIT};
}

/* Decide again without a bound and hold the parts and metres against it. */
static void compare(const struct route_request *request, uint32_t parts, uint64_t metres)
{
    struct route_answer answer;
    uint32_t bound = route_steps_max(world.route);
    route_steps_max_set(world.route, STEPS_EXACT);
    route_decide(world.route, &world.view, request, &answer);
    route_steps_max_set(world.route, bound);
    if (!answer.is_optimal) {
        tally.unknown++;
        return;
    }
    tally.compared++;
    tally.parts += parts;
    tally.metres += metres;
    tally.best_parts += answer.part_count;
    tally.best_metres += answer.total_m;
}

/* What this thread has used of a processor: others that use the machine do not count. */
static uint64_t used_ns(void)
{
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static void add_order(const struct quality_order *from)
{
    struct route_answer answer;
    struct route_request request = request_of(from);
    if (options.steps > 0) {
        route_steps_max_set(world.route, options.steps);
    }
    uint64_t start = used_ns();
    route_decide(world.route, &world.view, &request, &answer);
    double us = (double)(used_ns() - start) / 1e3;
    tally.us[tally.orders++ % 65536] = us;
    tally.us_sum += us;
    tally.us_max = us > tally.us_max ? us : tally.us_max;
    tally.steps_sum += answer.steps;
    if (answer.status == ORDER_REFUSED) {
        return;
    }
    bool is_long = items_of(&request) > 12;
    tally.routed++;
    tally.proved += answer.is_optimal;
    tally.split += answer.part_count > 1;
    tally.split_by[is_long] += answer.part_count > 1;
    tally.proved_by[is_long] += answer.part_count > 1 && answer.is_optimal;
    tally.long_parts += is_long ? answer.part_count : 0;
    tally.long_metres += is_long ? answer.total_m : 0;
    if (!is_long && !answer.is_optimal) {
        compare(&request, answer.part_count, answer.total_m);
    } else if (!is_long) {
        tally.compared++;
        tally.parts += answer.part_count;
        tally.metres += answer.total_m;
        tally.best_parts += answer.part_count;
        tally.best_metres += answer.total_m;
    }
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double ratio(uint64_t a, uint64_t b)
{
    return b ? (double)a / (double)b : 1;
}

static void family_end(const char *name)
{
    uint32_t kept = tally.orders < 65536 ? tally.orders : 65536;
    qsort(tally.us, kept, sizeof tally.us[0], by_value);
    double p99 = kept ? tally.us[kept * 99 / 100] : 0;
    printf("%-26s %6u routed, %6u split, optimal %.2f %% (split <=12: %u/%u, more: %u/%u), "
           "parts %.5f km %.5f unknown %u; longer: %llu parts %.0f km; "
           "us mean %.1f p50 %.1f p99 %.0f max %.0f; steps mean %.0f, ns per step %.1f\n",
           name, tally.routed, tally.split, 100 * ratio(tally.proved, tally.routed),
           tally.proved_by[0], tally.split_by[0], tally.proved_by[1], tally.split_by[1],
           ratio(tally.parts, tally.best_parts), ratio(tally.metres, tally.best_metres),
           tally.unknown, (unsigned long long)tally.long_parts, (double)tally.long_metres / 1e3,
           tally.us_sum / tally.orders, tally.us[kept / 2], p99, tally.us_max,
           (double)tally.steps_sum / tally.orders,
           tally.us_sum * 1e3 / (double)(tally.steps_sum + 1));
    fflush(stdout);
    json_array_append_new(
        families,
        json_pack("{s:s,s:i,s:i,s:i,s:f,s:i,s:i,s:i,s:i,s:f,s:f,s:i,s:i,s:f,s:f,s:f,s:f}", "family",
                  name, "orders", (int)tally.orders, "routed", (int)tally.routed, "split",
                  (int)tally.split, "optimal", ratio(tally.proved, tally.routed), "split_short",
                  (int)tally.split_by[0], "proved_short", (int)tally.proved_by[0], "split_long",
                  (int)tally.split_by[1], "proved_long", (int)tally.proved_by[1],
                  "splits_over_optimum", ratio(tally.parts, tally.best_parts), "km_over_optimum",
                  ratio(tally.metres, tally.best_metres), "compared", (int)tally.compared,
                  "not_compared", (int)tally.unknown, "us_mean", tally.us_sum / tally.orders,
                  "us_p50", tally.us[kept / 2], "us_p99", p99, "us_max", tally.us_max));
}

/* -- hard orders: items of which most cells hold a part only -- */

static void hard_world(uint32_t items, double density, uint32_t most)
{
    world_init(&world, items);
    for (uint32_t i = 0; i < hard_nodes; i++) {
        char id[16];
        double lat = 25 + 24 * rng_unit(&rng);
        struct node_config config = world_config(NODE_STORE, lat, -124 + 57 * rng_unit(&rng));
        snprintf(id, sizeof id, "s%u", i);
        world_node(&world, id, &config);
    }
    network_layout(&world.network, NULL);
    for (uint32_t item = 0; item < items; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t node = 0; node < hard_nodes; node++) {
            if (rng_unit(&rng) < density) {
                world_stock(&world, item, (uint16_t)node, 1 + (int32_t)draw(most), 0);
            }
        }
    }
}

static void run_hard(uint32_t items, double density, uint32_t most)
{
    char name[64];
    snprintf(name, sizeof name, "%s-%u-%g-%u", most > 1 ? "hard" : "single", items, density, most);
    if (options.family && strncmp(options.family, name, strlen(options.family)) != 0) {
        return;
    }
    memset(&tally, 0, sizeof tally);
    rng_init(&rng, options.seed);
    for (uint32_t i = 0; i < options.orders / 10 + 1; i++) {
        if (i % 5 == 0) {
            if (i > 0) {
                world_close(&world);
            }
            hard_world(items, density, most);
        }
        order.lat = 25 + 24 * rng_unit(&rng);
        order.lon = -124 + 57 * rng_unit(&rng);
        order.count = items;
        for (uint32_t line = 0; line < items; line++) {
            order.item[line] = line;
            order.qty[line] = 1 + draw(most);
        }
        add_order(&order);
    }
    world_close(&world);
    family_end(name);
}

/* -- orders of the load generator -- */

static void drawn_world(const struct quality_draw *draws)
{
    uint32_t items = quality_draw_items(draws);
    world_init(&world, items);
    for (uint32_t i = 0; i < quality_draw_sites(draws); i++) {
        char id[16];
        struct quality_site site = quality_draw_site(draws, i);
        struct node_config config =
            world_config(site.is_warehouse ? NODE_WAREHOUSE : NODE_STORE, site.lat, site.lon);
        snprintf(id, sizeof id, "s%05u", i);
        world_node(&world, id, &config);
    }
    network_layout(&world.network, NULL);
    for (uint32_t item = 0; item < items; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t i = 0; i < quality_draw_sites(draws); i++) {
            uint32_t units = quality_draw_units(draws, i, item);
            if (units > 0) {
                world_stock(&world, item, (uint16_t)i, (int32_t)units, 0);
            }
        }
    }
}

/* -- orders of many items against linear programs -- */

static struct {
    uint32_t orders, unsolved, proved;
    uint64_t parts, bound_parts;
    double metres, bound_metres;
} gap;

enum { GAP_NODES_MAX = 8192, GAP_SECONDS = 120 /* then the orders so far have to do */ };

/* The order's items once each, and what the sites have of them; false: it is not of this kind. */
static bool problem_of(const struct quality_draw *draws, struct quality_problem *problem)
{
    static uint32_t metres[GAP_NODES_MAX], demand[QUALITY_LINES_MAX], item[QUALITY_LINES_MAX];
    static uint32_t free_units[GAP_NODES_MAX * QUALITY_LINES_MAX];
    struct geo_point dest = geo_point(order.lat, order.lon);
    *problem = (struct quality_problem){.nodes = quality_draw_sites(draws)};
    for (uint32_t i = 0; i < order.count; i++) {
        uint32_t at = 0;
        while (at < problem->items && item[at] != order.item[i]) {
            at++;
        }
        demand[at] = (at < problem->items ? demand[at] : 0) + order.qty[i];
        item[at] = order.item[i];
        problem->items += at == problem->items;
    }
    if (problem->items <= 12 || problem->nodes > GAP_NODES_MAX) {
        return false;
    }
    for (uint32_t node = 0; node < problem->nodes; node++) {
        metres[node] = geo_metres(&world.network.nodes[node].point, &dest);
        for (uint32_t i = 0; i < problem->items; i++) {
            free_units[(size_t)node * problem->items + i] =
                quality_draw_units(draws, node, item[i]);
        }
    }
    problem->metres = metres;
    problem->demand = demand;
    problem->free = free_units;
    return true;
}

/* Hold one order against the bounds: parts against the fewest, metres against those of as many. */
static void add_gap(const struct quality_draw *draws)
{
    struct route_answer answer;
    struct quality_problem problem;
    struct route_request request = request_of(&order);
    uint32_t parts;
    double metres;
    route_decide(world.route, &world.view, &request, &answer);
    if (answer.status != ORDER_ROUTED || answer.part_count < 2 || !problem_of(draws, &problem)) {
        return;
    }
    uint32_t answered = answer.part_count;
    gap.orders++;
    if (!quality_gap_parts(&problem, &parts) || !quality_gap_metres(&problem, answered, &metres)) {
        gap.unsolved++;
        return;
    }
    gap.proved += answer.is_optimal;
    gap.parts += answered;
    gap.bound_parts += parts;
    gap.metres += (double)answer.total_m;
    gap.bound_metres += metres;
}

static void run_gap(const struct quality_draw *draws)
{
    if (options.gap == 0 || !quality_gap_can()) {
        return;
    }
    uint64_t end = bench_now_ns() + GAP_SECONDS * (uint64_t)1000000000;
    for (uint64_t i = 0; gap.orders < options.gap && bench_now_ns() < end; i++) {
        quality_draw_order(draws, i, &order);
        add_gap(draws);
    }
    printf("%u orders of more than 12 items in several parts: %llu parts, by linear programs at "
           "least %llu; km %.0f, at least %.0f; %u proved here, %u not solved\n",
           gap.orders, (unsigned long long)gap.parts, (unsigned long long)gap.bound_parts,
           gap.metres / 1e3, gap.bound_metres / 1e3, gap.proved, gap.unsolved);
}

static void run_drawn(const char *name, bool is_baskets, uint32_t items, uint32_t orders)
{
    if (options.family && strcmp(options.family, name) != 0) {
        return;
    }
    struct quality_draw *draws = quality_draw_open(is_baskets, options.data, items, 1);
    if (!draws) {
        exit(1);
    }
    memset(&tally, 0, sizeof tally);
    drawn_world(draws);
    for (uint32_t i = 0; i < orders; i++) {
        quality_draw_order(draws, i, &order);
        add_order(&order);
    }
    if (is_baskets) {
        run_gap(draws);
    }
    world_close(&world);
    quality_draw_close(draws);
    all_parts += tally.parts;
    all_metres += tally.metres;
    best_parts += tally.best_parts;
    best_metres += tally.best_metres;
    family_end(name);
}

static bool read_options(int *argc, char **argv)
{
    int kept = 1;
    for (int i = 1; i < *argc; i++) {
        const char **to = NULL;
        to = strcmp(argv[i], "--data") == 0 ? &options.data : to;
        to = strcmp(argv[i], "--json") == 0 ? &options.json : to;
        to = strcmp(argv[i], "--family") == 0 ? &options.family : to;
        if (strcmp(argv[i], "--orders") == 0 && i + 1 < *argc) {
            options.orders = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--gap") == 0 && i + 1 < *argc) {
            options.gap = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--seed") == 0 && i + 1 < *argc) {
            options.seed = strtoull(argv[++i], NULL, 10);
        } else if (strcmp(argv[i], "--steps") == 0 && i + 1 < *argc) {
            options.steps = (uint32_t)strtoul(argv[++i], NULL, 10);
        } else if (to && i + 1 < *argc) {
            *to = argv[++i];
        } else if (to) {
            fprintf(stderr, "bench_quality: %s needs a value\n", argv[i]);
            return false;
        } else {
            argv[kept++] = argv[i];
        }
    }
    *argc = kept;
    return true;
}

int main(int argc, char **argv)
{
    static const double densities[] = {0.05, 0.1, 0.3, 0.6};
    struct bench bench;
    if (!read_options(&argc, argv) || !bench_init(&bench, argc, argv)) {
        return 2;
    }
    options.orders = options.orders ? options.orders : bench.is_smoke ? 20 : 500;
    hard_nodes = bench.is_smoke ? 100 : hard_nodes;
    families = json_array();
    for (uint32_t i = 0; i < 4; i++) {
        run_hard(12, densities[i], 30);
    }
    run_hard(12, 0.3, 6);
    run_hard(12, 0.1, 6);
    run_hard(8, 0.1, 30);
    run_hard(5, 0.1, 30);
    run_hard(50, 0.1, 1);
    run_hard(100, 0.6, 1);
    run_hard(1000, 0.01, 1);
    run_hard(1000, 0.1, 1);
    run_hard(1000, 0.6, 1);
    run_drawn("consumer", false, bench.is_smoke ? 50 : 10000, options.orders * 40);
    if (options.data) {
        run_drawn("baskets", true, 0, options.orders * 4);
    }
    json_t *root =
        json_pack("{s:f,s:f,s:o}", "splits_over_optimum", ratio(all_parts, best_parts),
                  "km_over_optimum", ratio(all_metres, best_metres), "families", families);
    if (gap.bound_parts > 0) {
        json_object_update_new(root,
                               json_pack("{s:i,s:f,s:f,s:i,s:i}", "long_proved", (int)gap.proved,
                                         "long_gap", ratio(gap.parts, gap.bound_parts) - 1,
                                         "long_km_gap", gap.metres / gap.bound_metres - 1,
                                         "long_orders", (int)(gap.orders - gap.unsolved),
                                         "long_not_solved", (int)gap.unsolved));
    }
    if (options.json && json_dump_file(root, options.json, JSON_INDENT(1)) != 0) {
        fprintf(stderr, "bench_quality: %s: cannot be written\n", options.json);
        return 1;
    }
    json_decref(root);
    return 0;
}
