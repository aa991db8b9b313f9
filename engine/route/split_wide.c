/* Groups of more items than masks hold: greedy over the cells themselves, without lists.
 *
 * Each pick is the node that completes most of the items left (with max_splits binding: that
 * brings most units), counted by one walk over the rows of those items only. After PICKS picks
 * the items left are filled one by one from the cheapest nodes on. Only a single node is proved
 * to be the best. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum { PICKS = 16 };

struct wide {
    struct route *route;
    struct split *split;
    bool is_by_units; /* most units, else most items completed */
    uint32_t limit;   /* nodes */
};

static void count_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t left = split->left[item];
    split->slot_items[slot] += free >= left;
    split->slot_units[slot] += free < left ? free : left;
}

static struct candidate candidate_of(const struct route *route, uint32_t slot)
{
    uint16_t node = route->view->network->node_of_slot[slot];
    return (struct candidate){.metres = route->split->slot_metres[slot],
                              .priority = route->view->network->nodes[node].config.priority,
                              .node = node};
}

static bool is_better(const struct wide *wide, uint32_t slot, uint32_t best)
{
    const struct split *split = wide->split;
    if (split->slot_units[slot] == 0 || split->slot_chosen[slot]) {
        return false;
    }
    if (best == UINT32_MAX) {
        return true;
    }
    if (!wide->is_by_units && split->slot_items[slot] != split->slot_items[best]) {
        return split->slot_items[slot] > split->slot_items[best];
    }
    if (split->slot_units[slot] != split->slot_units[best]) {
        return split->slot_units[slot] > split->slot_units[best];
    }
    struct candidate a = candidate_of(wide->route, slot);
    struct candidate b = candidate_of(wide->route, best);
    return candidate_compare(wide->route, &a, &b) < 0;
}

/* The slot that helps most with what is left, or UINT32_MAX. */
static uint32_t pick(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t slots = wide->route->view->network->words * 64;
    uint32_t best = UINT32_MAX;
    memset(split->slot_items, 0, slots * sizeof *split->slot_items);
    memset(split->slot_units, 0, slots * sizeof *split->slot_units);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->left[item] > 0) {
            split_visit(wide->route, item, count_cell);
        }
    }
    for (uint32_t slot = 0; slot < slots; slot++) {
        best = is_better(wide, slot, best) ? slot : best;
    }
    return best;
}

static uint32_t capped_free(const struct route *route, uint32_t item, uint16_t node, uint32_t cap)
{
    uint32_t free = cap ? demand_free(route, &route->demands[item], node) : 0;
    return free < cap ? free : cap;
}

/* Add the node and take what it has. */
static void add(const struct wide *wide, struct plan *plan, uint16_t node)
{
    struct split *split = wide->split;
    CHECK(plan->count < ROUTE_PARTS_MAX);
    plan->nodes[plan->count++] = node;
    split->slot_chosen[wide->route->view->network->nodes[node].slot] = true;
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->left[item] -= capped_free(wide->route, item, node, split->left[item]);
    }
}

static bool is_filled(const struct split *split)
{
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->left[item] > 0) {
            return false;
        }
    }
    return true;
}

static void list_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    (void)item;
    (void)free;
    route->split->candidates[route->split->count++] = candidate_of(route, slot);
}

/* Fill one item from its cheapest nodes that are not in the plan yet. */
static void fill_item(const struct wide *wide, struct plan *plan, uint32_t item)
{
    struct split *split = wide->split;
    split->count = 0;
    split_visit(wide->route, item, list_cell);
    split_sort(wide->route);
    for (uint32_t i = 0; i < split->count && split->left[item] && plan->count < wide->limit; i++) {
        uint16_t node = split->candidates[i].node;
        if (!split->slot_chosen[wide->route->view->network->nodes[node].slot]) {
            add(wide, plan, node);
        }
    }
}

static void greedy(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    uint32_t slots = wide->route->view->network->words * 64;
    memset(split->slot_chosen, 0, slots * sizeof *split->slot_chosen);
    plan->count = 0;
    plan->cost = 0;
    memcpy(split->left, split->demand, split->item_count * sizeof *split->left);
    for (uint32_t picks = 0; picks < PICKS && plan->count < wide->limit; picks++) {
        uint32_t slot = is_filled(split) ? UINT32_MAX : pick(wide);
        if (slot == UINT32_MAX) {
            break;
        }
        add(wide, plan, wide->route->view->network->node_of_slot[slot]);
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->left[item] > 0) {
            fill_item(wide, plan, item);
        }
    }
}

static void sum_up(const struct wide *wide, const struct plan *plan)
{
    struct split *split = wide->split;
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->sum[item] = 0;
        for (uint32_t i = 0; i < plan->count; i++) {
            split->sum[item] += capped_free(wide->route, item, plan->nodes[i], split->demand[item]);
        }
    }
}

static bool is_needless(const struct wide *wide, uint16_t node)
{
    const struct split *split = wide->split;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint32_t free = capped_free(wide->route, item, node, split->demand[item]);
        if (split->sum[item] - free < split->demand[item]) {
            return false;
        }
    }
    return true;
}

/* Drop needless nodes, the last picked first. */
static void prune(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    sum_up(wide, plan);
    for (uint32_t i = plan->count; i-- > 0;) {
        uint16_t node = plan->nodes[i];
        if (!is_needless(wide, node)) {
            continue;
        }
        for (uint32_t item = 0; item < split->item_count; item++) {
            split->sum[item] -= capped_free(wide->route, item, node, split->demand[item]);
        }
        memmove(&plan->nodes[i], &plan->nodes[i + 1], (plan->count - i - 1) * sizeof *plan->nodes);
        plan->count--;
    }
}

enum verdict split_wide(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    struct wide wide = {.route = route, .split = split, .limit = ROUTE_PARTS_MAX};
    greedy(&wide, out);
    if (!is_filled(split)) {
        return VERDICT_UNKNOWN;
    }
    prune(&wide, out);
    split->is_optimal = out->count == 1;
    if (out->count <= route->group.max_nodes) {
        return VERDICT_FOUND;
    }
    return route->group.max_nodes == 1 ? VERDICT_IMPOSSIBLE : VERDICT_UNKNOWN;
}

void split_wide_most(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    struct wide wide = {
        .route = route, .split = split, .is_by_units = true, .limit = route->group.max_nodes};
    greedy(&wide, out);
    sum_up(&wide, out);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->sum[item] < split->demand[item]) {
            split->demand[item] = (uint32_t)split->sum[item];
        }
    }
    prune(&wide, out);
    split->is_optimal = route->group.max_nodes == 1;
}
