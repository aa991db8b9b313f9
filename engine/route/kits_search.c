/* Groups with kits that no single node holds whole: the best set of nodes, exactly within the bound
 * of steps.
 *
 * A set will do when its nodes together have what is asked for of each item, kits and all (whoever
 * of them sends a kit, its units come out of the same sum), and each kit can be given to one node
 * of it, whole, all at once. Sets of two nodes come first, then of three; of as many the cheapest,
 * as in split.c. To a set that will not do yet the next node must bring something that is missing:
 * a kit that none of its nodes holds, else units of an item, else, where kits are in each other's
 * way, any kit at all. A node that was tried is not tried again beside the same others. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"
#include "strategy_route_internal.h"

enum { TRY_STEPS = 8, PACK_STEPS = 2 };  /* of a node tried, of one looked at for a kit */

struct search {
    struct route *route;
    struct split *split;
    struct kits *kits;
    uint32_t depth, left; /* nodes chosen; that may still be */
    uint32_t stop;
    bool is_over;         /* the steps ran out */
    uint64_t held;        /* kits that some chosen node holds */
    plan_cost cost;
    uint16_t chosen[KIT_NODES_MAX];
    uint64_t sum[SPLIT_ITEMS_MAX];
    uint32_t rest[KIT_NODES_MAX][SPLIT_ITEMS_MAX]; /* of the chosen ones, while kits are given */
    uint8_t nearest[KIT_NODES_MAX];                /* the chosen ones, nearest first */
    uint8_t given[KITS_MAX];                       /* to which chosen one, by kit */
};

static const uint32_t *free_of(const struct split *split, uint32_t candidate)
{
    return &split->free[(size_t)split->candidates[candidate].free * split->item_count];
}

/* -- what is asked for, and who has some -- */

/* False: more kits or items than the search is made for. */
static bool kits_list(struct route *route, const struct pending *pending)
{
    struct kits *kits = &route->split->kits;
    uint16_t last = 0;
    kits->count = kits->entry_count = 0;
    for (uint32_t line = pending->first; line != UINT32_MAX; line = route->next_line[line]) {
        const struct route_line *own = &route->request->lines[line];
        if (own->kit == 0) {
            continue;
        }
        if (own->kit != last && kits->count == KITS_MAX) {
            return false;
        }
        if (own->kit != last) {
            kits->kit[kits->count] = own->kit;
            kits->first[kits->count++] = kits->entry_count;
        }
        last = own->kit;
        kits->item[kits->entry_count] = route->demand_of[line];
        kits->qty[kits->entry_count++] = own->qty;
        kits->first[kits->count] = kits->entry_count;
    }
    return route->group.demand_count <= SPLIT_ITEMS_MAX;
}

static void candidate_add(struct route *route, uint16_t node, uint32_t metres)
{
    struct split *split = route->split;
    const struct kits *kits = &split->kits;
    uint32_t *free = &split->free[(size_t)split->count * split->item_count];
    struct candidate *own = &split->candidates[split->count];
    *own = (struct candidate){.free = split->count,
                              .metres = metres,
                              .priority = route->view->network->nodes[node].config.priority,
                              .node = node};
    for (uint32_t i = 0; i < split->item_count; i++) {
        free[i] = demand_free(route, &route->demands[i], node);
    }
    for (uint32_t kit = 0; kit < kits->count; kit++) {
        bool is_whole = true;
        for (uint32_t i = kits->first[kit]; i < kits->first[kit + 1]; i++) {
            is_whole = is_whole && free[kits->item[i]] >= kits->qty[i];
        }
        own->whole |= (uint64_t)is_whole << kit;
    }
    split->count++;
}

static void gather_item(struct route *route, uint32_t item)
{
    struct split *split = route->split;
    const struct network *network = route->view->network;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    if (!route->demands[item].row) {
        return;
    }
    row_walk_begin(route->demands[item].row, &walk);
    while (row_walk_next(route->demands[item].row, &walk, &slot, &index)) {
        const uint16_t node = network->node_of_slot[slot];
        if (split->slot_stamp[slot] == route->stamp) {
            continue;
        }
        split->slot_stamp[slot] = route->stamp;
        const uint32_t metres = group_metres(route, node);
        if (group_takes_node(route, node, metres)) {
            candidate_add(route, node, metres);
        }
        work(route, 1);
    }
}

static bool is_before(const void *owner, uint32_t a, uint32_t b)
{
    const struct route *route = owner;
    return candidate_compare(route, &route->split->candidates[a], &route->split->candidates[b]) <
           0;
}

static void swap_candidates(void *owner, uint32_t a, uint32_t b)
{
    struct candidate *all = ((struct route *)owner)->split->candidates;
    const struct candidate moved = all[a];
    all[a] = all[b];
    all[b] = moved;
}

static void gather(struct route *route)
{
    static const struct heap_order cheapest = {is_before, swap_candidates};
    struct split *split = route->split;
    strategy_fence_base(route);
    group_drop_unlisted(route);
    route->stamp++; /* of the slots that were looked at */
    split->is_wide = false;
    split->count = 0;
    split->item_count = route->group.demand_count;
    for (uint32_t i = 0; i < split->item_count; i++) {
        split->demand[i] = route->demands[i].qty;
    }
    for (uint32_t i = 0; i < split->item_count; i++) {
        gather_item(route, i);
    }
    heap_sort(route, &cheapest, 0, split->count);
    memset(split->tried_at, 0, split->count * sizeof split->tried_at[0]);
    work(route, split->count);
}

/* Whether all candidates together have all units, and each kit has a holder. */
static bool is_possible(struct split *split)
{
    uint64_t held = 0;
    uint64_t sum[SPLIT_ITEMS_MAX] = {0};
    memset(split->free_max, 0, sizeof split->free_max);
    for (uint32_t c = 0; c < split->count; c++) {
        held |= split->candidates[c].whole;
        for (uint32_t i = 0; i < split->item_count; i++) {
            const uint32_t free = free_of(split, c)[i];
            sum[i] += free;
            split->free_max[i] = free > split->free_max[i] ? free : split->free_max[i];
        }
    }
    for (uint32_t i = 0; i < split->item_count; i++) {
        if (sum[i] < split->demand[i]) {
            return false;
        }
    }
    return (uint64_t)__builtin_popcountll(held) == split->kits.count;
}

/* -- kits to nodes -- */

static bool fits(struct search *search, uint32_t kit, uint32_t at, bool is_taken)
{
    const struct kits *kits = search->kits;
    uint32_t *rest = search->rest[at];
    bool is_whole = true;
    for (uint32_t i = kits->first[kit]; i < kits->first[kit + 1] && !is_taken; i++) {
        is_whole = is_whole && rest[kits->item[i]] >= kits->qty[i];
    }
    for (uint32_t i = kits->first[kit]; i < kits->first[kit + 1] && is_whole; i++) {
        rest[kits->item[i]] += is_taken ? kits->qty[i] : -kits->qty[i];
    }
    return is_whole;
}

static bool step(struct search *search, uint32_t steps)
{
    search->split->steps += steps;
    search->is_over = search->is_over || search->split->steps > search->stop;
    work(search->route, steps);
    return !search->is_over;
}

/* Kits from this one on, in line order, each to the nearest node that leaves the others theirs. */
static bool give(struct search *search, uint32_t kit)
{
    if (kit == search->kits->count) {
        return true;
    }
    for (uint32_t i = 0; i < search->depth && step(search, PACK_STEPS); i++) {
        const uint32_t at = search->nearest[i];
        if (!fits(search, kit, at, false)) {
            continue;
        }
        search->given[kit] = (uint8_t)at;
        if (give(search, kit + 1)) {
            return true;
        }
        (void)fits(search, kit, at, true);
    }
    return false;
}

static bool is_nearer(const struct search *search, uint32_t a, uint32_t b)
{
    const struct candidate *x = &search->split->candidates[search->chosen[a]];
    const struct candidate *y = &search->split->candidates[search->chosen[b]];
    return x->metres != y->metres
               ? x->metres < y->metres
               : node_compare(search->route->view->network, x->node, y->node) < 0;
}

static bool give_all(struct search *search)
{
    const struct split *split = search->split;
    for (uint32_t i = 0; i < search->depth; i++) {
        uint32_t at = i;
        memcpy(search->rest[i], free_of(split, search->chosen[i]),
               split->item_count * sizeof search->rest[i][0]);
        for (; at > 0 && is_nearer(search, i, search->nearest[at - 1]); at--) {
            search->nearest[at] = search->nearest[at - 1];
        }
        search->nearest[at] = (uint8_t)i;
    }
    return give(search, 0);
}

/* -- sets of nodes -- */

/* The set will do: the best so far, or not. */
static void found(struct search *search)
{
    struct split *split = search->split;
    struct plan *plan = &split->other;
    plan->count = search->depth;
    plan->cost = search->cost;
    memcpy(plan->nodes, search->chosen, search->depth * sizeof plan->nodes[0]);
    if (split->best.count == 0 || plan_is_better(search->route, plan, &split->best)) {
        plan_copy(&split->best, plan);
        for (uint32_t kit = 0; kit < search->kits->count; kit++) {
            search->kits->node[kit] = split->candidates[search->chosen[search->given[kit]]].node;
        }
    }
}

/* What the next node must bring some of; kits: a bit each, else units of item. */
struct missing {
    uint64_t kits;
    uint32_t item;
};

/* Whether so many nodes more can have the units. */
static bool is_within(const struct search *search, uint32_t item)
{
    const struct split *split = search->split;
    return search->sum[item] + (uint64_t)search->left * split->free_max[item] >=
           split->demand[item];
}

/* False: nothing is missing but, perhaps, room for all kits at once. */
static bool missing_find(const struct search *search, struct missing *missing, bool *is_hopeless)
{
    const struct split *split = search->split;
    const uint64_t kits = split->kits_all & ~search->held;
    missing->item = UINT32_MAX;
    *is_hopeless = false;
    for (uint32_t i = split->item_count; i-- > 0;) {
        *is_hopeless = *is_hopeless || !is_within(search, i);
        missing->item = search->sum[i] < split->demand[i] ? i : missing->item;
    }
    missing->kits = kits & (~kits + 1); /* the first */
    return missing->kits || missing->item != UINT32_MAX;
}

static bool brings(const struct split *split, uint32_t candidate, const struct missing *missing)
{
    return missing->kits ? (split->candidates[candidate].whole & missing->kits) != 0
                         : free_of(split, candidate)[missing->item] > 0;
}

static void choose(struct search *search, uint32_t candidate, bool is_in)
{
    const struct split *split = search->split;
    const uint32_t *free = free_of(split, candidate);
    const plan_cost cost = candidate_cost(&split->candidates[candidate]);
    for (uint32_t i = 0; i < split->item_count; i++) {
        search->sum[i] += is_in ? free[i] : -(uint64_t)free[i];
    }
    search->cost += is_in ? cost : -cost;
    search->depth += is_in ? 1 : UINT32_MAX;
    search->left += is_in ? UINT32_MAX : 1;
}

static void sets(struct search *search);

/* Each that brings what is missing, cheapest first. */
static void add_each(struct search *search, const struct missing *missing)
{
    struct split *split = search->split;
    const uint64_t held = search->held;
    const plan_cost least = candidate_cost(&split->candidates[0]) * (search->left - 1);
    const uint8_t mark = (uint8_t)(search->depth + 1);
    for (uint32_t c = 0; c < split->count && step(search, 1); c++) {
        const plan_cost cost = search->cost + candidate_cost(&split->candidates[c]) + least;
        if (split->best.count > 0 && cost > split->best.cost) {
            break;
        }
        if (split->tried_at[c] || !brings(split, c, missing)) {
            continue;
        }
        (void)step(search, TRY_STEPS);
        split->tried_at[c] = mark;
        search->chosen[search->depth] = (uint16_t)c;
        search->held = held | split->candidates[c].whole;
        choose(search, c, true);
        sets(search);
        choose(search, c, false);
        search->held = held;
    }
    for (uint32_t c = 0; c < split->count; c++) {
        split->tried_at[c] = split->tried_at[c] == mark ? 0 : split->tried_at[c];
    }
}

/* Sets with the chosen nodes and as many more as are left, or with none more. */
static void sets(struct search *search)
{
    struct missing missing;
    bool is_hopeless;
    if (!missing_find(search, &missing, &is_hopeless)) {
        if (search->left == 0 && give_all(search)) {
            found(search);
        }
        missing = (struct missing){search->split->kits_all, UINT32_MAX};
    }
    if (search->left > 0 && !is_hopeless && !search->is_over) {
        add_each(search, &missing);
    }
}

/* The plan's nodes, nearest first, for who places the lines. */
static void list_plan(struct route *route)
{
    struct split *split = route->split;
    const struct plan *best = &split->best;
    for (uint32_t i = 0; i < best->count; i++) {
        const struct candidate *own = &split->candidates[best->nodes[i]];
        uint32_t at = i;
        for (; at > 0; at--) {
            const struct near_node *other = &split->near[at - 1];
            const bool is_after = own->metres != other->metres
                                      ? own->metres > other->metres
                                      : node_compare(route->view->network, own->node,
                                                     other->node) > 0;
            if (is_after) {
                break;
            }
            split->near[at] = *other;
        }
        split->near[at] = (struct near_node){own->metres, own->node};
    }
}

/* No set without a needless node has more: each sends a kit, or a unit of what is no kit. */
static uint64_t most_useful(const struct split *split)
{
    const struct kits *kits = &split->kits;
    uint64_t nodes = kits->count;
    for (uint32_t i = 0; i < split->item_count; i++) {
        nodes += split->demand[i];
    }
    for (uint32_t i = 0; i < kits->entry_count; i++) {
        nodes -= kits->qty[i];
    }
    return nodes < split->count ? nodes : split->count;
}

enum verdict kits_search(struct route *route, const struct pending *pending, uint32_t least,
                         uint32_t most)
{
    struct split *split = route->split;
    split->best.count = 0;
    split->steps = 0;
    if (!kits_list(route, pending)) {
        return VERDICT_UNKNOWN;
    }
    gather(route);
    split->kits_all = split->kits.count == 64 ? ~(uint64_t)0
                                              : ((uint64_t)1 << split->kits.count) - 1;
    if (!is_possible(split)) {
        return VERDICT_IMPOSSIBLE;
    }
    struct search search = {.route = route,
                            .split = split,
                            .kits = &split->kits,
                            .stop = route_steps_few(route)};
    const uint64_t useful = most_useful(split);
    most = useful < most ? (uint32_t)useful : most;
    for (uint32_t count = least; count <= most && count <= KIT_NODES_MAX; count++) {
        search.left = count;
        sets(&search);
        if (split->best.count > 0 || search.is_over) {
            break;
        }
    }
    route->answer->steps += split->steps;
    split->is_optimal = !search.is_over;
    if (split->best.count > 0) {
        list_plan(route);
        return VERDICT_FOUND;
    }
    return search.is_over || most > KIT_NODES_MAX ? VERDICT_UNKNOWN : VERDICT_IMPOSSIBLE;
}
