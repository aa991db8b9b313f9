/* Recovery: how long a snapshot takes to write and to load, and how fast the log behind it is
 * replayed, against the rate at which the same records were applied live.
 *
 * A network of nodes, items stocked at a share of them, open orders of two lines; then more orders
 * through the log. All of it in a folder that is thrown away. One line each: name, parameters,
 * figure. Replay and load are each one pass, as a start is. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "check.h"
#include "recovery.h"
#include "rng.h"
#include "snapshot.h"
#include "wal.h"

struct sizes {
    uint32_t nodes, items, orders, records;
    uint32_t density; /* cells of an item, in thousandths of the nodes */
};

static const struct sizes smoke = {50, 200, 500, 2000, 500};
static const struct sizes real = {4613, 100000, 2000000, 10000000, 100};

struct world {
    struct sizes sizes;
    struct tables tables;
    struct wal *wal;
    struct rng rng;
    uint8_t bytes[4096];
};

static const struct tables_options options = {
    .items_max = 200000,
    .orders_max = 20000000,
    .orders_memory = (uint64_t)12 << 30,
    .holds_max = 40000000,
    .owed_max = 1000,
    .keys_max = 1000,
    .movements_max = 1000,
    .documents_max = 100,
};

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "%s: %s\n", what, err_text(err));
        exit(1);
    }
}

static void say_line(const char *name, const struct world *world, double seconds, double count,
                     const char *unit)
{
    printf("%s nodes=%u items=%u cells=%llu orders=%u: %.3f s, %.0f %s/s\n", name,
           world->sizes.nodes, world->sizes.items, (unsigned long long)world->tables.cells,
           world->tables.orders.count, seconds, count / seconds, unit);
}

static void network(struct world *world)
{
    for (uint32_t i = 0; i < world->sizes.nodes; i++) {
        char id[16];
        struct effect_node effect = {
            .config = {.type = NODE_STORE, .lat = 25 + (double)rng_below(&world->rng, 24000) / 1000,
                       .lon = -120 + (double)rng_below(&world->rng, 50000) / 1000,
                       .services = 0x1f}};
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "N%u", i)};
        for (int service = 0; service < SERVICE_COUNT; service++) {
            effect.config.max_m[service] = UINT32_MAX;
        }
        must(tables_apply_node(&world->tables, world->tables.lsn + 1, 1000, &effect), "node");
    }
    for (uint32_t i = 0; i < world->sizes.items; i++) {
        char id[16];
        struct effect_item effect = {.weight_g = 500};
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "SKU-%u", i)};
        must(tables_apply_item(&world->tables, world->tables.lsn + 1, 1000, &effect), "item");
    }
}

/* Node by node, as stock comes. */
static void stock(struct world *world)
{
    static struct effect_stock_row rows[EFFECT_STOCK_MAX];
    for (uint16_t node = 0; node < world->sizes.nodes; node++) {
        struct effect_stock effect = {.is_count = true, .node = node,
                                      .at_ms = 1000 + node, .rows = rows};
        for (uint32_t item = 0; item < world->sizes.items; item++) {
            if (rng_below(&world->rng, 1000) < world->sizes.density) {
                rows[effect.count++] = (struct effect_stock_row){item, 1000};
            }
            if (effect.count == EFFECT_STOCK_MAX || item + 1 == world->sizes.items) {
                must(tables_apply_stock(&world->tables, world->tables.lsn + 1, 2000, &effect),
                     "stock");
                effect.count = 0;
            }
        }
    }
}

/* A two-line order from one node that has the first item; false: drawn badly. */
static bool order_draw(struct world *world, uint64_t number, struct effect_order *effect)
{
    static char id[24];
    static struct effect_line lines[2];
    static struct effect_part part;
    static struct effect_share shares[2];
    uint16_t node = (uint16_t)rng_below(&world->rng, world->sizes.nodes);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t item = itemset_next(&world->tables.node_items[node],
                                     (uint32_t)rng_below(&world->rng, world->sizes.items));
        if (item == UINT32_MAX) {
            return false;
        }
        lines[i] = (struct effect_line){item, 1, 0, {"", 0}, SERVICE_STANDARD, NODE_NONE,
                                            {0, 0, 0}};
        shares[i] = (struct effect_share){0, i, 1};
    }
    part = (struct effect_part){.node = node,
                                .way = WAY_SHIP_FROM_STORE,
                                .service = SERVICE_STANDARD,
                                .metres = 12345};
    *effect = (struct effect_order){
        .id = {id, (uint32_t)snprintf(id, sizeof id, "ORDER-%012llu", (unsigned long long)number)},
        .content = number, .status = ORDER_ROUTED, .service = SERVICE_STANDARD,
        .is_optimal = true, .has_dest = true, .lat = 40, .lon = -74, .max_splits = UINT32_MAX,
        .max_m = UINT32_MAX, .total_m = 12345, .line_count = 2, .part_count = 1, .share_count = 2,
        .lines = lines, .parts = &part, .shares = shares};
    effect->id_hash = orders_hash(&world->tables.orders, id, effect->id.len);
    return true;
}

static void orders(struct world *world)
{
    for (uint64_t i = 0; i < world->sizes.orders; i++) {
        struct effect_order effect;
        if (order_draw(world, i, &effect)) {
            must(tables_apply_order(&world->tables, world->tables.lsn + 1, 3000, &effect), "order");
        }
    }
}

static void snapshot(struct world *world)
{
    char error[SNAPSHOT_ERROR_SIZE];
    char name[SNAPSHOT_NAME_SIZE];
    struct snapshot_written written;
    struct disk *disk = wal_disk(world->wal);
    const struct wal_identity *identity = wal_identity(world->wal);
    struct snapshot_mark mark = {.lsn = world->tables.lsn, .time_ms = 3000, .group_number = 1,
                                 .chain = wal_chain_seed(identity->uuid),
                                 .digest = world->tables.digest, .is_origin = true};
    memcpy(mark.uuid, identity->uuid, sizeof mark.uuid);
    uint64_t start = bench_now_ns();
    must(snapshot_write(disk, &world->tables, &mark, 0, &written, error), error);
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    say_line("snapshot_write", world, seconds, (double)written.bytes, "B");
    printf("snapshot_bytes %llu\n", (unsigned long long)written.bytes);
    snapshot_name(mark.lsn, name);
    must(disk->ops->rename(disk, SNAPSHOT_TMP_NAME, name), "naming");
}

/* Records through the log as the engine writes them: applied, logged, in groups of some hundred. */
static double live(struct world *world)
{
    uint64_t done = 0;
    uint64_t start = bench_now_ns();
    for (uint64_t i = 0; done < world->sizes.records; i++) {
        struct effect_order effect;
        if (!order_draw(world, world->sizes.orders + i, &effect)) {
            continue;
        }
        while (wal_room(world->wal, 1 << 20, 1000, WAL_CLAIM_CHANGE) != WAL_ROOM_OK) {
            wal_submit(world->wal, &world->tables.digest); /* else a full segment waits for ever */
            wal_wait(world->wal);
        }
        uint8_t *at = wal_append_begin(world->wal, effect_order_size(&effect));
        uint32_t size = effect_order_encode(at, &effect);
        uint64_t lsn = wal_append_end(world->wal, EFFECT_ORDER, size);
        must(tables_apply_order(&world->tables, lsn, 3000, &effect), "order");
        if (++done % 256 == 0) {
            wal_submit(world->wal, &world->tables.digest);
            wal_drive(world->wal);
        }
    }
    wal_submit(world->wal, &world->tables.digest);
    while (wal_is_busy(world->wal)) {
        wal_wait(world->wal);
    }
    double seconds = (double)(bench_now_ns() - start) / 1e9;
    say_line("live_apply_and_log", world, seconds, (double)done, "records");
    return (double)done / seconds;
}

static struct wal *log_open(const char *dir)
{
    char error[WAL_ERROR_SIZE];
    struct wal *wal;
    const struct wal_options where = {.dir = dir, .backend = WAL_BACKEND_AUTO};
    must(wal_open(&where, error, &wal), error);
    return wal;
}

static void recover(struct world *world, const char *dir, double live_rate)
{
    char error[WAL_ERROR_SIZE];
    struct recovery_found found;
    const struct recovery_options recovery = {.tables = options};
    const struct digest digest = world->tables.digest;
    tables_close(&world->tables);
    world->wal = log_open(dir);
    must(recovery_run(world->wal, &recovery, &world->tables, &found, error), error);
    CHECK(digest_equal(&digest, &world->tables.digest));
    const double load = (double)found.snapshot_us / 1e6;
    const double replay = (double)found.log.took_us / 1e6;
    say_line("snapshot_load", world, load, (double)world->tables.cells, "cells");
    say_line("replay", world, replay, (double)found.log.records, "records");
    printf("replay_over_live %.2f\n", (double)found.log.records / replay / live_rate);
    wal_close(world->wal);
}

static void folder_drop(const char *dir)
{
    char name[600];
    DIR *open = opendir(dir);
    for (struct dirent *entry = open ? readdir(open) : NULL; entry; entry = readdir(open)) {
        snprintf(name, sizeof name, "%s/%s", dir, entry->d_name);
        (void)unlink(name);
    }
    if (open) {
        closedir(open);
    }
    (void)rmdir(dir);
}

/* The log goes on behind the state that was made without one. */
static void log_begin(struct world *world)
{
    char error[WAL_ERROR_SIZE];
    struct recovery_found found;
    const struct recovery_options recovery = {.tables = options};
    tables_close(&world->tables);
    must(recovery_run(world->wal, &recovery, &world->tables, &found, error), error);
}

int main(int argc, char **argv)
{
    static struct world world;
    char dir[] = "recover-scratch-XXXXXX";
    world.sizes = argc > 1 && strcmp(argv[1], "--smoke") == 0 ? smoke : real;
    for (int i = 1; i < argc; i++) {
        (void)(sscanf(argv[i], "--orders=%u", &world.sizes.orders) ||
               sscanf(argv[i], "--records=%u", &world.sizes.records) ||
               sscanf(argv[i], "--items=%u", &world.sizes.items) ||
               sscanf(argv[i], "--nodes=%u", &world.sizes.nodes) ||
               sscanf(argv[i], "--density=%u", &world.sizes.density));
    }
    CHECK(mkdtemp(dir) != NULL);
    rng_init(&world.rng, 1);
    world.wal = log_open(dir);
    must(tables_init(&world.tables, &options, wal_identity(world.wal)->secret), "tables");
    network(&world);
    stock(&world);
    orders(&world);
    snapshot(&world);
    log_begin(&world);
    const double rate = live(&world);
    wal_close(world.wal);
    recover(&world, dir, rate);
    tables_close(&world.tables);
    folder_drop(dir);
    return 0;
}
