/* Costs of candidates by a strategy: the split search then adds and compares them as it does
 * metres. Of a weighted strategy the cost is the score, divided by a power of two where it has
 * more than COST_BITS (then no plan is said to be proved); of a lexicographic one it is the place
 * of the node in the strategy's order, so that the sum of places is least. */
#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"
#include "strategy_route_internal.h"

enum { COST_BITS = 24 };

_Static_assert(1 << COST_BITS <= GEO_METRES_MAX, "no cost is larger than metres can be");

static struct split_score *score_at(const struct route *route, uint32_t place)
{
    return &route->split->scores[route->split->order[place]];
}

static bool is_less(const void *owner, uint32_t a, uint32_t b)
{
    const struct route *route = owner;
    const struct split_score *x = score_at(route, a);
    const struct split_score *y = score_at(route, b);
    uint32_t count = strategy_keys(route->request->strategy);
    for (uint32_t i = 0; i < count; i++) {
        if (x->keys[i] != y->keys[i]) {
            return x->keys[i] < y->keys[i];
        }
    }
    if (x->metres != y->metres) {
        return x->metres < y->metres;
    }
    return node_compare(route->view->network,
                        route->split->candidates[route->split->order[a]].node,
                        route->split->candidates[route->split->order[b]].node) < 0;
}

static void swap(void *owner, uint32_t a, uint32_t b)
{
    uint16_t *order = ((struct route *)owner)->split->order;
    uint16_t moved = order[a];
    order[a] = order[b];
    order[b] = moved;
}

static void score_all(struct route *route)
{
    struct split *split = route->split;
    for (uint32_t i = 0; i < split->count; i++) {
        struct contender contender;
        uint16_t node = split->candidates[i].node;
        contender_begin(&contender, node, group_metres(route, node));
        strategy_score(route, &contender, split->scores[i].keys);
        split->scores[i].metres = contender.metres;
        split->order[i] = (uint16_t)i;
    }
    split->steps += split->count * route->request->strategy->term_count;
}

static void cost_by_place(struct route *route)
{
    static const struct heap_order by_score = {is_less, swap};
    struct split *split = route->split;
    heap_sort(route, &by_score, 0, split->count);
    for (uint32_t place = 0; place < split->count; place++) {
        split->candidates[split->order[place]].metres = place;
    }
    split->is_exact = false;
}

static void cost_by_score(struct split *split)
{
    uint64_t most = 1;
    for (uint32_t i = 0; i < split->count; i++) {
        most = split->scores[i].keys[0] > most ? split->scores[i].keys[0] : most;
    }
    int bits = 64 - __builtin_clzll(most);
    int shift = bits > COST_BITS ? bits - COST_BITS : 0;
    for (uint32_t i = 0; i < split->count; i++) {
        split->candidates[i].metres = (uint32_t)(split->scores[i].keys[0] >> shift);
    }
    split->is_exact = shift == 0;
}

void strategy_costs(struct route *route)
{
    struct split *split = route->split;
    if (!route->is_ruled || split->is_wide) {
        return;
    }
    score_all(route);
    for (uint32_t i = 0; i < split->count; i++) {
        split->candidates[i].priority = 0;
    }
    if (route->request->strategy->mode == STRATEGY_WEIGHTED) {
        cost_by_score(split);
    } else {
        cost_by_place(route);
    }
}
