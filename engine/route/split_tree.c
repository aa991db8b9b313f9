/* Exact search over sets of candidates for one number of nodes.
 *
 * Some node of any plan holds some of each item still left. So: take the item left that fewest
 * candidates hold, and try each holder in turn, cheapest first; or, as of n nodes that touch m
 * items one touches at least m / n, the candidates that touch so many, if those are fewer. A node
 * once tried is out of the question for its later brothers' subtrees, so no set is met twice. A
 * branch is cut when
 *   (1) more items are left than the nodes still to come can touch,
 *   (2) an item needs more units than they can bring,
 *   (3) the cost so far plus what the items left cost at least exceeds the best plan's: for the
 *       last two nodes by the tables of split_bounds.c.
 * Of n nodes that bring r units of an item one brings at least r / n: holders of less are skipped.
 * The last node is looked for among the holders of the rarest item or among the candidates that
 * touch enough items, whichever are fewer. No recursion: levels[] is the stack. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    FEW = 16,
    DOMINATED_LEAST = 3, /* nodes to come from which on it pays to look for a brother */
    DOMINATED_STEP = 32   /* brothers that take as long as a step */
};

static uint32_t holder_count(const struct split *split, uint32_t item)
{
    return split->holders_from[item + 1] - split->holders_from[item];
}

/* About how many holders have their share of an item when count nodes are to come. */
static uint32_t branches(const struct split *split, const struct tree_level *level, uint32_t item,
                         uint32_t count)
{
    if (!(level->fresh >> item & 1) || count > 3) {
        return holder_count(split, item);
    }
    return count == 1 ? split->whole_count[item] : split->half_count[item];
}

/* The item left with fewest branches. */
static uint32_t rarest(const struct split *split, const struct tree_level *level, uint32_t count)
{
    uint32_t best = (uint32_t)__builtin_ctzll(level->left);
    uint32_t least = UINT32_MAX;
    for (uint64_t bits = level->left; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        uint32_t found = branches(split, level, item, count);
        best = found < least ? item : best;
        least = found < least ? found : least;
    }
    return best;
}

static void list_holders(struct split *split)
{
    uint32_t at[SPLIT_ITEMS_MAX] = {0};
    memset(split->holders_from, 0, sizeof split->holders_from);
    memset(split->free_max, 0, sizeof split->free_max);
    memset(split->whole_count, 0, sizeof split->whole_count);
    memset(split->half_count, 0, sizeof split->half_count);
    for (uint32_t c = 0; c < split->count; c++) {
        for (uint64_t bits = split->candidates[c].some; bits; bits &= bits - 1) {
            split->holders_from[__builtin_ctzll(bits) + 1]++;
        }
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->holders_from[item + 1] += split->holders_from[item];
        at[item] = split->holders_from[item];
    }
    for (uint32_t c = 0; c < split->count; c++) {
        const uint32_t *free = &split->free[(size_t)split->candidates[c].free * split->item_count];
        for (uint64_t bits = split->candidates[c].some; bits; bits &= bits - 1) {
            uint32_t item = (uint32_t)__builtin_ctzll(bits);
            split->holders[at[item]++] = (uint16_t)c;
            split->whole_count[item] += free[item] == split->demand[item];
            split->half_count[item] += free[item] >= split->demand[item] - split->demand[item] / 2;
            split->free_max[item] =
                free[item] > split->free_max[item] ? free[item] : split->free_max[item];
        }
    }
}

/* Candidates by how many items they touch, most first; nearest first among equals. */
static void list_by_cover(struct split *split)
{
    uint32_t from[SPLIT_ITEMS_MAX + 2] = {0};
    memset(split->cover_prefix, 0, sizeof split->cover_prefix);
    for (uint32_t c = 0; c < split->count; c++) {
        split->cover_prefix[__builtin_popcountll(split->candidates[c].some)]++;
    }
    for (uint32_t items = SPLIT_ITEMS_MAX + 1; items-- > 0;) {
        from[items] = split->cover_prefix[items + 1];
        split->cover_prefix[items] += split->cover_prefix[items + 1];
    }
    split->cover_max = 0;
    for (uint32_t c = 0; c < split->count; c++) {
        uint32_t items = (uint32_t)__builtin_popcountll(split->candidates[c].some);
        split->by_cover[from[items]++] = (uint16_t)c;
        split->cover_max = items > split->cover_max ? items : split->cover_max;
    }
}

void split_tree_begin(struct route *route)
{
    struct split *split = route->split;
    list_holders(split);
    list_by_cover(split);
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
}

/* The dearest of the cheapest holders of each item left, the cheapest node for the others. */
static plan_cost bound_by_items(const struct split *split, uint64_t left, uint32_t count)
{
    plan_cost cheapest = candidate_cost(&split->candidates[0]);
    uint32_t first = 0;
    for (uint64_t bits = left; bits; bits &= bits - 1) {
        uint32_t holder = split->holders[split->holders_from[__builtin_ctzll(bits)]];
        first = holder > first ? holder : first;
    }
    return candidate_cost(&split->candidates[first]) + cheapest * (count - 1);
}

/* The items that are left cost count nodes at least so much; COST_NONE: they cannot do. */
static plan_cost cost_bound(struct split *split, const struct tree_level *level, uint32_t count)
{
    if (count > 2) {
        return bound_by_items(split, level->left, count);
    }
    if (count == 2) {
        return split_bound_two(split, level->left, level->fresh);
    }
    uint32_t one = split_bound_one(split, level->left, level->fresh);
    return one == NODE_NONE ? COST_NONE : candidate_cost(&split->candidates[one]);
}

static bool is_hopeless(struct split *split, const struct tree_level *level, uint32_t count)
{
    if ((uint32_t)__builtin_popcountll(level->left) > count * split->cover_max) {
        return true;
    }
    for (uint64_t bits = level->left & split->spread; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        if (level->residual[item] > (uint64_t)count * split->free_max[item]) {
            return true;
        }
    }
    const uint32_t *residual = split->spread ? level->residual : split->demand;
    if (split_is_priced_out(split, residual, level->left, level->units, count)) {
        return true;
    }
    plan_cost bound = cost_bound(split, level, count);
    return bound == COST_NONE || (split->best.count > 0 && level->cost + bound > split->best.cost);
}

/* What is left when the candidate has given what it has. */
static void descend(const struct split *split, const struct tree_level *from, uint32_t candidate,
                    struct tree_level *to)
{
    const struct candidate *taken = &split->candidates[candidate];
    const uint32_t *free = &split->free[(size_t)taken->free * split->item_count];
    to->cost = from->cost + candidate_cost(taken);
    to->units = from->units + split->unit_cost[candidate];
    to->left = from->left & ~taken->whole;
    to->fresh = from->fresh & ~taken->some;
    if (!split->spread) {
        return;
    }
    if (split->item_count <= FEW) {
        memcpy(to->residual, from->residual, FEW * sizeof *to->residual); /* no call */
    } else {
        memcpy(to->residual, from->residual, split->item_count * sizeof *to->residual);
    }
    for (uint64_t bits = to->left & taken->some; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        if (free[item] >= to->residual[item]) {
            to->left &= ~((uint64_t)1 << item);
        } else {
            to->residual[item] -= free[item];
        }
    }
}

/* Whether the candidate alone holds all that is left. */
static bool ends(const struct split *split, const struct tree_level *level, uint32_t candidate)
{
    const struct candidate *last = &split->candidates[candidate];
    if (level->left & ~last->some) {
        return false;
    }
    const uint32_t *free = &split->free[(size_t)last->free * split->item_count];
    for (uint64_t bits = level->left & ~last->whole; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        if (free[item] < level->residual[item]) {
            return false;
        }
    }
    return split->tried_at[candidate] == 0;
}

/* Whether the level's plan with the candidate costs more than the best. */
static bool costs_more(const struct split *split, const struct tree_level *level,
                       uint32_t candidate)
{
    return split->best.count > 0 &&
           level->cost + candidate_cost(&split->candidates[candidate]) > split->best.cost;
}

/* Of the holders of the item from first on, the cheapest that ends the plan, or NODE_NONE. */
static uint32_t first_holder(struct split *split, const struct tree_level *level, uint32_t item,
                             uint32_t first)
{
    const uint16_t *at = &split->holders[split->holders_from[item]];
    const uint16_t *end = &split->holders[split->holders_from[item + 1]];
    for (uint32_t left = (uint32_t)(end - at); left > 1;) {
        uint32_t half = left / 2;
        at += at[half - 1] < first ? half : 0;
        left -= half;
    }
    for (; at < end; at++) {
        split->steps++;
        if (*at >= first && ends(split, level, *at)) {
            return *at;
        }
        if (costs_more(split, level, *at)) {
            return NODE_NONE;
        }
    }
    return NODE_NONE;
}

/* The cheapest candidate that holds all that is left, or NODE_NONE. Candidates' indices are in
 * the order of cost and id, so for a given rest of the plan the least index is the best. */
static uint32_t last_node(struct split *split, const struct tree_level *level)
{
    uint32_t item = rarest(split, level, 1);
    uint32_t listed = holder_count(split, item);
    uint32_t covering = split->cover_prefix[__builtin_popcountll(level->left)];
    uint32_t first = split_bound_one(split, level->left, level->fresh);
    uint32_t best = NODE_NONE;
    if (listed <= covering * 4) {
        return first_holder(split, level, item, first);
    }
    for (uint32_t i = 0; i < covering; i++) {
        uint32_t candidate = split->by_cover[i];
        split->steps++;
        best = candidate < best && candidate >= first && ends(split, level, candidate) ? candidate
                                                                                       : best;
    }
    return best;
}

static void keep(struct route *route, uint32_t count, plan_cost cost, uint32_t last)
{
    struct split *split = route->split;
    struct plan *plan = &split->other;
    plan->count = count;
    plan->cost = cost + candidate_cost(&split->candidates[last]);
    memcpy(plan->nodes, split->path, (count - 1) * sizeof *plan->nodes);
    plan->nodes[count - 1] = (uint16_t)last;
    if (split->best.count == 0 || plan_is_better(route, plan, &split->best)) {
        plan_copy(&split->best, plan);
        split_limit(split, plan);
    }
}

/* Of count nodes that touch all items left, one touches its share of them or more. */
static void level_begin(struct split *split, struct tree_level *level, uint32_t count)
{
    uint32_t item = rarest(split, level, count);
    uint32_t units = split->spread ? level->residual[item] : 0;
    uint32_t share = ((uint32_t)__builtin_popcountll(level->left) + count - 1) / count;
    level->holders = &split->holders[split->holders_from[item]];
    level->holder_count = holder_count(split, item);
    level->least_touched = 1;
    level->item = item;
    level->least_units = units / count + (units % count != 0);
    level->is_sorted = true;
    if (split->cover_prefix[share] < branches(split, level, item, count)) {
        level->holders = split->by_cover;
        level->holder_count = split->cover_prefix[share];
        level->least_touched = share;
        level->least_units = 0;
        level->is_sorted = false;
    }
    level->at = 0;
}

/* Put the holders that were tried at this depth back into question. */
static void level_end(struct split *split, const struct tree_level *level, uint32_t depth)
{
    for (uint32_t i = 0; i < level->at; i++) {
        uint8_t *tried_at = &split->tried_at[level->holders[i]];
        *tried_at = *tried_at == depth + 1 ? 0 : *tried_at;
    }
}

/* Whether neither this candidate nor any dearer one can lead to a better plan. */
static bool is_too_dear(const struct split *split, const struct tree_level *level,
                        uint32_t candidate, uint32_t count)
{
    plan_cost cheapest = candidate_cost(&split->candidates[0]);
    return split->best.count > 0 &&
           level->cost + candidate_cost(&split->candidates[candidate]) + cheapest * (count - 1) >
               split->best.cost;
}

static uint32_t units_at(const struct split *split, uint32_t candidate, uint32_t item)
{
    return split->free[(size_t)split->candidates[candidate].free * split->item_count + item];
}

/* Whether a has of everything left as much as b, beyond what is left not counted. */
static bool has_as_much(const struct split *split, const struct tree_level *level, uint32_t a,
                        uint32_t b)
{
    const uint64_t given = split->candidates[b].some & level->left;
    if (given & ~split->candidates[a].some) {
        return false;
    }
    const uint32_t *own = &split->free[(size_t)split->candidates[a].free * split->item_count];
    const uint32_t *others = &split->free[(size_t)split->candidates[b].free * split->item_count];
    const uint32_t *residual = split->spread ? level->residual : split->demand;
    for (uint64_t bits = given & ~split->candidates[a].whole; bits; bits &= bits - 1) {
        const uint32_t item = (uint32_t)__builtin_ctzll(bits);
        if (own[item] < others[item] && own[item] < residual[item]) {
            return false;
        }
    }
    return true;
}

/* Whether a brother that was tried before, and is cheaper, has as much of all that is left: then
 * every plan with the candidate is one with the brother in its place, which is no dearer and was
 * looked for, also where the brother itself was passed over for another. */
static bool is_dominated(struct split *split, const struct tree_level *level, uint32_t depth,
                         uint32_t candidate)
{
    bool is_found = false;
    for (uint32_t i = 0; i + 1 < level->at && !is_found; i++) {
        const uint32_t brother = level->holders[i];
        is_found = brother < candidate && split->tried_at[brother] == depth + 1 &&
                   has_as_much(split, level, brother, candidate);
    }
    split->steps += level->at / DOMINATED_STEP;
    return is_found;
}

/* Try the next holder of a level with count nodes still to come. True: go a level deeper. */
static bool try_next(struct route *route, uint32_t depth, uint32_t count)
{
    struct split *split = route->split;
    struct tree_level *level = &split->levels[depth];
    struct tree_level *next = &split->levels[depth + 1];
    uint16_t candidate = level->holders[level->at];
    split->steps++;
    uint64_t touched = split->candidates[candidate].some & level->left;
    bool is_dear = is_too_dear(split, level, candidate, count);
    if (is_dear && level->is_sorted) {
        level->holder_count = level->at;
        return false;
    }
    level->at++;
    if (is_dear || split->tried_at[candidate] ||
        (uint32_t)__builtin_popcountll(touched) < level->least_touched ||
        units_at(split, candidate, level->item) < level->least_units) {
        return false;
    }
    const bool is_passed = count >= DOMINATED_LEAST && is_dominated(split, level, depth, candidate);
    split->tried_at[candidate] = (uint8_t)(depth + 1);
    if (is_passed) {
        return false;
    }
    split->path[depth] = candidate;
    descend(split, level, candidate, next);
    DCHECK(next->left != 0); /* else fewer nodes would do, and they were looked for before */
    if (next->left == 0 || is_hopeless(split, next, count - 1)) {
        return false;
    }
    if (count > 2) {
        level_begin(split, next, count - 1);
        return true;
    }
    uint32_t last = last_node(split, next);
    if (last != NODE_NONE) {
        keep(route, depth + 2, next->cost, last);
    }
    return false;
}

bool split_tree(struct route *route, uint32_t count, bool is_restarting)
{
    struct split *split = route->split;
    uint32_t depth = 0;
    plan_cost enough = split->best.count == 0 ? COST_NONE : plan_cost_less(split->best.cost, 8);
    CHECK(count >= 2);
    CHECK(count <= TREE_DEPTH_MAX);
    split->levels[0].cost = 0;
    split->levels[0].units = 0;
    split->levels[0].left = split->all;
    split->levels[0].fresh = split->all;
    memcpy(split->levels[0].residual, split->demand, split->item_count * sizeof *split->demand);
    level_begin(split, &split->levels[0], count);
    while (split->steps <= split->stop) {
        struct tree_level *level = &split->levels[depth];
        split_work(route);
        if (is_restarting && split->best.count > 0 && split->best.cost < enough) {
            break;
        }
        if (level->at < level->holder_count) {
            depth += try_next(route, depth, count - depth);
            continue;
        }
        level_end(split, level, depth);
        if (depth == 0) {
            return true;
        }
        depth--;
    }
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
    return false;
}
