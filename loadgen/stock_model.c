/* One hash per cell gives both draws. */
#include "stock_model.h"

#include <math.h>

#include "check.h"

#define STORE_UNITS_MAX     100.0
#define WAREHOUSE_UNITS_MAX 10000.0

/* Items up to this rank are stocked deeper, in step with how often the workloads ask for them. */
enum { DEEP_ITEMS = 256, BASKETS_FACTOR = 10 };

void stock_model_init(struct stock_model *model, const struct load_opts *opts,
                      const struct network *network, uint32_t items)
{
    CHECK(items > 0);
    *model = (struct stock_model){
        .network = network,
        .seed = opts->seed,
        .items = items,
        .hot_stock = opts->workload == WORKLOAD_HOT ? opts->hot_stock : 0,
        .factor = opts->workload == WORKLOAD_BASKETS ? BASKETS_FACTOR : 1,
    };
}

/* Two rounds of splitmix64's finisher over seed, node and item. */
static uint64_t cell_bits(const struct stock_model *model, uint32_t node, uint32_t item)
{
    uint64_t z = model->seed * 0x9e3779b97f4a7c15u + ((uint64_t)node << 32 | item);
    for (int round = 0; round < 2; round++) {
        z += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        z ^= z >> 31;
    }
    return z;
}

static double depth_of(uint32_t item)
{
    return item < DEEP_ITEMS ? pow((double)DEEP_ITEMS / (item + 1.0), 0.8) : 1.0;
}

uint32_t stock_model_units(const struct stock_model *model, uint32_t node, uint32_t item)
{
    const struct site *site = &model->network->sites[node];
    uint64_t bits = cell_bits(model, node, item);
    if (model->hot_stock > 0 && item == 0) {
        return model->hot_stock;
    }
    if ((double)(bits >> 32) * 0x1p-32 >= site->share) {
        return 0;
    }
    double most = site->is_warehouse ? WAREHOUSE_UNITS_MAX : STORE_UNITS_MAX;
    double units = floor(pow(most, (double)(uint32_t)bits * 0x1p-32) * depth_of(item));
    return (uint32_t)units * model->factor;
}
