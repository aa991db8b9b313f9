/* The engine in process: port, folder, world. */
#include "shelf.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "rng.h"

enum { REPLY_ROOM = 8 << 20, BEHIND_MAX = 65536 };

static void fail(const char *what)
{
    fprintf(stderr, "bench: %s\n", what);
    exit(1);
}

/* -- the port; a connection is the shelf -- */

static uint8_t *port_begin(void *conn, uint32_t size)
{
    struct shelf *shelf = conn;
    return size <= REPLY_ROOM ? shelf->reply : NULL;
}

static void port_end(void *conn, uint32_t size, uint64_t lsn)
{
    struct shelf *shelf = conn;
    (void)lsn;
    shelf->replies++;
    shelf->reply_size = size;
    shelf->bytes_out += size;
    shelf->routed += memmem(shelf->reply, size, "routed", 6) != NULL;
    shelf->errors += size > 8 && memmem(shelf->reply, 9, "\xc0", 1) == NULL;
}

static void port_done(void *conn)
{
    (void)conn;
}

static void port_flag(void *conn, bool is_set)
{
    (void)conn;
    (void)is_set;
}

static void port_release(void *owner, uint64_t lsn)
{
    (void)owner;
    (void)lsn;
}

static uint64_t port_clock(void *owner)
{
    (void)owner;
    return bench_now_ns();
}

static void port_failed(void *owner, const char *why)
{
    (void)owner;
    fail(why);
}

static void open_folder(struct shelf *shelf)
{
    struct service_options options;
    struct service_start start;
    char error[WAL_ERROR_SIZE];
    service_options_default(&options);
    options.log.dir = shelf->folder;
    options.log.segment_size = shelf->is_smoke ? 16 << 20 : 0;
    options.log.lone_flush_us = shelf->is_lone ? UINT32_MAX : 0;
    options.order_window_ms = 1000;
    options.max_delay_ms = 0;
    options.port = (struct service_port){
        .owner = shelf,
        .reply_begin = port_begin,
        .reply_end = port_end,
        .done = port_done,
        .hold = port_flag,
        .release = port_release,
        .pause = port_flag,
        .clock_ns = port_clock,
        .failed = port_failed,
    };
    if (service_open(&options, &shelf->service, &start, error) != ERR_OK) {
        fail(error);
    }
}

static void begin(struct shelf *shelf, bool is_smoke)
{
    memset(shelf, 0, sizeof *shelf);
    shelf->is_smoke = is_smoke;
    shelf->reply = malloc(REPLY_ROOM);
    if (!shelf->reply) {
        fail("no memory");
    }
    explicit_bzero(shelf->reply, REPLY_ROOM); /* its faults are not the engine's */
}

void shelf_open(struct shelf *shelf, bool is_smoke)
{
    begin(shelf, is_smoke);
    snprintf(shelf->folder, sizeof shelf->folder, "bench-shelf-XXXXXX");
    if (!mkdtemp(shelf->folder)) {
        fail("no folder to be made here");
    }
    open_folder(shelf);
}

void shelf_open_again(struct shelf *shelf, const char *folder, bool is_smoke)
{
    begin(shelf, is_smoke);
    snprintf(shelf->folder, sizeof shelf->folder, "%s", folder);
    shelf->is_kept = true;
    open_folder(shelf);
}

void shelf_lone(struct shelf *shelf, bool is_lone)
{
    service_close(shelf->service);
    shelf->is_lone = is_lone;
    open_folder(shelf);
}

void shelf_close(struct shelf *shelf)
{
    service_close(shelf->service);
    free(shelf->reply);
    if (!shelf->is_kept) {
        shelf_remove(shelf);
    }
}

void shelf_remove(const struct shelf *shelf)
{
    char command[64];
    snprintf(command, sizeof command, "rm -rf '%s'", shelf->folder);
    if (system(command) != 0) {
        fail("the folder made here stays");
    }
}

struct service_turn shelf_turn(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (struct service_turn){(uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000,
                                 bench_now_ns()};
}

void shelf_batch(struct shelf *shelf, const struct service_request *requests, uint32_t count)
{
    struct service_turn turn = shelf_turn();
    struct wal *wal = service_wal(shelf->service);
    service_batch(shelf->service, &turn, requests, count);
    while (service_is_suspended(shelf->service)) {
        service_tick(shelf->service, &turn);
    }
    while (wal_lsn_begun(wal) - wal_lsn_durable(wal) > BEHIND_MAX) {
        wal_wait(wal);
    }
    wal_drive(wal);
}

static uint64_t cpu_now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One turn, a batch or a tick (request NULL): its time, and what the processor gave of it. */
static uint64_t turn_ns(struct shelf *shelf, const struct service_request *request)
{
    const struct service_turn turn = shelf_turn();
    const uint64_t cpu = cpu_now_ns();
    const uint64_t start = bench_now_ns();
    if (request) {
        service_batch(shelf->service, &turn, request, 1);
    } else {
        service_tick(shelf->service, &turn);
    }
    const uint64_t took = bench_now_ns() - start;
    const uint64_t worked = cpu_now_ns() - cpu;
    shelf->worked_ns += took;
    shelf->cpu_ns = worked > shelf->cpu_ns ? worked : shelf->cpu_ns;
    return took;
}

uint64_t shelf_ask(struct shelf *shelf, const uint8_t *frame, uint32_t size)
{
    struct frame_head head;
    struct wal *wal = service_wal(shelf->service);
    if (!frame_head_read(frame, size, &head)) {
        fail("a frame that is none");
    }
    struct service_request request = {shelf, &head, bench_now_ns()};
    shelf->worked_ns = shelf->cpu_ns = 0;
    uint64_t longest = turn_ns(shelf, &request);
    while (!service_is_idle(shelf->service)) {
        if (wal_is_busy(wal)) {
            wal_wait(wal);
        }
        const uint64_t took = turn_ns(shelf, NULL);
        longest = took > longest ? took : longest;
    }
    return longest;
}

void shelf_item(char *out, uint32_t item)
{
    snprintf(out, 16, "SKU-%07u", item);
}

void shelf_node(char *out, uint32_t node)
{
    snprintf(out, 16, "S%04u", node);
}

static void node_put(struct shelf *shelf, uint32_t node, struct rng *rng)
{
    uint8_t frame[256];
    char text[16];
    struct writer writer;
    writer_init(&writer, frame, sizeof frame);
    writer_request(&writer, node, "node.put");
    writer_map(&writer, 4);
    writer_str(&writer, "node");
    shelf_node(text, node);
    writer_string(&writer, text);
    writer_str(&writer, "type");
    writer_str(&writer, "store");
    writer_str(&writer, "lat");
    writer_float(&writer, 25 + rng_unit(rng) * 23);
    writer_str(&writer, "lon");
    writer_float(&writer, -122 + rng_unit(rng) * 50);
    shelf_ask(shelf, frame, writer_size(&writer));
}

static void item_put(struct shelf *shelf, uint32_t item)
{
    uint8_t frame[128];
    char text[16];
    struct writer writer;
    writer_init(&writer, frame, sizeof frame);
    writer_request(&writer, item, "item.put");
    writer_map(&writer, 1);
    writer_str(&writer, "item");
    shelf_item(text, item);
    writer_string(&writer, text);
    shelf_ask(shelf, frame, writer_size(&writer));
}

static void stock_load(struct shelf *shelf, uint32_t node, uint32_t items, uint32_t one_in,
                       uint32_t on_hand, struct rng *rng)
{
    static uint8_t frame[SHELF_FRAME_MAX];
    char text[16];
    struct writer writer;
    uint32_t rows = 0;
    writer_init(&writer, frame, sizeof frame);
    writer_request(&writer, node, "stock.load");
    writer_map(&writer, 2);
    writer_str(&writer, "node");
    shelf_node(text, node);
    writer_string(&writer, text);
    writer_str(&writer, "rows");
    uint32_t mark = writer_open(&writer);
    for (uint32_t item = 0; item < items; item++) {
        if (rng_below(rng, one_in) == 0) {
            writer_array(&writer, 2);
            shelf_item(text, item);
            writer_string(&writer, text);
            writer_uint(&writer, on_hand);
            rows++;
        }
    }
    writer_array_close(&writer, mark, rows);
    if (writer.is_full) {
        fail("a load does not fit into a frame");
    }
    shelf_ask(shelf, frame, writer_size(&writer));
}

void shelf_world(struct shelf *shelf, uint32_t nodes, uint32_t items, uint32_t one_in,
                 uint32_t on_hand, uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    for (uint32_t node = 0; node < nodes; node++) {
        node_put(shelf, node, &rng);
    }
    for (uint32_t item = 0; item < items; item++) {
        item_put(shelf, item);
    }
    for (uint32_t node = 0; node < nodes; node++) {
        stock_load(shelf, node, items, one_in, on_hand, &rng);
    }
    printf("# %s, %u nodes, %u items, %llu cells\n", wal_facts_text(service_wal(shelf->service)),
           nodes, items, (unsigned long long)service_tables(shelf->service)->cells);
}
