/* What the files of the decision share: the scratch, the group being decided, its steps. */
#ifndef ROUTE_INTERNAL_H
#define ROUTE_INTERNAL_H

#include "nearest_kernel.h"
#include "route.h"
#include "timing.h"

enum {
    ITEM_TABLE = 4096,  /* open addressing over the items of a group */
    TAKE_TABLE = 16384, /* open addressing over what earlier groups took */
    PLACE_KEYS = SERVICE_COUNT << 16
};

enum { NEAR_WORDS = 40, NEAR_AHEAD = 16, NEAR_LINES = 7, NEAR_WAYS = 4, NEAR_AREAS = 4096 };

/* The nearest words of an area (near_area.c). What most searches read stands first: the words, and
 * the bounds of NEAR_AHEAD of them, on three cache lines; and the lines of a bitmap row that have
 * these (row_maybe_line). */
struct near_area {
    _Alignas(64) bool is_filled;
    uint8_t visits; /* before it was */
    uint16_t count;
    float end; /* chord from any place of the area, at least, of all words that are not listed */
    uint8_t line_count;
    uint8_t lines[NEAR_LINES];
    uint16_t words[NEAR_WORDS];
    float bounds[NEAR_WORDS]; /* the same of those that are; rising */
};

struct near_areas {
    const struct network *network; /* that the lists are of, as its caps were then: */
    uint64_t version;
    uint32_t turn;
    uint32_t keys[NEAR_AREAS]; /* sets of NEAR_WAYS; 0 = none */
    struct near_area areas[NEAR_AREAS];
};

/* The list of the place's area; NULL where the area was not asked for lately. */
const struct near_area *near_area_at(struct near_areas *areas, const struct network *network,
                                     const float place[3]);

/* The same without remembering or filling, to be brought near ahead. */
const struct near_area *near_area_known(const struct near_areas *areas,
                                        const struct network *network, const float place[3]);

/* One item of the group, its quantities summed. */
struct demand {
    uint32_t item;
    uint32_t qty;
    struct row *row; /* never changed here; NULL = no cell anywhere */
};

/* Lines with equal service and place. One is being decided at a time. */
struct group {
    enum service service;
    uint16_t place; /* fixed place, else NODE_NONE */
    uint16_t to;    /* the store that it is sent to, else NODE_NONE */
    uint32_t line_count;
    uint32_t demand_count;
    bool has_bars;         /* some item may be barred somewhere */
    const slot_bits *base; /* nodes that pass all but reach, unlisted items and stock */
    uint32_t reach_m;      /* no candidate is farther; ROUTE_NO_LIMIT = any distance */
    uint32_t max_nodes;    /* of a plan */
};

struct item_slot {
    uint64_t stamp;
    uint32_t item;
    uint32_t demand;
};

struct take_slot {
    uint64_t stamp;
    uint32_t item;
    uint32_t node;
    uint32_t qty;
};

/* A group before it is decided: a chain of lines. */
struct pending {
    uint32_t key; /* service << 16 | node */
    uint32_t first;
    uint32_t last;
};

/* Fences that a refusal is named after, when it would not be one without them. */
enum fence { FENCE_CAPACITY = 1, FENCE_PROMISE = 2 };

struct carried; /* destinations met before, in carried.c */
struct faces;   /* what words of nodes have in common, in strategy_bound.c */
struct split; /* scratch of the split search, in split_internal.h */

/* A node that a decision is to tell about; visit NULL = none. */
struct why_ask {
    uint16_t node;
    route_why_visit *visit;
    void *owner;
};

/* The scratch of one deciding thread. */
struct route {
    /* -- set at route_new -- */
    const struct nearest_kernel *kernel;
    struct split *split;
    struct carried *carried;
    struct faces *faces;
    uint32_t steps_max;
    uint32_t slice_steps;
    route_pause *pause;
    void *pause_owner;

    int64_t slice_left; /* steps until the next pause */

    /* -- the call -- */
    const struct stock_view *view;
    struct stock_view channel_view; /* of a request with a channel */
    const struct route_request *request;
    struct route_request store_request; /* of a group that goes to a store */
    struct route_answer *answer;
    uint64_t stamp; /* of the tables below; grows with every group */

    /* -- the group being decided -- */
    struct group group;
    struct demand demands[ROUTE_LINES_MAX];
    uint32_t lines[ROUTE_LINES_MAX];     /* of the group, in request order */
    uint16_t demand_of[ROUTE_LINES_MAX]; /* by line of the request */
    struct item_slot items[ITEM_TABLE];
    slot_bits base[WORD_MAX_NETWORK];

    /* -- the groups of the order -- */
    struct pending pending[ROUTE_LINES_MAX];
    uint32_t next_line[ROUTE_LINES_MAX];
    uint64_t key_stamp[PLACE_KEYS];
    uint16_t key_group[PLACE_KEYS];
    uint64_t order_stamp; /* of key_stamp and takes; grows with every order */
    bool has_takes;
    uint32_t earlier_parts;     /* of the answer: those of groups decided before this one */
    uint32_t relaxed;           /* bits of enum fence that do not count */
    struct promise_place place; /* the destination */
    struct why_ask why;
    bool is_ruled; /* a strategy decides the group */
    uint32_t keep; /* units of each item that it leaves at a node */
    uint64_t grams; /* of the group, where a strategy decides it */
    struct take_slot takes[TAKE_TABLE];

    /* -- nearest search -- */
    int64_t cap_keys[WORD_MAX_NETWORK + KEY_BLOCK];
    slot_bits found[WORD_MAX_NETWORK];
    slot_bits listed[WORD_MAX_NETWORK];
    struct near_areas areas;

    /* -- the answer -- */
    struct route_part parts[ROUTE_PARTS_MAX];
    struct route_share shares[ROUTE_SHARES_MAX];
    struct route_unfilled unfilled[ROUTE_LINES_MAX];
    struct route_reject rejects[ROUTE_NODES_LISTED_MAX];
    struct route_share sorted_shares[ROUTE_SHARES_MAX]; /* room to sort in */
    struct route_unfilled sorted_unfilled[ROUTE_LINES_MAX];
    uint32_t from_of_key[ROUTE_PARTS_MAX + 1];
    uint32_t first_of_item[ROUTE_LINES_MAX]; /* place in lines of an item's first line */
    uint32_t next_of_item[ROUTE_LINES_MAX];
    slot_bits planned[WORD_MAX_NETWORK]; /* the plan that is being filled in */
    uint16_t part_of_slot[SLOT_MAX];
    uint16_t slot_of_part[ROUTE_PARTS_MAX];
    uint32_t free_of_part[ROUTE_PARTS_MAX]; /* of one item; 0 between items */
    uint16_t holders[ROUTE_PARTS_MAX];      /* parts that have some of it */
    uint32_t holder_count;
    uint32_t unfilled_of_line[ROUTE_LINES_MAX];
};

/* -- route.c: pauses -- */

/* The slice is over. */
void slice_end(struct route *route);

/* So many steps were done, and here nothing is half done that others could see. */
static inline void work(struct route *route, uint32_t steps)
{
    route->slice_left -= steps;
    if (route->slice_left < 0) {
        slice_end(route);
    }
}

/* -- group.c: lines to groups, and what holds for all nodes -- */

/* Make a group of the lines in route->lines: demands, base, reach. max_nodes is the caller's. */
void group_begin(struct route *route, uint32_t line_count);

/* Make base anew without regard to items: service, destination, the request's lists of nodes, and
 * unless is_static what holds of the present time: marks of nodes, capacity, promises. */
void group_fences(struct route *route, bool is_static);

/* Make base anew after service or destination changed. */
void group_refence(struct route *route);

/* Nodes that bar some item of the group, by slot. */
void group_bars(const struct route *route, slot_bits *barred);

/* Add the nodes where some item of the group is not listed, by slot; of a fixed place only it. */
void group_unlisted(const struct route *route, slot_bits *unlisted);

/* Take those out of base. One node alone need not be looked at: it has nothing free of them. */
void group_drop_unlisted(struct route *route);

/* Units of the demand's item free at the node for this group, bars aside. */
uint32_t demand_free(const struct route *route, const struct demand *demand, uint16_t node);

/* Whether the node holds every quantity of the group; bars aside. */
bool group_holds(const struct route *route, uint16_t node);

/* Whether metres count: not without a destination, nor for a pickup at a given node. */
bool group_is_measured(const struct route *route);

/* Metres to the node as the contract counts them for the group's service and place. */
uint32_t group_metres(const struct route *route, uint16_t node);

/* Whether the node passes all but stock and unlisted items. */
bool group_takes_node(const struct route *route, uint16_t node, uint32_t metres);

/* Order of ids as texts. */
int node_compare(const struct network *network, uint16_t a, uint16_t b);

/* Units that earlier groups of the order took from the cell. */
uint32_t taken(const struct route *route, uint32_t item, uint16_t node);
void take(struct route *route, uint32_t item, uint16_t node, uint32_t qty);

/* Farthest chord, with room for float errors, at which a node within metres can lie. */
float chord_limit(uint32_t metres);

/* Whether float chords, squared, tell that the first node is nearer in whole metres. */
bool chord_tells(float near_2, float far_2);

/* Make sure that base is the group's own copy. */
void group_base_copy(struct route *route);

/* -- carried.c: next_day by carriers -- */

ERR_MUST_USE enum err carried_new(struct carried **out);
void carried_free(struct carried *carried);

/* Of the nodes without a reach for the group's service those from which a carrier delivers to the
 * destination by the next working day, by slot; NULL: none. Kept until rows or nodes change. */
const slot_bits *carried_nodes(const struct route *route);

/* Whether the node offers the group's service to the destination: by its reach, which is not looked
 * at here, or by a carrier. */
bool carried_offers(const struct route *route, const struct node *node);

/* Add those nodes to base; unless is_static only those that no mark takes out. */
void carried_add(struct route *route, bool is_static);

/* -- fence.c: time and promises -- */

/* Of base as it begins: full nodes come back where capacity does not count. */
void fence_full(struct route *route);

/* Take nodes without capacity for the group, and late ones, out of base. */
void fence_time(struct route *route);

/* The reasons of time that take the node out, a bit per enum reject; the first of them. */
uint32_t fence_rejects(const struct route *route, uint16_t node);
enum reject fence_reject(const struct route *route, uint16_t node);

/* Work out the request's destination as lanes and roads name it. */
void fence_place(struct route *route);

/* What the node promises for the group. */
void fence_promise(const struct route *route, uint16_t node, uint32_t metres, uint64_t grams,
                   struct promise *promise);

/* Put dates, and what carriers cost, into the parts of the answer. False: too late for what was
 * asked. */
bool fence_dates(struct route *route);

/* -- nearest.c -- */

/* The best node that holds the whole group, or NODE_NONE. Places that are not fixed only.
 * is_by_hint: of bitmap rows the hint counts, no cell is read: the best of a few too many, which is
 * not measured (metres 0). */
struct route_guess nearest_source(struct route *route, bool is_by_hint);

/* Every slot of base that may hold the whole group, into route->found; each item has a row. Those
 * of one word. */
void nearest_able(struct route *route);
slot_bits nearest_word(const struct route *route, uint32_t word);

/* Whether some row of the group is a list; whether the node holds what is asked of those. */
bool nearest_has_list(const struct route *route);
bool nearest_lists_hold(const struct route *route, uint16_t node);

/* -- split.c: groups that no single node holds, fixed places, partial answers -- */

ERR_MUST_USE enum err split_new(struct split **out);
void split_free(struct split *split);

/* Decide the group and add its parts to the answer; false: the order is refused. */
bool split_decide(struct route *route);

/* -- why.c -- */

/* Tell about the node that is asked for; source finds the best single source. */
void why_group(struct route *route, struct route_guess (*source)(struct route *route));

/* -- explain.c -- */

/* Count why the nodes that are not parts from first_part on were not chosen for the group. */
void explain_group(struct route *route, uint32_t first_part);

/* -- kits.c: groups with lines that must come whole from one node -- */

/* Decide such a group, which was begun: from one node, else each kit by itself and then the rest.
 * False: the order is refused. */
bool kits_decide(struct route *route, const struct pending *pending);

/* -- route.c -- */

/* The best node that holds all of the group, by the order's strategy; or NODE_NONE. */
struct route_guess single_source(struct route *route);

/* Decide the group that was begun, which has no kits. False: the order is refused. */
bool group_decide(struct route *route);

/* The group goes to a store: that is its destination from now on, in place of the order's. */
void to_store_begin(struct route *route);

/* The store that the group is sent to holds all of it: a pickup, no parcel. */
bool store_holds(struct route *route, uint16_t store);

/* Begin a call: nothing taken yet. */
void route_begin(struct route *route, const struct stock_view *view,
                 const struct route_request *request);

/* -- fill.c: answers -- */

void answer_begin(struct route *route, struct route_answer *answer);

/* Add a part; its index. The caller has checked that there is room. */
uint32_t answer_add_part(struct route *route, uint16_t node, uint32_t metres);

/* The whole group from one node. False: the answer had no room and became a refusal. */
bool answer_add_single(struct route *route, uint16_t node, uint32_t metres);

/* The group's lines from the nodes of a plan, nearest first, each line qty_of_line units (indexed
 * like route->lines), and take them from the cells. False: the answer has no room. */
bool answer_add_plan(struct route *route, const uint16_t *nodes, uint32_t count,
                     const uint32_t *qty_of_line);

void answer_add_unfilled(struct route *route, uint32_t line, uint32_t qty, uint32_t available,
                         enum reason reason);

/* Turn the answer into a refusal; the unfilled lines of this group stay. */
void answer_refuse(struct route *route, enum reason reason);

/* Sort what is left to sort and set status, splits and sums. */
void answer_end(struct route *route);

#endif
