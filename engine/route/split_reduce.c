/* Fewer candidates for the tree: prices of the items, found by ascent, rule nodes out.
 *
 * Let a plan have exactly n nodes and cost at most U, with c(a) the cost of node a and f(a, i)
 * the share of item i that it has, rounded up to whole 1/SCALE and capped at SCALE. In any such
 * plan the shares of each item sum to SCALE or more; so for any prices p(i) >= 0
 *     cost(plan) >= sum p(i) SCALE + sum over its nodes of r(a),   r(a) = c(a) - sum p(i) f(a, i)
 *                >= sum p(i) SCALE + the n least r =: L.
 * L > U: there is no such plan. And as a plan with node a costs at least
 *     L - (n-th least r) + r(a),
 * every node for which that exceeds U is out of the question. Prices are raised for items of which
 * the n least have too little, lowered for those of which they have too much (subgradient).
 *
 * Without a plan of n nodes to beat, costs are 0 and U is 0: what is left then is whether n nodes
 * can hold everything at all. All numbers are integers: costs are rounded down to the unit in
 * which U has FINE_BITS, so each bound is one, whatever the instruction set. Where priorities
 * differ only their sums are compared, metres count as 0. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    SCALE = REDUCE_SCALE,
    FINE_BITS = 22,
    PRICE_SUM = 1 << 22, /* of prices times SCALE, where costs are 0 */
    ROUNDS = 6,          /* of the first pass; twice as many in each that follows */
    PASSES = 3,
    SHORTLIST = 32, /* nodes of least r that a plan is picked from */
    PICK_EVERY = 6, /* rounds */
    FIRST_PICKED = 32,
    GAIN_CELLS = 512,
    SWAP_CELLS = 8,
    PICK_CELLS = 4,
    PATIENCE = 4,    /* rounds without a better bound, then shorter steps */
    STEPS_SHARE = 8, /* of all steps that one call may take */
    FILL_CELLS = 8,
    STEP_CELLS = 128 /* cells of a round that cost about what a step of the tree costs */
};

/* One ascent: n nodes against a bound of U. */
struct ascent {
    struct route *route;
    struct split *split;
    uint32_t nodes;
    bool has_costs;
    int64_t limit; /* U in units */
    double length; /* of a step, 2 at first */
    int64_t bound; /* the best L so far */
    uint32_t stale;
    uint32_t stop;              /* steps at which no further round begins */
    uint16_t chosen[SHORTLIST]; /* the least r first */
    int32_t values[SHORTLIST];  /* their r */
    int64_t last;               /* the n-th least r */
};

static const uint32_t *free_of(const struct split *split, uint32_t candidate)
{
    return &split->free[(size_t)split->candidates[candidate].free * split->item_count];
}

static uint32_t padded(uint32_t count)
{
    return (count + REDUCE_BLOCK - 1) / REDUCE_BLOCK * REDUCE_BLOCK;
}

/* Shares of the candidates, column by column. */
static void fill_shares(struct split *split)
{
    uint64_t factor[SPLIT_ITEMS_MAX];
    if (split->has_shares) {
        return;
    }
    split->has_shares = true;
    split->steps += split->count / 2 + split_cells(split) / FILL_CELLS;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint64_t demand = split->demand[item] ? split->demand[item] : 1;
        factor[item] = (((uint64_t)SCALE << 32) + demand - 1) / demand;
        memset(split->shares[item], 0, padded(split->count) * sizeof split->shares[0][0]);
    }
    for (uint32_t c = 0; c < split->count; c++) {
        const uint32_t *free = free_of(split, c);
        for (uint64_t bits = split->candidates[c].some; bits; bits &= bits - 1) {
            uint32_t item = (uint32_t)__builtin_ctzll(bits);
            uint64_t share = (free[item] * factor[item] + UINT32_MAX) >> 32;
            split->shares[item][c] = (uint16_t)(share < SCALE ? share : SCALE);
        }
    }
}

static bool has_priorities(const struct split *split)
{
    /* sorted by priority first */
    return split->candidates[0].priority != split->candidates[split->count - 1].priority;
}

/* Cost of a plan in the number that is bounded: metres, or priorities above the lowest. */
static uint64_t plain_cost(const struct split *split, const struct plan *plan, bool by_priority)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct candidate *at = &split->candidates[plan->nodes[i]];
        sum += by_priority ? (uint64_t)((int64_t)at->priority - split->candidates[0].priority)
                           : at->metres;
    }
    return sum;
}

/* Units: metres times 2^up or divided by 2^down, so that the plan to beat has FINE_BITS. */
static void fill_costs(struct ascent *ascent, const struct plan *upper)
{
    struct split *split = ascent->split;
    bool by_priority = has_priorities(split);
    uint64_t most = ascent->has_costs ? plain_cost(split, upper, by_priority) : 0;
    int bits = most ? 64 - __builtin_clzll(most) : 0;
    int up = bits < FINE_BITS && bits > 0 ? FINE_BITS - bits : 0;
    int down = bits > FINE_BITS ? bits - FINE_BITS : 0;
    int64_t cap = (int64_t)1 << (FINE_BITS + 1);
    ascent->limit = (int64_t)((most << up) >> down);
    split->has_costs = ascent->has_costs;
    split->unit_up = up;
    split->unit_down = down;
    for (uint32_t c = 0; c < padded(split->count); c++) {
        const struct candidate *at = &split->candidates[c < split->count ? c : 0];
        uint64_t plain = by_priority
                             ? (uint64_t)((int64_t)at->priority - split->candidates[0].priority)
                             : at->metres;
        int64_t cost = ascent->has_costs ? (int64_t)((plain << up) >> down) : 0;
        cost = cost < cap ? cost : cap;
        split->unit_cost[c] = c < split->count ? (int32_t)cost : REDUCE_NEVER;
    }
}

/* The least of count numbers; told apart from the loop for its place, both are short so. */
static uint32_t place_of_least(const int32_t *numbers, uint32_t count)
{
    int32_t least = INT32_MAX;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        least = numbers[i] < least ? numbers[i] : least;
    }
    while (numbers[at] != least) {
        at++;
    }
    return at;
}

/* The count least of r, by blocks: the least block is searched and closed for what was found. */
static void choose(struct ascent *ascent, uint32_t count)
{
    struct split *split = ascent->split;
    uint32_t blocks = padded(split->count) / REDUCE_BLOCK;
    for (uint32_t n = 0; n < count; n++) {
        uint32_t block = place_of_least(split->block_least, blocks);
        int32_t *at = &split->reduced[block * REDUCE_BLOCK];
        uint32_t best = place_of_least(at, REDUCE_BLOCK);
        ascent->chosen[n] = (uint16_t)(block * REDUCE_BLOCK + best);
        ascent->values[n] = at[best];
        at[best] = INT32_MAX;
        split->block_least[block] = at[place_of_least(at, REDUCE_BLOCK)];
    }
    for (uint32_t n = 0; n < count; n++) {
        uint32_t block = ascent->chosen[n] / REDUCE_BLOCK;
        split->reduced[ascent->chosen[n]] = ascent->values[n];
        split->block_least[block] = ascent->values[n] < split->block_least[block]
                                        ? ascent->values[n]
                                        : split->block_least[block];
    }
    ascent->last = ascent->values[ascent->nodes - 1];
}

/* L for the present prices; listed: nodes of least r to list, n or more. */
static int64_t evaluate(struct ascent *ascent, uint32_t listed)
{
    struct split *split = ascent->split;
    int64_t bound = 0;
    ascent->route->kernel->reduce(split->unit_cost, split->shares[0], SLOT_MAX, split->price,
                                  split->item_count, padded(split->count), split->reduced,
                                  split->block_least);
    split->steps += split->count * split->item_count / STEP_CELLS + 4;
    choose(ascent, listed < split->count ? listed : split->count);
    for (uint32_t item = 0; item < split->item_count; item++) {
        bound += (int64_t)split->price[item] * SCALE;
    }
    for (uint32_t n = 0; n < ascent->nodes; n++) {
        bound += split->reduced[ascent->chosen[n]];
    }
    return bound;
}

/* The better of both plans into upper. */
static void take_plan(struct ascent *ascent, struct plan *upper, const struct plan *plan)
{
    if (upper->count != plan->count || plan->cost < upper->cost) {
        plan_copy(upper, plan);
        split_limit(ascent->split, upper);
        ascent->limit = ascent->split->limit;
    }
}

/* Take the n chosen as the plan to beat if they hold everything and are better. */
static void try_chosen(struct ascent *ascent, struct plan *upper)
{
    struct split *split = ascent->split;
    struct plan *plan = &split->other;
    plan->count = ascent->nodes;
    plan->cost = 0;
    for (uint32_t n = 0; n < ascent->nodes; n++) {
        plan->nodes[n] = ascent->chosen[n];
        plan->cost += candidate_cost(&split->candidates[ascent->chosen[n]]);
    }
    if ((upper->count != plan->count || plan->cost < upper->cost) && plan_holds(split, plan)) {
        take_plan(ascent, upper, plan);
    }
}

/* Move the prices towards what is missing; costs 0: their sum stays. False: nothing to move. */
static bool move_prices(struct ascent *ascent, int64_t bound)
{
    struct split *split = ascent->split;
    double missing[SPLIT_ITEMS_MAX];
    double norm = 0;
    double sum = 0;
    double goal = ascent->has_costs ? (double)ascent->limit : PRICE_SUM * 0.02;
    for (uint32_t item = 0; item < split->item_count; item++) {
        int32_t has = 0;
        for (uint32_t n = 0; n < ascent->nodes; n++) {
            has += split->shares[item][ascent->chosen[n]];
        }
        missing[item] = split->demand[item] ? SCALE - has : 0;
        missing[item] = split->price[item] == 0 && missing[item] < 0 ? 0 : missing[item];
        norm += missing[item] * missing[item];
    }
    if (norm == 0) {
        return false;
    }
    double step = ascent->length * (goal - (double)bound) / norm;
    for (uint32_t item = 0; item < split->item_count; item++) {
        double price = split->price[item] + step * missing[item];
        missing[item] = price > 0 ? price : 0;
        sum += missing[item] * SCALE;
    }
    double most = ascent->has_costs ? (double)((int64_t)1 << (FINE_BITS + 3)) : PRICE_SUM;
    double factor = !ascent->has_costs || sum > most ? most / (sum > 1 ? sum : 1) : 1;
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->price[item] = (int32_t)(missing[item] * factor + 0.5);
    }
    return true;
}

static void prices_begin(struct ascent *ascent)
{
    struct split *split = ascent->split;
    int64_t sum = ascent->has_costs ? ascent->limit : PRICE_SUM;
    uint32_t items = (uint32_t)__builtin_popcountll(split->all);
    for (uint32_t item = 0; item < split->item_count; item++) {
        bool is_asked = split->all >> item & 1;
        split->price[item] = is_asked ? (int32_t)(sum / (items * SCALE)) : 0;
    }
}

/* Keep the candidates that a plan may have, by the prices that stand. upper's places follow. */
static void drop(struct ascent *ascent, struct plan *upper)
{
    struct split *split = ascent->split;
    int64_t slack = ascent->limit - ascent->bound + ascent->last;
    uint32_t count = 0;
    for (uint32_t c = 0; c < split->count; c++) {
        split->place[c] = (uint16_t)count;
        if (split->reduced[c] <= slack) {
            split->candidates[count++] = split->candidates[c];
        }
    }
    for (uint32_t i = 0; i < upper->count && upper->count == ascent->nodes; i++) {
        upper->nodes[i] = split->place[upper->nodes[i]];
    }
    split->has_shares = split->count == count;
    split->count = count;
}

/* What the tree needs of the prices: of what is left per unit, and of nodes to come. */
static void keep_prices(struct ascent *ascent)
{
    struct split *split = ascent->split;
    evaluate(ascent, ascent->nodes);
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint64_t whole = (uint64_t)split->price[item] * SCALE;
        uint64_t demand = split->demand[item] ? split->demand[item] : 1;
        split->unit_price[item] = (whole << PRICE_SHIFT) / demand;
    }
    split->least_sum[0] = 0;
    for (uint32_t n = 0; n < ascent->nodes; n++) {
        split->least_sum[n + 1] = split->least_sum[n] + split->reduced[ascent->chosen[n]];
    }
    split->limit = ascent->limit;
}

static void shares_asked(const struct split *split, uint8_t *left)
{
    for (uint32_t item = 0; item < split->item_count; item++) {
        left[item] = split->demand[item] ? SCALE : 0;
    }
}

/* Add a node to the plan and take its shares off what is left. */
static void plan_add(const struct split *split, struct plan *plan, uint32_t candidate,
                     uint8_t *left)
{
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint16_t share = split->shares[item][candidate];
        left[item] = left[item] > share ? (uint8_t)(left[item] - share) : 0;
    }
    plan->cost += candidate_cost(&split->candidates[candidate]);
    plan->nodes[plan->count++] = (uint16_t)candidate;
}

/* The best of count candidates by gain, or count where none has any. */
static uint32_t most_gain(const struct split *split, uint32_t count)
{
    uint32_t best = count;
    uint32_t most = 0;
    for (uint32_t c = 0; c < count; c++) {
        best = split->gain[c] > most ? c : best;
        most = split->gain[c] > most ? split->gain[c] : most;
    }
    return best;
}

/* A plan of nodes nodes among the cheapest count candidates, each taken for the shares that it
 * brings; whether there is one. */
static bool pick_nodes(struct ascent *ascent, uint32_t count, struct plan *plan)
{
    struct split *split = ascent->split;
    uint8_t left[SPLIT_ITEMS_MAX];
    shares_asked(split, left);
    plan->count = 0;
    plan->cost = 0;
    while (plan->count < ascent->nodes) {
        ascent->route->kernel->gain(split->shares[0], SLOT_MAX, left, split->item_count,
                                    padded(count), split->gain);
        split->steps += count * split->item_count / GAIN_CELLS + 1;
        for (uint32_t i = 0; i < plan->count; i++) {
            split->gain[plan->nodes[i]] = 0; /* it has given all */
        }
        uint32_t best = most_gain(split, count);
        if (best == count) {
            return false;
        }
        plan_add(split, plan, best, left);
    }
    return plan_holds(split, plan);
}

/* What the others of the plan leave of each item. */
static uint64_t leave(const struct split *split, const struct plan *plan, uint32_t without,
                      uint32_t *residual)
{
    uint64_t left = 0;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint64_t sum = 0;
        for (uint32_t i = 0; i < plan->count; i++) {
            sum += i == without ? 0 : free_of(split, plan->nodes[i])[item];
        }
        residual[item] = sum < split->demand[item] ? (uint32_t)(split->demand[item] - sum) : 0;
        left |= residual[item] > 0 ? (uint64_t)1 << item : 0;
    }
    return left;
}

/* The cheapest candidate before limit that has the residual and is not in the plan, or limit. */
static uint32_t cheapest(struct split *split, const struct plan *plan, const uint32_t *residual,
                         uint64_t left, uint32_t limit)
{
    for (uint32_t c = 0; c < limit; c++) {
        if (left & ~split->candidates[c].some) {
            continue;
        }
        const uint32_t *free = free_of(split, c);
        bool is_able = true;
        for (uint64_t bits = left; bits && is_able; bits &= bits - 1) {
            uint32_t item = (uint32_t)__builtin_ctzll(bits);
            is_able = free[item] >= residual[item];
        }
        for (uint32_t i = 0; i < plan->count && is_able; i++) {
            is_able = plan->nodes[i] != c;
        }
        if (is_able) {
            return c;
        }
    }
    return limit;
}

/* Change one node after the other for a cheaper one, while that is possible. */
static void improve(struct split *split, struct plan *plan)
{
    uint32_t residual[SPLIT_ITEMS_MAX];
    for (uint32_t i = 0, same = 0; same < plan->count; i = (i + 1) % plan->count) {
        uint64_t left = leave(split, plan, i, residual);
        uint32_t node = plan->nodes[i];
        uint32_t better = cheapest(split, plan, residual, left, node);
        split->steps += better / SWAP_CELLS + 1;
        plan->cost -= candidate_cost(&split->candidates[node]);
        plan->cost += candidate_cost(&split->candidates[better]);
        plan->nodes[i] = (uint16_t)better;
        same = better < node ? 1 : same + 1;
    }
}

/* What a listed candidate brings of what is left: in prices less its cost, or in shares. */
static int64_t worth(const struct split *split, uint32_t candidate, const uint8_t *left,
                     bool is_priced)
{
    int64_t sum = is_priced ? -(int64_t)split->unit_cost[candidate] : 0;
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint16_t share = split->shares[item][candidate];
        int32_t given = share < left[item] ? share : left[item];
        sum += is_priced ? (int64_t)split->price[item] * given : given;
    }
    return sum;
}

/* A plan of n of the listed candidates, each the one of most worth; whether there is one. */
static bool pick_listed(struct ascent *ascent, uint32_t listed, bool is_priced, struct plan *plan)
{
    struct split *split = ascent->split;
    uint8_t left[SPLIT_ITEMS_MAX];
    shares_asked(split, left);
    plan->count = 0;
    plan->cost = 0;
    for (uint64_t open = ((uint64_t)1 << listed) - 1; plan->count < ascent->nodes;) {
        uint32_t best = 0;
        int64_t most = INT64_MIN;
        for (uint64_t bits = open; bits; bits &= bits - 1) {
            uint32_t i = (uint32_t)__builtin_ctzll(bits);
            int64_t has = worth(split, ascent->chosen[i], left, is_priced);
            best = has > most ? i : best;
            most = has > most ? has : most;
        }
        open &= ~((uint64_t)1 << best);
        plan_add(split, plan, ascent->chosen[best], left);
    }
    split->steps += listed * ascent->nodes / PICK_CELLS;
    return plan_holds(split, plan);
}

/* Look for a better plan among the candidates of least r. */
static void pick_plan(struct ascent *ascent, bool is_priced, struct plan *upper)
{
    struct split *split = ascent->split;
    struct plan *plan = &split->other;
    uint32_t listed = SHORTLIST < split->count ? SHORTLIST : split->count;
    if (!pick_listed(ascent, listed, is_priced, plan)) {
        return;
    }
    if (upper->count != plan->count || plan_cost_less(plan->cost, 4) < upper->cost) {
        improve(split, plan);
    }
    take_plan(ascent, upper, plan);
}

/* The prices that rule out n nodes may rule out some more; not where nodes were dropped that only
 * plans of n nodes cannot have. */
static void count_needed(struct ascent *ascent, int64_t bound)
{
    struct split *split = ascent->split;
    uint32_t listed = SHORTLIST < split->count ? SHORTLIST : split->count;
    uint32_t needed = ascent->nodes;
    if (split->count < split->full_count) {
        return;
    }
    choose(ascent, listed);
    while (bound > ascent->limit && needed < listed) {
        bound += ascent->values[needed++];
    }
    split->needed_nodes = needed > split->needed_nodes ? needed : split->needed_nodes;
}

/* Rounds until L is over U (false: there is no such plan), or no more is to be gained; without
 * costs also until a plan is found. */
static bool climb(struct ascent *ascent, struct plan *upper, uint32_t rounds)
{
    struct split *split = ascent->split;
    int32_t best[SPLIT_ITEMS_MAX];
    ascent->bound = INT64_MIN;
    for (uint32_t round = 0; round < rounds; round++) {
        bool is_picked = round % PICK_EVERY == PICK_EVERY - 1;
        split_work(ascent->route);
        int64_t bound = evaluate(ascent, is_picked ? SHORTLIST : ascent->nodes);
        if (bound > ascent->limit) {
            count_needed(ascent, bound);
            return false;
        }
        try_chosen(ascent, upper);
        if (is_picked) {
            pick_plan(ascent, round % (2 * PICK_EVERY) < PICK_EVERY, upper);
        }
        if (bound > ascent->bound) {
            ascent->bound = bound;
            ascent->stale = 0;
            memcpy(best, split->price, sizeof best);
        } else if (++ascent->stale == PATIENCE) {
            ascent->length /= 2;
            ascent->stale = 0;
        }
        if ((!ascent->has_costs && upper->count == ascent->nodes) || ascent->length < 0.01 ||
            split->steps > ascent->stop || !move_prices(ascent, bound)) {
            break;
        }
    }
    memcpy(split->price, best, sizeof best);
    ascent->bound = evaluate(ascent, ascent->nodes);
    return true;
}

/* Climb in passes, each over what the one before it left; the first are short. */
static bool narrow(struct ascent *ascent, struct plan *upper)
{
    struct split *split = ascent->split;
    ascent->has_costs = upper->count == ascent->nodes;
    fill_shares(split);
    fill_costs(ascent, upper);
    prices_begin(ascent);
    for (uint32_t pass = 0, rounds = ROUNDS; pass < PASSES; pass++, rounds *= 2) {
        ascent->length = 1.5;
        ascent->stale = 0;
        if (!climb(ascent, upper, rounds)) {
            return false;
        }
        if (!ascent->has_costs && upper->count == ascent->nodes) {
            return true;
        }
        drop(ascent, upper);
        if (split->count < ascent->nodes) {
            return false;
        }
        fill_shares(split);
        fill_costs(ascent, upper);
        if (split->steps > ascent->stop) {
            break;
        }
    }
    keep_prices(ascent);
    return true;
}

/* A plan of so many nodes to beat, from the fewest of the cheapest candidates that have one. */
static void find_plan(struct ascent *ascent, struct plan *upper)
{
    struct split *split = ascent->split;
    struct plan *plan = &split->other;
    fill_shares(split);
    for (uint32_t count = FIRST_PICKED; count < 2 * split->count && split->steps < ascent->stop;
         count *= 2) {
        split_work(ascent->route);
        uint32_t among = count < split->count ? count : split->count;
        if (pick_nodes(ascent, among, plan)) {
            improve(split, plan);
            take_plan(ascent, upper, plan);
            return;
        }
    }
}

/* Nodes that cost more than the plan to beat even with the cheapest beside them. */
static void drop_dear(struct split *split, uint32_t nodes, const struct plan *upper)
{
    plan_cost others = candidate_cost(&split->candidates[0]) * (nodes - 1);
    while (split->count > nodes &&
           candidate_cost(&split->candidates[split->count - 1]) + others > upper->cost) {
        split->count--;
    }
}

bool split_reduce(struct route *route, uint32_t nodes, struct plan *upper)
{
    struct split *split = route->split;
    struct ascent ascent = {.route = route, .split = split, .nodes = nodes};
    uint32_t share = split->steps + route->steps_max / STEPS_SHARE;
    ascent.stop = share < split->stop ? share : split->stop;
    split->needed_nodes = nodes + 1;
    CHECK(nodes <= TREE_DEPTH_MAX);
    if (split->count < nodes) {
        return false;
    }
    find_plan(&ascent, upper);
    if (upper->count != nodes) {
        bool is_open = narrow(&ascent, upper);
        if (!is_open || upper->count != nodes) {
            return is_open;
        }
    }
    improve(split, upper);
    drop_dear(split, nodes, upper);
    return narrow(&ascent, upper);
}

void split_limit(struct split *split, const struct plan *upper)
{
    uint64_t plain = plain_cost(split, upper, has_priorities(split));
    split->limit = split->has_costs ? (int64_t)((plain << split->unit_up) >> split->unit_down) : 0;
}

bool split_is_priced_out(const struct split *split, const uint32_t *residual, uint64_t left,
                         int64_t cost, uint32_t count)
{
    uint64_t sum = 0;
    for (uint64_t bits = left; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        sum += residual[item] * split->unit_price[item];
    }
    return cost + (int64_t)(sum >> PRICE_SHIFT) + split->least_sum[count] > split->limit;
}
