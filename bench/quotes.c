/* promise.quote through the whole engine without sockets: a two-line cart, four services, 4,613
 * drawn stores of which each holds a tenth of the items; then with hours, cut-offs and a carrier's
 * rows everywhere. The goal is 200,000 a second on one core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "shelf.h"

enum { NODES = 4613, BATCH = 1024, FRAME_ROOM = 320, ZONES = 4 };

struct quotes_bench {
    struct shelf shelf;
    struct rng rng;
    uint32_t items;
    uint32_t batch;
    uint8_t frames[BATCH][FRAME_ROOM];
    struct frame_head heads[BATCH];
    struct service_request requests[BATCH];
    uint8_t frame[8192];
};

static void request_end(struct quotes_bench *bench, struct writer *writer, uint32_t i)
{
    if (writer->is_full ||
        !frame_head_read(bench->frames[i], writer_size(writer), &bench->heads[i])) {
        fprintf(stderr, "bench: a frame does not fit\n");
        exit(1);
    }
    bench->requests[i] =
        (struct service_request){&bench->shelf, &bench->heads[i], bench_now_ns()};
}

static void quote_write(struct quotes_bench *bench, uint32_t i)
{
    struct writer writer;
    char text[32];
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, i, "promise.quote");
    writer_map(&writer, 2);
    writer_str(&writer, "lines");
    writer_array(&writer, 2);
    for (uint32_t line = 0; line < 2; line++) {
        writer_map(&writer, 2);
        writer_str(&writer, "item");
        shelf_item(text, (uint32_t)rng_below(&bench->rng, bench->items));
        writer_string(&writer, text);
        writer_str(&writer, "qty");
        writer_uint(&writer, 1 + line);
    }
    writer_str(&writer, "dest");
    writer_map(&writer, 4);
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(&bench->rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(&bench->rng) * 50);
    writer_str(&writer, "country");
    writer_str(&writer, "US");
    writer_str(&writer, "postcode");
    snprintf(text, sizeof text, "%05u", (uint32_t)rng_below(&bench->rng, 100000));
    writer_string(&writer, text);
    request_end(bench, &writer, i);
}

static void quotes_write(struct quotes_bench *bench)
{
    for (uint32_t i = 0; i < bench->batch; i++) {
        quote_write(bench, i);
    }
}

static uint64_t quotes_work(void *owner, uint64_t count)
{
    struct quotes_bench *bench = bench_hide(owner);
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            bench->requests[i].read_ns = bench_now_ns();
        }
        shelf_batch(&bench->shelf, bench->requests, bench->batch);
    }
    return bench->shelf.errors;
}

static void put_services(struct writer *writer)
{
    writer_str(writer, "services");
    writer_array(writer, 3);
    writer_str(writer, "ship");
    writer_str(writer, "same_day");
    writer_str(writer, "pickup");
    writer_str(writer, "max_km");
    writer_map(writer, 2);
    writer_str(writer, "next_day");
    writer_float(writer, 2000);
    writer_str(writer, "same_day");
    writer_float(writer, 2000);
}

/* Open from 08:00 to 22:00 on all days, as the bench may run at any time. */
static void put_hours(struct writer *writer, uint32_t node)
{
    static const char *const zones[ZONES] = {"America/New_York", "America/Chicago",
                                             "America/Denver", "America/Los_Angeles"};
    writer_str(writer, "tz");
    writer_string(writer, zones[node % ZONES]);
    writer_str(writer, "cutoff");
    writer_map(writer, 1);
    writer_str(writer, "standard");
    writer_str(writer, "14:30");
    writer_str(writer, "country");
    writer_str(writer, "US");
}

static void nodes_put(struct quotes_bench *bench, bool has_hours)
{
    for (uint32_t node = 0; node < NODES; node++) {
        struct writer writer;
        char text[16];
        uint32_t i = node % 64;
        writer_init(&writer, bench->frames[i], FRAME_ROOM);
        writer_request(&writer, node, "node.put");
        writer_map(&writer, has_hours ? 6 : 3);
        writer_str(&writer, "node");
        shelf_node(text, node);
        writer_string(&writer, text);
        put_services(&writer);
        if (has_hours) {
            put_hours(&writer, node);
        }
        request_end(bench, &writer, i);
        if (i == 63 || node == NODES - 1) {
            shelf_batch(&bench->shelf, bench->requests, i + 1);
        }
    }
}

static void carriers_load(struct quotes_bench *bench)
{
    struct writer writer;
    writer_init(&writer, bench->frame, sizeof bench->frame);
    writer_request(&writer, 1, "carrier.load");
    writer_map(&writer, 2);
    writer_str(&writer, "carrier");
    writer_str(&writer, "parcel");
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

int main(int argc, char **argv)
{
    static struct quotes_bench quotes;
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    rng_init(&quotes.rng, 1);
    quotes.items = bench.is_smoke ? 20 : 20000;
    quotes.batch = bench.is_smoke ? 64 : BATCH;
    shelf_open(&quotes.shelf, bench.is_smoke);
    shelf_world(&quotes.shelf, NODES, quotes.items, 10, 1000000, 1);
    nodes_put(&quotes, false);
    quotes_write(&quotes);
    bench_run(&bench, "quote", "two lines, four services", 200000, 256, quotes_work, &quotes);
    nodes_put(&quotes, true);
    carriers_load(&quotes);
    quotes_write(&quotes);
    bench_run(&bench, "quote_hours", "with zones, cut-offs, a carrier", 200000, 256, quotes_work,
              &quotes);
    if (quotes.shelf.errors) {
        fprintf(stderr, "bench: %llu errors\n", (unsigned long long)quotes.shelf.errors);
        return 1;
    }
    shelf_close(&quotes.shelf);
    return 0;
}
