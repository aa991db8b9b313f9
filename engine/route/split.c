/* Groups that no single node holds: what is short, the best plan, and its lines.
 *
 * The search (solve): one node; then dynamic programming over subsets of items (at most 12),
 * first as if any stock of an item were enough (a lower bound that is often a plan), then with
 * whole stock only (an upper bound); then the tree, one number of nodes after the other, from the
 * lower bound up. Whatever the bound of steps leaves open is filled by the greedy plan. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "mem.h"
#include "split_internal.h"
#include "strategy_route_internal.h"

enum {
    CELLS = 2,
    RESTARTS = 4,
    BOUND_STEPS = 800,
    LONG_SHARE = 3 /* of all steps for the tree of a group that plans of few nodes do not serve */
};                 /* cells that take as long as a step; searches begun anew */

enum err split_new(struct split **out)
{
    void *memory;
    enum err err = mem_reserve(sizeof(struct split), &memory);
    if (err == ERR_OK) {
        mem_populate(memory, sizeof(struct split));
        *out = memory;
    }
    return err;
}

void split_free(struct split *split)
{
    mem_release(split, sizeof *split);
}

static bool is_single(const struct route *route)
{
    struct split *split = route->split;
    struct plan *plan = &split->best;
    plan->count = 0;
    for (uint32_t i = 0; i < split->count; i++) {
        const struct candidate *candidate = &split->candidates[i];
        if (candidate->whole == split->all &&
            (plan->count == 0 ||
             candidate_compare(route, candidate, &split->candidates[plan->nodes[0]]) < 0)) {
            plan->count = 1;
            plan->cost = candidate_cost(candidate);
            plan->nodes[0] = (uint16_t)i;
        }
    }
    return plan->count == 1;
}

/* No plan has fewer nodes. */
static uint32_t least_nodes(const struct split *split)
{
    uint32_t items = (uint32_t)__builtin_popcountll(split->all);
    uint32_t least = (items + split->cover_max - 1) / split->cover_max;
    for (uint64_t bits = split->all & split->spread; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        uint32_t most = split->free_max[item];
        uint32_t needed = split->demand[item] / most + (split->demand[item] % most != 0);
        least = needed > least ? needed : least;
    }
    least = split->nodes_ruled_out >= least ? split->nodes_ruled_out + 1 : least;
    return least > 2 ? least : 2;
}

/* The smaller, then the cheaper plan into upper. */
static void upper_take(const struct route *route, struct plan *upper, const struct plan *plan)
{
    bool is_better = upper->count == 0 || plan->count < upper->count ||
                     (plan->count == upper->count && plan_is_better(route, plan, upper));
    if (plan->count > 0 && is_better) {
        plan_copy(upper, plan);
    }
}

/* All candidates again, in the order of split_sort. */
static void restore(struct split *split)
{
    memcpy(split->candidates, split->sorted, split->full_count * sizeof *split->candidates);
    split->has_shares = split->has_shares && split->count == split->full_count;
    split->count = split->full_count;
}

/* Look through what split_reduce left. False: it ended before all was looked at. */
static bool run_tree(struct route *route, uint32_t count, const struct plan *upper,
                     bool is_restarting)
{
    struct split *split = route->split;
    split->best.count = 0;
    if (upper->count == count) {
        plan_copy(&split->best, upper);
    }
    split_tree_begin(route);
    split_bounds_begin(route);
    split->steps += split_cells(split) / CELLS / 2 + BOUND_STEPS +
                    split->count * (split->item_count > MASK_ITEMS_MAX ? 4 : 1);
    return split_tree(route, count, is_restarting);
}

/* Plans of exactly count nodes, the best into split->best; none there: best.count is 0. False: the
 * steps ran out. Leaves the candidates reduced. A much better plan found on the way makes fewer
 * candidates, and the search begins anew. */
static bool search_count(struct route *route, uint32_t count, struct plan *upper)
{
    struct split *split = route->split;
    bool is_proved = false;
    split->best.count = 0;
    for (uint32_t restarts = 0; !is_proved && restarts <= RESTARTS; restarts++) {
        if (!split_reduce(route, count, upper)) {
            return true;
        }
        is_proved = run_tree(route, count, upper, restarts < RESTARTS);
        if (split->best.count > 0) {
            plan_copy(upper, &split->best);
        }
        if (split->steps > split->stop) {
            break;
        }
    }
    return is_proved;
}

/* Each number of nodes from least on; upper is a plan to fall back on. */
static enum verdict search_tree(struct route *route, uint32_t least, struct plan *upper)
{
    struct split *split = route->split;
    uint32_t limit = route->group.max_nodes;
    bool is_proved = true;
    split->full_count = split->count;
    split->has_shares = false;
    memcpy(split->sorted, split->candidates, split->count * sizeof *split->candidates);
    while (least <= limit && least <= TREE_DEPTH_MAX && is_proved) {
        is_proved = search_count(route, least, upper);
        if (split->best.count > 0) {
            split->is_optimal = is_proved;
            return VERDICT_FOUND;
        }
        least = split->needed_nodes;
        restore(split);
    }
    if (is_proved && least > limit) {
        return VERDICT_IMPOSSIBLE;
    }
    plan_copy(&split->best, upper);
    return upper->count > 0 && upper->count <= limit ? VERDICT_FOUND : VERDICT_UNKNOWN;
}

/* A lower bound by masks, as if any stock of an item were enough. True: verdict is final. */
static bool bound_below(struct route *route, uint32_t *least, enum verdict *verdict)
{
    struct split *split = route->split;
    *verdict = split_masks(route, true, &split->best);
    if (*verdict == VERDICT_UNKNOWN) {
        return false;
    }
    *least = split->best.count;
    split->is_optimal =
        *verdict == VERDICT_IMPOSSIBLE || !split->spread || plan_holds(split, &split->best);
    return split->is_optimal;
}

/* Plans to fall back on: the best of whole stock only, and the greedy one. */
static void bound_above(struct route *route, struct plan *upper)
{
    struct split *split = route->split;
    upper->count = 0;
    if (split->item_count <= MASK_ITEMS_MAX &&
        split_masks(route, false, &split->best) == VERDICT_FOUND) {
        plan_prune(split, &split->best);
        upper_take(route, upper, &split->best);
    }
    split_greedy(route, &split->other);
    upper_take(route, upper, &split->other);
}

/* What was gathered has taken its time too. */
static void charge_gathering(struct route *route)
{
    struct split *split = route->split;
    uint32_t most = route->steps_max / 2;
    uint32_t steps = split->cells / CELLS + split->count;
    split->steps += steps < most ? steps : most;
}

/* The best plan into split->best; costs are metres, or a strategy's. */
static enum verdict solve(struct route *route)
{
    struct split *split = route->split;
    enum verdict verdict;
    uint32_t least = 2;
    split->is_optimal = true;
    strategy_costs(route);
    if (is_single(route)) {
        return VERDICT_FOUND;
    }
    if (route->group.max_nodes == 1 || split->nodes_ruled_out >= route->group.max_nodes) {
        return VERDICT_IMPOSSIBLE;
    }
    split->is_optimal = false;
    split_sort(route);
    work(route, split->count);
    if (split->item_count <= MASK_ITEMS_MAX && bound_below(route, &least, &verdict)) {
        return verdict;
    }
    split_tree_begin(route);
    bound_above(route, &split->upper);
    charge_gathering(route);
    uint32_t needed = least_nodes(split);
    return search_tree(route, needed > least ? needed : least, &split->upper);
}

/* Why units of lines that are short of stock have no source. */
static enum reason short_reason(struct route *route)
{
    for (uint32_t item = 0; item < route->split->item_count; item++) {
        if (route->split->available[item] > 0) {
            return REASON_INSUFFICIENT_STOCK;
        }
    }
    return split_has_candidate(route) ? REASON_INSUFFICIENT_STOCK : REASON_NO_FEASIBLE_SOURCE;
}

static uint32_t available_of(const struct split *split, uint32_t item)
{
    uint64_t available = split->available[item];
    return available < UINT32_MAX ? (uint32_t)available : UINT32_MAX;
}

/* Serve the lines in request order with what demand allows; the shortage falls on the last. */
static void serve_lines(struct route *route)
{
    struct split *split = route->split;
    memcpy(split->left, split->demand, split->item_count * sizeof *split->left);
    for (uint32_t i = 0; i < route->group.line_count; i++) {
        uint32_t line = route->lines[i];
        uint32_t *left = &split->left[route->demand_of[line]];
        uint32_t qty = route->request->lines[line].qty;
        split->qty_of_line[i] = qty < *left ? qty : *left;
        *left -= split->qty_of_line[i];
    }
}

/* Tell the units that stay behind; a line that was not short of stock has reason. */
static void add_unfilled(struct route *route, enum reason reason)
{
    struct split *split = route->split;
    enum reason short_of = short_reason(route);
    for (uint32_t i = 0; i < route->group.line_count; i++) {
        uint32_t line = route->lines[i];
        uint32_t item = route->demand_of[line];
        uint32_t missing = route->request->lines[line].qty - split->qty_of_line[i];
        bool is_short = split->available[item] < route->demands[item].qty;
        if (missing > 0) {
            answer_add_unfilled(route, line, missing, available_of(split, item),
                                is_short ? short_of : reason);
        }
    }
}

/* Refuse: of the lines at fault, all that demand leaves behind. */
static bool refuse(struct route *route, enum reason reason)
{
    enum reason worst = reason;
    uint32_t first = route->answer->unfilled_count;
    serve_lines(route);
    add_unfilled(route, reason);
    for (uint32_t i = first; i < route->answer->unfilled_count; i++) {
        if (route->unfilled[i].reason == REASON_NO_FEASIBLE_SOURCE) {
            worst = REASON_NO_FEASIBLE_SOURCE;
        }
    }
    answer_refuse(route, worst);
    return false;
}

static bool refuse_all(struct route *route, enum reason reason)
{
    struct split *split = route->split;
    memset(split->demand, 0, split->item_count * sizeof *split->demand);
    return refuse(route, reason);
}

/* Lower the demands to what candidates hold together. True: some were lowered. */
static bool lower(struct split *split)
{
    bool is_short = false;
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->available[item] < split->demand[item]) {
            split->demand[item] = (uint32_t)split->available[item];
            is_short = true;
        }
    }
    return is_short;
}

static bool is_nothing(const struct split *split)
{
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->demand[item] > 0) {
            return false;
        }
    }
    return true;
}

static bool is_nearer(const void *owner, uint32_t a, uint32_t b)
{
    const struct route *route = owner;
    const struct near_node *x = &route->split->near[a];
    const struct near_node *y = &route->split->near[b];
    return x->metres != y->metres ? x->metres < y->metres
                                  : node_compare(route->view->network, x->node, y->node) < 0;
}

static void swap_near(void *owner, uint32_t a, uint32_t b)
{
    struct near_node *near = ((struct route *)owner)->split->near;
    struct near_node moved = near[a];
    near[a] = near[b];
    near[b] = moved;
}

/* The plan's nodes, nearest first, into split->nodes. */
static void list_nodes(struct route *route)
{
    static const struct heap_order nearest = {is_nearer, swap_near};
    struct split *split = route->split;
    for (uint32_t i = 0; i < split->best.count; i++) {
        uint16_t node =
            split->is_wide ? split->best.nodes[i] : split->candidates[split->best.nodes[i]].node;
        split->near[i] = (struct near_node){group_metres(route, node), node};
    }
    heap_sort(route, &nearest, 0, split->best.count);
    for (uint32_t i = 0; i < split->best.count; i++) {
        split->nodes[i] = split->near[i].node;
    }
}

static bool fill(struct route *route, enum reason reason)
{
    struct split *split = route->split;
    serve_lines(route);
    list_nodes(route);
    route->answer->steps += split->steps;
    bool is_single_node = split->best.count == 1 && !split->is_wide;
    bool is_proved = split->is_optimal && (split->is_exact || is_single_node);
    route->answer->is_optimal = route->answer->is_optimal && is_proved;
    if (!answer_add_plan(route, split->nodes, split->best.count, split->qty_of_line)) {
        return refuse_all(route, REASON_MAX_SPLITS_EXCEEDED);
    }
    add_unfilled(route, reason);
    return true;
}

/* Most units from as many nodes as are allowed. */
static bool fill_most(struct route *route, enum reason reason)
{
    struct split *split = route->split;
    if (split->is_wide) {
        split_wide_most(route, &split->best);
    } else {
        split_sort(route);
        split_most(route, &split->best);
        plan_lower(split, &split->best);
        plan_prune(split, &split->best);
    }
    return fill(route, reason);
}

/* A fixed place leaves one candidate. */
static void fix_place(struct route *route)
{
    struct group *group = &route->group;
    uint32_t slot = route->view->network->nodes[group->place].slot;
    slot_bits bit = group->base[slot / 64] & ((slot_bits)1 << (slot % 64));
    memset(route->base, 0, sizeof route->base);
    route->base[slot / 64] = bit;
    group->base = route->base;
}

bool split_decide(struct route *route)
{
    struct split *split = route->split;
    uint32_t room = ROUTE_PARTS_MAX - route->answer->part_count;
    if (route->group.place != NODE_NONE) {
        fix_place(route);
    }
    split->is_exact = !route->is_ruled; /* till strategy_costs says more */
    strategy_fence_base(route);
    group_drop_unlisted(route);
    if (route->group.max_nodes > room) {
        route->group.max_nodes = room;
    }
    split_begin(route);
    if (split->is_long && split_few(route) == VERDICT_FOUND) {
        return fill(route, REASON_NONE); /* nothing is short */
    }
    split_collect(route);
    split->stop = split->is_long ? split->steps + route->steps_max / LONG_SHARE
                                 : route_steps_few(route);
    bool is_short = lower(split);
    split->nodes_ruled_out = is_short ? 0 : split->nodes_ruled_out;
    if (is_short && !route->request->allow_partial) {
        return refuse(route, REASON_INSUFFICIENT_STOCK);
    }
    if (is_nothing(split)) {
        serve_lines(route);
        add_unfilled(route, REASON_INSUFFICIENT_STOCK);
        return true;
    }
    if (is_short && split->is_long && room > 0 && split_few(route) == VERDICT_FOUND) {
        return fill(route, REASON_INSUFFICIENT_STOCK);
    }
    split->is_wide = !split->is_listed;
    if (is_short && !split->is_wide) {
        split_candidates(route); /* afresh: what is whole depends on the demand */
    }
    if (room == 0) {
        return refuse_all(route, REASON_MAX_SPLITS_EXCEEDED);
    }
    enum verdict verdict = split->is_wide ? split_wide(route, &split->best) : solve(route);
    if (verdict == VERDICT_FOUND) {
        return fill(route, REASON_INSUFFICIENT_STOCK);
    }
    enum reason reason =
        verdict == VERDICT_IMPOSSIBLE ? REASON_MAX_SPLITS_EXCEEDED : REASON_SEARCH_LIMIT;
    return route->request->allow_partial ? fill_most(route, reason) : refuse_all(route, reason);
}
