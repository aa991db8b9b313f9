/* Groups of more items than masks hold: greedy over the cells themselves, without lists.
 *
 * A pick looks at SAMPLE of the items left: how many of them each node may hold, counted 64 nodes
 * at a time. Of the SHORTLIST nodes with most the pick is the one that completes most of WEIGHED
 * items left (with max_splits binding: that brings most units), read from the cells. When its share
 * of the steps is used up, the items left are filled one by one from nodes that are in the plan or
 * else the cheapest. Where one node is all that is allowed every item is counted and weighed.
 * Only a single node that holds all is proved to be the best. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    PICK_SHARE = 3, /* of the steps, one part in so many */
    SHORTLIST = 3,
    SHORTLIST_ONE = 8,
    SAMPLE = 64,
    WEIGHED = 192,
    PRUNED = 16,    /* nodes that are looked at whether they are needed */
    FREE_STEPS = 2, /* of finding a cell */
    WORD_STEPS = 6  /* words or list entries that cost a step */
};

_Static_assert(ROUTE_LINES_MAX < 1 << WIDE_PLANES, "counts of items fit");

struct wide {
    struct route *route;
    struct split *split;
    bool is_by_units; /* most units, else most items completed */
    uint32_t limit;   /* nodes */
};

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
        wide->split->steps += row->count / WORD_STEPS + 1;
        return;
    }
    for (uint32_t word = 0; word < words && word < row->words; word++) {
        slot_bits maybe = __atomic_load_n(&row_maybe(row)[word], __ATOMIC_RELAXED);
        planes_add(wide->split, word, base[word] & maybe);
    }
    wide->split->steps += words / WORD_STEPS + 1;
}

static void count_sample(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t sampled = 0;
    uint32_t most = wide->limit == 1 ? split->item_count : SAMPLE;
    for (uint32_t plane = 0; plane < WIDE_PLANES; plane++) {
        memset(split->planes[plane], 0, wide->route->view->network->words * sizeof(slot_bits));
    }
    for (uint32_t item = 0; item < split->item_count && sampled < most; item++) {
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
        split->steps += wide->route->view->network->words / WORD_STEPS * 4 + 1;
        if (best == UINT32_MAX) {
            return best;
        }
        split->open[best / 64] &= ~((slot_bits)1 << (best % 64));
        if (split_slot_metres(wide->route, best) != UINT32_MAX) {
            return best;
        }
    }
}

/* Count exactly what the slot would give of the first WEIGHED items left. */
static void weigh(const struct wide *wide, uint32_t slot)
{
    struct split *split = wide->split;
    uint16_t node = wide->route->view->network->node_of_slot[slot];
    split->slot_items[slot] = 0;
    split->slot_units[slot] = 0;
    uint32_t most = wide->limit == 1 ? split->item_count : WEIGHED;
    for (uint32_t item = 0, weighed = 0; item < split->item_count && weighed < most; item++) {
        uint32_t left = split->left[item];
        uint32_t free = capped_free(wide->route, item, node, left);
        split->slot_items[slot] += left > 0 && free == left;
        split->slot_units[slot] += free;
        split->steps += left > 0 ? FREE_STEPS : 0;
        weighed += left > 0;
    }
}

static uint32_t pick(const struct wide *wide)
{
    struct split *split = wide->split;
    uint32_t best = UINT32_MAX;
    count_sample(wide);
    for (uint32_t word = 0; word < wide->route->view->network->words; word++) {
        split->open[word] = wide->route->group.base[word] & ~split->chosen[word];
    }
    for (uint32_t i = 0; i < (wide->limit == 1 ? SHORTLIST_ONE : SHORTLIST); i++) {
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
        split->steps += split->left[item] > 0 ? FREE_STEPS : 0;
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

/* Nodes added for an item before give of this one. Picked nodes have given all. */
static bool take_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t *left = &split->left[item];
    (void)slot;
    *left -= free < *left ? free : *left;
    return *left > 0;
}

/* Keep the cheapest slot that has all that is left of the item. */
static bool find_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    if (free < split->left[item]) {
        return true;
    }
    if (split->fill_slot == UINT32_MAX) {
        split->fill_slot = slot;
        return true;
    }
    struct candidate a = candidate_of(route, slot);
    struct candidate b = candidate_of(route, split->fill_slot);
    split->fill_slot = candidate_compare(route, &a, &b) < 0 ? slot : split->fill_slot;
    return true;
}

static bool list_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    (void)item;
    (void)free;
    split->candidates[split->count++] = candidate_of(route, slot);
    return true;
}

/* Add a node for one item. */
static void fill_from(const struct wide *wide, struct plan *plan, uint32_t item, uint32_t slot)
{
    struct split *split = wide->split;
    uint16_t node = wide->route->view->network->node_of_slot[slot];
    slot_bits bit = (slot_bits)1 << (slot % 64);
    plan->nodes[plan->count++] = node;
    split->filling[slot / 64] |= bit;
    split->unused[slot / 64] &= ~bit;
    split->left[item] -= capped_free(wide->route, item, node, split->left[item]);
}

/* Fill one item: from what earlier ones added, from the cheapest node that has all that is left,
 * else from the cheapest ones together. */
static void fill_item(const struct wide *wide, struct plan *plan, uint32_t item)
{
    struct split *split = wide->split;
    split_visit(wide->route, item, split->filling, take_cell);
    if (split->left[item] == 0 || plan->count == wide->limit) {
        return;
    }
    split->fill_slot = UINT32_MAX;
    split_visit(wide->route, item, split->unused, find_cell);
    if (split->fill_slot != UINT32_MAX) {
        fill_from(wide, plan, item, split->fill_slot);
        return;
    }
    split->count = 0;
    split_visit(wide->route, item, split->unused, list_cell);
    split_sort(wide->route);
    for (uint32_t i = 0; i < split->count && split->left[item] && plan->count < wide->limit; i++) {
        uint16_t node = split->candidates[i].node;
        fill_from(wide, plan, item, wide->route->view->network->nodes[node].slot);
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
    while (plan->count < wide->limit &&
           (plan->count == 0 || split->steps < wide->route->steps_max / PICK_SHARE)) {
        uint32_t slot = is_filled(split) ? UINT32_MAX : pick(wide);
        if (slot == UINT32_MAX) {
            break;
        }
        add(wide, plan, wide->route->view->network->node_of_slot[slot]);
    }
    for (uint32_t word = 0; word < wide->route->view->network->words; word++) {
        split->unused[word] = wide->route->group.base[word] & ~split->chosen[word];
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->left[item] > 0) {
            fill_item(wide, plan, item);
        }
    }
}

static bool hold_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    uint32_t capped = free < split->demand[item] ? free : split->demand[item];
    split->holding[split->holding_count++] = (struct holding){slot, capped};
    split->sum[item] += capped;
    return true;
}

/* What the plan holds of each item, and which of its nodes are needed for some item. */
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
        split->sum[item] = 0;
        split->holding_count = 0;
        split_visit(wide->route, item, split->chosen, hold_cell);
        for (uint32_t i = 0; i < split->holding_count; i++) {
            const struct holding *at = &split->holding[i];
            bool is_needed = split->sum[item] - at->free < split->demand[item];
            split->needed[at->slot / 64] |= (slot_bits)is_needed << (at->slot % 64);
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

/* Drop needless nodes, the last picked first. Nodes that are left without a line are no part of the
 * answer: so it need not find all. */
static void prune(const struct wide *wide, struct plan *plan)
{
    struct split *split = wide->split;
    sum_up(wide, plan);
    for (uint32_t i = plan->count, looks = 0; i-- > 0 && looks < PRUNED;) {
        uint16_t node = plan->nodes[i];
        if (has_bit(split->needed, wide->route->view->network->nodes[node].slot)) {
            continue;
        }
        looks++;
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
    sum_up(&wide, out);
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->sum[item] < split->demand[item]) {
            split->demand[item] = (uint32_t)split->sum[item];
        }
    }
    prune(&wide, out);
    split->is_optimal = false;
}
