/* Why nodes were not chosen: each node of the network by the first reason that holds.
 *
 * ITEM_BARRED stands for items not listed there too. Else a node is judged as the single source
 * of its group: it is OUT_OF_STOCK when it lacks all stock of some item, BELOW_SAFETY_STOCK when
 * of some item only the safety stock is left, RING_FENCED when it would have enough of each item
 * but for what is kept for other channels, INSUFFICIENT_QTY when it has less of some item than
 * asked for, else OUTRANKED. */
#include <string.h>

#include "check.h"
#include "split_internal.h"
#include "strategy_route_internal.h"

enum { NODE_STEPS = 3 }; /* of a search, that a node takes which is judged */

static void mark_chosen(struct route *route, uint32_t first_part)
{
    struct split *split = route->split;
    uint32_t slots = route->view->network->words * 64;
    memset(split->slot_chosen, 0, slots * sizeof *split->slot_chosen);
    for (uint32_t i = first_part; i < route->answer->part_count; i++) {
        split->slot_chosen[route->view->network->nodes[route->parts[i].node].slot] = true;
    }
}

/* Per slot: items of which there is any stock, any above safety stock, enough. */
static void count_cells(struct route *route, const struct demand *demand)
{
    struct split *split = route->split;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    if (!demand->row) {
        return;
    }
    row_walk_begin(demand->row, &walk);
    while (row_walk_next(demand->row, &walk, &slot, &index)) {
        cell_word word = row_word(demand->row, index);
        uint16_t node = route->view->network->node_of_slot[slot];
        uint32_t free = stock_free(route->view, demand->item, node, word);
        uint32_t gone = route->has_takes ? taken(route, demand->item, node) : 0;
        int64_t before = (int64_t)cell_on_hand(word) - cell_reserved(word) - gone;
        gone += route->keep;
        int64_t open = (int64_t)stock_unfenced(route->view, demand->item, node, word) - gone;
        split->slot_open[slot] += open >= (int64_t)demand->qty;
        split->slot_any[slot] += before > 0;
        split->slot_items[slot] += open > 0;
        split->slot_units[slot] += free >= gone && free - gone >= demand->qty;
    }
}

/* Slots that the request's lists take out, with the reason. */
static void mark_excluded(struct route *route)
{
    const struct route_request *request = route->request;
    const struct network *network = route->view->network;
    uint8_t *excluded = route->split->slot_excluded;
    memset(excluded, request->include_count > 0 ? REJECT_EXCLUDED : REJECT_NONE,
           network->words * 64);
    for (uint32_t i = 0; i < request->include_count; i++) {
        excluded[network->nodes[request->include[i]].slot] = REJECT_NONE;
    }
    for (uint32_t i = 0; i < request->rejected_count; i++) {
        uint8_t *own = &excluded[network->nodes[request->rejected[i]].slot];
        *own = *own ? *own : REJECT_PREVIOUSLY_REJECTED;
    }
    for (uint32_t i = 0; i < request->exclude_count; i++) {
        excluded[network->nodes[request->exclude[i]].slot] = REJECT_EXCLUDED;
    }
}

static enum reject fence(const struct route *route, uint16_t node, uint32_t metres)
{
    const struct node *at = &route->view->network->nodes[node];
    enum service service = route->group.service;
    uint64_t bit = (uint64_t)1 << (at->slot % 64);
    if (route->split->slot_excluded[at->slot]) {
        return (enum reject)route->split->slot_excluded[at->slot];
    }
    if (!node_is_active(at, service)) {
        return REJECT_NODE_INACTIVE;
    }
    if (!carried_offers(route, at)) {
        return REJECT_SERVICE_NOT_OFFERED;
    }
    if (!(route->group.base[at->slot / 64] & bit)) {
        return REJECT_DESTINATION_NOT_SERVED;
    }
    if (metres > route->request->max_m || metres > at->config.max_m[service]) {
        return REJECT_TOO_FAR;
    }
    if (route->listed[at->slot / 64] & bit) {
        return REJECT_ITEM_BARRED;
    }
    enum reject reject = fence_reject(route, node);
    if (reject == REJECT_NONE && route->is_ruled) {
        struct contender contender;
        contender_begin(&contender, node, group_metres(route, node));
        reject = strategy_takes(route, &contender) ? REJECT_NONE : REJECT_STRATEGY_FENCED;
    }
    return reject;
}

static enum reject stock_reject(const struct route *route, uint32_t slot)
{
    const struct split *split = route->split;
    uint32_t items = route->group.demand_count;
    if (split->slot_any[slot] < items) {
        return REJECT_OUT_OF_STOCK;
    }
    if (split->slot_items[slot] < items) {
        return REJECT_BELOW_SAFETY_STOCK;
    }
    if (split->slot_units[slot] == items) {
        return REJECT_OUTRANKED;
    }
    return split->slot_open[slot] == items ? REJECT_RING_FENCED : REJECT_INSUFFICIENT_QTY;
}

/* The node's first reason; the metres are measured only where they matter. */
static enum reject judge(const struct route *route, uint16_t node, uint32_t *metres)
{
    const struct node *at = &route->view->network->nodes[node];
    bool has_limit = route->request->max_m != ROUTE_NO_LIMIT ||
                     at->config.max_m[route->group.service] != UINT32_MAX;
    bool is_needed = has_limit || route->request->explain > 1;
    *metres = is_needed ? group_metres(route, node) : 0;
    enum reject reject = fence(route, node, *metres);
    return reject != REJECT_NONE ? reject : stock_reject(route, at->slot);
}

static void explain_node(struct route *route, uint16_t node)
{
    struct split *split = route->split;
    struct route_answer *answer = route->answer;
    uint32_t metres;
    if (split->slot_chosen[route->view->network->nodes[node].slot]) {
        answer->candidates++;
        return;
    }
    enum reject reject = judge(route, node, &metres);
    answer->rejected[reject]++;
    answer->candidates += reject >= REJECT_OUT_OF_STOCK;
    if (route->request->explain > 1) {
        split->candidates[split->count++] =
            (struct candidate){.free = (uint32_t)reject, .metres = metres, .node = node};
    }
}

_Static_assert(REJECT_OUT_OF_STOCK > REJECT_STRATEGY_FENCED, "reasons of stock come behind fences");

/* The nearest nodes that were not chosen, with their reasons. */
static void list_rejects(struct route *route)
{
    struct split *split = route->split;
    struct route_answer *answer = route->answer;
    split_sort(route);
    for (uint32_t i = 0; i < split->count && answer->reject_count < ROUTE_NODES_LISTED_MAX; i++) {
        const struct candidate *at = &split->candidates[i];
        route->rejects[answer->reject_count++] =
            (struct route_reject){at->node, (uint8_t)at->free, at->metres};
    }
}

void explain_group(struct route *route, uint32_t first_part)
{
    struct split *split = route->split;
    const struct network *network = route->view->network;
    size_t slots = (size_t)network->words * 64;
    split->count = 0;
    memset(split->slot_any, 0, slots * sizeof *split->slot_any);
    memset(split->slot_items, 0, slots * sizeof *split->slot_items);
    memset(split->slot_units, 0, slots * sizeof *split->slot_units);
    memset(split->slot_open, 0, slots * sizeof *split->slot_open);
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        count_cells(route, &route->demands[i]);
    }
    mark_chosen(route, first_part);
    mark_excluded(route);
    group_fences(route, true);
    group_bars(route, route->listed);
    if (route->view->policies->count > 0) {
        group_unlisted(route, route->listed);
    }
    if (route->group.place != NODE_NONE) {
        explain_node(route, route->group.place);
    }
    for (uint32_t node = 0; node < network->count && route->group.place == NODE_NONE; node++) {
        explain_node(route, (uint16_t)node);
        work(route, NODE_STEPS);
    }
    list_rejects(route);
}
