/* Exact search for plans of very few nodes, however many the items: by columns.
 *
 * Of n nodes that touch all items left one touches 1/n of them or more: how many each open slot
 * touches is counted for all slots at once, in binary digits, and those are tried, most first. A
 * node once tried is out of the question for its later brothers' subtrees: so no set is met twice,
 * and when the warehouses that hold nearly everything are through, the rest is cut short. The last
 * node touches all that is left: the columns of that are ANDed, the rarest first.
 *
 * Columns may say too much, and a node that touches an item may have less of it than is asked
 * for. So what is left is at first taken for what no node of the path touches; every plan touches
 * that. Where some node would end such a path, or nothing is left in that sense, the cells of the
 * path's nodes are read, once a group, and what they really leave counts. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"

enum {
    STEPS_SHARE = 8, /* of all steps, so many parts: */
    STEPS_PARTS = 5,
    COUNT_BLOCKS = 4, /* blocks of columns counted in a step's time */
    MEET_BLOCKS = 2,  /* blocks in which columns meet */
    READ_STEPS = 4,   /* of a cell, most often not in cache */
    DESCEND_ITEMS = 8,
    REST_ITEMS = 4,
    LIST_NODES = 4,
    SORT_NODES = 2
};

struct few {
    struct route *route;
    struct split *split;
    uint32_t nodes;               /* of the plans looked for */
    uint32_t stop;                /* steps at which the search ends */
    bool is_cut;                  /* it ended before all was looked at */
    uint16_t path[FEW_NODES_MAX]; /* slots */
    uint64_t best;                /* cost of split->best, UINT64_MAX = none */
};

/* What the node at the slot has of each item, NULL: no room to keep it. */
static const uint32_t *row_at(struct few *few, uint32_t slot)
{
    struct split *split = few->split;
    uint16_t node = few->route->view->network->node_of_slot[slot];
    size_t room = sizeof split->free / sizeof split->free[0] / split->item_count;
    if (split->row_stamp[slot] == split->row_serial) {
        return &split->free[(size_t)split->row_of[slot] * split->item_count];
    }
    if (split->row_count >= room) {
        return NULL;
    }
    split->row_stamp[slot] = split->row_serial;
    split->row_of[slot] = split->row_count++;
    uint32_t *free = &split->free[(size_t)split->row_of[slot] * split->item_count];
    for (uint32_t item = 0; item < split->item_count; item++) {
        bool is_touched = column_word(split, item, slot / 64) >> (slot % 64) & 1;
        free[item] = is_touched ? demand_free(few->route, &few->route->demands[item], node) : 0;
        split->steps += is_touched * READ_STEPS;
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

/* Most items first: a counting sort; sort_next puts those that are equal in order. */
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
    level->sorted = 0;
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

/* What nobody has touched when the slot's node is taken. */
static void descend(const struct few *few, const struct few_level *level, uint32_t slot,
                    struct few_level *next)
{
    struct split *split = few->split;
    next->count = 0;
    for (uint32_t i = 0; i < level->count; i++) {
        uint32_t item = level->item[i];
        next->item[next->count] = (uint16_t)item;
        next->count += !(column_word(split, item, slot / 64) >> (slot % 64) & 1);
    }
    next->cost = level->cost + split->slot_cost[slot];
    memcpy(next->open, level->open, split->columns.blocks * COLUMN_BLOCK * sizeof *next->open);
    split->steps += level->count / DESCEND_ITEMS + 1;
}

/* What so many nodes of the path really leave, into few->rest. False: no room to know it. */
static bool find_rest(struct few *few, uint32_t taken)
{
    struct split *split = few->split;
    struct few_rest *rest = &split->few_rest;
    const uint32_t *free[FEW_NODES_MAX];
    for (uint32_t n = 0; n < taken; n++) {
        free[n] = row_at(few, few->path[n]);
        if (!free[n]) {
            few->is_cut = true;
            return false;
        }
    }
    rest->count = 0;
    for (uint32_t i = 0; i < split->asked_count; i++) {
        uint32_t item = split->rarest[i];
        uint64_t given = 0;
        for (uint32_t n = 0; n < taken; n++) {
            given += free[n][item];
        }
        rest->item[rest->count] = (uint16_t)item;
        rest->units[rest->count] =
            given < split->demand[item] ? split->demand[item] - (uint32_t)given : 0;
        rest->count += given < split->demand[item];
    }
    split->steps += split->asked_count / REST_ITEMS + 1;
    return true;
}

static bool holds_rest(const struct few *few, uint16_t node)
{
    const struct few_rest *rest = &few->split->few_rest;
    for (uint32_t i = 0; i < rest->count; i++) {
        const struct demand *demand = &few->route->demands[rest->item[i]];
        few->split->steps += READ_STEPS;
        if (demand_free(few->route, demand, node) < rest->units[i]) {
            return false;
        }
    }
    return true;
}

/* The plan of the path and the slot's node, if it is better and does. */
static void try_last(struct few *few, const struct few_level *level, uint32_t slot)
{
    struct split *split = few->split;
    const uint16_t *node_of_slot = few->route->view->network->node_of_slot;
    uint64_t cost = level->cost + split->slot_cost[slot];
    struct plan *plan = &split->other;
    if (cost > few->best) {
        return;
    }
    plan->count = few->nodes;
    plan->cost = cost;
    for (uint32_t n = 0; n + 1 < few->nodes; n++) {
        plan->nodes[n] = node_of_slot[few->path[n]];
    }
    plan->nodes[few->nodes - 1] = node_of_slot[slot];
    if ((split->best.count == 0 || plan_is_better(few->route, plan, &split->best)) &&
        holds_rest(few, plan->nodes[few->nodes - 1])) {
        plan_copy(&split->best, plan);
        few->best = cost;
    }
}

/* Open slots that touch all of the listed items and are not too dear, into able; if any are. */
static bool find_last(struct few *few, const struct few_level *level, const uint16_t *item,
                      uint32_t count)
{
    struct split *split = few->split;
    slot_bits any = 0;
    few->route->kernel->meet(&split->columns, item, count, level->open, split->able);
    split->steps += split->columns.blocks / MEET_BLOCKS + 1;
    for (uint32_t word = 0; word < few->route->view->network->words; word++) {
        for (slot_bits bits = split->able[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            bool is_dear = level->cost + split->slot_cost[slot] > few->best;
            split->able[word] &= is_dear ? ~(bits & -bits) : ~(slot_bits)0;
        }
        any |= split->able[word];
    }
    return any != 0;
}

/* All nodes that may end the plan. */
static void end_plans(struct few *few, const struct few_level *level)
{
    struct split *split = few->split;
    const struct few_rest *rest = &split->few_rest;
    if (!find_last(few, level, level->item, level->count) || !find_rest(few, few->nodes - 1) ||
        !find_last(few, level, rest->item, rest->count)) {
        return;
    }
    for (uint32_t word = 0; word < few->route->view->network->words; word++) {
        for (slot_bits bits = split->able[word]; bits; bits &= bits - 1) {
            try_last(few, level, word * 64 + (uint32_t)__builtin_ctzll(bits));
        }
    }
}

struct bucket {
    const struct route *route;
    struct few_node *nodes;
};

static bool is_less(const void *owner, uint32_t a, uint32_t b)
{
    const struct bucket *bucket = owner;
    return split_slot_is_cheaper(bucket->route, bucket->nodes[a].slot, bucket->nodes[b].slot);
}

static void swap(void *owner, uint32_t a, uint32_t b)
{
    struct few_node *nodes = ((struct bucket *)owner)->nodes;
    struct few_node moved = nodes[a];
    nodes[a] = nodes[b];
    nodes[b] = moved;
}

/* Put those that touch as many as the next one in order, the cheapest first. */
static void sort_next(struct few *few, struct few_level *level)
{
    static const struct heap_order by_cost = {is_less, swap};
    struct bucket bucket = {few->route, level->able};
    uint32_t end = level->at + 1;
    while (end < level->able_count && level->able[end].touched == level->able[level->at].touched) {
        end++;
    }
    heap_sort(&bucket, &by_cost, level->at, end - level->at);
    few->split->steps += (end - level->at) / SORT_NODES;
    level->sorted = end;
}

/* Whether something is left: where all is touched, what the path's nodes really leave. */
static bool has_left(struct few *few, struct few_level *level, uint32_t taken)
{
    const struct few_rest *rest = &few->split->few_rest;
    if (level->count > 0) {
        return true;
    }
    if (!find_rest(few, taken)) {
        return false;
    }
    level->count = rest->count;
    memcpy(level->item, rest->item, rest->count * sizeof *level->item);
    return level->count > 0; /* else fewer nodes would do, and they were looked for before */
}

/* Try the next node of a level with count nodes still to come. True: go a level deeper. */
static bool try_next(struct few *few, uint32_t depth, uint32_t count)
{
    struct few_level *level = &few->split->few_levels[depth];
    struct few_level *next = &few->split->few_levels[depth + 1];
    if (level->at >= level->sorted) {
        sort_next(few, level);
    }
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
    few->path[depth] = tried.slot;
    descend(few, level, tried.slot, next);
    if (next->count > tried.touched * (count - 1) || !has_left(few, next, depth + 1)) {
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
            split_work(few->route);
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
    memcpy(level->open, split->touched,
           (size_t)split->columns.blocks * COLUMN_BLOCK * sizeof *level->open);
}

/* No plan has fewer: the node that touches most, so many times. */
static uint32_t least_nodes(struct few *few)
{
    struct split *split = few->split;
    few->route->kernel->touch(&split->columns, split->rarest, split->asked_count, 1, split->touched,
                              split->able, split->planes[0], WORD_MAX_NETWORK);
    split->steps += split->asked_count * split->columns.blocks / COUNT_BLOCKS;
    uint32_t most = split_most_touched(split, split->touched, split->asked_count);
    return most ? (split->asked_count + most - 1) / most : FEW_NODES_MAX + 1;
}

enum verdict split_few(struct route *route)
{
    struct split *split = route->split;
    struct few few = {.route = route,
                      .split = split,
                      .stop = route->steps_max / STEPS_SHARE * STEPS_PARTS,
                      .best = UINT64_MAX};
    uint32_t most = route->group.max_nodes < FEW_NODES_MAX ? route->group.max_nodes : FEW_NODES_MAX;
    split->is_wide = true;
    split->row_count = 0;
    split->row_serial++;
    split->best.count = 0;
    if (!split_columns(route, false)) {
        return VERDICT_UNKNOWN;
    }
    uint32_t nodes = least_nodes(&few);
    split->nodes_ruled_out = nodes - 1;
    for (; nodes <= most && !few.is_cut && split->best.count == 0; nodes++) {
        first_level(&few);
        search(&few, nodes);
        split->nodes_ruled_out = few.is_cut || split->best.count > 0 ? nodes - 1 : nodes;
    }
    split->is_optimal = !few.is_cut;
    return split->best.count > 0 ? VERDICT_FOUND : VERDICT_UNKNOWN;
}
