/* Strategies in a decision: one node's score, the best single source, and costs for the split
 * search. All of it for groups without a fixed place: a node that was named is taken. */
#ifndef ROUTE_STRATEGY_ROUTE_INTERNAL_H
#define ROUTE_STRATEGY_ROUTE_INTERNAL_H

#include "route_internal.h"
#include "strategy.h"

/* What the carrier takes from the origin area of the node looked at last, in one group: its
 * neighbours mostly have the same one. The longest area alone names all that hold a place. */
struct lane_memo {
    bool is_set;
    uint32_t origin;
    uint64_t cents;
};

/* A node that is being looked at; what is worked out for it once. */
struct contender {
    uint16_t node;
    bool has_metres;
    bool has_promise;
    uint32_t metres;
    float chord_2; /* squared float chord to the destination; CHORD_UNKNOWN */
    struct promise promise;
    struct lane_memo *memo; /* NULL = none */
};

#define CHORD_UNKNOWN (-1.0f)

void contender_begin(struct contender *contender, uint16_t node, uint32_t metres);

/* The same before it is measured, which happens when it is needed: where the chord is known, bands
 * of distance mostly follow from it. */
void contender_open(struct contender *contender, uint16_t node, float chord_2,
                    struct lane_memo *memo);
uint32_t contender_metres(const struct route *route, struct contender *contender);

/* What geo_metres counts at least to a node at that float chord; at most: METRES_UNSURE where the
 * chord does not tell. */
uint32_t chord_metres_least(float chord);
uint32_t chord_metres_most(float chord);

/* The term's value of the node in steps, rounded down to its band; the less the better. */
uint64_t strategy_value(const struct route *route, struct contender *contender,
                        const struct strategy_term *term);

/* Numbers that a score has, compared in their order: one of a weighted strategy, the sum; else
 * one for each term. keys has room for STRATEGY_TERMS_MAX. */
uint32_t strategy_keys(const struct strategy *strategy);
void strategy_score(const struct route *route, struct contender *contender, uint64_t *keys);

/* Whether the fence lets the node in, and what was held against it. */
bool strategy_fence_holds(const struct route *route, struct contender *contender,
                          const struct strategy_fence *fence, uint64_t *value_out);
bool strategy_takes(const struct route *route, struct contender *contender);

/* The group begins, or goes to a store from now on: whether the strategy rules it, what stays
 * at a node, how far it reaches. */
void strategy_begin(struct route *route);

/* Take the nodes that a fence bars out of the base. */
void strategy_fence_base(struct route *route);

/* What the carrier takes from the node for the group, as far as a memo remembers. */
uint64_t strategy_lane_cost(const struct route *route, uint16_t node, struct lane_memo *memo);

/* -- strategy_bound.c -- */

/* What a score's first key is at least. Of a lexicographic strategy that distance leads, metres
 * without their band stand for it, so that of a band the nearest come first. */
struct strategy_bound {
    const struct strategy_term *distance; /* that leads, NULL = none does */
    uint64_t distance_factor;
    uint32_t distance_band;
    uint32_t count; /* terms that are looked at node by node */
    const struct strategy_term *terms[STRATEGY_TERMS_MAX];
    uint64_t factors[STRATEGY_TERMS_MAX];
    uint64_t load_factor, declines_factor; /* of these two, without bands; 0 = no such term */
    bool is_whole;  /* there are no terms but these */
    uint64_t fixed; /* what terms add that are the same at all nodes */
    uint64_t least; /* what all terms but the leading distance add at least */
    float place[3];
    struct lane_memo *memo;
};

/* Whether candidates are told apart by it at all. */
static inline bool strategy_bound_has_terms(const struct strategy_bound *bound)
{
    return bound->distance || bound->count > 0 || bound->load_factor > 0 ||
           bound->declines_factor > 0;
}

struct strategy_entry {
    uint64_t bound;
    float chord_2; /* CHORD_UNKNOWN where no distance leads */
    uint16_t node;
};

ERR_MUST_USE enum err faces_new(struct faces **out);
void faces_free(struct faces *faces);

/* The next network is another one. */
void faces_forget(struct faces *faces);

/* Room for the entries of all slots. */
struct strategy_entry *strategy_entries(struct route *route);

/* bound borrows memo. */
void strategy_bound_begin(const struct route *route, struct strategy_bound *bound,
                          struct lane_memo *memo);

/* What makes a candidate of a word one: at most so far (a squared chord), and at most so much. */
struct strategy_limits {
    float chord_2;
    uint64_t most;
};

/* The candidates among bits of the word, of 64 at most; how many. */
uint32_t strategy_bound_word(const struct route *route, const struct strategy_bound *bound,
                             uint32_t word, slot_bits bits, const struct strategy_limits *limits,
                             struct strategy_entry *entries);

/* -- strategy_source.c -- */

/* The best node that holds the whole group, or NODE_NONE. */
struct route_guess strategy_source(struct route *route);

/* The same by hints, and what bounds the others; later, whether it is the best still. */
struct route_guess strategy_guess(struct route *route, struct route_rank *rank);
bool strategy_stands(const struct route *route, const struct route_guess *guess,
                     const struct route_rank *rank);

/* -- strategy_split.c -- */

/* Set costs of the candidates of the split search by the strategy. */
void strategy_costs(struct route *route);

#endif
