/* The load generator's draws behind names that do not meet the engine's. */
#include "quality_draw.h"

#include <stdlib.h>

#include "check.h"
#include "load_network.h"
#include "stock_model.h"
#include "workload.h"

enum { DRAWN_STORES = 4613 };

struct quality_draw {
    struct load_opts opts;
    struct network network;
    struct workload workload;
    struct stock_model model;
};

struct quality_draw *quality_draw_open(bool is_baskets, const char *data_dir, uint32_t items,
                                       uint64_t seed)
{
    struct quality_draw *draw = calloc(1, sizeof *draw);
    CHECK(draw);
    draw->opts = (struct load_opts){.data_dir = data_dir,
                                    .workload = is_baskets ? WORKLOAD_BASKETS : WORKLOAD_CONSUMER,
                                    .seed = seed,
                                    .nodes = data_dir ? 0 : DRAWN_STORES,
                                    .items = items,
                                    .lines = QUALITY_LINES_MAX,
                                    .density = 1};
    enum err err = load_network_init(&draw->network, &draw->opts);
    if (err == ERR_OK) {
        err = workload_init(&draw->workload, &draw->opts, &draw->network);
    }
    if (err != ERR_OK) {
        quality_draw_close(draw);
        return NULL;
    }
    stock_model_init(&draw->model, &draw->opts, &draw->network, draw->workload.items.count);
    return draw;
}

void quality_draw_close(struct quality_draw *draw)
{
    workload_close(&draw->workload);
    load_network_close(&draw->network);
    free(draw);
}

uint32_t quality_draw_sites(const struct quality_draw *draw)
{
    return draw->network.count;
}

uint32_t quality_draw_items(const struct quality_draw *draw)
{
    return draw->workload.items.count;
}

struct quality_site quality_draw_site(const struct quality_draw *draw, uint32_t index)
{
    const struct site *site = &draw->network.sites[index];
    return (struct quality_site){site->lat, site->lon, site->is_warehouse};
}

uint32_t quality_draw_units(const struct quality_draw *draw, uint32_t site, uint32_t item)
{
    return stock_model_units(&draw->model, site, item);
}

void quality_draw_order(const struct quality_draw *draw, uint64_t number, struct quality_order *out)
{
    static struct order order; /* 9 kB: not for a stack */
    workload_draw(&draw->workload, number, &order);
    out->lat = order.lat;
    out->lon = order.lon;
    out->count = order.count;
    for (uint32_t i = 0; i < order.count; i++) {
        out->item[i] = order.lines[i].item;
        out->qty[i] = order.lines[i].qty;
    }
}
