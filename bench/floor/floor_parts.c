/* What each part of the floor costs by itself; their sum is the bar the floor is held to.
 *
 * Each part runs the floor's own function over many orders in the same batches, with the tables of
 * a drawn network; what a stage prefetches for the next is paid once. What the network costs
 * is measured over a real loopback connection: the server's thread CPU to receive requests and to
 * send replies of the contract's size, in pieces of 64 KiB, the peer on another core. */
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "check.h"
#include "crc32c.h"
#include "floor.h"
#include "prefetch.h"
#include "rng.h"
#include "writer.h"

enum { NODES = 4613, FRAME = 192, RING = 1 << 18, REQUEST_BYTES = 150, REPLY_BYTES = 300 };

struct parts {
    struct floor_tables tables;
    struct rng rng;
    uint32_t items, ring;
    uint8_t (*frames)[FRAME];
    struct floor_order *orders; /* RING of them, decoded */
    uint64_t serial;
    uint8_t *sink;
};

static void item_text(char text[16], uint64_t item)
{
    snprintf(text, 16, "SKU-%07u", (unsigned)item);
}

static void world_make(struct parts *parts)
{
    char text[16];
    CHECK(floor_tables_init(&parts->tables, parts->items, 24 << 20) == ERR_OK);
    for (uint32_t i = 0; i < NODES; i++) {
        uint32_t size = (uint32_t)snprintf(text, sizeof text, "S%05u", i);
        floor_node_put(&parts->tables, text, size, 25 + rng_unit(&parts->rng) * 23,
                       -122 + rng_unit(&parts->rng) * 50, false);
    }
    for (uint32_t i = 0; i < parts->items; i++) {
        item_text(text, i);
        struct floor_item *item = floor_item_put(&parts->tables, text, 11);
        for (uint16_t node = 0; node < NODES; node++) {
            if (rng_below(&parts->rng, 100) < 17) {
                CHECK(floor_stock_set(&parts->tables, item, node, 1000000));
            }
        }
    }
    floor_seal(&parts->tables);
}

static void frame_make(struct parts *parts, uint32_t i, uint64_t serial)
{
    struct writer writer;
    char text[32];
    writer_init(&writer, parts->frames[i], FRAME);
    writer_request(&writer, i, "order.route");
    writer_map(&writer, 4);
    writer_str(&writer, "order_id");
    snprintf(text, sizeof text, "ord-%016llx", (unsigned long long)serial);
    writer_string(&writer, text);
    writer_str(&writer, "lines");
    writer_array(&writer, 2);
    for (int k = 0; k < 2; k++) {
        writer_map(&writer, 2);
        writer_str(&writer, "item");
        item_text(text, rng_below(&parts->rng, parts->items / 2) * 2 + (uint32_t)k);
        writer_string(&writer, text);
        writer_str(&writer, "qty");
        writer_uint(&writer, 1);
    }
    writer_str(&writer, "service");
    writer_str(&writer, "standard");
    writer_str(&writer, "dest");
    writer_map(&writer, 2);
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(&parts->rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(&parts->rng) * 50);
    CHECK(!writer.is_full);
}

static uint64_t decode_work(void *owner, uint64_t count)
{
    struct parts *parts = bench_hide(owner);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)(i % parts->ring);
        sum += (uint32_t)floor_decode(parts->frames[at], parts->frames[at] + FRAME,
                                      &parts->orders[at]);
    }
    return sum;
}

typedef void stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count);

static uint64_t stages(struct parts *parts, uint64_t count, stage *run)
{
    for (uint64_t done = 0; done + FLOOR_BATCH <= count; done += FLOOR_BATCH) {
        run(&parts->tables, &parts->orders[done % parts->ring], FLOOR_BATCH);
    }
    return parts->orders[0].id_hash;
}

static uint64_t hash_work(void *owner, uint64_t count)
{
    return stages(bench_hide(owner), count, floor_hash_stage);
}

/* A stage finds near what the one before it prefetched: measured alone, over another batch, it
 * would pay those misses itself, and the sum would have them twice. So these run behind it, and
 * their cost is the difference. */
static void find_behind(struct floor_tables *tables, struct floor_order *orders, uint32_t count)
{
    floor_hash_stage(tables, orders, count);
    floor_find_stage(tables, orders, count);
}

static void guess_behind(struct floor_tables *tables, struct floor_order *orders, uint32_t count)
{
    find_behind(tables, orders, count);
    floor_guess_stage(tables, orders, count);
}

static uint64_t find_work(void *owner, uint64_t count)
{
    return stages(bench_hide(owner), count, find_behind);
}

static uint64_t guess_work(void *owner, uint64_t count)
{
    return stages(bench_hide(owner), count, guess_behind);
}

/* Ids anew each time, prefetched as the hash and guess stages do. */
static uint64_t take_work(void *owner, uint64_t count)
{
    struct parts *parts = bench_hide(owner);
    struct floor_tables *tables = &parts->tables;
    for (uint64_t done = 0; done + FLOOR_BATCH <= count; done += FLOOR_BATCH) {
        struct floor_order *orders = &parts->orders[done % parts->ring];
        for (uint32_t i = 0; i < FLOOR_BATCH; i++) {
            struct floor_order *order = &orders[i];
            order->id_hash += ++parts->serial * 0x9e3779b97f4a7c15u;
            prefetch_write(&tables->order_slots[order->id_hash & tables->order_mask]);
            prefetch_write(floor_cell_at(order->item[0], order->node[0]));
            prefetch_write(floor_cell_at(order->item[1], order->node[1]));
        }
        for (uint32_t i = 0; i < FLOOR_BATCH; i++) {
            floor_take(tables, &orders[i]);
        }
        tables->orders_count %= tables->orders_max / 2;
    }
    return tables->lsn;
}

static uint64_t record_work(void *owner, uint64_t count)
{
    struct parts *parts = bench_hide(owner);
    uint32_t used = 0;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        used += floor_record_write(&parts->orders[i % parts->ring], parts->sink + used);
        if (used > 60000) {
            sum += crc32c(0, parts->sink, used);
            used = 0;
        }
    }
    return sum;
}

static uint64_t reply_work(void *owner, uint64_t count)
{
    struct parts *parts = bench_hide(owner);
    uint32_t used = 0;
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        const struct floor_order *order = &parts->orders[i % parts->ring];
        used += floor_reply(&parts->tables, order, parts->sink + used);
        sum += used;
        used = used > 60000 ? 0 : used;
    }
    return sum;
}

/* -- the network -- */

static void *peer_run(void *owner)
{
    static uint8_t bytes[1 << 18];
    int fd = *(int *)owner;
    uint64_t got = 0;
    uint64_t sent = 0;
    ssize_t done = send(fd, bytes, 200000, MSG_NOSIGNAL);
    sent += done > 0 ? (uint64_t)done : 0;
    while ((done = recv(fd, bytes, sizeof bytes, 0)) > 0) {
        got += (uint64_t)done;
        uint64_t due = 200000 + got * REQUEST_BYTES / REPLY_BYTES;
        while (sent < due) {
            uint64_t piece = due - sent < sizeof bytes ? due - sent : sizeof bytes;
            done = send(fd, bytes, piece, MSG_NOSIGNAL);
            if (done <= 0) {
                return NULL;
            }
            sent += (uint64_t)done;
        }
    }
    return NULL;
}

static int pair_open(int *peer_out)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0);
    CHECK(listen(listener, 1) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    *peer_out = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(connect(*peer_out, (struct sockaddr *)&address, size) == 0);
    int fd = accept(listener, NULL, NULL);
    CHECK(fd >= 0);
    close(listener);
    return fd;
}

static uint64_t thread_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* CPU ns of this thread per order received and answered. */
static double network_once(struct parts *parts, uint64_t count)
{
    int peer;
    int fd = pair_open(&peer);
    pthread_t thread;
    uint64_t orders = 0;
    uint64_t got = 0;
    CHECK(pthread_create(&thread, NULL, peer_run, &peer) == 0);
    uint64_t start = thread_ns();
    while (orders < count) {
        ssize_t done = recv(fd, parts->sink, 64 << 10, 0);
        CHECK(done > 0);
        got += (uint64_t)done;
        uint64_t whole = got / REQUEST_BYTES - orders;
        size_t size = whole * REPLY_BYTES;
        for (size_t at = 0; at < size; at += (size_t)done) {
            done = send(fd, parts->sink + at, size - at, MSG_NOSIGNAL);
            CHECK(done > 0);
        }
        orders += whole;
    }
    double ns = (double)(thread_ns() - start) / (double)orders;
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    close(fd);
    close(peer);
    return ns;
}

static void network_run(struct parts *parts, const struct bench *bench)
{
    double best = 0;
    double worst = 0;
    double sum = 0;
    for (uint32_t i = 0; i < bench->repeats; i++) {
        double ns = network_once(parts, bench->is_smoke ? 10000 : 500000);
        best = i == 0 || ns < best ? ns : best;
        worst = ns > worst ? ns : worst;
        sum += ns;
    }
    printf("%-28s %-34s %9.1f ns/op  min %9.1f  max %9.1f  work %016x\n", "network",
           "thread CPU, 150 B in, 300 B out", sum / bench->repeats, best, worst, 0);
}

static void ring_make(struct parts *parts)
{
    parts->frames = calloc(parts->ring, FRAME);
    parts->orders = calloc(parts->ring, sizeof *parts->orders);
    parts->sink = calloc(1, 1 << 18);
    CHECK(parts->frames);
    CHECK(parts->orders);
    CHECK(parts->sink);
    for (uint32_t i = 0; i < parts->ring; i++) {
        frame_make(parts, i, i);
    }
}

int main(int argc, char **argv)
{
    static struct parts parts;
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    rng_init(&parts.rng, 1);
    parts.items = bench.is_smoke ? 20 : 20000;
    parts.ring = bench.is_smoke ? 256 : RING;
    world_make(&parts);
    ring_make(&parts);
    static const struct {
        const char *name, *what;
        bench_work *work;
    } rows[] = {{"decode", "one pass, ids borrowed", decode_work},
                {"hash", "an order id, two items; prefetch", hash_work},
                {"find", "behind hash, which is in it; prefetch", find_work},
                {"guess", "behind hash and find, both in it", guess_work},
                {"take", "id probe and keep, two cells", take_work},
                {"record", "log record with CRC", record_work},
                {"reply", "the contract's bytes", reply_work}};
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        bench_run(&bench, rows[i].name, rows[i].what, bench.is_smoke ? 256 : RING, 256,
                  rows[i].work, &parts);
    }
    network_run(&parts, &bench);
    floor_tables_close(&parts.tables);
    free(parts.frames);
    free(parts.orders);
    free(parts.sink);
    return 0;
}
