/* What the nodes still to come cost at least: tables by mask of items, of one node and of two.
 *
 * Three things a node may have of an item: some of it, half of what is asked for, or the whole.
 * - Each item left has some at one of the nodes still to come.
 * - A fresh item, of which nothing is given yet, has half of it at one of two, the whole at one.
 * So the cheapest node that touches all that is left, and the cheapest that holds all fresh items
 * whole, are lower bounds for one node; the same for two, with halves. Of groups of more than
 * MASK_ITEMS_MAX items the tables know the rarest ones only: still lower bounds.
 *
 * Candidates are sorted: the least index is the cheapest. Entries of two nodes are made at first
 * use. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    ENTRIES = 6,     /* halves of a mask that cost about what a step of the tree costs */
    SHORT_SHIFT = 27 /* of priorities, counted from the lowest: 33 bits for two nodes */
};

_Static_assert(2 * GEO_METRES_MAX < 1 << SHORT_SHIFT, "metres of two nodes fit below");

#define SHORT_NONE ((uint64_t)1 << 62)

void split_best_of_supersets(uint16_t *best, uint32_t item_count)
{
    for (uint32_t bit = 1; bit < 1u << item_count; bit *= 2) {
        for (uint32_t base = 0; base < 1u << item_count; base += 2 * bit) {
            uint16_t *restrict low = best + base;
            const uint16_t *restrict high = best + base + bit;
            for (uint32_t i = 0; i < bit; i++) {
                low[i] = high[i] < low[i] ? high[i] : low[i];
            }
        }
    }
}

/* The rarest items, held whole by fewest: an insertion sort, kept short. All where they are few. */
static void choose_items(struct split *split)
{
    split->bound_count = 0;
    for (uint32_t item = 0; item < split->item_count && split->item_count <= MASK_ITEMS_MAX;
         item++) {
        split->bound_items[split->bound_count++] = (uint8_t)item;
    }
    if (split->item_count <= MASK_ITEMS_MAX) {
        return;
    }
    for (uint64_t bits = split->all; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        uint32_t at = split->bound_count;
        for (; at > 0 && split->whole_count[split->bound_items[at - 1]] > split->whole_count[item];
             at--) {
            if (at < MASK_ITEMS_MAX) {
                split->bound_items[at] = split->bound_items[at - 1];
            }
        }
        if (at < MASK_ITEMS_MAX) {
            split->bound_items[at] = (uint8_t)item;
            split->bound_count += split->bound_count < MASK_ITEMS_MAX;
        }
    }
}

/* The mask of the chosen ones among items. */
static uint32_t project(struct split *split, uint64_t items)
{
    uint32_t mask = 0;
    if (split->item_count <= MASK_ITEMS_MAX) {
        return (uint32_t)items;
    }
    split->steps++;
    for (uint32_t i = 0; i < split->bound_count; i++) {
        mask |= (uint32_t)(items >> split->bound_items[i] & 1) << i;
    }
    return mask;
}

/* Of the chosen items those of which the candidate has half, by what it has at all. */
static uint32_t half_of(const struct split *split, const struct candidate *candidate, uint32_t some)
{
    const uint32_t *free = &split->free[(size_t)candidate->free * split->item_count];
    uint32_t mask = 0;
    for (uint32_t bits = some; bits; bits &= bits - 1) {
        uint32_t item = split->bound_items[__builtin_ctz(bits)];
        bool is_half = free[item] >= split->demand[item] - split->demand[item] / 2;
        mask |= is_half ? bits & -bits : 0;
    }
    return mask;
}

static void list_costs(const struct split *split, const uint16_t *one, uint64_t *cost)
{
    for (uint32_t mask = 0; mask < 1u << split->bound_count; mask++) {
        const struct candidate *best = &split->candidates[one[mask] == NODE_NONE ? 0 : one[mask]];
        uint64_t priority = (uint64_t)((int64_t)best->priority - split->priority_min);
        cost[mask] = one[mask] == NODE_NONE ? SHORT_NONE : priority << SHORT_SHIFT | best->metres;
    }
}

void split_bounds_begin(struct route *route)
{
    struct split *split = route->split;
    uint32_t steps = split->steps;
    choose_items(split);
    for (int i = 0; i < TABLES; i++) {
        memset(split->one[i], 0xff, sizeof split->one[i]);
    }
    for (uint32_t c = split->count; c-- > 0;) {
        const struct candidate *candidate = &split->candidates[c];
        uint32_t some = project(split, candidate->some);
        split->one[TABLE_SOME][some] = (uint16_t)c;
        split->one[TABLE_HALF][half_of(split, candidate, some)] = (uint16_t)c;
        split->one[TABLE_WHOLE][project(split, candidate->whole)] = (uint16_t)c;
    }
    split->priority_min = split->candidates[0].priority;
    for (int i = 0; i < TABLES; i++) {
        split_best_of_supersets(split->one[i], split->bound_count);
        list_costs(split, split->one[i], split->one_cost[i]);
    }
    split->steps = steps; /* of the search, not of its preparation */
    split->bound_stamp++;
}

static uint64_t two_of(const uint64_t *one, uint32_t mask)
{
    uint32_t rest = mask & (mask - 1);
    uint64_t best = SHORT_NONE;
    uint32_t part = rest;
    for (uint32_t i = 0; i < 1u << __builtin_popcount(rest); i++) {
        uint64_t cost = one[part | (mask ^ rest)] + one[rest & ~part];
        best = cost < best ? cost : best;
        part = (part - 1) & rest;
    }
    return best;
}

/* Least short cost of two nodes, or of one twice, that have all of mask between them. */
static uint64_t bound_two(struct split *split, enum bound_table table, uint32_t mask)
{
    struct bound_entry *entry = &split->two[table][mask];
    if (entry->stamp != split->bound_stamp) {
        *entry = (struct bound_entry){two_of(split->one_cost[table], mask), split->bound_stamp};
        split->steps += (1u << __builtin_popcount(mask)) / (2 * ENTRIES) + 1;
    }
    return entry->cost;
}

uint32_t split_bound_one(struct split *split, uint64_t left, uint64_t fresh)
{
    uint32_t some = split->one[TABLE_SOME][project(split, left)];
    uint32_t whole = split->one[TABLE_WHOLE][project(split, fresh)];
    return some > whole ? some : whole;
}

plan_cost split_bound_two(struct split *split, uint64_t left, uint64_t fresh)
{
    uint64_t some = bound_two(split, TABLE_SOME, project(split, left));
    if (split->spread && some < SHORT_NONE) {
        uint64_t half = bound_two(split, TABLE_HALF, project(split, fresh));
        some = half > some ? half : some;
    }
    uint64_t floor = 2 * (uint64_t)((int64_t)split->priority_min - INT32_MIN);
    uint64_t metres = some & (((uint64_t)1 << SHORT_SHIFT) - 1);
    return some < SHORT_NONE ? (plan_cost)(floor + (some >> SHORT_SHIFT)) << 64 | metres
                             : COST_NONE;
}
