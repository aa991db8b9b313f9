/* Groups with kits: lines of one number, the components of a kit, come whole from one node.
 *
 * A group that some node holds whole comes from there, as any other; else from the best set of
 * nodes (kits_search.c). Where there is none, or none was found, each kit is a group of its own, in
 * line order: the best node that holds it whole, or none. What lines are left are then decided
 * last, by the search for several nodes. Parts of the group at one node are one part. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"
#include "strategy_route_internal.h"

/* -- one node -- */

/* The best node that holds the group, where there is no destination: by priority, then id. */
static uint16_t anywhere(struct route *route)
{
    const struct network *network = route->view->network;
    const struct row *row = route->demands[0].row;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint16_t best = NODE_NONE;
    if (!row) {
        return NODE_NONE;
    }
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        uint16_t node = network->node_of_slot[slot];
        if (!group_takes_node(route, node, 0) || !group_holds(route, node)) {
            continue;
        }
        int32_t own = network->nodes[node].config.priority;
        int32_t other = best == NODE_NONE ? 0 : network->nodes[best].config.priority;
        bool is_better = best == NODE_NONE || own < other ||
                         (own == other && node_compare(network, node, best) < 0);
        best = is_better ? node : best;
    }
    return best;
}

/* The node that the group comes from whole, or NODE_NONE. */
static struct route_guess single(struct route *route)
{
    uint16_t place = route->group.place;
    struct route_guess none = {NODE_NONE, 0};
    if (route->group.service == SERVICE_SHIP_TO_STORE) {
        to_store_begin(route);
        struct route_guess store = {place, 0};
        if (store_holds(route, place)) {
            return store;
        }
        strategy_begin(route);
        return single_source(route);
    }
    if (place != NODE_NONE) {
        uint32_t metres = group_metres(route, place);
        bool is_carried = route->group.service == SERVICE_CARRY_OUT; /* it is gone already */
        bool is_able = group_takes_node(route, place, metres) &&
                       (is_carried || group_holds(route, place));
        return is_able ? (struct route_guess){place, metres} : none;
    }
    if (route->request->has_dest) {
        return single_source(route);
    }
    return (struct route_guess){anywhere(route), 0};
}

/* -- a kit by itself -- */

static void begin_lines(struct route *route, const struct pending *pending, uint16_t kit)
{
    uint32_t count = 0;
    for (uint32_t line = pending->first; line != UINT32_MAX; line = route->next_line[line]) {
        if (route->request->lines[line].kit == kit) {
            route->lines[count++] = line;
        }
    }
    group_begin(route, count);
    strategy_begin(route);
}

/* Units of the demand free at candidates. */
static uint32_t available(struct route *route, const struct demand *demand)
{
    const struct network *network = route->view->network;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint64_t sum = 0;
    if (!demand->row) {
        return 0;
    }
    row_walk_begin(demand->row, &walk);
    while (row_walk_next(demand->row, &walk, &slot, &index)) {
        uint16_t node = network->node_of_slot[slot];
        bool is_place = route->group.place == NODE_NONE || route->group.place == node;
        if (is_place && group_takes_node(route, node, group_metres(route, node))) {
            sum += demand_free(route, demand, node);
        }
    }
    return sum < UINT32_MAX ? (uint32_t)sum : UINT32_MAX;
}

/* Whether any node passes all but stock. */
static bool has_candidate(const struct route *route)
{
    const struct network *network = route->view->network;
    uint16_t place = route->group.place;
    if (place != NODE_NONE) {
        return group_takes_node(route, place, group_metres(route, place));
    }
    for (uint32_t node = 0; node < network->count; node++) {
        uint16_t at = (uint16_t)node;
        if (group_takes_node(route, at, group_metres(route, at))) {
            return true;
        }
    }
    return false;
}

/* No node has the lines whole. False: the order is refused. */
static bool fail(struct route *route, bool allow_partial)
{
    enum reason reason =
        has_candidate(route) ? REASON_INSUFFICIENT_STOCK : REASON_NO_FEASIBLE_SOURCE;
    for (uint32_t i = 0; i < route->group.line_count; i++) {
        uint32_t line = route->lines[i];
        const struct demand *demand = &route->demands[route->demand_of[line]];
        answer_add_unfilled(route, line, route->request->lines[line].qty, available(route, demand),
                            reason);
    }
    if (!allow_partial) {
        answer_refuse(route, reason);
    }
    return allow_partial;
}

static bool kit_decide(struct route *route, const struct pending *pending, uint16_t kit)
{
    const struct route_request *request = route->request;
    begin_lines(route, pending, kit);
    struct route_guess best = single(route);
    bool is_decided = best.node != NODE_NONE ? answer_add_single(route, best.node, best.metres)
                                             : fail(route, request->allow_partial);
    route->request = request;
    return is_decided;
}

/* -- the group -- */

/* Parts from first_part on that one node sends are one. */
static void parts_merge(struct route *route, uint32_t first_part, uint32_t first_share)
{
    struct route_answer *answer = route->answer;
    uint32_t *part_now = route->from_of_key;
    uint32_t kept = first_part;
    for (uint32_t i = first_part; i < answer->part_count; i++) {
        uint32_t to = first_part;
        while (to < kept && (route->parts[to].node != route->parts[i].node ||
                             route->parts[to].way != route->parts[i].way)) {
            to++;
        }
        answer->total_m -= to < kept ? route->parts[i].metres : 0;
        part_now[i] = to;
        route->parts[to] = route->parts[i];
        kept += to == kept;
    }
    for (uint32_t i = first_share; i < answer->share_count; i++) {
        route->shares[i].part = part_now[route->shares[i].part];
    }
    answer->part_count = kept;
}

static bool is_before(const void *owner, uint32_t a, uint32_t b)
{
    const struct route *route = owner;
    const struct route_share *x = &route->shares[a];
    const struct route_share *y = &route->shares[b];
    return x->part != y->part ? x->part < y->part : x->line < y->line;
}

static void swap_shares(void *owner, uint32_t a, uint32_t b)
{
    struct route_share *shares = ((struct route *)owner)->shares;
    struct route_share moved = shares[a];
    shares[a] = shares[b];
    shares[b] = moved;
}

static bool has_rest(const struct route *route, const struct pending *pending)
{
    uint32_t line = pending->first;
    while (line != UINT32_MAX && route->request->lines[line].kit != 0) {
        line = route->next_line[line];
    }
    return line != UINT32_MAX;
}

/* Each kit, then what is left. False: the order is refused. */
static bool decide_apart(struct route *route, const struct pending *pending)
{
    const struct route_request *request = route->request;
    uint16_t last = 0;
    for (uint32_t line = pending->first; line != UINT32_MAX; line = route->next_line[line]) {
        uint16_t kit = request->lines[line].kit;
        if (kit != 0 && kit != last && !kit_decide(route, pending, kit)) {
            return false;
        }
        last = kit;
    }
    if (!has_rest(route, pending)) {
        return true;
    }
    begin_lines(route, pending, 0);
    route->group.max_nodes = ROUTE_PARTS_MAX;
    bool is_decided = group_decide(route);
    route->request = request;
    return is_decided;
}

static const struct heap_order by_part = {is_before, swap_shares};

/* Lines of a kit, or those of none, in the place that the group goes to. */
static void begin_there(struct route *route, const struct pending *pending, uint16_t kit)
{
    begin_lines(route, pending, kit);
    if (route->group.service == SERVICE_SHIP_TO_STORE) {
        to_store_begin(route);
        strategy_begin(route);
    }
}

/* The lines that are no kits, from what the nodes of the plan have beside them. */
static bool place_rest(struct route *route, const struct pending *pending, const uint16_t *nodes,
                       uint32_t count)
{
    const struct route_request *request = route->request;
    uint32_t *qty = route->split->qty_of_line;
    if (!has_rest(route, pending)) {
        return true;
    }
    begin_there(route, pending, 0);
    for (uint32_t i = 0; i < route->group.line_count; i++) {
        qty[i] = request->lines[route->lines[i]].qty;
    }
    const bool is_placed = answer_add_plan(route, nodes, count, qty);
    route->request = request;
    return is_placed;
}

/* Each kit from its node of the plan, the other lines from all of them. */
static bool place_planned(struct route *route, const struct pending *pending, uint32_t count)
{
    struct split *split = route->split;
    const struct route_request *request = route->request;
    uint16_t nodes[KIT_NODES_MAX];
    bool is_placed = true;
    for (uint32_t i = 0; i < count; i++) {
        nodes[i] = split->near[i].node;
    }
    for (uint32_t i = 0; i < split->kits.count && is_placed; i++) {
        const uint16_t node = split->kits.node[i];
        begin_there(route, pending, split->kits.kit[i]);
        is_placed = answer_add_single(route, node, group_metres(route, node));
        route->request = request;
    }
    return is_placed && place_rest(route, pending, nodes, count);
}

/* What can be said of sets of several nodes; beyond: more than are allowed would do. */
static enum verdict search(struct route *route, const struct pending *pending, uint32_t max_nodes,
                           bool *is_beyond)
{
    const bool is_open = route->group.place == NODE_NONE ||
                         route->group.service == SERVICE_SHIP_TO_STORE;
    *is_beyond = false;
    if (!is_open) {
        return VERDICT_IMPOSSIBLE;
    }
    enum verdict verdict = kits_search(route, pending, 2, max_nodes);
    if (verdict == VERDICT_IMPOSSIBLE && max_nodes < KIT_NODES_MAX) {
        const uint32_t least = max_nodes < 2 ? 2 : max_nodes + 1;
        *is_beyond = kits_search(route, pending, least, KIT_NODES_MAX) == VERDICT_FOUND;
    }
    return verdict;
}

/* Kit by kit; what stands in the way is told by what the search said. */
static bool decide_greedily(struct route *route, const struct pending *pending,
                            enum verdict verdict, bool is_beyond)
{
    const bool is_decided = decide_apart(route, pending);
    const bool is_short = !is_decided && route->answer->reason == REASON_INSUFFICIENT_STOCK;
    if (is_short && (is_beyond || verdict == VERDICT_UNKNOWN)) {
        route->answer->unfilled_count = 0;
        answer_refuse(route, is_beyond ? REASON_MAX_SPLITS_EXCEEDED : REASON_SEARCH_LIMIT);
    }
    return is_decided;
}

bool kits_decide(struct route *route, const struct pending *pending)
{
    struct route_answer *answer = route->answer;
    const struct route_request *request = route->request;
    const bool is_ruled = route->is_ruled;
    uint32_t max_nodes = route->group.max_nodes;
    uint32_t first_part = answer->part_count;
    uint32_t first_share = answer->share_count;
    uint32_t splits = answer->splits;
    bool is_beyond;
    struct route_guess best = single(route);
    if (best.node != NODE_NONE) {
        return answer_add_single(route, best.node, best.metres);
    }
    enum verdict verdict = search(route, pending, max_nodes, &is_beyond);
    const bool is_found = verdict == VERDICT_FOUND;
    const bool is_best = is_found && route->split->is_optimal && !is_ruled;
    route->request = request;
    if (!(is_found ? place_planned(route, pending, route->split->best.count)
                   : decide_greedily(route, pending, verdict, is_beyond))) {
        return false;
    }
    parts_merge(route, first_part, first_share);
    heap_sort(route, &by_part, first_share, answer->share_count - first_share);
    uint32_t nodes = answer->part_count - first_part;
    answer->splits = splits + (nodes > 1 ? nodes - 1 : 0);
    answer->is_optimal = answer->is_optimal && (nodes <= 1 || is_best);
    if (nodes > max_nodes) {
        answer_refuse(route, verdict == VERDICT_UNKNOWN ? REASON_SEARCH_LIMIT
                                                        : REASON_MAX_SPLITS_EXCEEDED);
        return false;
    }
    return true;
}
