/* The whole engine without sockets: two-line orders through service_batch, durable, in batches,
 * with their life cycle. Shows what an order costs the engine's thread beside the network.
 * 4,613 drawn stores, 10 % density; the log is in a folder made here, the flush is real. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "rng.h"
#include "service.h"
#include "writer.h"

enum { NODES = 4613, BATCH = 1024, FRAME_ROOM = 256, REPLY_ROOM = 8 << 20 };

struct orders_bench {
    struct service_core *service;
    struct rng rng;
    uint32_t items;
    uint32_t batch;
    uint64_t serial;
    uint64_t replies, routed, bytes_out;
    uint64_t wall_ms;
    uint64_t durable;
    uint8_t *reply;
    uint8_t frames[2 * BATCH][FRAME_ROOM];
    struct frame_head heads[2 * BATCH];
    struct service_request requests[2 * BATCH];
};

static struct orders_bench bench_state;

/* -- a port that counts -- */

static uint8_t *port_begin(void *conn, uint32_t size)
{
    (void)conn;
    return size <= REPLY_ROOM ? bench_state.reply : NULL;
}

static void port_end(void *conn, uint32_t size, uint64_t lsn)
{
    (void)conn;
    (void)lsn;
    bench_state.replies++;
    bench_state.bytes_out += size;
    bench_state.routed += memmem(bench_state.reply, size, "routed", 6) != NULL;
}

static void port_done(void *conn)
{
    (void)conn;
}

static void port_hold(void *conn, bool held)
{
    (void)conn;
    (void)held;
}

static void port_release(void *owner, uint64_t lsn)
{
    (void)owner;
    bench_state.durable = lsn;
}

static void port_pause(void *owner, bool paused)
{
    (void)owner;
    (void)paused;
}

static uint64_t port_clock(void *owner)
{
    (void)owner;
    return bench_now_ns();
}

static void port_failed(void *owner, const char *why)
{
    (void)owner;
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

/* -- requests -- */

static struct service_turn turn(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct service_turn){(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                                 bench_now_ns()};
}

static void request_end(struct writer *writer, uint32_t i)
{
    struct orders_bench *bench = &bench_state;
    if (writer->is_full ||
        !frame_head_read(bench->frames[i], writer_size(writer), &bench->heads[i])) {
        fprintf(stderr, "bench: a frame does not fit\n");
        exit(1);
    }
    bench->requests[i] = (struct service_request){bench, &bench->heads[i], bench_now_ns()};
}

static void item_text(char out[16], uint32_t item)
{
    snprintf(out, 16, "SKU-%07u", item);
}

static void order_text(char out[32], uint64_t serial)
{
    snprintf(out, 32, "order-%014llu", (unsigned long long)serial);
}

static void order_write(uint32_t i, uint64_t serial)
{
    struct orders_bench *bench = &bench_state;
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
    for (int line = 0; line < 2; line++) {
        writer_map(&writer, 2);
        writer_str(&writer, "item");
        item_text(text, (uint32_t)rng_below(&bench->rng, bench->items));
        writer_string(&writer, text);
        writer_str(&writer, "qty");
        writer_uint(&writer, 1 + (uint64_t)line);
    }
    writer_str(&writer, "service");
    writer_str(&writer, "standard");
    writer_str(&writer, "dest");
    writer_map(&writer, 2);
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(&bench->rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(&bench->rng) * 50);
    request_end(&writer, i);
}

static void ship_write(uint32_t i, uint64_t serial)
{
    struct writer writer;
    char text[36];
    order_text(text, serial);
    memcpy(text + strlen(text), "/1", 3);
    writer_init(&writer, bench_state.frames[i], FRAME_ROOM);
    writer_request(&writer, 1, "fulfil.update");
    writer_map(&writer, 2);
    writer_str(&writer, "fulfilment");
    writer_string(&writer, text);
    writer_str(&writer, "state");
    writer_str(&writer, "shipped");
    request_end(&writer, i);
}

static void send(uint32_t count)
{
    struct service_turn now = turn();
    service_batch(bench_state.service, &now, bench_state.requests, count);
    struct wal *wal = service_wal(bench_state.service);
    while (wal_lsn_begun(wal) - wal_lsn_durable(wal) > 64 * BATCH) {
        wal_wait(wal);
    }
    wal_drive(wal);
}

static uint64_t orders_work(void *owner, uint64_t count)
{
    struct orders_bench *bench = bench_hide(owner);
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            order_write(i, bench->serial++);
        }
        send(bench->batch);
    }
    return bench->routed;
}

static uint64_t life_work(void *owner, uint64_t count)
{
    struct orders_bench *bench = bench_hide(owner);
    for (uint64_t done = 0; done < count; done += bench->batch) {
        for (uint32_t i = 0; i < bench->batch; i++) {
            order_write(i, bench->serial++);
            ship_write(bench->batch + i, bench->serial - 1 - bench->batch);
        }
        send(2 * bench->batch);
    }
    return bench->routed;
}

static void world_make(void)
{
    struct orders_bench *bench = &bench_state;
    char text[32];
    struct writer writer;
    for (uint32_t i = 0; i < NODES + bench->items; i++) {
        writer_init(&writer, bench->frames[0], FRAME_ROOM);
        if (i < NODES) {
            writer_request(&writer, i, "node.put");
            writer_map(&writer, 4);
            writer_str(&writer, "node");
            snprintf(text, sizeof text, "S%04u", i);
            writer_string(&writer, text);
            writer_str(&writer, "type");
            writer_str(&writer, "store");
            writer_str(&writer, "lat");
            writer_float(&writer, 25 + rng_unit(&bench->rng) * 23);
            writer_str(&writer, "lon");
            writer_float(&writer, -122 + rng_unit(&bench->rng) * 50);
        } else {
            writer_request(&writer, i, "item.put");
            writer_map(&writer, 1);
            writer_str(&writer, "item");
            item_text(text, i - NODES);
            writer_string(&writer, text);
        }
        request_end(&writer, 0);
        send(1);
    }
}

/* Stock by stock.load: a tenth of the items at each node. */
static void stock_make(void)
{
    static uint8_t frame[1 << 20];
    struct orders_bench *bench = &bench_state;
    char text[32];
    for (uint32_t node = 0; node < NODES; node++) {
        struct writer writer;
        uint32_t rows = 0;
        writer_init(&writer, frame, sizeof frame);
        writer_request(&writer, node, "stock.load");
        writer_map(&writer, 2);
        writer_str(&writer, "node");
        snprintf(text, sizeof text, "S%04u", node);
        writer_string(&writer, text);
        writer_str(&writer, "rows");
        uint32_t mark = writer_open(&writer);
        for (uint32_t item = 0; item < bench->items; item++) {
            if (rng_below(&bench->rng, 10) == 0) {
                writer_array(&writer, 2);
                item_text(text, item);
                writer_string(&writer, text);
                writer_uint(&writer, 1000000);
                rows++;
            }
        }
        writer_array_close(&writer, mark, rows);
        if (!frame_head_read(frame, writer_size(&writer), &bench->heads[0])) {
            exit(1);
        }
        bench->requests[0] = (struct service_request){bench, &bench->heads[0], bench_now_ns()};
        send(1);
        struct service_turn now = turn();
        while (!service_is_idle(bench->service)) {
            service_tick(bench->service, &now);
            if (wal_is_busy(service_wal(bench->service))) {
                wal_wait(service_wal(bench->service));
            }
        }
    }
}

int main(int argc, char **argv)
{
    struct bench bench;
    struct service_options options;
    struct service_start start;
    char error[WAL_ERROR_SIZE];
    char folder[] = "bench-orders-XXXXXX";
    if (!bench_init(&bench, argc, argv) || !mkdtemp(folder)) {
        return 2;
    }
    bench_state.reply = malloc(REPLY_ROOM);
    service_options_default(&options);
    options.log.dir = folder;
    options.log.segment_size = bench.is_smoke ? 16 << 20 : 0;
    options.order_window_ms = 1000;
    options.max_delay_ms = 0;
    options.port = (struct service_port){&bench_state, port_begin, port_end,
                                         port_done,    port_hold,  port_release,
                                         port_pause,   port_clock, port_failed};
    rng_init(&bench_state.rng, 1);
    bench_state.items = bench.is_smoke ? 20 : 20000;
    bench_state.batch = bench.is_smoke ? 16 : BATCH;
    if (service_open(&options, &bench_state.service, &start, error) != ERR_OK) {
        fprintf(stderr, "bench: %s\n", error);
        return 1;
    }
    world_make();
    stock_make();
    printf("# %s, %llu cells\n", wal_facts_text(service_wal(bench_state.service)),
           (unsigned long long)service_tables(bench_state.service)->cells);
    bench_run(&bench, "service_order", "two lines, durable, batches of 1,024", 500000, 64,
              orders_work, &bench_state);
    bench_run(&bench, "service_order_and_ship", "the same, each shipped one batch later", 500000,
              64, life_work, &bench_state);
    service_close(bench_state.service);
    free(bench_state.reply);
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    return system(command) != 0;
}
