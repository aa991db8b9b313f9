/* Tables for tests of the decision: nodes, items and cells made directly, no log, no service. */
#ifndef TESTS_WORLD_H
#define TESTS_WORLD_H

#include "route.h"
#include "rng.h"
#include "stock.h"
#include "strategy.h"

struct world {
    struct hash_key key;
    struct network network;
    struct catalogue catalogue;
    struct policies policies;
    struct node_queue *queues; /* by node handle; count is a test's to set */
    uint32_t *declines;        /* the same */
    struct stock_view view;
    struct route *route;
};

void world_init(struct world *world, uint32_t items_max);
void world_close(struct world *world);

/* A config of an active node that offers all services without limits of reach but same_day and
 * next_day within 100 km. */
struct node_config world_config(enum node_type type, double lat, double lon);

uint16_t world_node(struct world *world, const char *id, const struct node_config *config);
uint32_t world_item(struct world *world, const char *id);

/* Set the cell; it is made where it is not there. The policy's override bit is kept. */
void world_stock(struct world *world, uint32_t item, uint16_t node, int32_t on_hand,
                 int32_t reserved);

/* Set the cell's override; the cell is made empty where it is not there. */
void world_policy(struct world *world, uint32_t item, uint16_t node, const struct policy *policy);

/* Lay out the slots afresh and move all rows with them. */
void world_layout(struct world *world);

/* Take what the answer took: reserved grows. */
void world_apply(struct world *world, const struct route_request *request,
                 const struct route_answer *answer);

/* Any strategy: one to all terms, at most two fences. */
struct strategy world_strategy(struct rng *rng);

#endif
