/* Tables made by hand. */
#include "world.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

/* A decision's scratch is some 20 MiB, populated when it is made: worlds by the thousand hand
 * theirs on, set back to its defaults. It is scratch alone: what one world leaves in it must not
 * matter to the next, which the oracles see to. */
static struct route *spare;
static uint32_t spare_steps;

static enum err scratch_take(struct route **out)
{
    if (!spare) {
        enum err err = route_new(out);
        spare_steps = err == ERR_OK ? route_steps_max(*out) : 0;
        return err;
    }
    *out = spare;
    spare = NULL;
    route_forget(*out);
    route_steps_max_set(*out, spare_steps);
    route_kernel_set(*out, 0);
    return ERR_OK;
}

static void scratch_leave(struct route *route)
{
    if (spare) {
        route_free(spare);
    }
    spare = route;
}

void world_init(struct world *world, uint32_t items_max)
{
    static const uint8_t secret[16] = {1, 2, 3};
    memset(world, 0, sizeof *world);
    hash_key_init(&world->key, secret);
    enum err err = network_init(&world->network);
    CHECK(err == ERR_OK);
    err = catalogue_init(&world->catalogue, items_max, &world->key);
    CHECK(err == ERR_OK);
    policies_init(&world->policies);
    err = scratch_take(&world->route);
    CHECK(err == ERR_OK);
    world->queues = calloc(NODE_MAX, sizeof *world->queues);
    CHECK(world->queues);
    world->declines = calloc(NODE_MAX, sizeof *world->declines);
    CHECK(world->declines);
    world->view = (struct stock_view){.network = &world->network,
                                      .catalogue = &world->catalogue,
                                      .policies = &world->policies,
                                      .queues = world->queues,
                                      .declines = world->declines};
}

void world_close(struct world *world)
{
    for (uint32_t i = 0; i < world->catalogue.count; i++) {
        row_free(world->catalogue.items[i].row);
        world->catalogue.items[i].row = NULL;
    }
    free(world->queues);
    free(world->declines);
    scratch_leave(world->route);
    policies_close(&world->policies);
    catalogue_close(&world->catalogue);
    network_close(&world->network);
}

struct node_config world_config(enum node_type type, double lat, double lon)
{
    struct node_config config;
    memset(&config, 0, sizeof config);
    config.type = type;
    config.lat = lat;
    config.lon = lon;
    config.services = 0xff;
    config.status_services = 0xff;
    config.max_m[SERVICE_STANDARD] = UINT32_MAX;
    config.max_m[SERVICE_PICKUP] = UINT32_MAX;
    config.max_m[SERVICE_NEXT_DAY] = 100000;
    config.max_m[SERVICE_SAME_DAY] = 100000;
    return config;
}

uint16_t world_node(struct world *world, const char *id, const struct node_config *config)
{
    uint16_t handle;
    enum err err = network_put(&world->network, id, (uint32_t)strlen(id), config, &handle);
    CHECK(err == ERR_OK);
    return handle;
}

uint32_t world_item(struct world *world, const char *id)
{
    uint32_t handle;
    enum err err = catalogue_put(&world->catalogue, id, (uint32_t)strlen(id), &handle);
    CHECK(err == ERR_OK);
    return handle;
}

static void set_word(struct world *world, uint32_t item, uint16_t node, cell_word word)
{
    struct item *at = &world->catalogue.items[item];
    uint32_t slot = world->network.nodes[node].slot;
    int32_t index = at->row ? row_find(at->row, slot) : -1;
    if (index >= 0) {
        row_word_set(at->row, slot, (uint32_t)index, word);
        return;
    }
    struct row *made = row_with(at->row, slot, word, 0, world->network.words);
    CHECK(made);
    row_free(at->row);
    at->row = made;
}

static cell_word word_of(const struct world *world, uint32_t item, uint16_t node)
{
    const struct row *row = world->catalogue.items[item].row;
    int32_t index = row ? row_find(row, world->network.nodes[node].slot) : -1;
    return index >= 0 ? row_word(row, (uint32_t)index) : 0;
}

void world_stock(struct world *world, uint32_t item, uint16_t node, int32_t on_hand,
                 int32_t reserved)
{
    bool has_override = cell_has_override(word_of(world, item, node));
    set_word(world, item, node, cell_make(on_hand, reserved, has_override));
}

void world_policy(struct world *world, uint32_t item, uint16_t node, const struct policy *policy)
{
    enum err err = policies_set(&world->policies, item, node, policy);
    CHECK(err == ERR_OK);
    cell_word word = word_of(world, item, node);
    set_word(world, item, node, cell_make(cell_on_hand(word), cell_reserved(word), true));
}

void world_layout(struct world *world)
{
    static uint16_t map[SLOT_MAX];
    network_layout(&world->network, map);
    for (uint32_t i = 0; i < world->catalogue.count; i++) {
        struct row *row = world->catalogue.items[i].row;
        if (row) {
            struct row *moved = row_moved(row, map, world->network.words);
            CHECK(moved);
            row_free(row);
            world->catalogue.items[i].row = moved;
        }
    }
}

void world_apply(struct world *world, const struct route_request *request,
                 const struct route_answer *answer)
{
    for (uint32_t i = 0; i < answer->share_count; i++) {
        const struct route_share *share = &answer->shares[i];
        uint16_t node = answer->parts[share->part].node;
        uint32_t item = request->lines[share->line].item;
        cell_word word = word_of(world, item, node);
        int32_t reserved = cell_reserved(word) + (int32_t)share->qty;
        world_stock(world, item, node, cell_on_hand(word), reserved);
    }
}

static uint32_t below(struct rng *rng, uint32_t limit)
{
    return (uint32_t)rng_below(rng, limit);
}

struct strategy world_strategy(struct rng *rng)
{
    struct strategy strategy = {
        .name = "s", .name_len = 1, .version = 1, .mode = (uint8_t)below(rng, 2)};
    strategy.term_count = (uint8_t)(1 + below(rng, STRATEGY_TERMS_MAX));
    for (uint32_t i = 0; i < strategy.term_count; i++) {
        uint32_t kind = below(rng, STRATEGY_TERM_COUNT);
        kind = i == 0 && below(rng, 2) ? STRATEGY_TERM_DISTANCE : kind;
        uint32_t steps = strategy_term_steps((enum strategy_term_kind)kind);
        uint32_t band = below(rng, 3) ? 1 : steps * (1 + below(rng, 200));
        strategy.terms[i] = (struct strategy_term){(uint8_t)kind, 1 + below(rng, 5000), band};
    }
    strategy.fence_count = (uint8_t)below(rng, 3);
    for (uint32_t i = 0; i < strategy.fence_count; i++) {
        static const uint32_t most[STRATEGY_FENCE_COUNT] = {1500000, 3000, 600, 9, 1000000, 4, 7};
        uint32_t kind = below(rng, STRATEGY_FENCE_COUNT);
        strategy.fences[i] = (struct strategy_fence){(uint8_t)kind, 1 + below(rng, most[kind])};
    }
    return strategy;
}
