/* A minimal plan, fast: the node that completes most of what is left, again and again; then
 * whoever turned out to be needless goes. Always completes: the candidates hold every demand
 * together, and each step takes all that a node has. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum { PICKS = 32 }; /* after so many picks the rest is filled from the nearest on: one pass */

static const uint32_t *free_of(const struct split *split, uint32_t candidate)
{
    return &split->free[(size_t)split->candidates[candidate].free * split->item_count];
}

/* Take what the candidate has of what is left; the items then left. */
static uint64_t take_all(const struct split *split, uint32_t candidate, uint64_t left,
                         uint32_t *residual)
{
    const uint32_t *free = free_of(split, candidate);
    for (uint64_t bits = left & split->candidates[candidate].some; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        residual[item] -= free[item] < residual[item] ? free[item] : residual[item];
        left &= residual[item] ? ~(uint64_t)0 : ~((uint64_t)1 << item);
    }
    return left;
}

/* Units that the candidate would bring; a node that is in the plan has given all. */
static uint64_t units_of(const struct split *split, uint32_t candidate, uint64_t left,
                         const uint32_t *residual)
{
    const uint32_t *free = free_of(split, candidate);
    uint64_t units = 0;
    left = split->tried_at[candidate] ? 0 : left;
    for (uint64_t bits = left & split->candidates[candidate].some; bits; bits &= bits - 1) {
        uint32_t item = (uint32_t)__builtin_ctzll(bits);
        units += free[item] < residual[item] ? free[item] : residual[item];
    }
    return units;
}

/* The candidate that completes most items, or, where none completes any, has most units. */
static uint32_t pick(const struct split *split, uint64_t left, const uint32_t *residual)
{
    uint32_t best = 0;
    uint64_t most = 0;
    for (uint32_t i = 0; i < split->count; i++) {
        uint64_t items = (uint64_t)__builtin_popcountll(split->candidates[i].whole & left);
        if (items > most && !split->tried_at[i]) {
            most = items;
            best = i;
        }
    }
    for (uint32_t i = 0; i < split->count && most == 0; i++) {
        uint64_t units = units_of(split, i, left, residual);
        if (units > units_of(split, best, left, residual)) {
            best = i;
        }
    }
    return best;
}

/* Beyond the room of an answer nodes are only counted. */
static void add(struct split *split, struct plan *plan, uint32_t candidate)
{
    split->tried_at[candidate] = 1;
    if (plan->count < ROUTE_PARTS_MAX) {
        plan->cost += candidate_cost(&split->candidates[candidate]);
        plan->nodes[plan->count] = (uint16_t)candidate;
    }
    plan->count++;
}

void split_greedy(struct route *route, struct plan *out)
{
    struct split *split = route->split;
    uint32_t residual[SPLIT_ITEMS_MAX];
    uint64_t left = split->all;
    memcpy(residual, split->demand, split->item_count * sizeof *residual);
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
    out->count = 0;
    out->cost = 0;
    for (uint32_t picks = 0; left && picks < PICKS; picks++) {
        uint32_t candidate = pick(split, left, residual);
        left = take_all(split, candidate, left, residual);
        add(split, out, candidate);
    }
    for (uint32_t c = 0; left && c < split->count; c++) {
        if (units_of(split, c, left, residual) > 0) {
            left = take_all(split, c, left, residual);
            add(split, out, c);
        }
    }
    CHECK(left == 0);
    memset(split->tried_at, 0, split->count * sizeof *split->tried_at);
    if (out->count > ROUTE_PARTS_MAX) {
        out->count = 0; /* more nodes than an answer has room for: as good as none */
        return;
    }
    plan_prune(split, out);
}
