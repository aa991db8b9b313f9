/* Groups of more items than masks hold: greedy by columns, without lists of candidates.
 *
 * A pick is the node that touches most of the items left, by the count of the columns of the
 * SAMPLE rarest, the cheapest of those; where max_splits binds, of the SHORTLIST nodes that touch
 * most the one that brings most units. It gives all that it has. When picks have used up their
 * share of the steps, the items left are filled one by one from the cheapest node that has all of
 * it, else from the cheapest ones together. Only a single node that holds all is proved to be the
 * best here. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    PICK_SHARE = 2, /* of the steps, one part in so many */
    SAMPLE = 512,   /* items left that are counted, the rarest */
    SHORTLIST = 3,
    SHORTLIST_ONE = 8,
    PRUNED = 16,      /* nodes that are looked at whether they are needed */
    WHOLE_TRIES = 8,  /* cheapest nodes asked for all that is left of an item */
    COUNT_BLOCKS = 4, /* blocks of columns counted in a step's time */
    LOOKS = 4,        /* columns looked at for one bit, or nodes for their cost */
    READS = 4         /* steps of a cell, most often not in cache */
};

struct wide {
    struct route *route;
    struct split *split;
    bool is_by_units; /* most units, else most items */
    uint32_t limit;   /* nodes */
};

static void close_slot(slot_bits *bits, uint32_t slot)
{
    bits[slot / 64] &= ~((slot_bits)1 << (slot % 64));
}

static bool touches(const struct split *split, uint32_t slot, uint32_t item)
{
    return column_word(split, item, slot / 64) >> (slot % 64) & 1;
}

/* Units of the item that the slot's node can give, at most cap. */
static uint32_t units_at(const struct wide *wide, uint32_t slot, uint32_t item, uint32_t cap)
{
    if (!touches(wide->split, slot, item)) {
        return 0;
    }
    uint16_t node = wide->route->view->network->node_of_slot[slot];
    uint32_t free = demand_free(wide->route, &wide->route->demands[item], node);
    wide->split->steps += READS;
    return free < cap ? free : cap;
}

/* Fetch what the cells of the items that the slot touches are found by, then the cells: a node's
 * cells lie apart from each other, a line or two for each item. */
static void prefetch_cells(const struct wide *wide, uint32_t slot)
{
    const struct split *split = wide->split;
    const struct demand *demands = wide->route->demands;
    for (uint32_t i = 0; i < split->left_count; i++) {
        if (touches(split, slot, split->left_items[i])) {
            row_prefetch_find(demands[split->left_items[i]].row, slot);
        }
    }
    for (uint32_t i = 0; i < split->left_count; i++) {
        if (touches(split, slot, split->left_items[i])) {
            const struct row *row = demands[split->left_items[i]].row;
            int32_t index = row_find(row, slot);
            row_prefetch_cell(row, index < 0 ? 0 : (uint32_t)index);
        }
    }
}

/* Add the node with all that it has of the items left. False: it has nothing of them. */
static bool add(const struct wide *wide, struct plan *plan, uint32_t slot)
{
    struct split *split = wide->split;
    uint32_t kept = 0;
    uint64_t given = 0;
    close_slot(split->open, slot);
    prefetch_cells(wide, slot);
    split->steps += split->left_count / LOOKS + 1;
    for (uint32_t i = 0; i < split->left_count; i++) {
        uint32_t item = split->left_items[i];
        uint32_t units = units_at(wide, slot, item, split->left[item]);
        split->left[item] -= units;
        given += units;
        split->left_items[kept] = (uint16_t)item;
        kept += split->left[item] > 0;
    }
    split->left_count = kept;
    if (given == 0) {
        return false;
    }
    CHECK(plan->count < ROUTE_PARTS_MAX);
    split->chosen[slot / 64] |= (slot_bits)1 << (slot % 64);
    plan->nodes[plan->count++] = wide->route->view->network->node_of_slot[slot];
    return true;
}

static uint64_t all_units_at(const struct wide *wide, uint32_t slot)
{
    const struct split *split = wide->split;
    uint64_t units = 0;
    wide->split->steps += split->left_count / LOOKS + 1;
    for (uint32_t i = 0; i < split->left_count; i++) {
        uint32_t item = split->left_items[i];
        units += units_at(wide, slot, item, split->left[item]);
    }
    return units;
}

/* Of a few that touch most the one that brings most units; planes are counted. */
static uint32_t pick_by_units(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t best = UINT32_MAX;
    uint64_t most = 0;
    slot_bits among[WORD_MAX_NETWORK];
    memcpy(among, split->open, split->columns.blocks * COLUMN_BLOCK * sizeof *among);
    for (uint32_t i = 0; i < (wide->limit == 1 ? SHORTLIST_ONE : SHORTLIST); i++) {
        if (split_most_touched(split, among, split->left_count) == 0) {
            break;
        }
        uint32_t slot = split_cheapest_slot(wide->route, split->able);
        uint64_t units = all_units_at(wide, slot);
        bool is_best = units > most || (units == most && best != UINT32_MAX &&
                                        split_slot_is_cheaper(wide->route, slot, best));
        best = is_best ? slot : best;
        most = is_best ? units : most;
        close_slot(among, slot);
    }
    return best;
}

/* The next node, UINT32_MAX: none touches anything that is left. */
static uint32_t pick(const struct wide *wide)
{
    struct split *split = wide->split;
    bool is_sampled = split->left_count > SAMPLE && wide->limit > 1;
    uint32_t counted = is_sampled ? SAMPLE : split->left_count;
    wide->route->kernel->touch(&split->columns, split->left_items, counted, 1, split->open,
                               split->able, split->planes[0], WORD_MAX_NETWORK);
    split->steps += (counted + COLUMN_DIGITS) * split->columns.blocks / COUNT_BLOCKS + 1;
    if (wide->is_by_units) {
        return pick_by_units(wide);
    }
    if (split_most_touched(split, split->open, split->left_count) == 0) {
        return UINT32_MAX;
    }
    return split_cheapest_slot(wide->route, split->able);
}

/* Open slots that touch the item. */
static void list_touching(const struct wide *wide, uint32_t item, slot_bits *bits)
{
    const struct split *split = wide->split;
    for (uint32_t word = 0; word < split->columns.blocks * COLUMN_BLOCK; word++) {
        bits[word] = split->open[word] & column_word(split, item, word);
    }
    wide->split->steps += split->column_cells[item] / LOOKS + 1;
}

/* The cheapest node that has all that is left of the item, of a few, UINT32_MAX: none of these. */
static uint32_t find_whole(const struct wide *wide, uint32_t item)
{
    struct split *split = wide->split;
    slot_bits bits[WORD_MAX_NETWORK];
    list_touching(wide, item, bits);
    for (uint32_t tries = 0; tries < WHOLE_TRIES; tries++) {
        uint32_t slot = split_cheapest_slot(wide->route, bits);
        if (slot == UINT32_MAX) {
            break;
        }
        if (units_at(wide, slot, item, split->left[item]) == split->left[item]) {
            return slot;
        }
        close_slot(bits, slot);
        split->steps += split->column_cells[item] / LOOKS;
    }
    return UINT32_MAX;
}

/* Fill one item. False: there is no room for the nodes that it takes. */
static bool fill_item(const struct wide *wide, struct plan *plan, uint32_t item)
{
    struct split *split = wide->split;
    uint32_t slot = find_whole(wide, item);
    while (split->left[item] > 0 && plan->count < wide->limit) {
        if (slot == UINT32_MAX) {
            list_touching(wide, item, split->able);
            slot = split_cheapest_slot(wide->route, split->able);
        }
        if (slot == UINT32_MAX) {
            break;
        }
        add(wide, plan, slot);
        slot = UINT32_MAX;
    }
    return split->left[item] == 0;
}

static void begin(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    size_t size = split->columns.blocks * COLUMN_BLOCK * sizeof *split->open;
    memset(split->chosen, 0, size);
    memcpy(split->open, split->touched, size);
    memcpy(split->left, split->demand, split->item_count * sizeof *split->left);
    split->left_count = 0;
    for (uint32_t i = 0; i < split->asked_count; i++) {
        uint32_t item = split->rarest[i];
        split->left_items[split->left_count] = (uint16_t)item;
        split->left_count += split->left[item] > 0; /* demands were lowered since */
    }
    plan->count = 0;
    plan->cost = 0;
}

static void greedy(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    uint32_t stop = split->steps + wide->route->steps_max / PICK_SHARE;
    begin(wide, plan);
    while (plan->count < wide->limit && split->left_count > 0 &&
           (plan->count == 0 || split->steps < stop)) {
        split_work(wide->route);
        uint32_t slot = pick(wide);
        if (slot == UINT32_MAX) {
            break;
        }
        add(wide, plan, slot);
    }
    while (plan->count < wide->limit && split->left_count > 0 &&
           fill_item(wide, plan, split->left_items[0])) {
        split_work(wide->route);
    }
}

/* Whether the plan's other nodes hold all that the slot's node has. */
static bool is_needless(const struct wide *wide, const struct plan *plan, uint32_t slot)
{
    const struct split *split = wide->split;
    const struct network *network = wide->route->view->network;
    for (uint32_t i = 0; i < split->asked_count; i++) {
        uint32_t item = split->rarest[i];
        uint32_t left = touches(split, slot, item) ? split->demand[item] : 0;
        for (uint32_t n = 0; n < plan->count && left > 0; n++) {
            uint32_t other = network->nodes[plan->nodes[n]].slot;
            left -= other != slot ? units_at(wide, other, item, left) : 0;
        }
        if (left > 0) {
            return false;
        }
    }
    return true;
}

/* Drop needless nodes, the last picked first. Nodes that are left without a line are no part of the
 * answer: so it need not find all. */
static void prune(const struct wide *wide, struct plan *plan)
{
    uint32_t looks = 0;
    for (uint32_t i = plan->count; i-- > 0 && looks < PRUNED && plan->count > 1;) {
        uint32_t slot = wide->route->view->network->nodes[plan->nodes[i]].slot;
        looks++;
        split_work(wide->route);
        if (is_needless(wide, plan, slot)) {
            memmove(&plan->nodes[i], &plan->nodes[i + 1],
                    (plan->count - i - 1) * sizeof *plan->nodes);
            plan->count--;
        }
    }
}

static void columns_begin(struct route *route)
{
    if (!route->split->has_columns) {
        split_columns(route, true);
    }
}

enum verdict split_wide(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    struct wide wide = {.route = route, .split = split, .limit = ROUTE_PARTS_MAX};
    columns_begin(route);
    greedy(&wide, out);
    if (split->left_count > 0) {
        return VERDICT_UNKNOWN;
    }
    split->is_optimal = out->count == 1; /* the cheapest that touches everything */
    prune(&wide, out);
    if (out->count <= route->group.max_nodes) {
        return VERDICT_FOUND;
    }
    return split->nodes_ruled_out >= route->group.max_nodes || route->group.max_nodes == 1
               ? VERDICT_IMPOSSIBLE
               : VERDICT_UNKNOWN;
}

void split_wide_most(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    struct wide wide = {
        .route = route, .split = split, .is_by_units = true, .limit = route->group.max_nodes};
    greedy(&wide, out);
    for (uint32_t i = 0; i < split->left_count; i++) {
        split->demand[split->left_items[i]] -= split->left[split->left_items[i]];
    }
    prune(&wide, out);
    split->is_optimal = false;
}
