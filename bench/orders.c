/* The whole engine without sockets: two-line orders through service_batch, durable, in batches,
 * with their life cycle. Shows what an order costs the engine's thread beside the network.
 * 4,613 drawn stores, 10 % density; the log is in a folder made here, the flush is real. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rng.h"
#include "shelf.h"

enum { NODES = 4613, BATCH = 1024, FRAME_ROOM = 256, STEPS_MAX = 4 };

struct orders_bench {
    struct shelf shelf;
    struct rng rng;
    uint32_t items;
    uint32_t batch;
    uint64_t serial;
    uint8_t frames[STEPS_MAX * BATCH][FRAME_ROOM];
    struct frame_head heads[STEPS_MAX * BATCH];
    struct service_request requests[STEPS_MAX * BATCH];
};

static void request_end(struct orders_bench *bench, struct writer *writer, uint32_t i)
{
    if (writer->is_full ||
        !frame_head_read(bench->frames[i], writer_size(writer), &bench->heads[i])) {
        fprintf(stderr, "bench: a frame does not fit\n");
        exit(1);
    }
    bench->requests[i] =
        (struct service_request){&bench->shelf, &bench->heads[i], bench_now_ns()};
}

static void order_text(char out[32], uint64_t serial)
{
    snprintf(out, 32, "order-%014llu", (unsigned long long)serial);
}

static void order_write(struct orders_bench *bench, uint32_t i, uint64_t serial)
{
    struct writer writer;
    char text[32];
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, (uint32_t)serial, "order.route");
    writer_map(&writer, 4);
    writer_str(&writer, "order_id");
    order_text(text, serial);
    writer_string(&writer, text);
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
    writer_str(&writer, "service");
    writer_str(&writer, "standard");
    writer_str(&writer, "dest");
    writer_map(&writer, 2);
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(&bench->rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(&bench->rng) * 50);
    request_end(bench, &writer, i);
}

static void update_write(struct orders_bench *bench, uint32_t i, uint64_t serial,
                         const char *state)
{
    struct writer writer;
    char text[36];
    order_text(text, serial);
    memcpy(text + strlen(text), "/1", 3);
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, 1, "fulfil.update");
    writer_map(&writer, 2);
    writer_str(&writer, "fulfilment");
    writer_string(&writer, text);
    writer_str(&writer, "state");
    writer_string(&writer, state);
    request_end(bench, &writer, i);
}

static void cancel_write(struct orders_bench *bench, uint32_t i, uint64_t serial)
{
    struct writer writer;
    char text[32];
    order_text(text, serial);
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, 1, "order.cancel");
    writer_map(&writer, 1);
    writer_str(&writer, "order_id");
    writer_string(&writer, text);
    request_end(bench, &writer, i);
}

static void get_write(struct orders_bench *bench, uint32_t i)
{
    struct writer writer;
    char text[16];
    writer_init(&writer, bench->frames[i], FRAME_ROOM);
    writer_request(&writer, i, "stock.get");
    writer_map(&writer, 2);
    writer_str(&writer, "item");
    shelf_item(text, (uint32_t)rng_below(&bench->rng, bench->items));
    writer_string(&writer, text);
    writer_str(&writer, "node");
    shelf_node(text, (uint32_t)rng_below(&bench->rng, NODES));
    writer_string(&writer, text);
    request_end(bench, &writer, i);
}

static uint64_t gets_work(void *owner, uint64_t count)
{
    struct orders_bench *bench = bench_hide(owner);
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            get_write(bench, i);
        }
        shelf_batch(&bench->shelf, bench->requests, bench->batch);
    }
    return bench->shelf.replies;
}

static uint64_t orders_work(void *owner, uint64_t count)
{
    struct orders_bench *bench = bench_hide(owner);
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            order_write(bench, i, bench->serial++);
        }
        shelf_batch(&bench->shelf, bench->requests, bench->batch);
    }
    return bench->shelf.routed;
}

/* Each order goes one step further in each later batch; state NULL: it is cancelled. */
static uint64_t life(struct orders_bench *bench, uint64_t count, const char *const *states,
                     uint32_t steps)
{
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            order_write(bench, i, bench->serial++);
            for (uint32_t step = 0; step < steps; step++) {
                uint64_t serial = bench->serial - 1 - (step + 1) * (uint64_t)bench->batch;
                uint32_t at = (step + 1) * bench->batch + i;
                if (states[step]) {
                    update_write(bench, at, serial, states[step]);
                } else {
                    cancel_write(bench, at, serial);
                }
            }
        }
        shelf_batch(&bench->shelf, bench->requests, (steps + 1) * bench->batch);
    }
    return bench->shelf.routed;
}

static uint64_t ship_work(void *owner, uint64_t count)
{
    static const char *const states[] = {"shipped"};
    return life(bench_hide(owner), count, states, 1);
}

static uint64_t life_work(void *owner, uint64_t count)
{
    static const char *const states[] = {"accepted", "picked", "shipped"};
    return life(bench_hide(owner), count, states, 3);
}

static uint64_t cancel_work(void *owner, uint64_t count)
{
    static const char *const states[] = {NULL};
    return life(bench_hide(owner), count, states, 1);
}

int main(int argc, char **argv)
{
    static struct orders_bench orders;
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    rng_init(&orders.rng, 1);
    orders.items = bench.is_smoke ? 20 : 20000;
    orders.batch = bench.is_smoke ? 64 : BATCH;
    shelf_open(&orders.shelf, bench.is_smoke);
    shelf_world(&orders.shelf, NODES, orders.items, 10, 1000000, 1);
    bench_run(&bench, "service_order", "two lines, durable, batches of 1,024", 500000, 2048,
              orders_work, &orders);
    bench_run(&bench, "service_order_and_ship", "the same, each shipped one batch later", 500000,
              2048, ship_work, &orders);
    bench_run(&bench, "service_order_life", "accepted, picked, shipped, a batch apart", 500000,
              2048, life_work, &orders);
    bench_run(&bench, "service_order_and_cancel", "each cancelled one batch later", 500000, 2048,
              cancel_work, &orders);
    bench_run(&bench, "service_get", "stock.get of any cell, batches of 1,024", 2000000, 2048,
              gets_work, &orders);
    shelf_close(&orders.shelf);
    return 0;
}
