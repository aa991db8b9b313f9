/* What rules cost an order: two lines over 4,613 drawn stores of which each holds a tenth of the
 * items, by the built-in nearest; with hours, a carrier's rows and capacity everywhere; then by a
 * strategy of four terms as well, lexicographic and weighted; by one that looks at scarcity and one
 * that no distance bounds. The goal: at most 30 % more than the first. Instructions: valgrind
 * --tool=callgrind --toggle-collect=NAME_work, with --smoke. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "shelf.h"

enum { NODES = 4613, BATCH = 1024, FRAME_ROOM = 512, ZONES = 4 };

struct strategies_bench {
    struct shelf shelf;
    struct rng rng;
    uint32_t items;
    uint32_t batch;
    uint64_t serial;
    uint8_t frames[BATCH][FRAME_ROOM];
    struct frame_head heads[BATCH];
    struct service_request requests[BATCH];
    uint8_t frame[8192];
};

static void request_end(struct strategies_bench *bench, struct writer *writer, uint32_t i)
{
    if (writer->is_full ||
        !frame_head_read(bench->frames[i], writer_size(writer), &bench->heads[i])) {
        fprintf(stderr, "bench: a frame does not fit\n");
        exit(1);
    }
    bench->requests[i] =
        (struct service_request){&bench->shelf, &bench->heads[i], bench_now_ns()};
}

static void put_text(struct writer *writer, const char *name, const char *text)
{
    writer_string(writer, name);
    writer_string(writer, text);
}

static void order_write(struct strategies_bench *bench, uint32_t i)
{
    struct writer writer;
    char text[32];
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, i, "order.route");
    writer_map(&writer, 4);
    snprintf(text, sizeof text, "order-%014llu", (unsigned long long)bench->serial++);
    put_text(&writer, "order_id", text);
    writer_str(&writer, "lines");
    writer_array(&writer, 2);
    for (uint32_t line = 0; line < 2; line++) {
        writer_map(&writer, 2);
        shelf_item(text, (uint32_t)rng_below(&bench->rng, bench->items));
        put_text(&writer, "item", text);
        writer_str(&writer, "qty");
        writer_uint(&writer, 1 + line);
    }
    put_text(&writer, "service", "standard");
    writer_str(&writer, "dest");
    writer_map(&writer, 4);
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(&bench->rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(&bench->rng) * 50);
    put_text(&writer, "country", "US");
    snprintf(text, sizeof text, "%05u", (uint32_t)rng_below(&bench->rng, 100000));
    put_text(&writer, "postcode", text);
    request_end(bench, &writer, i);
}

static uint64_t orders(struct strategies_bench *bench, uint64_t count)
{
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            order_write(bench, i);
        }
        shelf_batch(&bench->shelf, bench->requests, bench->batch);
    }
    return bench->shelf.routed;
}

/* One function each, so that a profiler can tell them apart. */
static uint64_t nearest_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static uint64_t dated_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static uint64_t ruled_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static uint64_t weighted_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static uint64_t scarce_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static uint64_t unbound_work(void *owner, uint64_t count)
{
    return orders(bench_hide(owner), count);
}

static void nodes_put(struct strategies_bench *bench)
{
    static const char *const zones[ZONES] = {"America/New_York", "America/Chicago",
                                             "America/Denver", "America/Los_Angeles"};
    for (uint32_t node = 0; node < NODES; node++) {
        struct writer writer;
        char text[16];
        uint32_t i = node % 64;
        writer_init(&writer, bench->frames[i], FRAME_ROOM);
        writer_request(&writer, node, "node.put");
        writer_map(&writer, 6);
        shelf_node(text, node);
        put_text(&writer, "node", text);
        put_text(&writer, "tz", zones[node % ZONES]);
        put_text(&writer, "country", "US");
        writer_str(&writer, "cutoff");
        writer_map(&writer, 1);
        put_text(&writer, "standard", "14:30");
        writer_str(&writer, "handling_cents");
        writer_uint(&writer, 100 + node % 7 * 50);
        writer_str(&writer, "capacity");
        writer_array(&writer, 1);
        writer_map(&writer, 3);
        put_text(&writer, "kind", "orders");
        put_text(&writer, "per", "day");
        writer_str(&writer, "limit");
        writer_uint(&writer, 1000000);
        request_end(bench, &writer, i);
        if (i == 63 || node == NODES - 1) {
            shelf_batch(&bench->shelf, bench->requests, i + 1);
        }
    }
}

static void carriers_load(struct strategies_bench *bench)
{
    struct writer writer;
    writer_init(&writer, bench->frame, sizeof bench->frame);
    writer_request(&writer, 1, "carrier.load");
    writer_map(&writer, 2);
    put_text(&writer, "carrier", "parcel");
    writer_str(&writer, "rows");
    writer_array(&writer, 100);
    for (uint32_t area = 0; area < 100; area++) {
        char text[16];
        writer_array(&writer, 6);
        writer_str(&writer, "standard");
        writer_str(&writer, "US");
        snprintf(text, sizeof text, "US:%02u", area);
        writer_string(&writer, text);
        writer_uint(&writer, 1 + area % 5);
        writer_uint(&writer, 500);
        writer_uint(&writer, 50);
    }
    shelf_ask(&bench->shelf, bench->frame, writer_size(&writer));
}

struct term {
    const char *name;
    double weight; /* 0 = the strategy is lexicographic */
    uint32_t band; /* 0 = none */
};

static void term_write(struct writer *writer, const struct term *term)
{
    writer_map(writer, 1u + (term->weight > 0) + (term->band > 0));
    put_text(writer, "term", term->name);
    if (term->weight > 0) {
        writer_str(writer, "weight");
        writer_float(writer, term->weight);
    }
    if (term->band > 0) {
        writer_str(writer, "band");
        writer_uint(writer, term->band);
    }
}

/* A strategy of four terms, which decides from now on. */
static void rule(struct strategies_bench *bench, const char *name, const struct term *terms)
{
    struct writer writer;
    writer_init(&writer, bench->frame, sizeof bench->frame);
    writer_request(&writer, 1, "strategy.put");
    writer_map(&writer, 3);
    put_text(&writer, "name", name);
    put_text(&writer, "mode", terms[0].weight > 0 ? "weighted" : "lexicographic");
    writer_str(&writer, "terms");
    writer_array(&writer, 4);
    for (uint32_t i = 0; i < 4; i++) {
        term_write(&writer, &terms[i]);
    }
    shelf_ask(&bench->shelf, bench->frame, writer_size(&writer));
    writer_init(&writer, bench->frame, sizeof bench->frame);
    writer_request(&writer, 1, "strategy.activate");
    writer_map(&writer, 1);
    put_text(&writer, "name", name);
    shelf_ask(&bench->shelf, bench->frame, writer_size(&writer));
}

static const struct term bound[] = {
    {"distance", 0, 25}, {"cost", 0, 0}, {"load", 0, 0}, {"acceptance", 0, 0}};
static const struct term weighted[] = {
    {"distance", 1, 0}, {"cost", 0.1, 0}, {"load", 0.5, 0}, {"acceptance", 2, 0}};
static const struct term scarce[] = {
    {"distance", 0, 25}, {"scarcity", 0, 10}, {"cost", 0, 0}, {"load", 0, 0}};
static const struct term unbound[] = {
    {"load", 0, 0}, {"acceptance", 0, 0}, {"cost", 0, 0}, {"distance", 0, 0}};

int main(int argc, char **argv)
{
    static struct strategies_bench own;
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    rng_init(&own.rng, 1);
    own.items = bench.is_smoke ? 20 : 20000;
    own.batch = bench.is_smoke ? 64 : BATCH;
    shelf_open(&own.shelf, bench.is_smoke);
    shelf_world(&own.shelf, NODES, own.items, 10, 1000000, 1);
    bench_run(&bench, "nearest", "two lines", 100000, 512, nearest_work, &own);
    nodes_put(&own);
    carriers_load(&own);
    bench_run(&bench, "dated", "hours, carrier, capacity", 100000, 512, dated_work, &own);
    rule(&own, "bound", bound);
    bench_run(&bench, "ruled", "and distance, cost, load, acceptance", 100000, 512, ruled_work,
              &own);
    rule(&own, "weighted", weighted);
    bench_run(&bench, "weighted", "the same, weighted", 100000, 512, weighted_work, &own);
    rule(&own, "scarce", scarce);
    bench_run(&bench, "scarce", "distance, scarcity, cost, load", 100000, 512, scarce_work, &own);
    rule(&own, "unbound", unbound);
    bench_run(&bench, "unbound", "load, acceptance, cost, distance", 100000, 128, unbound_work,
              &own);
    if (own.shelf.errors) {
        fprintf(stderr, "bench: %llu errors\n", (unsigned long long)own.shelf.errors);
        return 1;
    }
    shelf_close(&own.shelf);
    return 0;
}
