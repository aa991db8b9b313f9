/* The answer: parts, shares of lines, what stayed unfilled. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

_Static_assert(ROUTE_LINES_MAX <= ROUTE_PARTS_MAX, "from_of_key holds lines and parts");

enum {
    FEW_NODES = 8,    /* of a plan, whose cells are found one by one */
    PLACED_STEPS = 40 /* that an item takes which is placed */
};

void answer_begin(struct route *route, struct route_answer *answer)
{
    route->answer = answer;
    *answer = (struct route_answer){.status = ORDER_ROUTED,
                                    .reason = REASON_NONE,
                                    .parts = route->parts,
                                    .shares = route->shares,
                                    .unfilled = route->unfilled,
                                    .is_optimal = true,
                                    .rejects = route->rejects};
}

uint32_t answer_add_part(struct route *route, uint16_t node, uint32_t metres)
{
    struct route_answer *answer = route->answer;
    const struct node_hot *at = &route->view->network->hot[node];
    CHECK(answer->part_count < ROUTE_PARTS_MAX);
    route->parts[answer->part_count] = (struct route_part){
        .node = node,
        .way = (uint8_t)(node == route->group.to
                             ? WAY_PICKUP
                             : node_type_way((enum node_type)at->type, route->group.service)),
        .service = (uint8_t)route->group.service,
        .metres = metres,
        .cost_cents = at->handling_cents};
    answer->total_m += metres;
    return answer->part_count++;
}

static bool add_share(struct route *route, uint32_t part, uint32_t line, uint32_t qty)
{
    struct route_answer *answer = route->answer;
    if (answer->share_count == ROUTE_SHARES_MAX) {
        return false;
    }
    route->shares[answer->share_count++] = (struct route_share){part, line, qty};
    return true;
}

/* Later groups of the order find less. */
static void take_line(struct route *route, uint32_t line, uint16_t node, uint32_t qty)
{
    take(route, route->request->lines[line].item, node, qty);
}

bool answer_add_single(struct route *route, uint16_t node, uint32_t metres)
{
    const struct group *group = &route->group;
    bool is_last = group->line_count == route->request->line_count;
    if (route->answer->part_count == ROUTE_PARTS_MAX) {
        answer_refuse(route, REASON_MAX_SPLITS_EXCEEDED);
        return false;
    }
    uint32_t part = answer_add_part(route, node, metres);
    bool has_room = true;
    for (uint32_t i = 0; i < group->line_count && has_room; i++) {
        uint32_t line = route->lines[i];
        uint32_t qty = route->request->lines[line].qty;
        has_room = add_share(route, part, line, qty);
        if (!is_last && has_room) {
            take_line(route, line, node, qty);
        }
    }
    if (!has_room) {
        answer_refuse(route, REASON_MAX_SPLITS_EXCEEDED);
    }
    return has_room;
}

/* The group's lines by item, in request order. */
static void chain_lines(struct route *route)
{
    for (uint32_t item = 0; item < route->group.demand_count; item++) {
        route->first_of_item[item] = UINT32_MAX;
    }
    for (uint32_t i = route->group.line_count; i-- > 0;) {
        uint32_t *first = &route->first_of_item[route->demand_of[route->lines[i]]];
        route->next_of_item[i] = *first;
        *first = i;
    }
}

static bool hold_part(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    (void)item;
    uint32_t part = route->part_of_slot[slot];
    route->free_of_part[part] = free;
    route->holders[route->holder_count++] = (uint16_t)part;
    return true;
}

/* What the plan's nodes have free of the item: of few nodes asked one by one, of many by the
 * item's row. */
static void list_holders(struct route *route, const uint16_t *nodes, uint32_t count, uint32_t item)
{
    route->holder_count = 0;
    if (count > FEW_NODES) {
        split_visit(route, item, route->planned, hold_part);
        return;
    }
    for (uint32_t part = 0; part < count; part++) {
        uint32_t free = demand_free(route, &route->demands[item], nodes[part]);
        if (free > 0) {
            route->free_of_part[part] = free;
            route->holders[route->holder_count++] = (uint16_t)part;
        }
    }
}

/* Share and, where later groups come, what they do not find any more. */
static bool give_whole(struct route *route, uint16_t node, uint32_t part, uint32_t line,
                       uint32_t qty)
{
    if (route->group.line_count < route->request->line_count) {
        take_line(route, line, node, qty);
    }
    return add_share(route, part, line, qty);
}

static bool give(struct route *route, const uint16_t *nodes, uint32_t part, uint32_t line,
                 uint32_t qty)
{
    route->free_of_part[part] -= qty;
    return give_whole(route, nodes[part], part, line, qty);
}

/* The line whole from the nearest node that can hold it, else spread nearest first. Parts are
 * numbered like nodes. */
static bool place_line(struct route *route, const uint16_t *nodes, uint32_t count, uint32_t line,
                       uint32_t qty)
{
    uint32_t nearest = UINT32_MAX;
    for (uint32_t i = 0; i < route->holder_count; i++) {
        uint32_t part = route->holders[i];
        nearest = route->free_of_part[part] >= qty && part < nearest ? part : nearest;
    }
    if (nearest != UINT32_MAX) {
        return give(route, nodes, nearest, line, qty);
    }
    for (uint32_t part = 0; part < count && qty > 0; part++) {
        uint32_t free = route->free_of_part[part];
        uint32_t units = free < qty ? free : qty;
        if (units > 0 && !give(route, nodes, part, line, units)) {
            return false;
        }
        qty -= units;
    }
    CHECK(qty == 0);
    return true;
}

/* Of an item of one line in a bitmap row the nearest part that holds it whole, UINT32_MAX: none.
 * Only the cells of nodes that may have some are read, nearest first. */
static uint32_t nearest_whole(const struct route *route, const uint16_t *nodes, uint32_t count,
                              uint32_t item, uint32_t qty)
{
    const struct demand *demand = &route->demands[item];
    uint32_t words = demand->row && demand->row->kind == ROW_BITMAP ? demand->row->words : 0;
    const uint64_t *maybe = words ? row_maybe(demand->row) : NULL;
    for (uint32_t part = 0; part < count && words; part++) {
        uint32_t slot = route->slot_of_part[part];
        bool is_able = slot / 64 < words &&
                       __atomic_load_n(&maybe[slot / 64], __ATOMIC_RELAXED) >> (slot % 64) & 1;
        if (is_able && demand_free(route, demand, nodes[part]) >= qty) {
            return part;
        }
    }
    return UINT32_MAX;
}

static bool place_item(struct route *route, const uint16_t *nodes, uint32_t count, uint32_t item,
                       const uint32_t *qty_of_line)
{
    bool has_room = true;
    uint32_t first = route->first_of_item[item];
    uint32_t line = route->lines[first];
    if (route->next_of_item[first] == UINT32_MAX) {
        uint32_t qty = qty_of_line[first];
        uint32_t part = qty ? nearest_whole(route, nodes, count, item, qty) : 0;
        if (qty == 0 || part != UINT32_MAX) {
            return qty == 0 || give_whole(route, nodes[part], part, line, qty);
        }
    }
    list_holders(route, nodes, count, item);
    for (uint32_t i = route->first_of_item[item]; i != UINT32_MAX && has_room;
         i = route->next_of_item[i]) {
        if (qty_of_line[i] > 0) {
            has_room = place_line(route, nodes, count, route->lines[i], qty_of_line[i]);
        }
    }
    for (uint32_t i = 0; i < route->holder_count; i++) {
        route->free_of_part[route->holders[i]] = 0;
    }
    return has_room;
}

/* One pass of a stable counting sort of the shares from first on, by key below count. */
static void sort_pass(struct route *route, uint32_t first, bool is_by_line, uint32_t count)
{
    uint32_t end = route->answer->share_count;
    uint32_t *from = route->from_of_key;
    memset(from, 0, (count + 1) * sizeof *from);
    for (uint32_t i = first; i < end; i++) {
        const struct route_share *share = &route->shares[i];
        from[(is_by_line ? share->line : share->part) + 1]++;
        route->sorted_shares[i] = *share;
    }
    for (uint32_t key = 0; key < count; key++) {
        from[key + 1] += from[key];
    }
    for (uint32_t i = first; i < end; i++) {
        const struct route_share *share = &route->sorted_shares[i];
        route->shares[first + from[is_by_line ? share->line : share->part]++] = *share;
    }
}

/* Make parts of the nodes that have shares from first on, and number the shares by them. */
static uint32_t add_parts(struct route *route, const uint16_t *nodes, uint32_t count,
                          uint32_t first)
{
    uint32_t added = 0;
    uint32_t last = UINT32_MAX;
    uint32_t part = 0;
    sort_pass(route, first, true, route->request->line_count);
    sort_pass(route, first, false, count);
    for (uint32_t i = first; i < route->answer->share_count; i++) {
        struct route_share *share = &route->shares[i];
        if (share->part != last) {
            last = share->part;
            part = answer_add_part(route, nodes[last], group_metres(route, nodes[last]));
            added++;
        }
        share->part = part;
    }
    return added;
}

static void mark_planned(struct route *route, const uint16_t *nodes, uint32_t count)
{
    memset(route->planned, 0, route->view->network->words * sizeof *route->planned);
    for (uint32_t part = 0; part < count; part++) {
        uint32_t slot = route->view->network->nodes[nodes[part]].slot;
        route->planned[slot / 64] |= (slot_bits)1 << (slot % 64);
        route->part_of_slot[slot] = (uint16_t)part;
        route->slot_of_part[part] = (uint16_t)slot;
    }
}

bool answer_add_plan(struct route *route, const uint16_t *nodes, uint32_t count,
                     const uint32_t *qty_of_line)
{
    uint32_t first_share = route->answer->share_count;
    if (route->answer->part_count + count > ROUTE_PARTS_MAX) {
        return false;
    }
    chain_lines(route);
    mark_planned(route, nodes, count);
    for (uint32_t item = 0; item < route->group.demand_count; item++) {
        if (!place_item(route, nodes, count, item, qty_of_line)) {
            return false;
        }
        work(route, PLACED_STEPS);
    }
    uint32_t added = add_parts(route, nodes, count, first_share);
    route->answer->splits += added - 1;
    return true;
}

void answer_add_unfilled(struct route *route, uint32_t line, uint32_t qty, uint32_t available,
                         enum reason reason)
{
    struct route_answer *answer = route->answer;
    CHECK(answer->unfilled_count < ROUTE_LINES_MAX);
    route->unfilled[answer->unfilled_count++] =
        (struct route_unfilled){line, qty, available, reason};
}

void answer_refuse(struct route *route, enum reason reason)
{
    struct route_answer *answer = route->answer;
    answer->status = ORDER_REFUSED;
    answer->reason = reason;
    answer->part_count = 0;
    answer->share_count = 0;
    answer->splits = 0;
    answer->total_m = 0;
}

/* Unfilled lines of several groups, in line order: each line is there at most once. */
static void sort_unfilled(struct route *route)
{
    uint32_t count = 0;
    for (uint32_t line = 0; line < route->request->line_count; line++) {
        route->unfilled_of_line[line] = UINT32_MAX;
    }
    for (uint32_t i = 0; i < route->answer->unfilled_count; i++) {
        route->sorted_unfilled[i] = route->unfilled[i];
        route->unfilled_of_line[route->unfilled[i].line] = i;
    }
    for (uint32_t line = 0; line < route->request->line_count; line++) {
        if (route->unfilled_of_line[line] != UINT32_MAX) {
            route->unfilled[count++] = route->sorted_unfilled[route->unfilled_of_line[line]];
        }
    }
    CHECK(count == route->answer->unfilled_count);
}

/* A group was explained in case the order would be refused for it. */
static void forget_explanation(struct route *route)
{
    struct route_answer *answer = route->answer;
    if (route->request->explain == 0) {
        answer->candidates = 0;
        answer->reject_count = 0;
        memset(answer->rejected, 0, sizeof answer->rejected);
    }
}

void answer_end(struct route *route)
{
    struct route_answer *answer = route->answer;
    if (answer->unfilled_count > 1) {
        sort_unfilled(route);
    }
    if (answer->status == ORDER_REFUSED) {
        return;
    }
    if (answer->share_count > 0 && !fence_dates(route)) {
        answer_refuse(route, REASON_PROMISE_NOT_MET);
        return;
    }
    if (answer->share_count == 0) {
        answer_refuse(route, route->unfilled[0].reason);
    } else if (answer->unfilled_count > 0) {
        answer->status = ORDER_PARTIAL;
        forget_explanation(route);
    }
}
