/* Exact search for plans of very few nodes, however many the items: by columns.
 *
 * Of n nodes that touch all items left one touches 1/n of them or more: how many each open slot
 * touches is counted for all slots at once, in binary digits, and those are tried, most first. A
 * node once tried is out of the question for its later brothers' subtrees: so no set is met twice,
 * and when the warehouses that hold nearly everything are through, the rest is cut short. The last
 * node touches all that is left: the columns of that are ANDed, the rarest first.
 *
 * Columns may say too much. So what a node that is tried really has is read from its cells, once
 * a group; what it leaves of each item counts as left, and the last node is held against that. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    COST_SHIFT = 28,  /* of priorities above the lowest */
    STEPS_SHARE = 2,  /* the search ends after one part in so many of all steps */
    COUNT_BLOCKS = 4, /* blocks of columns counted in a step's time */
    MEET_BLOCKS = 2,  /* blocks in which columns meet */
    READ_CELLS = 1,
    LIST_NODES = 4,
    COST_NODES = 8
};

_Static_assert(FEW_NODES_MAX *(uint64_t)GEO_METRES_MAX < 1 << COST_SHIFT, "metres fit below");

struct few {
    struct route *route;
    struct split *split;
    uint32_t nodes; /* of the plans looked for */
    uint32_t stop;  /* steps at which the search ends */
    bool is_cut;    /* it ended before all was looked at */
    uint16_t path[FEW_NODES_MAX];
    uint64_t best; /* cost of split->best, UINT64_MAX = none */
};

static int32_t priority_at(const struct route *route, uint32_t slot)
{
    const struct network *network = route->view->network;
    return split_priority(network, network->node_of_slot[slot]);
}

/* The lowest priority of a touched slot. */
static int32_t priority_min(const struct few *few)
{
    const struct network *network = few->route->view->network;
    int32_t least = INT32_MAX;
    if (network->has_classes && network->class_count == 1) {
        return network->class_priority[0];
    }
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits bits = few->split->touched[word]; bits; bits &= bits - 1) {
            int32_t at = priority_at(few->route, word * 64 + (uint32_t)__builtin_ctzll(bits));
            least = at < least ? at : least;
        }
    }
    return least;
}

/* Costs of plans of equally many nodes compare as their priorities, then their metres do. */
static void fill_costs(const struct few *few)
{
    struct split *split = few->split;
    int64_t base = priority_min(few);
    uint32_t touched = 0;
    split->cost_min = UINT64_MAX;
    for (uint32_t word = 0; word < few->route->view->network->words; word++) {
        for (slot_bits bits = split->touched[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            uint64_t priority = (uint64_t)(priority_at(few->route, slot) - base);
            uint64_t cost = priority << COST_SHIFT | split_slot_metres(few->route, slot);
            split->slot_cost[slot] = cost;
            split->cost_min = cost < split->cost_min ? cost : split->cost_min;
            touched++;
        }
    }
    split->steps += touched / COST_NODES;
}

/* What the node at the slot has of each item, NULL: no room to keep it. */
static const uint32_t *row_at(struct few *few, uint32_t slot)
{
    struct split *split = few->split;
    uint16_t node = few->route->view->network->node_of_slot[slot];
    size_t room = sizeof split->free / sizeof split->free[0] / split->item_count;
    if (split->row_stamp[slot] == few->route->stamp) {
        return &split->free[(size_t)split->row_of[slot] * split->item_count];
    }
    if (split->row_count >= room) {
        return NULL;
    }
    split->row_stamp[slot] = few->route->stamp;
    split->row_of[slot] = split->row_count++;
    uint32_t *free = &split->free[(size_t)split->row_of[slot] * split->item_count];
    for (uint32_t item = 0; item < split->item_count; item++) {
        bool is_touched = column_word(split, item, slot / 64) >> (slot % 64) & 1;
        free[item] = is_touched ? demand_free(few->route, &few->route->demands[item], node) : 0;
        split->steps += is_touched * READ_CELLS;
    }
    return free;
}

/* Whether a plan with the slot and count - 1 more costs more than the best. */
static bool is_too_dear(const struct few *few, const struct few_level *level, uint32_t slot,
                        uint32_t count)
{
    const struct split *split = few->split;
    return level->cost + split->slot_cost[slot] + split->cost_min * (count - 1) > few->best;
}

static uint32_t count_at(const struct split *split, uint32_t slot, uint32_t digits)
{
    uint32_t count = 0;
    for (uint32_t digit = 0; digit < digits; digit++) {
        count |= (uint32_t)(split->planes[digit][slot / 64] >> (slot % 64) & 1) << digit;
    }
    return count;
}

/* Most items first: a counting sort. */
static void sort_able(struct few_level *level, const struct few_node *from)
{
    uint32_t at[ROUTE_LINES_MAX + 2];
    uint32_t *after = at + 1;
    memset(at, 0, (level->count + 2) * sizeof *at);
    for (uint32_t i = 0; i < level->able_count; i++) {
        after[level->count - from[i].touched]++;
    }
    for (uint32_t i = 0; i <= level->count; i++) {
        after[i] += at[i];
    }
    for (uint32_t i = 0; i < level->able_count; i++) {
        level->able[at[level->count - from[i].touched]++] = from[i];
    }
}

/* Who may come next, with count nodes still to come. */
static void level_begin(struct few *few, struct few_level *level, uint32_t count)
{
    struct split *split = few->split;
    const struct network *network = few->route->view->network;
    uint32_t least = (level->count + count - 1) / count;
    uint32_t digits = 32 - (uint32_t)__builtin_clz(level->count);
    few->route->kernel->touch(&split->columns, level->item, level->count, least, level->open,
                              split->able, split->planes[0], WORD_MAX_NETWORK);
    level->at = 0;
    level->able_count = 0;
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits bits = split->able[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (!is_too_dear(few, level, slot, count)) {
                split->unsorted[level->able_count++] =
                    (struct few_node){(uint16_t)count_at(split, slot, digits), (uint16_t)slot};
            }
        }
    }
    split->steps += (level->count + COLUMN_DIGITS) * split->columns.blocks / COUNT_BLOCKS +
                    level->able_count / LIST_NODES + level->count / COUNT_BLOCKS;
    sort_able(level, split->unsorted);
}

/* What is left when the slot's node has given what it has. False: no room. */
static bool descend(struct few *few, const struct few_level *level, uint32_t slot,
                    struct few_level *next)
{
    const uint32_t *free = row_at(few, slot);
    size_t blocks = few->split->columns.blocks;
    if (!free) {
        return false;
    }
    next->count = 0;
    for (uint32_t i = 0; i < level->count; i++) {
        uint32_t given = free[level->item[i]];
        next->item[next->count] = level->item[i];
        next->units[next->count] = level->units[i] - given;
        next->count += given < level->units[i];
    }
    next->cost = level->cost + few->split->slot_cost[slot];
    memcpy(next->open, level->open, blocks * COLUMN_BLOCK * sizeof *next->open);
    return true;
}

static bool holds_rest(const struct few *few, const struct few_level *level, uint16_t node)
{
    few->split->steps += READ_CELLS;
    for (uint32_t i = 0; i < level->count; i++) {
        const struct demand *demand = &few->route->demands[level->item[i]];
        if (demand_free(few->route, demand, node) < level->units[i]) {
            return false;
        }
        few->split->steps += READ_CELLS;
    }
    return true;
}

/* The plan of the path and the node, if it is better and does. */
static void try_last(struct few *few, const struct few_level *level, uint32_t slot)
{
    struct split *split = few->split;
    uint64_t cost = level->cost + split->slot_cost[slot];
    struct plan *plan = &split->other;
    if (cost > few->best) {
        return;
    }
    plan->count = few->nodes;
    plan->cost = cost;
    memcpy(plan->nodes, few->path, (few->nodes - 1) * sizeof *plan->nodes);
    plan->nodes[few->nodes - 1] = few->route->view->network->node_of_slot[slot];
    if ((split->best.count == 0 || plan_is_better(few->route, plan, &split->best)) &&
        holds_rest(few, level, plan->nodes[few->nodes - 1])) {
        plan_copy(&split->best, plan);
        few->best = cost;
    }
}

/* All nodes that may end the plan. */
static void end_plans(struct few *few, const struct few_level *level)
{
    struct split *split = few->split;
    few->route->kernel->meet(&split->columns, level->item, level->count, level->open, split->able);
    split->steps += split->columns.blocks / MEET_BLOCKS + 1;
    for (uint32_t word = 0; word < few->route->view->network->words; word++) {
        for (slot_bits bits = split->able[word]; bits; bits &= bits - 1) {
            try_last(few, level, word * 64 + (uint32_t)__builtin_ctzll(bits));
        }
    }
}

/* Try the next node of a level with count nodes still to come. True: go a level deeper. */
static bool try_next(struct few *few, uint32_t depth, uint32_t count)
{
    struct few_level *level = &few->split->few_levels[depth];
    struct few_level *next = &few->split->few_levels[depth + 1];
    struct few_node tried = level->able[level->at];
    if (tried.touched * count < level->count) { /* nor do those behind it touch more */
        level->at = level->able_count;
        return false;
    }
    level->at++;
    few->split->steps++;
    level->open[tried.slot / 64] &= ~((slot_bits)1 << (tried.slot % 64));
    if (is_too_dear(few, level, tried.slot, count)) {
        return false;
    }
    if (!descend(few, level, tried.slot, next)) {
        few->is_cut = true;
        return false;
    }
    few->path[depth] = few->route->view->network->node_of_slot[tried.slot];
    if (next->count == 0 || next->count > tried.touched * (count - 1)) {
        return false;
    }
    if (count == 2) {
        end_plans(few, next);
        return false;
    }
    level_begin(few, next, count - 1);
    return true;
}

/* Look through all plans of so many nodes. */
static void search(struct few *few, uint32_t nodes)
{
    struct split *split = few->split;
    uint32_t depth = 0;
    few->nodes = nodes;
    if (nodes == 1) {
        end_plans(few, &split->few_levels[0]);
        return;
    }
    level_begin(few, &split->few_levels[0], nodes);
    while (!few->is_cut) {
        struct few_level *level = &split->few_levels[depth];
        if (level->at < level->able_count) {
            depth += try_next(few, depth, nodes - depth);
            few->is_cut = few->is_cut || split->steps > few->stop;
        } else if (depth == 0) {
            break;
        } else {
            depth--;
        }
    }
}

static void first_level(struct few *few)
{
    struct split *split = few->split;
    struct few_level *level = &split->few_levels[0];
    level->count = split->asked_count;
    level->cost = 0;
    memcpy(level->item, split->rarest, level->count * sizeof *level->item);
    for (uint32_t i = 0; i < level->count; i++) {
        level->units[i] = split->demand[level->item[i]];
    }
    memcpy(level->open, split->touched,
           (size_t)split->columns.blocks * COLUMN_BLOCK * sizeof *level->open);
}

enum verdict split_few(struct route *route)
{
    struct split *split = route->split;
    struct few few = {
        .route = route, .split = split, .stop = route->steps_max / STEPS_SHARE, .best = UINT64_MAX};
    uint32_t most = route->group.max_nodes < FEW_NODES_MAX ? route->group.max_nodes : FEW_NODES_MAX;
    split->is_wide = true;
    split->row_count = 0;
    split->best.count = 0;
    if (!split_columns(route)) {
        return VERDICT_UNKNOWN;
    }
    fill_costs(&few);
    for (uint32_t nodes = 1; nodes <= most && !few.is_cut && split->best.count == 0; nodes++) {
        first_level(&few);
        search(&few, nodes);
        split->nodes_ruled_out = few.is_cut || split->best.count > 0 ? nodes - 1 : nodes;
    }
    split->is_optimal = !few.is_cut;
    return split->best.count > 0 ? VERDICT_FOUND : VERDICT_UNKNOWN;
}
