/* How much of which item lies where: a pure function of seed, node and item, so that nothing of
 * it need be kept to check the books afterwards.
 *
 * Warehouses hold 70 % of the items, stores 5-30 % by size (times --density). Quantities are
 * Zipf: 1 to 100 units at a store, 1 to 10,000 at a warehouse, each decade equally likely.
 * The most popular items are stocked deeper. All of it is generated, none of it is data. */
#ifndef LOADGEN_STOCK_MODEL_H
#define LOADGEN_STOCK_MODEL_H

#include <stdint.h>

#include "load_opts.h"
#include "load_network.h"

/* Owner: main; read-only. Borrows the network. */
struct stock_model {
    const struct network *network;
    uint64_t seed;
    uint32_t items;
    uint32_t hot_stock; /* units of item 0 at every node, 0: item 0 is like the others */
    uint32_t factor;    /* times each quantity: baskets are wholesale */
};

void stock_model_init(struct stock_model *model, const struct load_opts *opts,
                      const struct network *network, uint32_t items);

/* Units of item at node when loaded; 0: the node does not stock it. */
uint32_t stock_model_units(const struct stock_model *model, uint32_t node, uint32_t item);

#endif
