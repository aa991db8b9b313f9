/* An order decided again as things are now, changing nothing, on present stock, what it still
 * holds itself counted as free: all that its customer has or gets (explain.*), or only what it
 * still holds (strategy.try). */
#ifndef SERVICE_AGAIN_INTERNAL_H
#define SERVICE_AGAIN_INTERNAL_H

#include "service_internal.h"

struct again {
    struct order *order;
    bool is_held; /* only units that it holds */
    struct route_request request; /* to be bettered before the decision */
    struct route_line lines[EFFECT_LINES_MAX];
    uint16_t rejected[EFFECT_PARTS_MAX];
    uint16_t exclude[LIST_MAX + EFFECT_PARTS_MAX]; /* of again_exclude_chosen */
    char country[3];
    char postcode[17];
};

/* Fill in the request as it was asked, under the order's own strategy. False: there is nothing to
 * decide: all was carried out, cancelled or is owed. */
bool again_begin(const struct service_core *service, struct order *order, bool is_held,
                 struct again *again);

/* A time that was asked for, as far after now as it was after the order came; 0 stays 0. */
uint64_t again_time(const struct service_core *service, uint64_t created_ms, uint64_t then_ms);

/* Leave out the nodes that it has units at. */
void again_exclude_chosen(struct again *again);

/* Decide. */
void again_decide(struct service_core *service, struct again *again, struct route_answer *answer);

/* The same, telling about a node. */
void again_why(struct service_core *service, struct again *again, uint16_t node,
               route_why_visit *visit, void *owner);

/* Whether the part has units that are decided again. */
bool again_has(const struct again *again, uint32_t part);

#endif
