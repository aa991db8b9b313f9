/* Plans: sets of candidates, compared by cost and then by their sorted ids. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

plan_cost candidate_cost(const struct candidate *candidate)
{
    uint64_t shifted = (uint64_t)((int64_t)candidate->priority - INT32_MIN);
    return (plan_cost)shifted << 64 | candidate->metres;
}

plan_cost plan_cost_less(plan_cost cost, uint32_t part)
{
    return cost - (uint64_t)cost / part;
}

int candidate_compare(const struct route *route, const struct candidate *a,
                      const struct candidate *b)
{
    plan_cost x = candidate_cost(a);
    plan_cost y = candidate_cost(b);
    if (x != y) {
        return x < y ? -1 : 1;
    }
    return node_compare(route->view->network, a->node, b->node);
}

/* The nodes of a plan by id: insertion sort, plans that tie are short. */
static void list_by_id(const struct route *route, const struct plan *plan, uint16_t *nodes)
{
    const struct network *network = route->view->network;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct split *split = route->split;
        uint16_t node = split->is_wide ? plan->nodes[i] : split->candidates[plan->nodes[i]].node;
        uint32_t at = i;
        for (; at > 0 && node_compare(network, node, nodes[at - 1]) < 0; at--) {
            nodes[at] = nodes[at - 1];
        }
        nodes[at] = node;
    }
}

bool plan_is_better(const struct route *route, const struct plan *a, const struct plan *b)
{
    CHECK(a->count == b->count);
    if (a->cost != b->cost) {
        return a->cost < b->cost;
    }
    uint16_t *ids_a = route->split->tied[0];
    uint16_t *ids_b = route->split->tied[1];
    list_by_id(route, a, ids_a);
    list_by_id(route, b, ids_b);
    for (uint32_t i = 0; i < a->count; i++) {
        int order = node_compare(route->view->network, ids_a[i], ids_b[i]);
        if (order != 0) {
            return order < 0;
        }
    }
    return false;
}

void plan_copy(struct plan *to, const struct plan *from)
{
    to->count = from->count;
    to->cost = from->cost;
    memcpy(to->nodes, from->nodes, from->count * sizeof *to->nodes);
}

static const uint32_t *free_of(const struct split *split, uint32_t candidate)
{
    return &split->free[(size_t)split->candidates[candidate].free * split->item_count];
}

static void sum_up(const struct split *split, const struct plan *plan, uint64_t *sum)
{
    memset(sum, 0, SPLIT_ITEMS_MAX * sizeof *sum);
    for (uint32_t i = 0; i < plan->count; i++) {
        for (uint32_t item = 0; item < split->item_count; item++) {
            sum[item] += free_of(split, plan->nodes[i])[item];
        }
    }
}

/* Whether the others hold every demand without the candidate. */
static bool is_needless(const struct split *split, uint32_t candidate, const uint64_t *sum)
{
    const uint32_t *free = free_of(split, candidate);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (sum[item] - free[item] < split->demand[item]) {
            return false;
        }
    }
    return true;
}

/* The plan's node that comes last in the order of candidates, among those before limit. */
static uint32_t dearest_before(const struct plan *plan, uint32_t limit)
{
    uint32_t best = plan->count;
    for (uint32_t i = 0; i < plan->count; i++) {
        if (plan->nodes[i] < limit && (best == plan->count || plan->nodes[i] > plan->nodes[best])) {
            best = i;
        }
    }
    return best;
}

void plan_prune(struct split *split, struct plan *plan)
{
    uint64_t sum[SPLIT_ITEMS_MAX];
    uint32_t limit = NODE_NONE;
    sum_up(split, plan, sum);
    for (uint32_t rounds = plan->count; rounds > 0; rounds--) {
        uint32_t at = dearest_before(plan, limit);
        uint32_t candidate = plan->nodes[at];
        limit = candidate;
        if (!is_needless(split, candidate, sum)) {
            continue;
        }
        for (uint32_t item = 0; item < split->item_count; item++) {
            sum[item] -= free_of(split, candidate)[item];
        }
        plan->cost -= candidate_cost(&split->candidates[candidate]);
        plan->nodes[at] = plan->nodes[--plan->count];
    }
}

void plan_lower(struct split *split, const struct plan *plan)
{
    uint64_t sum[SPLIT_ITEMS_MAX];
    sum_up(split, plan, sum);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (sum[item] < split->demand[item]) {
            split->demand[item] = (uint32_t)sum[item];
        }
    }
}

bool plan_holds(const struct split *split, const struct plan *plan)
{
    uint64_t sum[SPLIT_ITEMS_MAX];
    sum_up(split, plan, sum);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (sum[item] < split->demand[item]) {
            return false;
        }
    }
    return plan->count > 0;
}
