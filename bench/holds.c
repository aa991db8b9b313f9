/* How long one request holds the loop: the largest request of each method, the longest time between
 * two returns to the loop that it causes, cold at first and again when warm; `whole` is the median
 * of all its slices together. `hello` tells these sizes as the methods' largest work; the promise
 * is that no request holds the loop over 500 us. 4,613 drawn stores, 2,000 items, 10 % density. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shelf.h"

enum { NODES = 4613, ITEMS = 2000, RUNS = 25 };

static struct shelf shelf;
static uint8_t frame[SHELF_FRAME_MAX];
static uint32_t nodes, items, lines;
static uint32_t serial;

typedef void build_request(struct writer *writer, uint32_t run);

static void text_put(struct writer *writer, const char *name, const char *text)
{
    writer_string(writer, name);
    writer_string(writer, text);
}

static void big_id(char out[32], uint32_t run)
{
    snprintf(out, 32, "big-%u", run);
}

/* An order of many lines, each of another item, more units than one store has. */
static void route_big(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.route");
    writer_map(writer, 4);
    big_id(text, serial = run);
    text_put(writer, "order_id", text);
    text_put(writer, "service", "standard");
    writer_str(writer, "lines");
    writer_array(writer, lines);
    for (uint32_t i = 0; i < lines; i++) {
        writer_map(writer, 2);
        shelf_item(text, (i * 7 + run) % items);
        text_put(writer, "item", text);
        writer_str(writer, "qty");
        writer_uint(writer, 1);
    }
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 30 + run % 15);
    writer_str(writer, "lon");
    writer_float(writer, -100);
}

static void route_twelve(struct writer *writer, uint32_t run)
{
    uint32_t all = lines;
    lines = lines < 12 ? lines : 12;
    route_big(writer, 1000 + run);
    lines = all;
}

static void route_fifty(struct writer *writer, uint32_t run)
{
    uint32_t all = lines;
    lines = lines < 50 ? lines : 50;
    route_big(writer, 2000 + run);
    lines = all;
}

static void route_two_explained(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.route");
    writer_map(writer, 6);
    big_id(text, 3000 + run);
    text_put(writer, "order_id", text);
    text_put(writer, "service", "standard");
    writer_str(writer, "explain");
    writer_uint(writer, 2);
    writer_str(writer, "dry_run");
    writer_bool(writer, true);
    writer_str(writer, "lines");
    writer_array(writer, 1);
    writer_map(writer, 2);
    shelf_item(text, run % items);
    text_put(writer, "item", text);
    writer_str(writer, "qty");
    writer_uint(writer, 1);
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 40);
    writer_str(writer, "lon");
    writer_float(writer, -100);
}

static void order_get(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.get");
    writer_map(writer, 1);
    big_id(text, run % RUNS);
    text_put(writer, "order_id", text);
}

static void order_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "order.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void fulfil_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "fulfil.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void fulfil_update(struct writer *writer, uint32_t run)
{
    char text[40];
    writer_request(writer, run, "fulfil.update");
    writer_map(writer, 2);
    big_id(text, run % RUNS);
    memcpy(text + strlen(text), "/1", 3);
    text_put(writer, "fulfilment", text);
    text_put(writer, "state", "picked");
}

static void order_cancel(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.cancel");
    writer_map(writer, 1);
    big_id(text, run % RUNS);
    text_put(writer, "order_id", text);
}

static void stock_find(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.find");
    writer_map(writer, 3);
    writer_str(writer, "items");
    writer_array(writer, items < 20 ? items : 20);
    for (uint32_t i = 0; i < 20 && i < items; i++) {
        writer_map(writer, 1);
        shelf_item(text, (run * 20 + i) % items);
        text_put(writer, "item", text);
    }
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 40);
    writer_str(writer, "lon");
    writer_float(writer, -100);
    writer_str(writer, "k");
    writer_uint(writer, 100);
}

static void stock_list(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.list");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void node_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "node.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

/* Every item of a node counted anew: a load in slices. */
static void stock_load(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.load");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "rows");
    writer_array(writer, items);
    for (uint32_t i = 0; i < items; i++) {
        writer_array(writer, 2);
        shelf_item(text, i);
        writer_string(writer, text);
        writer_uint(writer, 10 + i % 5);
    }
}

static void place_load(struct writer *writer, uint32_t run)
{
    char text[32];
    uint32_t rows = items * 5;
    writer_request(writer, run, "place.load");
    writer_map(writer, 2);
    text_put(writer, "country", "US");
    writer_str(writer, "rows");
    writer_array(writer, rows);
    for (uint32_t i = 0; i < rows; i++) {
        writer_array(writer, 3);
        snprintf(text, sizeof text, "%05u", i * 9 % 100000);
        writer_string(writer, text);
        writer_float(writer, 30 + i % 15);
        writer_float(writer, -100);
    }
}

static void node_put(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "node.put");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "serves");
    writer_array(writer, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "US:%03u", i);
        writer_string(writer, text);
    }
}

static void node_bare(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "node.put");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "serves");
    writer_nil(writer);
}

static void stats(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "stats");
    writer_map(writer, 0);
}

static int by_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static void measure(const struct bench *bench, const char *name, build_request *build)
{
    uint64_t ns[RUNS];
    uint64_t whole[RUNS];
    uint32_t runs = bench->is_smoke ? 2 : RUNS;
    if (bench->only && strcmp(bench->only, name) != 0) {
        return;
    }
    for (uint32_t run = 0; run < runs; run++) {
        struct writer writer;
        writer_init(&writer, frame, sizeof frame);
        build(&writer, run);
        if (writer.is_full) {
            fprintf(stderr, "bench: %s does not fit into a frame\n", name);
            exit(1);
        }
        ns[run] = shelf_ask(&shelf, frame, writer_size(&writer));
        whole[run] = shelf.worked_ns;
    }
    uint64_t first = ns[0];
    qsort(ns, runs, sizeof ns[0], by_ns);
    qsort(whole, runs, sizeof whole[0], by_ns);
    printf("hold %-34s first %8.1f  median %8.1f  max %8.1f us  whole %8.1f us%s\n", name,
           (double)first / 1e3, (double)ns[runs / 2] / 1e3, (double)ns[runs - 1] / 1e3,
           (double)whole[runs / 2] / 1e3, bench->is_smoke ? "  (smoke: no figure)" : "");
}

int main(int argc, char **argv)
{
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    nodes = bench.is_smoke ? 200 : NODES;
    items = bench.is_smoke ? 20 : ITEMS;
    lines = bench.is_smoke ? 10 : 1000;
    shelf_open(&shelf, bench.is_smoke);
    shelf_world(&shelf, nodes, items, 10, 1000, 1);
    measure(&bench, "order.route 1,000 lines", route_big);
    measure(&bench, "order.route 50 lines", route_fifty);
    measure(&bench, "order.route 12 lines", route_twelve);
    measure(&bench, "order.route explain 2", route_two_explained);
    measure(&bench, "order.get 1,000 lines", order_get);
    measure(&bench, "order.list 1,000", order_list);
    measure(&bench, "fulfil.list 1,000", fulfil_list);
    measure(&bench, "fulfil.update 1,000 lines", fulfil_update);
    measure(&bench, "order.cancel 1,000 lines", order_cancel);
    measure(&bench, "stock.find 20 items k=100", stock_find);
    measure(&bench, "stock.list 1,000", stock_list);
    measure(&bench, "stock.load 2,000 rows, a slice", stock_load);
    measure(&bench, "place.load 10,000 rows, a slice", place_load);
    measure(&bench, "node.list 1,000", node_list);
    measure(&bench, "node.put 1,000 areas", node_put);
    measure(&bench, "node.put without them", node_bare);
    measure(&bench, "stats", stats);
    shelf_close(&shelf);
    return 0;
}
