/* A small network, its stock, and orders in every stage of their life. */
#include "tables_sample.h"

#include <stdio.h>
#include <string.h>

#include "check.h"
#include "rng.h"

enum { NODES = 7, ITEMS = 11, START_MS = 1700000000 };

const struct tables_options tables_sample_options = {
    .items_max = 1000,
    .orders_max = 10000,
    .orders_memory = 64 << 20,
    .holds_max = 20000,
    .keys_max = 10000,
    .movements_max = 300,
    .owed_max = 1000,
    .reservations_max = 1000,
};
const uint8_t tables_sample_secret[16] = "a secret of ids";

struct sample {
    struct tables *tables;
    struct rng rng;
    uint64_t now;
};

static uint64_t next_lsn(const struct sample *sample)
{
    return sample->tables->lsn + 1;
}

static void must(enum err err)
{
    CHECK(err == ERR_OK);
}

static struct effect_key key_of(struct sample *sample)
{
    return (struct effect_key){.is_set = rng_below(&sample->rng, 2) == 0,
                               .key = {rng_next(&sample->rng), rng_next(&sample->rng)},
                               .content = rng_next(&sample->rng),
                               .facts = {1, -2, 300000, 0, (int64_t)sample->now}};
}

static void nodes(struct sample *sample)
{
    static const struct area areas[2] = {{false, 2, "US"}, {true, 4, "US:9"}};
    for (uint32_t i = 0; i < NODES; i++) {
        char id[8];
        struct effect_node effect = {
            .config = {.type = (enum node_type)(i % NODE_TYPE_COUNT), .lat = 40 + i,
                       .lon = -70 - (double)i, .name = "Store \xc3\xa4", .country = "US",
                       .postcode = "10001", .services = 0x1f, .priority = (int32_t)i - 2,
                       .handling_cents = 100 * i, .safety_stock = (int32_t)(i % 2), .bars = i % 3,
                       .status_until = i == 3 ? START_MS + 100000 : 0, .collect_hours = i,
                       .serves_count = i % 3, .serves = (struct area *)(uintptr_t)areas}};
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "N%u", i)};
        for (int service = 0; service < SERVICE_COUNT; service++) {
            bool is_set = i % 2 == 0 && service <= SERVICE_PICKUP; /* as the golden file was made */
            effect.config.max_m[service] = is_set ? 100000 : UINT32_MAX;
        }
        must(tables_apply_node(sample->tables, next_lsn(sample), sample->now, &effect));
    }
}

static void catalogue(struct sample *sample)
{
    static const struct area not_to = {false, 2, "DE"};
    struct effect_text flag = {"fragile", 7};
    must(tables_apply_flag(sample->tables, next_lsn(sample), sample->now, &flag));
    for (uint32_t i = 0; i < ITEMS; i++) {
        char id[8];
        struct effect_item effect = {.weight_g = 10 * i, .flags = i % 16, .not_to_count = i % 2,
                                     .not_to = &not_to, .key = key_of(sample)};
        effect.id = (struct effect_text){id, (uint32_t)snprintf(id, sizeof id, "I%u", i)};
        must(tables_apply_item(sample->tables, next_lsn(sample), sample->now, &effect));
    }
    static const struct effect_place places[2] = {{"10001", 40.75, -73.99}, {"606", 41.88, -87.6}};
    struct effect_places effect = {"US", 2, places};
    must(tables_apply_places(sample->tables, next_lsn(sample), sample->now, &effect));
}

static void stock(struct sample *sample)
{
    for (uint16_t node = 0; node < NODES; node++) {
        struct effect_stock_row rows[ITEMS];
        struct effect_stock effect = {.is_count = true, .node = node,
                                      .at_ms = sample->now - node, .rows = rows,
                                      .key = key_of(sample)};
        for (uint32_t item = 0; item < ITEMS; item++) {
            if (rng_below(&sample->rng, 4)) {
                rows[effect.count++] =
                    (struct effect_stock_row){item, (int32_t)rng_below(&sample->rng, 5000)};
            }
        }
        must(tables_apply_stock(sample->tables, next_lsn(sample), sample->now, &effect));
    }
    struct effect_policy policy = {.item = 3, .node = 2, .has_safety = true, .safety_stock = 5,
                                   .key = key_of(sample)};
    must(tables_apply_policy(sample->tables, next_lsn(sample), sample->now, &policy));
}

/* A till sale: stock may go below what is reserved. */
static void movement(struct sample *sample)
{
    struct effect_stock_row row = {(uint32_t)rng_below(&sample->rng, ITEMS),
                                   (int32_t)rng_below(&sample->rng, 50) - 30};
    struct effect_stock effect = {.node = (uint16_t)rng_below(&sample->rng, NODES),
                                  .at_ms = sample->now, .count = 1, .rows = &row,
                                  .key = key_of(sample)};
    must(tables_apply_stock(sample->tables, next_lsn(sample), sample->now, &effect));
}

/* A two-line order from two nodes; number makes its id. */
static bool order(struct sample *sample, char id[24])
{
    struct effect_line lines[2] = {0};
    struct effect_part parts[2] = {0};
    struct effect_share shares[2] = {0};
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t item = (uint32_t)rng_below(&sample->rng, ITEMS);
        uint16_t node = (uint16_t)rng_below(&sample->rng, NODES);
        struct cell cell = tables_cell(sample->tables, item, node);
        if (cell.index < 0) {
            return false;
        }
        uint32_t qty = 1 + (uint32_t)rng_below(&sample->rng, 3);
        lines[i] = (struct effect_line){item, qty, 0, {"line-a", i * 6},
                                        SERVICE_STANDARD, NODE_NONE, {0}};
        parts[i] = (struct effect_part){node,     WAY_SHIP_FROM_STORE, SERVICE_STANDARD,
                                        1000 * i, 99,                  {0}};
        shares[i] = (struct effect_share){i, i, qty};
    }
    int len = snprintf(id, 24, "O-%llu", (unsigned long long)next_lsn(sample));
    struct effect_order effect = {
        .id = {id, (uint32_t)len}, .content = rng_next(&sample->rng), .status = ORDER_ROUTED,
        .service = SERVICE_STANDARD, .is_optimal = true, .has_dest = true, .lat = 40.7,
        .lon = -74.1, .country = "US", .postcode = {"10001", 5}, .ref = {"ref of it", 9},
        .max_splits = UINT32_MAX, .max_m = UINT32_MAX, .splits = 1, .total_m = 1000,
        .line_count = 2, .part_count = 2, .share_count = 2, .lines = lines, .parts = parts,
        .shares = shares};
    effect.id_hash = orders_hash(&sample->tables->orders, id, (uint32_t)len);
    must(tables_apply_order(sample->tables, next_lsn(sample), sample->now, &effect));
    return true;
}

/* Some of the order's life: part 0 to a drawn state, sometimes all of it to the end. */
static void life(struct sample *sample, const char *id)
{
    static const enum state states[] = {STATE_ACCEPTED, STATE_PACKED, STATE_SHIPPED};
    const struct effect_text text = {id, (uint32_t)strlen(id)};
    uint64_t hash = orders_hash(&sample->tables->orders, id, text.len);
    struct order *found =
        order_at(&sample->tables->orders, orders_find(&sample->tables->orders, hash, id, text.len));
    uint32_t fate = (uint32_t)rng_below(&sample->rng, 4);
    for (uint32_t part = 0; part < 2 && fate < 3; part++) {
        struct effect_quantity quantity = {part, order_shares(found)[part].qty};
        struct effect_fulfil effect = {
            .id = text, .part = part, .state = (uint8_t)states[fate], .at_ms = sample->now,
            .tracking = {"1Z 999", part ? 0 : 6}, .collect_by = sample->now + 5, .count = 1,
            .shares = &quantity, .key = key_of(sample)};
        must(tables_apply_fulfil(sample->tables, next_lsn(sample), sample->now, &effect));
    }
    if (fate == 3) {
        struct effect_quantity quantity = {0, 1};
        struct effect_cancel effect = {
            .id = text, .count = 1, .shares = &quantity, .key = key_of(sample)};
        must(tables_apply_cancel(sample->tables, next_lsn(sample), sample->now, &effect));
    }
}

static void drop(struct sample *sample)
{
    struct effect_drop effect = {sample->tables->orders.done_count / 3,
                                 sample->tables->keyring.count / 4, 0};
    must(tables_apply_drop(sample->tables, next_lsn(sample), sample->now, &effect));
}

void tables_sample_more(struct tables *tables, uint64_t seed, uint32_t orders)
{
    struct sample sample = {.tables = tables, .now = tables->time_ms};
    rng_init(&sample.rng, seed);
    for (uint32_t i = 0; i < orders; i++) {
        char id[24];
        sample.now += rng_below(&sample.rng, 50);
        movement(&sample);
        if (order(&sample, id) && rng_below(&sample.rng, 2)) {
            life(&sample, id);
        }
    }
    drop(&sample);
}

void tables_sample(struct tables *tables, uint64_t seed, uint32_t orders)
{
    struct sample sample = {.tables = tables, .now = START_MS};
    rng_init(&sample.rng, seed);
    must(tables_init(tables, &tables_sample_options, tables_sample_secret));
    nodes(&sample);
    catalogue(&sample);
    stock(&sample);
    tables_sample_more(tables, seed + 1, orders);
}
