/* Cost of the tables' part of a two-line order: encode the record, apply it; ship it, drop it.
 * 4,613 nodes, 20,000 items, 10 % density; cells and blocks are cold, nothing is prefetched. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "rng.h"
#include "tables.h"

enum { NODES = 4613, ITEMS = 20000, SMOKE_ITEMS = 50, PAIRS = 1 << 20 };

struct apply {
    struct tables tables;
    struct rng rng;
    uint64_t lsn, now;
    uint64_t serial;
    uint32_t items;
    struct pair {
        uint32_t item;
        uint16_t node;
    } *pairs; /* stocked cells, drawn beforehand */
    uint64_t pair_next;
    bool ships; /* also ship and drop each order */
};

static void must(enum err err)
{
    if (err != ERR_OK) {
        fprintf(stderr, "bench: %s\n", err_text(err));
        exit(1);
    }
}

static void nodes_make(struct apply *apply)
{
    for (uint32_t i = 0; i < NODES; i++) {
        char id[16];
        struct effect_node effect = {
            .config = {.type = NODE_STORE, .lat = 25 + rng_unit(&apply->rng) * 23,
                       .lon = -122 + rng_unit(&apply->rng) * 50, .services = 0x17}};
        for (int s = 0; s < SERVICE_COUNT; s++) {
            effect.config.max_m[s] = UINT32_MAX;
        }
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "S%04u", i)};
        must(tables_apply_node(&apply->tables, ++apply->lsn, apply->now, &effect));
    }
}

static void stock_make(struct apply *apply)
{
    struct effect_stock_row rows[EFFECT_STOCK_MAX];
    for (uint16_t node = 0; node < NODES; node++) {
        struct effect_stock effect = {.is_count = true, .node = node, .at_ms = 1, .rows = rows};
        for (uint32_t item = 0; item < apply->items; item++) {
            if (rng_below(&apply->rng, 10) == 0) {
                rows[effect.count++] = (struct effect_stock_row){item, 1000000000};
            }
            if (effect.count == EFFECT_STOCK_MAX || item + 1 == apply->items) {
                must(tables_apply_stock(&apply->tables, ++apply->lsn, apply->now, &effect));
                effect.count = 0;
            }
        }
    }
}

/* A stocked cell for each line to come. */
static void pairs_draw(struct apply *apply, uint32_t count)
{
    apply->pairs = malloc(PAIRS * sizeof *apply->pairs);
    must(apply->pairs ? ERR_OK : ERR_NOMEM);
    for (uint32_t i = 0; i < PAIRS; i++) {
        if (i >= count) {
            apply->pairs[i] = apply->pairs[i % count];
            continue;
        }
        struct cell cell;
        do {
            apply->pairs[i].item = (uint32_t)rng_below(&apply->rng, apply->items);
            apply->pairs[i].node = (uint16_t)rng_below(&apply->rng, NODES);
            cell = tables_cell(&apply->tables, apply->pairs[i].item, apply->pairs[i].node);
        } while (cell.index < 0);
    }
}

static void world_make(struct apply *apply)
{
    static const struct tables_options options = {100000, 4000000, (uint64_t)4 << 30,
                                                  8000000, 10, 1000, 100000, 1000, 10, 0, 0, 0};
    must(tables_init(&apply->tables, &options, (const uint8_t *)"0123456789abcdef"));
    nodes_make(apply);
    for (uint32_t i = 0; i < apply->items; i++) {
        char id[16];
        struct effect_item effect = {.weight_g = 1};
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "SKU-%07u", i)};
        must(tables_apply_item(&apply->tables, ++apply->lsn, apply->now, &effect));
    }
    stock_make(apply);
    pairs_draw(apply, apply->items == SMOKE_ITEMS ? 1000 : PAIRS);
}

static void ship_and_drop(struct apply *apply, const struct effect_order *order)
{
    struct effect_quantity shares[2] = {{0, 1}, {1, 2}};
    struct effect_fulfil fulfil = {.id = order->id, .part = 0, .state = STATE_SHIPPED,
                                   .at_ms = apply->now, .count = 1, .shares = shares};
    struct effect_drop drop = {.orders = 1};
    must(tables_apply_fulfil(&apply->tables, ++apply->lsn, apply->now, &fulfil));
    fulfil.part = 1;
    fulfil.shares = shares + 1;
    must(tables_apply_fulfil(&apply->tables, ++apply->lsn, apply->now, &fulfil));
    must(tables_apply_drop(&apply->tables, ++apply->lsn, apply->now, &drop));
}

static void order_one(struct apply *apply, uint8_t *bytes)
{
    char id[32];
    struct effect_line lines[2];
    struct effect_part parts[2];
    struct effect_share shares[2] = {{0, 0, 1}, {1, 1, 2}};
    for (uint32_t i = 0; i < 2; i++) {
        struct pair pair = apply->pairs[apply->pair_next++ % PAIRS];
        lines[i] =
            (struct effect_line){pair.item, i + 1, 0, {NULL, 0}, SERVICE_STANDARD, NODE_NONE,
                                 {0, 0, 0}};
        parts[i] = (struct effect_part){.node = pair.node, .metres = 1000};
    }
    struct effect_order effect = {.content = apply->serial, .status = ORDER_ROUTED,
                                  .has_dest = true, .max_splits = UINT32_MAX, .max_m = UINT32_MAX,
                                  .splits = 1, .total_m = 2000, .line_count = 2, .part_count = 2,
                                  .share_count = 2, .lines = lines, .parts = parts,
                                  .shares = shares};
    int len = snprintf(id, sizeof id, "order-%014llu", (unsigned long long)apply->serial++);
    effect.id = (struct effect_text){id, (uint32_t)len};
    effect.id_hash = orders_hash(&apply->tables.orders, id, (uint32_t)len);
    effect_order_encode(bytes, &effect);
    must(tables_apply_order(&apply->tables, ++apply->lsn, ++apply->now, &effect));
    if (apply->ships) {
        ship_and_drop(apply, &effect);
    }
}

static uint64_t order_work(void *owner, uint64_t count)
{
    struct apply *apply = bench_hide(owner);
    uint8_t bytes[512];
    for (uint64_t i = 0; i < count; i++) {
        order_one(apply, bytes);
    }
    return apply->tables.digest.low;
}

int main(int argc, char **argv)
{
    static struct apply apply = {.now = 1000};
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    rng_init(&apply.rng, 1);
    apply.items = bench.is_smoke ? SMOKE_ITEMS : ITEMS;
    world_make(&apply);
    printf("# %llu cells, %.1f bytes of row a cell\n", (unsigned long long)apply.tables.cells,
           (double)apply.tables.row_bytes / (double)apply.tables.cells);
    bench_run(&bench, "apply_order", "two lines at two nodes, cold", 200000, 100, order_work,
              &apply);
    apply.ships = true;
    bench_run(&bench, "apply_order_ship_drop", "the same, shipped and dropped", 200000, 100,
              order_work, &apply);
    tables_close(&apply.tables);
    free(apply.pairs);
    return 0;
}
