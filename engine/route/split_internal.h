/* What the files of the split search share: the candidates of a group and the best plan. */
#ifndef ROUTE_SPLIT_INTERNAL_H
#define ROUTE_SPLIT_INTERNAL_H

#include "route_internal.h"
#include "strategy.h"

enum {
    SPLIT_ITEMS_MAX = 64, /* items of a group that masks hold; more: split_wide.c */
    MASK_ITEMS_MAX = 12,  /* items of the search over subsets */
    MASKS = 1 << MASK_ITEMS_MAX,
    TREE_DEPTH_MAX = 16,
    REDUCE_SCALE = 240,     /* split_reduce.c: shares are counted in so many parts */
    REDUCE_NEVER = 1 << 30, /* a cost that no plan has */
    PRICE_SHIFT = 16,       /* of prices per unit */
    FEW_NODES_MAX = 4,      /* of a plan that split_few.c looks for */
    KITS_MAX = 64,          /* of a group that kits_search.c looks through */
    KIT_NODES_MAX = 8       /* of a plan that it looks for */
};

/* (sum of priorities, sum of metres), added and compared as one number. Priorities are shifted
 * to be positive: only plans of equally many nodes may be compared. */
__extension__ typedef unsigned __int128 plan_cost;

#define COST_NONE (~(plan_cost)0)

/* A node that has free stock of an item of the group. */
struct candidate {
    uint64_t whole; /* items of which it holds all that is asked for */
    uint64_t some;  /* items of which it holds any */
    uint32_t free;  /* its row in the table of free stock */
    uint32_t metres;
    int32_t priority;
    uint16_t node;
};

struct sort_key {
    uint64_t cost; /* priority, metres */
    uint32_t index;
};

struct plan {
    uint32_t count; /* 0 = none */
    plan_cost cost;
    uint16_t nodes[ROUTE_PARTS_MAX];
};

enum verdict {
    VERDICT_FOUND,
    VERDICT_IMPOSSIBLE, /* proved: no plan of at most max_nodes nodes */
    VERDICT_UNKNOWN     /* the bound of steps came first */
};

/* A state of the search over subsets: best way to leave exactly these items uncovered. */
struct mask_state {
    plan_cost cost;
    uint64_t level; /* stamp: state is of this level of this search */
    uint16_t candidate;
    uint16_t from;
};

struct near_node {
    uint32_t metres;
    uint16_t node;
};

/* What a bound asks a node to have of an item: see split_bounds.c. */
enum bound_table { TABLE_SOME, TABLE_HALF, TABLE_WHOLE, TABLES };

struct bound_entry {
    uint64_t cost;
    uint64_t stamp;
};

struct tree_level {
    const uint16_t *holders; /* candidates branched on */
    uint32_t holder_count;
    uint32_t least_touched; /* items left that such a one must touch */
    uint32_t item;          /* of which such a one must have least_units */
    uint32_t least_units;
    bool is_sorted; /* holders are nearest first */
    uint32_t at;
    int64_t units;  /* cost of the path, rounded down: see split_reduce.c */
    uint64_t left;  /* items not yet covered */
    uint64_t fresh; /* of these, the ones of which nothing is given yet */
    plan_cost cost;
    uint32_t residual[SPLIT_ITEMS_MAX];
};

/* A node to try: how many of the items left it may have, and its slot. */
struct few_node {
    uint16_t touched;
    uint16_t slot;
};

/* Items left, rarest first, and how much of each. */
struct few_rest {
    uint32_t count;
    uint16_t item[ROUTE_LINES_MAX];
    uint32_t units[ROUTE_LINES_MAX];
};

/* What must still be touched when the nodes before are chosen, and who may come next. */
struct few_level {
    uint32_t count;                 /* items */
    uint16_t item[ROUTE_LINES_MAX]; /* rarest first */
    uint64_t cost;                  /* of the nodes before */
    slot_bits open[WORD_MAX_NETWORK];
    uint32_t able_count;
    uint32_t at;
    uint32_t sorted; /* so many of able are in order: most items, then cheapest */
    struct few_node able[SLOT_MAX];
};

/* What a strategy says of a candidate. */
struct split_score {
    uint64_t keys[STRATEGY_TERMS_MAX];
    uint32_t metres;
};

/* The kits of a group: entries of one stand together, from first on. */
struct kits {
    uint32_t count, entry_count;
    uint16_t kit[KITS_MAX]; /* as lines name it */
    uint32_t first[KITS_MAX + 1];
    uint32_t item[ROUTE_LINES_MAX]; /* demand */
    uint32_t qty[ROUTE_LINES_MAX];
    uint16_t node[KITS_MAX]; /* of the best plan: whence each comes */
};

struct split {
    /* -- kits_search.c; whole of a candidate is a mask of kits there -- */
    struct kits kits;
    uint64_t kits_all;

    /* -- the group -- */
    uint32_t item_count;
    uint64_t all;                          /* mask of every item with a demand */
    uint32_t demand[ROUTE_LINES_MAX];      /* what a plan must hold, lowered for partial answers */
    uint64_t available[ROUTE_LINES_MAX];   /* free at candidates together; wide: or the demand */
    uint32_t qty_of_line[ROUTE_LINES_MAX]; /* served, by place in route->lines */
    uint32_t cells;                        /* gathered */
    uint64_t spread;                       /* items of which some candidate holds a part only */
    bool is_long;                          /* plans of few nodes are looked for by columns first */
    bool is_listed; /* else by a list of the candidates, not by greedy columns */
    bool is_wide;   /* plans hold nodes: no candidates are listed */

    /* -- candidates, by (priority, metres, id) once sorted -- */
    uint32_t count;
    struct candidate candidates[NODE_MAX];
    struct candidate sorted[NODE_MAX];
    struct sort_key sort_keys[2][NODE_MAX];
    uint32_t sort_side;                                /* the one of both that holds the keys */
    uint32_t free[(size_t)NODE_MAX * SPLIT_ITEMS_MAX]; /* by row, item; capped at the demand */

    uint16_t order[NODE_MAX]; /* split_most.c: most units first */
    uint64_t units[NODE_MAX]; /* of each candidate */

    /* -- by slot -- */
    const struct network *place_network; /* for which place_metres were measured, and whence */
    uint64_t place_generation;
    struct geo_point place_point;
    uint64_t place_stamp;
    uint64_t place_stamps[WORD_MAX_NETWORK]; /* words measured since */
    uint32_t place_metres[SLOT_MAX];
    bool is_sparse; /* few cells: slots are measured one by one */
    uint64_t slot_stamp[SLOT_MAX];
    uint64_t word_stamp[WORD_MAX_NETWORK]; /* the group whose metres stand here */
    uint32_t slot_metres[SLOT_MAX];        /* UINT32_MAX = out of reach */
    uint32_t slot_candidate[SLOT_MAX];
    uint32_t slot_units[SLOT_MAX]; /* explain.c */
    uint32_t slot_items[SLOT_MAX]; /* explain.c */
    uint32_t slot_any[SLOT_MAX];   /* explain.c */
    uint32_t slot_open[SLOT_MAX];  /* explain.c */
    bool slot_chosen[SLOT_MAX];    /* explain.c */
    uint8_t slot_excluded[SLOT_MAX];

    /* -- search over subsets -- */
    uint16_t best_of[MASKS]; /* cheapest candidate that covers the mask, NODE_NONE = none */
    struct mask_state states[MASK_ITEMS_MAX + 1][MASKS];
    uint16_t states_listed[MASK_ITEMS_MAX + 1][MASKS];
    uint32_t state_count[MASK_ITEMS_MAX + 1];
    uint16_t covers[MASK_ITEMS_MAX][MASKS]; /* by lowest item: masks of undominated nodes */
    uint32_t cover_count[MASK_ITEMS_MAX];
    uint64_t level_stamp;

    /* -- bounds of the tree, by mask of the chosen items -- */
    uint8_t bound_items[MASK_ITEMS_MAX];
    uint32_t bound_count;
    uint16_t one[TABLES][MASKS];      /* cheapest candidate, NODE_NONE = none */
    uint64_t one_cost[TABLES][MASKS]; /* its cost, short enough to add in 64 bits */
    struct bound_entry two[TABLES][MASKS];
    int32_t priority_min;
    uint64_t bound_stamp;

    /* -- tree search -- */
    uint16_t holders[(size_t)NODE_MAX * SPLIT_ITEMS_MAX]; /* by item, then nearest first */
    uint32_t holders_from[SPLIT_ITEMS_MAX + 1];
    uint16_t by_cover[NODE_MAX];                /* most items first */
    uint32_t cover_prefix[SPLIT_ITEMS_MAX + 2]; /* how many cover at least so many items */
    uint32_t free_max[SPLIT_ITEMS_MAX];
    uint32_t whole_count[SPLIT_ITEMS_MAX]; /* holders of all that is asked for */
    uint32_t half_count[SPLIT_ITEMS_MAX];
    uint32_t cover_max;
    uint8_t tried_at[NODE_MAX]; /* depth + 1 where it was tried, 0 = open; greedy: in the plan */
    struct tree_level levels[TREE_DEPTH_MAX + 1];
    uint16_t path[TREE_DEPTH_MAX + 1];

    /* -- split_reduce.c: the candidates that are left, by place -- */
    uint32_t full_count; /* candidates before any were dropped: they are in sorted */
    int32_t unit_cost[NODE_MAX + REDUCE_BLOCK];
    int32_t reduced[NODE_MAX + REDUCE_BLOCK];
    int32_t block_least[NODE_MAX / REDUCE_BLOCK + 1];
    uint16_t shares[SPLIT_ITEMS_MAX][SLOT_MAX];
    int32_t price[SPLIT_ITEMS_MAX];
    uint16_t gain[SLOT_MAX];
    uint16_t place[NODE_MAX]; /* a candidate's place after others were dropped */
    bool has_shares;          /* shares are those of the candidates */
    bool has_costs;           /* there is a plan to beat: limit is its cost in units, else 0 */
    uint32_t needed_nodes;    /* proved: no plan has fewer */
    int unit_up, unit_down;   /* a unit is a metre times or by a power of two */
    int64_t limit;
    uint64_t unit_price[SPLIT_ITEMS_MAX];
    int64_t least_sum[TREE_DEPTH_MAX + 1]; /* of reduced costs of so many nodes, at least */

    /* -- split_columns.c: which slots may have some of an item -- */
    bool has_columns; /* of each item of the group */
    struct columns columns;
    slot_bits column_words[(size_t)ROUTE_LINES_MAX * WORD_MAX_NETWORK];
    slot_bits touched[WORD_MAX_NETWORK]; /* by some column, and within reach */
    uint32_t column_cells[ROUTE_LINES_MAX];
    uint16_t rarest[ROUTE_LINES_MAX]; /* items asked for, those of fewest slots first */
    uint32_t asked_count;
    slot_bits able[WORD_MAX_NETWORK];
    slot_bits planes[COLUMN_DIGITS][WORD_MAX_NETWORK]; /* how many columns touch a slot, by digit */
    uint64_t slot_cost[SLOT_MAX]; /* priority and metres of the touched ones in one number */
    uint64_t cost_min;

    /* -- split_wide.c: of a plan that grows -- */
    slot_bits open[WORD_MAX_NETWORK]; /* may be added */
    slot_bits chosen[WORD_MAX_NETWORK];
    uint16_t left_items[ROUTE_LINES_MAX]; /* rarest first */
    uint32_t left_count;

    /* -- split_few.c -- */
    uint64_t row_stamp[SLOT_MAX];
    uint64_t row_serial;       /* of the search */
    uint32_t row_of[SLOT_MAX]; /* in the table of free stock, where the stamp is the search's */
    uint32_t row_count;
    struct few_node unsorted[SLOT_MAX];
    struct few_level few_levels[FEW_NODES_MAX];
    struct few_rest few_rest;
    uint32_t nodes_ruled_out; /* proved: no plan has so many or fewer */

    struct split_score scores[NODE_MAX]; /* strategy_split.c: by candidate */
    bool is_exact;                       /* costs add up to what is to be least */

    /* -- results -- */
    uint32_t steps;
    uint32_t steps_seen; /* of them those that count for the running slice */
    uint32_t stop; /* steps at which the tree ends */
    struct plan best;
    struct plan other;
    struct plan upper; /* a plan to fall back on */
    struct near_node near[ROUTE_PARTS_MAX];
    uint16_t nodes[ROUTE_PARTS_MAX];   /* of the answer, nearest first */
    uint32_t left[ROUTE_LINES_MAX];    /* by item, while lines are served or nodes picked */
    struct plan traced[2];             /* split_masks.c: two ways to one state */
    uint16_t tied[2][ROUTE_PARTS_MAX]; /* nodes by id of two plans being compared */
    bool is_optimal;
};

/* At the head of a search's loop: its steps since the last such place count for the running slice.
 * They may have been set back meanwhile. */
static inline void split_work(struct route *route)
{
    struct split *split = route->split;
    const uint32_t more = split->steps - split->steps_seen;
    split->steps_seen = split->steps;
    work(route, more <= INT32_MAX ? more : 0);
}

/* -- collect.c -- */

/* Begin the group's search: what is asked for. */
void split_begin(struct route *route);

/* Gather what candidates hold of each item, and list them, but for wide groups. */
void split_collect(struct route *route);

/* The node's priority. */
int32_t split_priority(const struct network *network, uint16_t node);

/* List the candidates again for a lowered split->demand. Not for wide groups. */
void split_candidates(struct route *route);

/* Sort the candidates by (priority, metres, id). */
void split_sort(struct route *route);

/* Call visit for every cell of the demand at a candidate among these, a part of group.base (free >
 * 0, node within reach), while it returns true. */
typedef bool cell_visit(struct route *route, uint32_t item, uint32_t slot, uint32_t free);
void split_visit(struct route *route, uint32_t item, const slot_bits *among, cell_visit *visit);

/* Before the metres of a group are asked for: forget those to another place. */
void split_place_begin(struct route *route);

/* Metres to the destination from the 64 slots of the word, whoever may serve there. */
const uint32_t *split_word_metres(struct route *route, uint32_t word);

/* Metres to the slot's node, UINT32_MAX where it is out of reach; measured once a group. */
uint32_t split_slot_metres(struct route *route, uint32_t slot);

/* Whether some node may handle the group, stock aside. */
bool split_has_candidate(struct route *route);

/* -- plan.c -- */

plan_cost candidate_cost(const struct candidate *candidate);

/* The cost with one part less of its metres. */
plan_cost plan_cost_less(plan_cost cost, uint32_t part);

/* Order of two candidates by (priority, metres, id). */
int candidate_compare(const struct route *route, const struct candidate *a,
                      const struct candidate *b);

/* Whether a is the better of two plans of equally many nodes. */
bool plan_is_better(const struct route *route, const struct plan *a, const struct plan *b);

void plan_copy(struct plan *to, const struct plan *from);

/* Whether the plan of candidates (indices in plan->nodes) holds every demand. */
bool plan_holds(const struct split *split, const struct plan *plan);

/* -- the searches: plans hold indices of candidates -- */

/* Fewest, cheapest candidates whose masks cover all: exact for masks. relaxed: a node that has
 * some counts as holding all (a lower bound), else only whole (an upper bound). At most
 * MASK_ITEMS_MAX items. UNKNOWN: steps ran out. */
enum verdict split_masks(struct route *route, bool is_relaxed, struct plan *out);

/* -- split_bounds.c -- */

/* best[mask]: least index of mask or a superset of it; comes in with that of each mask itself. */
void split_best_of_supersets(uint16_t *best, uint32_t item_count);

/* Make the tables, of sorted candidates after split_tree_begin. */
void split_bounds_begin(struct route *route);

/* No candidate before this one ends a plan alone; NODE_NONE: none at all does. */
uint32_t split_bound_one(struct split *split, uint64_t left, uint64_t fresh);

/* Two nodes that end a plan cost at least so much; COST_NONE: no two do. */
plan_cost split_bound_two(struct split *split, uint64_t left, uint64_t fresh);

/* Some minimal plan, fast; ignores max_nodes. Candidates are sorted. */
void split_greedy(struct route *route, struct plan *out);

/* The best plan of exactly count nodes, into split->best if it is better or that is none.
 * is_restarting: the first plan that is much better ends the search, so that fewer candidates need
 * be looked at. Candidates are sorted and split_tree_begin was called. False: it ended before all
 * was looked at. */
void split_tree_begin(struct route *route);
bool split_tree(struct route *route, uint32_t count, bool is_restarting);

/* About how many cells the candidates that are left have. */
static inline uint32_t split_cells(const struct split *split)
{
    return (uint32_t)((uint64_t)split->cells * split->count / (split->full_count + 1));
}

/* -- split_reduce.c -- */

/* Drop the candidates that no plan of exactly nodes nodes has, or none as good as upper where that
 * has so many; upper is improved in passing, and follows their new places. False: there is no such
 * plan. Candidates are sorted. */
bool split_reduce(struct route *route, uint32_t nodes, struct plan *upper);

/* A better plan to beat. */
void split_limit(struct split *split, const struct plan *upper);

/* Whether count more nodes that hold what is left bring the plan over the limit. */
bool split_is_priced_out(const struct split *split, const uint32_t *residual, uint64_t left,
                         int64_t cost, uint32_t count);

/* Most units from at most max_nodes candidates, then as the contract's rule 3. Candidates are
 * sorted. Sets is_optimal. */
void split_most(struct route *route, struct plan *out);

/* Drop nodes that the others make needless, the dearest first: what stays is minimal. */
void plan_prune(struct split *split, struct plan *plan);

/* Lower the demands to what the plan holds. */
void plan_lower(struct split *split, const struct plan *plan);

/* -- split_columns.c -- */

/* Make the columns of the items asked for, and know the costs of the slots. False: some item that
 * is asked for is nowhere to be had; is_whole: they are made all the same. */
bool split_columns(struct route *route, bool is_whole);

/* Of the slots of among those that most of the listed columns touch, into split->able; by how many
 * (0: none touches any). planes are those of the columns. */
uint32_t split_most_touched(struct split *split, const slot_bits *among, uint32_t listed);

/* Order of two touched slots by (priority, metres, id). */
bool split_slot_is_cheaper(const struct route *route, uint32_t a, uint32_t b);

/* The cheapest of the slots of bits, UINT32_MAX: there is none. */
uint32_t split_cheapest_slot(const struct route *route, const slot_bits *bits);

static inline uint64_t column_word(const struct split *split, uint32_t item, uint32_t word)
{
    size_t block = word / COLUMN_BLOCK;
    return split
        ->column_words[(block * split->columns.items + item) * COLUMN_BLOCK + word % COLUMN_BLOCK];
}

/* -- split_few.c -- */

/* The best plan of up to FEW_NODES_MAX nodes, if there is one, into split->best: plans of one node
 * first, then of two. UNKNOWN: there is none, or the steps ran out; nodes_ruled_out is set. Sets
 * is_optimal. */
enum verdict split_few(struct route *route);

/* -- split_wide.c: plans hold node handles; more items than masks hold -- */

/* A minimal plan of at most max_nodes nodes, never proved to be the best. */
enum verdict split_wide(struct route *route, struct plan *out);

/* Many units from at most max_nodes nodes (most for one node); lowers the demands to them. */
void split_wide_most(struct route *route, struct plan *out);

/* -- kits_search.c -- */

/* The best plan of at least so many nodes and at most so many for the group that was begun, into
 * best; kits.node says whence each kit comes, near holds the nodes, nearest first. */
enum verdict kits_search(struct route *route, const struct pending *pending, uint32_t least,
                         uint32_t most);

#endif
