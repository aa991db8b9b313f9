/* Fewest, cheapest nodes by dynamic programming over subsets of items.
 *
 * A node counts for a mask: the items that it covers. State: the set of items not yet covered,
 * reached with a number of nodes; the next node covers the lowest of them. Levels are worked off
 * one by one, so the first that reaches the empty set has the fewest nodes, and a state keeps
 * only the cheapest way, on a tie the one with the smallest ids:
 * - costs add up, so the cheaper half of two plans with equal rest stays the cheaper;
 * - of two sets of equal size, the one whose sorted ids are smaller stays smaller when the same
 *   node is added to both. (A node added twice would be one node fewer, found a level earlier.)
 * Per mask only the cheapest node that covers it is kept: exchanging a node of a plan for a
 * cheaper one that covers as much never makes it worse. So each state has at most as many ways on
 * as there are undominated masks with its lowest item, or subsets of it with that item. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum { WAYS = 4 }; /* ways on that cost about what a step of the tree costs */

/* The cheapest candidate of each mask or its supersets: candidates are sorted. */
static void best_of_masks(struct split *split, bool is_relaxed)
{
    memset(split->best_of, 0xff, sizeof *split->best_of << split->item_count);
    for (uint32_t i = split->count; i-- > 0;) {
        const struct candidate *candidate = &split->candidates[i];
        split->best_of[is_relaxed ? candidate->some : candidate->whole] = (uint16_t)i;
    }
    split_best_of_supersets(split->best_of, split->item_count);
}

static uint32_t mask_of(const struct split *split, uint16_t candidate, bool is_relaxed)
{
    const struct candidate *at = &split->candidates[candidate];
    return (uint32_t)(is_relaxed ? at->some : at->whole);
}

/* Masks of the nodes that no better one covers, by each of their items. */
static void list_covers(struct split *split, bool is_relaxed)
{
    memset(split->cover_count, 0, sizeof split->cover_count);
    for (uint32_t mask = 1; mask < 1u << split->item_count; mask++) {
        uint16_t best = split->best_of[mask];
        if (best == NODE_NONE || mask_of(split, best, is_relaxed) != mask) {
            continue;
        }
        for (uint32_t bits = mask; bits; bits &= bits - 1) {
            uint32_t item = (uint32_t)__builtin_ctz(bits);
            split->covers[item][split->cover_count[item]++] = (uint16_t)mask;
        }
    }
}

/* The plan that leads to a state of level. */
static void trace(const struct split *split, uint32_t level, uint32_t mask, struct plan *out)
{
    out->count = level;
    out->cost = split->states[level][mask].cost;
    for (uint32_t at = level; at > 0; at--) {
        out->nodes[at - 1] = split->states[at][mask].candidate;
        mask = split->states[at][mask].from;
    }
}

/* Whether the way over (from, candidate) has smaller ids than the state's own, costs equal. */
static bool has_smaller_ids(struct route *route, uint32_t level, uint32_t mask, uint32_t from,
                            uint16_t candidate)
{
    struct split *split = route->split;
    struct plan *old = &split->traced[0];
    struct plan *new = &split->traced[1];
    trace(split, level, mask, old);
    trace(split, level - 1, from, new);
    new->nodes[new->count++] = candidate;
    new->cost = old->cost;
    return plan_is_better(route, new, old);
}

static void reach(struct route *route, uint32_t level, uint32_t from, uint32_t covered)
{
    struct split *split = route->split;
    uint16_t candidate = split->best_of[covered];
    uint32_t mask = from & ~covered;
    struct mask_state *state = &split->states[level][mask];
    plan_cost cost =
        split->states[level - 1][from].cost + candidate_cost(&split->candidates[candidate]);
    bool is_new = state->level != split->level_stamp;
    if (is_new) {
        split->states_listed[level][split->state_count[level]++] = (uint16_t)mask;
    } else if (cost > state->cost ||
               (cost == state->cost && !has_smaller_ids(route, level, mask, from, candidate))) {
        return;
    }
    *state = (struct mask_state){cost, split->level_stamp, candidate, (uint16_t)from};
}

/* All ways on from a state; how many they were. */
static uint32_t expand(struct route *route, uint32_t level, uint32_t from)
{
    struct split *split = route->split;
    uint32_t item = (uint32_t)__builtin_ctz(from);
    uint32_t rest = from & (from - 1);
    uint32_t subsets = 1u << __builtin_popcount(rest);
    uint32_t count = split->cover_count[item];
    if (count <= subsets) {
        for (uint32_t i = 0; i < count; i++) {
            reach(route, level + 1, from, split->covers[item][i] & from);
        }
        return count;
    }
    uint32_t part = rest;
    for (uint32_t i = 0; i < subsets; i++) {
        uint32_t covered = part | (from ^ rest);
        if (split->best_of[covered] != NODE_NONE) {
            reach(route, level + 1, from, covered);
        }
        part = (part - 1) & rest;
    }
    return subsets;
}

/* Finish the states of a level that one more node finishes. */
static bool finish(struct route *route, uint32_t level)
{
    struct split *split = route->split;
    split->state_count[level + 1] = 0;
    for (uint32_t i = 0; i < split->state_count[level]; i++) {
        uint32_t mask = split->states_listed[level][i];
        split->steps++;
        if (split->best_of[mask] != NODE_NONE) {
            reach(route, level + 1, mask, mask);
        }
    }
    return split->state_count[level + 1] > 0;
}

enum verdict split_masks(struct route *route, bool is_relaxed, struct plan *out)
{
    struct split *split = route->split;
    uint32_t all = (uint32_t)split->all;
    CHECK(split->item_count <= MASK_ITEMS_MAX);
    best_of_masks(split, is_relaxed);
    list_covers(split, is_relaxed);
    work(route, split->count + (1u << split->item_count) / WAYS);
    split->states[0][all] = (struct mask_state){.cost = 0};
    split->states_listed[0][0] = (uint16_t)all;
    split->state_count[0] = 1;
    uint32_t limit =
        route->group.max_nodes < MASK_ITEMS_MAX ? route->group.max_nodes : MASK_ITEMS_MAX;
    for (uint32_t level = 0; level < limit; level++) {
        split->level_stamp++;
        if (finish(route, level)) {
            trace(split, level + 1, 0, out);
            return VERDICT_FOUND;
        }
        for (uint32_t i = 0; i < split->state_count[level] && level + 1 < limit; i++) {
            if (split->steps > split->stop) {
                return VERDICT_UNKNOWN;
            }
            split_work(route);
            split->steps += expand(route, level, split->states_listed[level][i]) / WAYS + 1;
        }
    }
    return VERDICT_IMPOSSIBLE;
}
