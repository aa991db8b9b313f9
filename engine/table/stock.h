/* What is free at a cell: the read interface of the tables that a decision uses. */
#ifndef TABLE_STOCK_H
#define TABLE_STOCK_H

#include <stdbool.h>
#include <stdint.h>

#include "catalogue.h"
#include "network.h"
#include "policy.h"
#include "row.h"

struct timing;

/* A node's open fulfilments, oldest first; links are in the parts. */
struct node_queue {
    uint32_t first_order, last_order;
    uint16_t first_part, last_part;
    uint32_t count;
};

/* The tables that a decision reads. Borrowed by the router; nothing in it is changed. */
struct stock_view {
    const struct network *network;
    const struct catalogue *catalogue;
    const struct policies *policies;
    const struct timing *timing;
    uint64_t channel; /* for whom: quotas of others are not free (quota.h); 0 = no channel */
    const struct node_queue *queues; /* by node handle; NULL in a view without orders */
    const uint32_t *declines;        /* by node handle, in millionths; the same */
};

/* Safety stock of the cell: the override, else the node's default. */
int32_t stock_safety(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word);

/* Available to sell: on_hand - reserved - safety_stock. May be negative. */
int64_t stock_ats(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word);

/* ats as the view's channel sees it: less what is kept for others, but not below 0 by that. */
int64_t stock_ats_seen(const struct stock_view *view, uint32_t item, uint16_t node,
                       cell_word word);

/* Units that an order may take: ats less what is kept for other channels, where the cell is listed
 * and that is positive, else 0. */
static inline uint32_t stock_free(const struct stock_view *view, uint32_t item, uint16_t node,
                                  cell_word word);

/* The same without regard to quotas. */
uint32_t stock_unfenced(const struct stock_view *view, uint32_t item, uint16_t node,
                        cell_word word);

/* The override path of stock_free. */
uint32_t stock_free_override(const struct stock_view *view, uint32_t item, uint16_t node,
                             cell_word word);

static inline uint32_t stock_free(const struct stock_view *view, uint32_t item, uint16_t node,
                                  cell_word word)
{
    if (__builtin_expect(cell_has_override(word), 0)) {
        return stock_free_override(view, item, node, word);
    }
    int64_t ats = (int64_t)cell_on_hand(word) - cell_reserved(word) -
                  view->network->hot[node].safety_stock;
    return ats > 0 ? (uint32_t)ats : 0;
}

#endif
