/* The load generator's network, items and stock behind plain numbers and bytes. */
#include "stocked_world.h"

#include <stdlib.h>

#include "check.h"
#include "load_setup.h"

struct stocked_world {
    struct load_opts opts;
    struct network network;
    struct workload workload;
    struct stock_model model;
};

struct stocked_world *stocked_world_open(int argc, const char *const *argv)
{
    struct stocked_world *world = calloc(1, sizeof *world);
    CHECK(world);
    if (load_opts_parse(&world->opts, argc, argv) != LOAD_OPTS_RUN ||
        load_network_init(&world->network, &world->opts) != ERR_OK) {
        free(world);
        return NULL;
    }
    if (workload_init(&world->workload, &world->opts, &world->network) != ERR_OK) {
        load_network_close(&world->network);
        free(world);
        return NULL;
    }
    stock_model_init(&world->model, &world->opts, &world->network, world->workload.items.count);
    return world;
}

void stocked_world_close(struct stocked_world *world)
{
    workload_close(&world->workload);
    load_network_close(&world->network);
    free(world);
}

uint32_t stocked_world_nodes(const struct stocked_world *world)
{
    return world->network.count;
}

uint32_t stocked_world_items(const struct stocked_world *world)
{
    return world->workload.items.count;
}

uint32_t stocked_world_node(const struct stocked_world *world, uint32_t index,
                            uint8_t frame[STOCKED_FRAME_MAX])
{
    struct writer writer;
    writer_init(&writer, frame, STOCKED_FRAME_MAX);
    writer_request(&writer, index, "node.put");
    setup_write_node(&world->network, index, &writer);
    CHECK(!writer.is_full);
    return writer_size(&writer);
}

uint32_t stocked_world_item(const struct stocked_world *world, uint32_t index,
                            uint8_t frame[STOCKED_FRAME_MAX])
{
    struct writer writer;
    writer_init(&writer, frame, STOCKED_FRAME_MAX);
    writer_request(&writer, index, "item.put");
    setup_write_item(&world->workload, index, &writer);
    CHECK(!writer.is_full);
    return writer_size(&writer);
}

uint32_t stocked_world_units(const struct stocked_world *world, uint32_t node, uint32_t item)
{
    return stock_model_units(&world->model, node, item);
}
