/* Groups of more items than masks hold: greedy over the cells themselves, without lists.
 *
 * A pick looks at SAMPLE of the items left: how many of them each node may hold, counted 64 nodes
 * at a time. Of the SHORTLIST nodes with most the pick is the one that completes most of all items
 * left (with max_splits binding: that brings most units), read from the cells. After PICKS picks,
 * or when the steps are used up, the items left are filled one by one from the cheapest nodes on.
 * Only where one node is all that is allowed every cell is counted: that answer is exact. Only a
 * single node is proved to be the best. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    PICKS = 16,
    SHORTLIST = 8,
    SAMPLE = 96 /* below 1 << WIDE_PLANES */
};

_Static_assert(SAMPLE < 1 << WIDE_PLANES, "counts of sampled items fit");

struct wide {
    struct route *route;
    struct split *split;
    bool is_by_units; /* most units, else most items completed */
    uint32_t limit;   /* nodes */
};

static bool count_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t left = split->left[item];
    split->slot_items[slot] += free >= left;
    split->slot_units[slot] += free < left ? free : left;
    split->steps++;
    return true;
}

static struct candidate candidate_of(const struct route *route, uint32_t slot)
{
    uint16_t node = route->view->network->node_of_slot[slot];
    return (struct candidate){.metres = route->split->slot_metres[slot],
                              .priority = route->view->network->nodes[node].config.priority,
                              .node = node};
}

static bool has_bit(const slot_bits *bits, uint32_t slot)
{
    return bits[slot / 64] >> (slot % 64) & 1;
}

static bool is_better(const struct wide *wide, uint32_t slot, uint32_t best)
{
    const struct split *split = wide->split;
    if (split->slot_units[slot] == 0 || has_bit(split->chosen, slot)) {
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

/* The slot that helps most with what is left, or UINT32_MAX; by all cells of these items. */
static uint32_t pick_exactly(const struct wide *wide)
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

/* Count one more item for the slots that have a bit: an adder with a plane for each digit. */
static void planes_add(struct split *split, uint32_t word, slot_bits bits)
{
    for (uint32_t plane = 0; plane < WIDE_PLANES && bits; plane++) {
        slot_bits carry = split->planes[plane][word] & bits;
        split->planes[plane][word] ^= bits;
        bits = carry;
    }
}

static void planes_add_row(const struct wide *wide, struct row *row)
{
    const slot_bits *base = wide->route->group.base;
    uint32_t words = wide->route->view->network->words;
    if (row->kind == ROW_LIST) {
        for (uint32_t i = 0; i < row->count; i++) {
            uint32_t slot = row_slots(row)[i];
            planes_add(wide->split, slot / 64, base[slot / 64] & (slot_bits)1 << (slot % 64));
        }
        wide->split->steps += row->count;
        return;
    }
    for (uint32_t word = 0; word < words && word < row->words; word++) {
        slot_bits maybe = __atomic_load_n(&row_maybe(row)[word], __ATOMIC_RELAXED);
        planes_add(wide->split, word, base[word] & maybe);
    }
    wide->split->steps += words;
}

static void count_sample(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t sampled = 0;
    for (uint32_t plane = 0; plane < WIDE_PLANES; plane++) {
        memset(split->planes[plane], 0, wide->route->view->network->words * sizeof(slot_bits));
    }
    for (uint32_t item = 0; item < split->item_count && sampled < SAMPLE; item++) {
        if (split->left[item] > 0) {
            planes_add_row(wide, wide->route->demands[item].row);
            sampled++;
        }
    }
}

/* Of the slots of bits those with the highest count in the word. */
static slot_bits highest(const struct split *split, uint32_t word, slot_bits bits, uint32_t *count)
{
    *count = 0;
    for (uint32_t plane = WIDE_PLANES; plane-- > 0;) {
        slot_bits set = bits & split->planes[plane][word];
        bits = set ? set : bits;
        *count |= set ? 1u << plane : 0;
    }
    return bits;
}

/* The open slot that may hold most of the sampled items; it is closed then. Or UINT32_MAX. */
static uint32_t next_listed(const struct wide *wide)
{
    struct split *split = wide->split;
    for (;;) {
        uint32_t best = UINT32_MAX;
        uint32_t most = 0;
        for (uint32_t word = 0; word < wide->route->view->network->words; word++) {
            uint32_t count;
            slot_bits bits = highest(split, word, split->open[word], &count);
            if (count > most) {
                most = count;
                best = word * 64 + (uint32_t)__builtin_ctzll(bits);
            }
        }
        split->steps += wide->route->view->network->words;
        if (best == UINT32_MAX) {
            return best;
        }
        split->open[best / 64] &= ~((slot_bits)1 << (best % 64));
        if (split_slot_metres(wide->route, best) != UINT32_MAX) {
            return best;
        }
    }
}

/* Count exactly what the slot would give. */
static void weigh(const struct wide *wide, uint32_t slot)
{
    struct split *split = wide->split;
    uint16_t node = wide->route->view->network->node_of_slot[slot];
    split->slot_items[slot] = 0;
    split->slot_units[slot] = 0;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint32_t left = split->left[item];
        uint32_t free = capped_free(wide->route, item, node, left);
        split->slot_items[slot] += left > 0 && free == left;
        split->slot_units[slot] += free;
        split->steps += left > 0;
    }
}

static uint32_t pick(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t best = UINT32_MAX;
    if (wide->limit == 1) {
        return pick_exactly(wide);
    }
    count_sample(wide);
    for (uint32_t word = 0; word < wide->route->view->network->words; word++) {
        split->open[word] = wide->route->group.base[word] & ~split->chosen[word];
    }
    for (uint32_t i = 0; i < SHORTLIST; i++) {
        uint32_t slot = next_listed(wide);
        if (slot == UINT32_MAX) {
            break;
        }
        weigh(wide, slot);
        best = is_better(wide, slot, best) ? slot : best;
    }
    return best;
}

/* Add the node and take what it has. */
static void add(const struct wide *wide, struct plan *plan, uint16_t node)
{
    struct split *split = wide->split;
    CHECK(plan->count < ROUTE_PARTS_MAX);
    plan->nodes[plan->count++] = node;
    uint32_t slot = wide->route->view->network->nodes[node].slot;
    split->chosen[slot / 64] |= (slot_bits)1 << (slot % 64);
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

/* While items are filled: nodes added for an item before give of this one, others are listed.
 * Picked nodes have given all. */
static bool list_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t *left = &split->left[item];
    split->steps++;
    if (has_bit(split->filling, slot)) {
        *left -= free < *left ? free : *left;
    } else if (!has_bit(split->chosen, slot)) {
        split->candidates[split->count++] = candidate_of(route, slot);
    }
    return *left > 0;
}

/* Fill one item, from its cheapest nodes that are not in the plan yet for what those leave. */
static void fill_item(const struct wide *wide, struct plan *plan, uint32_t item)
{
    struct split *split = wide->split;
    split->count = 0;
    split_visit(wide->route, item, list_cell);
    if (split->left[item] > 0) {
        split_sort(wide->route);
    }
    for (uint32_t i = 0; i < split->count && split->left[item] && plan->count < wide->limit; i++) {
        uint16_t node = split->candidates[i].node;
        uint32_t slot = wide->route->view->network->nodes[node].slot;
        plan->nodes[plan->count++] = node;
        split->filling[slot / 64] |= (slot_bits)1 << (slot % 64);
        split->left[item] -= capped_free(wide->route, item, node, split->left[item]);
    }
}

static void greedy(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    memset(split->chosen, 0, sizeof split->chosen);
    memset(split->filling, 0, sizeof split->filling);
    plan->count = 0;
    plan->cost = 0;
    memcpy(split->left, split->demand, split->item_count * sizeof *split->left);
    for (uint32_t picks = 0; picks < PICKS && plan->count < wide->limit; picks++) {
        if (picks > 0 && split->steps > wide->route->steps_max) {
            break;
        }
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

static bool sum_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t capped = free < split->demand[item] ? free : split->demand[item];
    split->sum[item] += has_bit(split->chosen, slot) ? capped : 0;
    return true;
}

static bool mark_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t capped = free < split->demand[item] ? free : split->demand[item];
    bool is_needed = split->sum[item] - capped < split->demand[item];
    split->needed[slot / 64] |= (slot_bits)is_needed << (slot % 64);
    return true;
}

/* What the plan's nodes hold of the item, node by node. */
static void sum_nodes(const struct wide *wide, const struct plan *plan, uint32_t item,
                      cell_visit *visit)
{
    const struct network *network = wide->route->view->network;
    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t free = capped_free(wide->route, item, plan->nodes[i], wide->split->demand[item]);
        if (free > 0) {
            visit(wide->route, item, network->nodes[plan->nodes[i]].slot, free);
        }
    }
}

/* What the plan holds of each item, and which of its nodes are needed for some item. By the item's
 * cells or by the plan's nodes, whichever are fewer. */
static void sum_up(const struct wide *wide, const struct plan *plan)
{
    struct split *split = wide->split;
    const struct network *network = wide->route->view->network;
    memset(split->needed, 0, sizeof split->needed);
    for (uint32_t i = 0; i < plan->count; i++) {
        uint32_t slot = network->nodes[plan->nodes[i]].slot;
        split->chosen[slot / 64] |= (slot_bits)1 << (slot % 64);
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        const struct row *row = wide->route->demands[item].row;
        split->sum[item] = 0;
        if (row && row->count < plan->count * 4) {
            split_visit(wide->route, item, sum_cell);
            split_visit(wide->route, item, mark_cell);
        } else {
            sum_nodes(wide, plan, item, sum_cell);
            sum_nodes(wide, plan, item, mark_cell);
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
        if (has_bit(split->needed, wide->route->view->network->nodes[node].slot) ||
            !is_needless(wide, node)) {
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
