/* Whom new stock may help at all, of those who wait: a look at a class of them (table/owed.h), so
 * that not each of them must be decided to find that out. Pure, as all of the decision. */
#ifndef ROUTE_WAITING_H
#define ROUTE_WAITING_H

#include <stdbool.h>
#include <stdint.h>

#include "owed.h"
#include "stock.h"
#include "strategy.h"

/* Whether one of the nodes may have something for a class of those who wait; order: that of its
 * first entry. False: a decision for any of them, all else being as it is, takes nothing from
 * those. count OWED_NODES_ANY: true. */
bool route_may_help(const struct stock_view *view, const struct owed *owed,
                    const struct owed_class *class, struct order *order, const uint16_t *nodes,
                    uint32_t count);

/* The same for one of them, told by its own place, units and strategy (NULL = nearest): more is
 * ruled out, and it costs far less than a decision. */
bool route_may_take(const struct stock_view *view, const struct strategy *strategy,
                    const struct owed *owed, uint32_t entry, struct order *order,
                    const uint16_t *nodes, uint32_t count);

/* Whether the node has units of the item for some channel. */
bool route_holds(const struct stock_view *view, uint32_t item, uint16_t node);

/* Nodes that have units of the item for some channel, up to OWED_NODES_MAX; how many, or
 * OWED_NODES_ANY. steps grows by the cells looked at. */
uint32_t route_holders(const struct stock_view *view, uint32_t item,
                       uint16_t nodes[OWED_NODES_MAX], uint32_t *steps);

#endif
