/* The answer: parts, shares of lines, what stayed unfilled. */
#include <string.h>

#include "check.h"
#include "route_internal.h"

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
        .way = (uint8_t)node_type_way((enum node_type)at->type, route->group.service),
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

static uint32_t line_free(const struct route *route, uint32_t line, uint16_t node)
{
    return demand_free(route, &route->demands[route->demand_of[line]], node);
}

/* The line whole from the nearest node that can hold it, else spread nearest first. Nodes and
 * parts run in parallel. */
static bool place_line(struct route *route, const uint16_t *nodes, uint32_t count, uint32_t first,
                       uint32_t line, uint32_t qty)
{
    for (uint32_t i = 0; i < count; i++) {
        if (line_free(route, line, nodes[i]) >= qty) {
            take_line(route, line, nodes[i], qty);
            return add_share(route, first + i, line, qty);
        }
    }
    for (uint32_t i = 0; i < count && qty > 0; i++) {
        uint32_t free = line_free(route, line, nodes[i]);
        uint32_t units = free < qty ? free : qty;
        if (units == 0) {
            continue;
        }
        if (!add_share(route, first + i, line, units)) {
            return false;
        }
        take_line(route, line, nodes[i], units);
        qty -= units;
    }
    CHECK(qty == 0);
    return true;
}

/* Shares from first on, made in line order, by part: a stable sort by counting. */
static void sort_shares(struct route *route, uint32_t first_part, uint32_t first)
{
    uint32_t end = route->answer->share_count;
    uint32_t *from = route->from_of_part;
    memset(from, 0, (route->answer->part_count - first_part + 1) * sizeof *from);
    for (uint32_t i = first; i < end; i++) {
        from[route->shares[i].part - first_part + 1]++;
        route->sorted_shares[i] = route->shares[i];
    }
    for (uint32_t part = first_part; part + 1 < route->answer->part_count; part++) {
        from[part - first_part + 1] += from[part - first_part];
    }
    for (uint32_t i = first; i < end; i++) {
        const struct route_share *share = &route->sorted_shares[i];
        route->shares[first + from[share->part - first_part]++] = *share;
    }
}

/* Every node of a minimal plan ends with a unit: else the others hold everything, and the plan
 * was not minimal. */
static void check_minimal(const struct route *route, uint32_t first_part, uint32_t first_share)
{
    uint32_t part = first_part;
    for (uint32_t i = first_share; i < route->answer->share_count; i++) {
        CHECK(route->shares[i].part == part || route->shares[i].part == part + 1);
        part = route->shares[i].part;
    }
    CHECK(part + 1 == route->answer->part_count);
}

bool answer_add_plan(struct route *route, const uint16_t *nodes, uint32_t count,
                     const uint32_t *qty_of_line)
{
    uint32_t first_part = route->answer->part_count;
    uint32_t first_share = route->answer->share_count;
    if (first_part + count > ROUTE_PARTS_MAX) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        answer_add_part(route, nodes[i], group_metres(route, nodes[i]));
    }
    for (uint32_t i = 0; i < route->group.line_count; i++) {
        if (qty_of_line[i] > 0 &&
            !place_line(route, nodes, count, first_part, route->lines[i], qty_of_line[i])) {
            return false;
        }
    }
    sort_shares(route, first_part, first_share);
    check_minimal(route, first_part, first_share);
    route->answer->splits += count - 1;
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
