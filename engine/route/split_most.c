/* Most units from few nodes: what allow_partial asks for where max_splits binds.
 *
 * Order: most units, then fewest nodes, then the contract's rule 3. Greedy gives a first plan;
 * then all sets are searched, nodes with most units first, a branch being cut when not even the
 * next nodes' units together bring it to the best. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"

struct most {
    struct route *route;
    struct split *split;
    uint64_t best_units;
};

static const uint32_t *free_of(const struct split *split, uint32_t candidate)
{
    return &split->free[(size_t)split->candidates[candidate].free * split->item_count];
}

static uint64_t take_all(const struct split *split, uint32_t candidate, const uint32_t *from,
                         uint32_t *to)
{
    const uint32_t *free = free_of(split, candidate);
    uint64_t units = 0;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint32_t taken = free[item] < from[item] ? free[item] : from[item];
        to[item] = from[item] - taken;
        units += taken;
    }
    return units;
}

static bool has_more(const void *owner, uint32_t a, uint32_t b)
{
    const struct split *split = owner;
    uint64_t x = split->units[split->order[a]];
    uint64_t y = split->units[split->order[b]];
    return x != y ? x > y : split->order[a] < split->order[b];
}

static void swap(void *owner, uint32_t a, uint32_t b)
{
    struct split *split = owner;
    uint16_t moved = split->order[a];
    split->order[a] = split->order[b];
    split->order[b] = moved;
}

static void order_by_units(struct split *split)
{
    static const struct heap_order order = {has_more, swap};
    uint32_t scratch[SPLIT_ITEMS_MAX];
    for (uint32_t c = 0; c < split->count; c++) {
        split->order[c] = (uint16_t)c;
        split->units[c] = take_all(split, c, split->demand, scratch);
    }
    heap_sort(split, &order, 0, split->count);
}

/* Keep the plan in split->other if it is the best so far. */
static void keep(struct most *most, uint64_t units)
{
    struct plan *plan = &most->split->other;
    struct plan *best = &most->split->best;
    if (units < most->best_units || (units == most->best_units && plan->count > best->count)) {
        return;
    }
    bool is_better = units > most->best_units || plan->count < best->count;
    if (is_better || plan_is_better(most->route, plan, best)) {
        plan_copy(best, plan);
        most->best_units = units;
    }
}

static uint32_t best_next(const struct split *split, const uint32_t *residual, uint64_t *units)
{
    uint32_t scratch[SPLIT_ITEMS_MAX];
    uint32_t best = 0;
    *units = 0;
    for (uint32_t i = 0; i < split->count && split->units[split->order[i]] > *units; i++) {
        uint64_t gain = take_all(split, split->order[i], residual, scratch);
        if (gain > *units && !split->tried_at[split->order[i]]) {
            *units = gain;
            best = split->order[i];
        }
    }
    return best;
}

static void greedy(struct most *most, uint32_t limit)
{
    struct split *split = most->split;
    struct plan *plan = &split->other;
    uint32_t residual[SPLIT_ITEMS_MAX];
    uint64_t sum = 0;
    uint64_t gain = 1;
    memcpy(residual, split->demand, split->item_count * sizeof *residual);
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
    plan->count = 0;
    plan->cost = 0;
    for (uint32_t picks = 0; picks < limit && gain > 0; picks++) {
        uint32_t candidate = best_next(split, residual, &gain);
        if (gain > 0) {
            sum += take_all(split, candidate, residual, residual);
            split->tried_at[candidate] = 1;
            plan->cost += candidate_cost(&split->candidates[candidate]);
            plan->nodes[plan->count++] = (uint16_t)candidate;
        }
    }
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
    split->best.count = UINT32_MAX;
    keep(most, sum);
}

/* Most that count nodes from place at on could bring, whatever is left. */
static uint64_t bound(const struct split *split, uint32_t at, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = at; i < at + count && i < split->count; i++) {
        sum += split->units[split->order[i]];
    }
    return sum;
}

/* Every set of at most limit nodes, depth first; false: steps ran out. */
static bool search(struct most *most, uint32_t limit)
{
    struct split *split = most->split;
    struct plan *plan = &split->other;
    uint32_t at[TREE_DEPTH_MAX + 1] = {0};
    uint64_t sum[TREE_DEPTH_MAX + 1] = {0};
    uint32_t depth = 0;
    plan->cost = 0;
    memcpy(split->levels[0].residual, split->demand, split->item_count * sizeof *split->demand);
    while (split->steps <= most->route->steps_max) {
        split_work(most->route);
        bool is_open = depth < limit && at[depth] < split->count &&
                       sum[depth] + bound(split, at[depth], limit - depth) >= most->best_units;
        if (!is_open && depth == 0) {
            return true;
        }
        if (!is_open) {
            depth--;
            plan->cost -= candidate_cost(&split->candidates[plan->nodes[depth]]);
            continue;
        }
        uint32_t candidate = split->order[at[depth]++];
        split->steps += 1 + split->item_count / 4;
        plan->nodes[depth] = (uint16_t)candidate;
        plan->cost += candidate_cost(&split->candidates[candidate]);
        sum[depth + 1] = sum[depth] + take_all(split, candidate, split->levels[depth].residual,
                                               split->levels[depth + 1].residual);
        depth++;
        at[depth] = at[depth - 1];
        plan->count = depth;
        keep(most, sum[depth]);
    }
    return false;
}

void split_most(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    struct most most = {.route = route, .split = split};
    uint32_t limit = route->group.max_nodes < split->count ? route->group.max_nodes : split->count;
    split->steps = 0;
    order_by_units(split);
    greedy(&most, limit);
    split->is_optimal = limit <= TREE_DEPTH_MAX && search(&most, limit);
    plan_copy(out, &split->best);
}
