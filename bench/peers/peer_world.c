/* Draws orders; sorts the nodes of an area. */
#include "peer_world.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "geo.h"
#include "zip3.h"

enum err peer_world_init(struct peer_world *world)
{
    double *people = calloc(zip3_count, sizeof *people);
    enum err err = people ? load_network_init(&world->network, &world->opts) : ERR_NOMEM;
    if (err == ERR_OK) {
        for (uint32_t i = 0; i < zip3_count; i++) {
            people[i] = zip3_rows[i].people;
        }
        err = alias_init(&world->by_people, people, zip3_count);
    }
    free(people);
    world->items = world->opts.items;
    bool is_part = world->drawn >= world->lines && world->drawn < world->items;
    world->drawn = is_part ? world->drawn : world->items;
    stock_model_init(&world->model, &world->opts, &world->network, world->items);
    return err;
}

void peer_world_close(struct peer_world *world)
{
    load_network_close(&world->network);
    alias_close(&world->by_people);
    free(world->near);
    free(world->metres);
    free(world->deepest);
}

/* A node while it is sorted. */
struct far {
    const struct id_name *id;
    uint32_t metres;
    uint16_t node;
};

static int by_far(const void *a, const void *b)
{
    const struct far *x = a;
    const struct far *y = b;
    if (x->metres != y->metres) {
        return x->metres < y->metres ? -1 : 1;
    }
    return memcmp(x->id->at, y->id->at, sizeof x->id->at);
}

static void area_sort(struct peer_world *world, uint32_t area, struct far *rows)
{
    const struct network *network = &world->network;
    struct geo_point here = geo_point(zip3_rows[area].lat, zip3_rows[area].lon);
    for (uint32_t i = 0; i < network->count; i++) {
        struct geo_point there = geo_point(network->sites[i].lat, network->sites[i].lon);
        rows[i] = (struct far){&network->ids.names[i], geo_metres(&here, &there), (uint16_t)i};
    }
    qsort(rows, network->count, sizeof *rows, by_far);
    for (uint32_t i = 0; i < network->count; i++) {
        world->near[area * network->count + i] = rows[i].node;
        world->metres[area * network->count + i] = rows[i].metres;
    }
}

void peer_world_near(struct peer_world *world)
{
    size_t count = (size_t)zip3_count * world->network.count;
    struct far *rows = calloc(world->network.count, sizeof *rows);
    world->near = calloc(count, sizeof *world->near);
    world->metres = calloc(count, sizeof *world->metres);
    CHECK(rows);
    CHECK(world->near);
    CHECK(world->metres);
    for (uint32_t area = 0; area < zip3_count; area++) {
        area_sort(world, area, rows);
    }
    free(rows);
}

void peer_world_deepest(struct peer_world *world)
{
    world->deepest = calloc(world->items, sizeof *world->deepest);
    CHECK(world->deepest);
    for (uint32_t item = 0; item < world->items; item++) {
        uint32_t most = 0;
        for (uint32_t node = 0; node < world->network.count; node++) {
            uint32_t units = stock_model_units(&world->model, node, item);
            if (units > most) {
                most = units;
                world->deepest[item] = (uint16_t)node;
            }
        }
    }
}

void peer_world_draw(const struct peer_world *world, uint64_t number, struct peer_order *out)
{
    struct rng rng;
    rng_init(&rng, world->opts.seed * 0xd1342543de82ef95u + number);
    out->number = number;
    out->area = alias_draw(&world->by_people, &rng);
    uint32_t first = (uint32_t)rng_below(&rng, world->drawn);
    uint32_t step = world->drawn > world->lines
                        ? 1 + (uint32_t)rng_below(&rng, (world->drawn - 1) / world->lines)
                        : 1;
    out->count = world->lines;
    for (uint32_t i = 0; i < out->count; i++) {
        out->item[i] = (first + i * step) % world->drawn;
    }
    out->node[0] = (uint16_t)rng_below(&rng, world->network.count);
    if (world->deepest && out->count == 2) {
        out->node[0] = world->deepest[out->item[0]];
        out->node[1] = world->deepest[out->item[1]];
    }
}

static void put_hex(char *at, uint64_t value, uint32_t digits)
{
    for (uint32_t i = digits; i > 0; i--) {
        at[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

void peer_world_id(const struct peer_world *world, uint64_t number, char *out)
{
    put_hex(out, world->tag, 7);
    out[7] = '-';
    put_hex(out + 8, number, 12);
}

void peer_world_item(uint32_t item, char *out)
{
    memcpy(out, "SKU-0000000", PEER_ITEM_SIZE);
    for (uint32_t i = PEER_ITEM_SIZE - 1; item > 0; i--, item /= 10) {
        out[i] = (char)('0' + item % 10);
    }
}
