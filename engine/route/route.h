/* The decision: where an order is best shipped from, or picked up.
 *
 * A pure function of the tables and the request: no clock, no I/O, no malloc, no globals. Rules
 * 1-7 of the wire contract's chapter "The decision" are its specification; the README tells how
 * each is kept. All scratch memory is in struct route, made once.
 *
 * Steps are counted, never time; route_steps_max bounds one order's split search.
 */
#ifndef ROUTE_ROUTE_H
#define ROUTE_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "dates.h"
#include "err.h"
#include "geo.h"
#include "names.h"
#include "stock.h"

enum {
    ROUTE_LINES_MAX = 1000,       /* lines of one order, and of one group */
    ROUTE_SHARES_MAX = 4000,      /* (line, node) pairs of one answer */
    ROUTE_PARTS_MAX = 1000,       /* fulfilments of one order */
    ROUTE_NODES_LISTED_MAX = 1000 /* include_nodes, exclude_nodes */
};

#define ROUTE_NO_LIMIT UINT32_MAX

struct strategy;

struct route_line {
    uint32_t item;
    uint32_t qty;
    enum service service;
    uint16_t node; /* pins the line, or the pickup_node of a pickup line; else NODE_NONE */
    uint16_t kit;  /* lines with the same number come whole from one node; 0 = alone */
};

/* One order. All pointers are borrowed for the call. */
struct route_request {
    const struct route_line *lines;
    uint32_t line_count; /* 1 to ROUTE_LINES_MAX */
    bool has_dest;       /* dest is set; required where a line has no node */
    struct geo_point dest;
    const char *country;  /* of the destination; "" = unknown */
    const char *postcode; /* normalised; "" = unknown */
    bool is_po_box;       /* bars same_day */
    uint32_t max_splits;  /* ROUTE_NO_LIMIT = none asked */
    uint32_t max_m;       /* metres; ROUTE_NO_LIMIT = none asked */
    bool allow_partial;
    const uint16_t *include; /* only these, when include_count > 0 */
    uint32_t include_count;
    const uint16_t *exclude;
    uint32_t exclude_count;
    const uint16_t *rejected; /* nodes that said no to this order before */
    uint32_t rejected_count;
    uint64_t at_ms;             /* when it is ordered, for its dates; 0 = now. Capacity of another
                                   time than now is not looked at */
    bool is_quote;              /* dates are told in any case; reasons of nodes are not counted */
    uint64_t required_by_ms;    /* delivered by then, or not at all; 0 = any time */
    uint64_t deliver_after_ms;  /* not delivered before; 0 = as soon as can be */
    uint64_t channel;         /* of the order (quota.h), 0 = none */
    const struct strategy *strategy; /* NULL = nearest */
    uint32_t explain; /* 0-2: at 1 and 2 rejected and candidates are filled in also on success */
};

/* A part of the answer: what one node handles of one group. */
struct route_part {
    uint16_t node;
    uint8_t way;     /* enum way */
    uint8_t service; /* enum service */
    uint32_t metres; /* km to of its group: dest, or 0 for a fixed place */
    uint32_t cost_cents;
    struct order_dates dates; /* all 0 where none are told */
};

/* qty units of a line from a part; ordered by part, then by line. */
struct route_share {
    uint32_t part;
    uint32_t line;
    uint32_t qty;
};

struct route_unfilled {
    uint32_t line;
    uint32_t qty;       /* units without a source */
    uint32_t available; /* units of the item free at candidates of its group, for the message */
    enum reason reason;
};

struct route_reject {
    uint16_t node;
    uint8_t reject; /* enum reject */
    uint32_t metres;
};

struct route_answer {
    enum order_status status; /* ORDER_ROUTED, ORDER_PARTIAL or ORDER_REFUSED */
    enum reason reason;       /* of a refusal */
    const struct route_part
        *parts; /* by group order, then nearest first; valid until the next call */
    uint32_t part_count;
    const struct route_share *shares;
    uint32_t share_count;
    const struct route_unfilled *unfilled; /* by line */
    uint32_t unfilled_count;
    uint32_t splits;  /* nodes - 1 summed over groups */
    uint64_t total_m; /* metres, summed over parts */
    bool is_optimal;
    uint32_t steps; /* of the split search */
    /* -- explanation: filled when refused for NO_FEASIBLE_SOURCE, or explain > 0 -- */
    uint32_t candidates;                /* nodes that passed all but stock, over all groups */
    uint32_t rejected[REJECT_COUNT];    /* nodes not chosen, by first reason */
    const struct route_reject *rejects; /* explain 2: every node not chosen, by handle, at most
                                           ROUTE_NODES_LISTED_MAX, nearest first */
    uint32_t reject_count;
};

struct route; /* scratch of one deciding thread */

ERR_MUST_USE enum err route_new(struct route **out);
void route_free(struct route *route);

/* The tables of the next call are not those of the last, though they may lie in the same place:
 * what was kept of them is forgotten. */
void route_forget(struct route *route);

/* Search steps after which one order's split search stops. A group of up to 12 items, which the
 * contract wants exact, may take 64 times as many: route_steps_few. */
uint32_t route_steps_max(const struct route *route);
uint32_t route_steps_few(const struct route *route);
void route_steps_max_set(struct route *route, uint32_t steps);

/* Let pause run wherever slice_steps of work were done since it returned last (0: never; the
 * default): steps of the search, and what else takes long, counted in steps. It runs in the middle
 * of a decision, which reads only: who stops there finds all tables unchanged when it goes on, and
 * nobody calls this route meanwhile. The answer is the same wherever it stops. */
typedef void route_pause(void *owner);
void route_slices_set(struct route *route, uint32_t slice_steps, route_pause *pause, void *owner);

/* A slice begins. */
void route_slice_begin(struct route *route);

/* The caller did so many steps of work of its own, and could stop here. */
void route_work(struct route *route, uint32_t steps);

/* Choose among the variants of the inner loops that this CPU can run, 0 = the fastest (the
 * default); how many there are. All give the same answers: a test forces each. */
uint32_t route_kernel_set(struct route *route, uint32_t index);

/* Decide. answer points into route until its next call. Never fails: a refusal is an answer. */
void route_decide(struct route *route, const struct stock_view *view,
                  const struct route_request *request, struct route_answer *answer);

/* What stands between a node and a group of the order (why.c). Values are in steps of the term or
 * fence (strategy.h), metres where it is TOO_FAR. */
struct route_why_fence {
    uint8_t reject; /* enum reject */
    uint8_t fence;  /* enum strategy_fence_kind, of STRATEGY_FENCED */
    bool has_values;
    uint64_t is, needs;
};

struct route_why_item { /* of which it has too little */
    uint32_t item, wanted, free;
};

struct route_why_term {
    uint8_t term; /* enum strategy_term_kind */
    uint32_t weight;
    uint64_t is, best;
};

enum { ROUTE_WHY_FENCES_MAX = 24, ROUTE_TERMS_MAX = 8 /* of a strategy */ };

struct route_why {
    uint16_t node;
    enum service service;
    uint32_t metres;
    uint32_t fence_count, item_count;
    struct route_why_fence fences[ROUTE_WHY_FENCES_MAX];
    struct route_why_item items[ROUTE_LINES_MAX];
    uint16_t best; /* the single source, NODE_NONE = no node holds all */
    uint32_t best_metres;
    bool is_weighted;
    uint32_t term_count; /* 0: there is no other node to compare with */
    struct route_why_term terms[ROUTE_TERMS_MAX];
};

/* Decide, and before each group tell what is in the node's way. */
typedef void route_why_visit(void *owner, const struct route_why *why);
void route_why(struct route *route, const struct stock_view *view,
               const struct route_request *request, uint16_t node, route_why_visit *visit,
               void *owner, struct route_answer *answer);

/* The common case split in two, for batches: one group, no fixed place, one node holds all.
 *
 * route_guess finds the best node that may hold everything, or NODE_NONE (no single source, or
 * a request that is not of the common case: decide it in full). Give prefetched rows; where a row
 * is a bitmap it goes by the hint, which may err upward, and reads no cell.
 *
 * The guess is the best of all nodes that had enough, and more; so while free stock only falls
 * and the node still holds all of it, it is the best. When neither network nor policies changed
 * and no free stock of its items grew since, route_confirm says whether it stands, and fills the
 * answer exactly as route_decide would; where it does not, decide in full.
 *
 * Stages of a batch: route_prefetch, route_prefetch_rows, route_guess, route_guess_prefetch_places,
 * route_guess_prefetch, then
 * in request order route_confirm, else route_decide. */
struct route_guess {
    uint16_t node;
    uint32_t metres; /* 0 by route_guess: the answer tells them */
};

/* What a strategy's guess is measured by until it is confirmed: the values of its terms, and the
 * least that others score. Scratch of the router, which fills it in and reads it. */
struct route_rank {
    bool has_other;
    uint32_t values[ROUTE_TERMS_MAX];
    uint64_t others[ROUTE_TERMS_MAX]; /* keys of the best of them, or less */
    struct route_guess other;             /* NODE_NONE: less than any with equal keys */
    uint64_t reach; /* the search left out what has a greater first key than that */
};

/* Two stages before route_guess: the heads of the rows of the lines' items (the items themselves
 * should be in cache), then what the search reads of them. dest: NULL = none is known; rule: the
 * strategy, NULL = nearest. */
void route_prefetch(const struct route *route, const struct stock_view *view,
                    const struct route_line *lines, uint32_t count, const struct geo_point *dest);
void route_prefetch_rows(const struct route *route, const struct stock_view *view,
                         const struct route_line *lines, uint32_t count,
                         const struct geo_point *dest, const struct strategy *rule);

void route_guess(struct route *route, const struct stock_view *view,
                 const struct route_request *request, struct route_guess *guess);
/* The same where a strategy decides. It is void as well when the load or the declines of any node
 * fell since and the strategy looks at these (strategy.h, is_moving). */
void route_guess_ruled(struct route *route, const struct stock_view *view,
                       const struct route_request *request, struct route_guess *guess,
                       struct route_rank *rank);
/* Two stages behind it: what finding the guessed node's cells reads, then the cells. */
void route_guess_prefetch_places(const struct stock_view *view, const struct route_line *lines,
                                 uint32_t count, const struct route_guess *guess);
void route_guess_prefetch(const struct stock_view *view, const struct route_line *lines,
                          uint32_t count, const struct route_guess *guess);
bool route_confirm(struct route *route, const struct stock_view *view,
                   const struct route_request *request, const struct route_guess *guess,
                   struct route_answer *answer);
bool route_confirm_ruled(struct route *route, const struct stock_view *view,
                         const struct route_request *request, const struct route_guess *guess,
                         const struct route_rank *rank, struct route_answer *answer);

/* The k nearest nodes that have sets of these lines free, qty of them at least (stock.find): one
 * line of one unit for an item, a line for each component of a kit. Nearest first, max_m as above;
 * service < 0: any, the lines tell standard. Without a destination: by node handle. Returns how
 * many. */
struct route_near {
    uint16_t node;
    uint32_t metres;
    uint32_t free;
};

/* The k nearest nodes (k >= 1) that may serve the request's first group, whatever they have in
 * stock, nearest first; it has a destination. Returns how many. */
uint32_t route_nodes_near(struct route *route, const struct stock_view *view,
                          const struct route_request *request, uint32_t k, struct route_near *out);

uint32_t route_nearest(struct route *route, const struct stock_view *view,
                       const struct route_line *lines, uint32_t line_count, uint32_t qty,
                       const struct route_request *where, int service, uint32_t k,
                       struct route_near *out);

#endif
