/* Cost of the decision: nearest source by density, one by one and in batches; split search. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "check.h"
#include "rng.h"
#include "world.h"

enum { NODES = 4613, LINES = 2, BATCH_MAX = 512 };

static struct rng rng;
static struct world world;
static struct bench bench;
static uint32_t items, orders;

struct order {
    struct route_line lines[LINES];
    struct route_request request;
};

static struct order *asked;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

/* Half the places in forty towns, half anywhere between 25-49 N and 67-124 W. */
static void draw_place(double *lat, double *lon)
{
    uint32_t town = draw(80);
    struct rng towns;
    rng_init(&towns, town);
    bool is_town = town < 40;
    double spread = is_town ? 0.5 : 1;
    *lat = is_town ? 26 + 22 * rng_unit(&towns) : 25;
    *lon = is_town ? -123 + 55 * rng_unit(&towns) : -124;
    *lat += (is_town ? 1 : 24) * spread * rng_unit(&rng);
    *lon += (is_town ? 1 : 57) * spread * rng_unit(&rng);
}

static void make_nodes(void)
{
    for (uint32_t i = 0; i < NODES; i++) {
        char id[16];
        double lat;
        double lon;
        draw_place(&lat, &lon);
        struct node_config config = world_config(NODE_STORE, lat, lon);
        snprintf(id, sizeof id, "s%u", i);
        world_node(&world, id, &config);
    }
    network_layout(&world.network, NULL);
}

/* The first item's row is made cell by cell; the others are it with the nodes shuffled. */
static void make_items(double density)
{
    static uint16_t map[SLOT_MAX];
    uint32_t slots = world.network.words * 64;
    for (uint32_t item = 0; item < items; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
    }
    for (uint32_t node = 0; node < NODES; node++) {
        if (rng_unit(&rng) < density) {
            int32_t on_hand = rng_unit(&rng) < 0.1 ? 0 : 1 + (int32_t)draw(20);
            world_stock(&world, 0, (uint16_t)node, on_hand, 0);
        }
    }
    for (uint32_t item = 1; item < items; item++) {
        uint16_t nodes[NODES];
        for (uint32_t i = 0; i < NODES; i++) {
            uint32_t at = draw(i + 1);
            nodes[i] = nodes[at];
            nodes[at] = world.network.nodes[i].slot;
        }
        for (uint32_t i = 0; i < NODES; i++) {
            map[world.network.nodes[i].slot] = nodes[i];
        }
        world.catalogue.items[item].row =
            row_moved(world.catalogue.items[0].row, map, world.network.words);
        CHECK(world.catalogue.items[item].row);
    }
    CHECK(slots <= SLOT_MAX);
}

static void make_orders(uint32_t line_count)
{
    for (uint32_t i = 0; i < orders; i++) {
        struct order *order = &asked[i];
        double lat;
        double lon;
        draw_place(&lat, &lon);
        order->request = (struct route_request){.lines = order->lines,
                                                .line_count = line_count,
                                                .has_dest = true,
                                                .dest = geo_point(lat, lon),
                                                .country = "US",
                                                .postcode = "",
                                                .max_splits = ROUTE_NO_LIMIT,
                                                .max_m = ROUTE_NO_LIMIT};
        for (uint32_t line = 0; line < line_count; line++) {
            order->lines[line] =
                (struct route_line){draw(items), 1, SERVICE_STANDARD, NODE_NONE, 0};
        }
    }
}

/* One order after the other, each decided from nothing; caches are cold but for the network. */
static uint64_t run_decide(void *owner, uint64_t count)
{
    uint64_t hash = 0;
    (void)owner;
    for (uint64_t i = 0; i < count; i++) {
        struct route_answer answer;
        route_decide(world.route, &world.view, &asked[i % orders].request, &answer);
        hash = hash * 31 + answer.total_m;
    }
    return hash;
}

/* As the engine does: stage by stage over a batch. */
static uint64_t run_batch(void *owner, uint64_t count)
{
    static struct route_guess guesses[BATCH_MAX];
    uint32_t batch = *(const uint32_t *)owner;
    uint64_t hash = 0;
    for (uint64_t done = 0; done < count; done += batch) {
        uint64_t first = done % orders;
        for (uint32_t i = 0; i < batch; i++) {
            route_prefetch(world.route, &world.view, asked[first + i].request.lines,
                           asked[first + i].request.line_count, &asked[first + i].request.dest);
        }
        for (uint32_t i = 0; i < batch; i++) {
            route_prefetch_rows(world.route, &world.view, asked[first + i].request.lines,
                                asked[first + i].request.line_count,
                                &asked[first + i].request.dest, NULL);
        }
        for (uint32_t i = 0; i < batch; i++) {
            route_guess(world.route, &world.view, &asked[first + i].request, &guesses[i]);
        }
        for (uint32_t i = 0; i < batch; i++) {
            route_guess_prefetch_places(&world.view, asked[first + i].request.lines,
                                        asked[first + i].request.line_count, &guesses[i]);
        }
        for (uint32_t i = 0; i < batch; i++) {
            route_guess_prefetch(&world.view, asked[first + i].request.lines,
                                 asked[first + i].request.line_count, &guesses[i]);
        }
        for (uint32_t i = 0; i < batch; i++) {
            struct route_answer answer;
            if (!route_confirm(world.route, &world.view, &asked[first + i].request, &guesses[i],
                               &answer)) {
                route_decide(world.route, &world.view, &asked[first + i].request, &answer);
            }
            hash = hash * 31 + answer.total_m;
        }
    }
    return hash;
}

/* Guesses only, on rows and cells that are in cache: what the search itself costs. */
static uint64_t run_warm(void *owner, uint64_t count)
{
    uint64_t hash = 0;
    (void)owner;
    for (uint64_t i = 0; i < count; i++) {
        struct route_guess guess;
        route_guess(world.route, &world.view, &asked[i % 64].request, &guess);
        hash = hash * 31 + guess.node;
    }
    return hash;
}

static bool wants_nearest(const char *begin)
{
    return bench_wants(&bench, "decide_cold", begin) || bench_wants(&bench, "guess_warm", begin) ||
           bench_wants(&bench, "decide_batch", begin);
}

static void bench_nearest(double density)
{
    char text[64];
    snprintf(text, sizeof text, "density=%.0f%% ", density * 100);
    if (!wants_nearest(text)) {
        return;
    }
    rng_init(&rng, 7);
    world_init(&world, items + 1);
    make_nodes();
    make_items(density);
    for (uint32_t lines = 1; lines <= LINES; lines++) {
        make_orders(lines);
        snprintf(text, sizeof text, "density=%.0f%% lines=%u", density * 100, lines);
        bench_run(&bench, "decide_cold", text, orders, 64, run_decide, NULL);
        bench_run(&bench, "guess_warm", text, orders, 64, run_warm, NULL);
        for (uint32_t batch = 64; batch <= BATCH_MAX; batch *= 8) {
            snprintf(text, sizeof text, "density=%.0f%% lines=%u batch=%u", density * 100, lines,
                     batch);
            bench_run(&bench, "decide_batch", text, orders, 512, run_batch, &batch);
        }
    }
    world_close(&world);
}

/* -- splits -- */

static struct route_line split_lines[64];
static struct route_request split_request;

static void make_split(uint32_t line_count, double density, uint32_t most, uint32_t warehouses)
{
    rng_init(&rng, 11);
    world_init(&world, 1000);
    make_nodes();
    for (uint32_t item = 0; item < line_count; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t node = 0; node < NODES; node++) {
            double share = node < warehouses ? 0.7 : density * (0.5 + rng_unit(&rng));
            if (rng_unit(&rng) < share) {
                world_stock(&world, item, (uint16_t)node, 1 + (int32_t)draw(most), 0);
            }
        }
        split_lines[item] =
            (struct route_line){item, 1 + draw(most), SERVICE_STANDARD, NODE_NONE, 0};
    }
}

static uint32_t split_optimal, split_done, split_nodes;
static uint64_t split_worst;

static uint64_t run_split(void *owner, uint64_t count)
{
    uint32_t line_count = *(const uint32_t *)owner;
    uint64_t hash = 0;
    rng_init(&rng, 13);
    for (uint64_t i = 0; i < count; i++) {
        struct route_answer answer;
        double lat;
        double lon;
        draw_place(&lat, &lon);
        split_request = (struct route_request){.lines = split_lines,
                                               .line_count = line_count,
                                               .has_dest = true,
                                               .dest = geo_point(lat, lon),
                                               .country = "",
                                               .postcode = "",
                                               .max_splits = ROUTE_NO_LIMIT,
                                               .max_m = ROUTE_NO_LIMIT};
        uint64_t start = bench_now_ns();
        route_decide(world.route, &world.view, &split_request, &answer);
        uint64_t took = bench_now_ns() - start;
        split_worst = took > split_worst ? took : split_worst;
        split_optimal += answer.is_optimal;
        split_nodes += answer.part_count;
        split_done++;
        hash = hash * 31 + answer.total_m * 1000 + answer.steps;
    }
    return hash;
}

static void bench_split(uint32_t line_count, double density, uint32_t most, uint32_t warehouses)
{
    char text[96];
    snprintf(text, sizeof text, "lines=%u density=%.1f%% qty<=%u warehouses=%u", line_count,
             density * 100, most, warehouses);
    if (!bench_wants(&bench, "split", text)) {
        return;
    }
    make_split(line_count, density, most, warehouses);
    run_split(&line_count, 1); /* its memory is touched for the first time */
    split_optimal = split_done = split_nodes = 0;
    split_worst = 0;
    bench_run(&bench, "split", text, 40, 2, run_split, &line_count);
    if (split_done > 0) {
        printf("  worst %.0f us, %.1f nodes, optimal %u of %u\n", (double)split_worst / 1000,
               (double)split_nodes / split_done, split_optimal, split_done);
    }
    world_close(&world);
}

int main(int argc, char **argv)
{
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    items = bench.is_smoke ? 20 : 4000;
    orders = bench.is_smoke ? 512 : 65536;
    asked = calloc(orders, sizeof *asked);
    CHECK(asked);
    bench_nearest(0.01);
    bench_nearest(0.1);
    bench_nearest(0.5);
    bench_split(2, 0.01, 1, 0);
    bench_split(12, 0.01, 1, 0);
    bench_split(12, 0.03, 1, 0);
    bench_split(12, 0.1, 1, 0);
    bench_split(12, 0.3, 1, 0);
    bench_split(3, 0.1, 4, 0);
    bench_split(12, 0.1, 4, 0);
    bench_split(12, 0.3, 4, 10);
    bench_split(15, 0.15, 1, 10);
    bench_split(26, 0.15, 1, 10);
    bench_split(26, 0.15, 6, 10);
    bench_split(60, 0.15, 1, 10);
    free(asked);
    return 0;
}
