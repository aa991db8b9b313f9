/* The nearest nodes that have an item (stock.find): every cell of one row, the best k kept. */
#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"

enum { FOUND_STEPS = 4 }; /* of the search, that a cell takes which may be in no cache */

/* Whether a is told before b: nearer, or of lower handle where there is no place. */
static bool is_before(const struct route *route, const struct route_near *a,
                      const struct route_near *b)
{
    if (!route->request->has_dest) {
        return a->node < b->node;
    }
    if (a->metres != b->metres) {
        return a->metres < b->metres;
    }
    return node_compare(route->view->network, a->node, b->node) < 0;
}

/* Insert into the k best, sorted; the last falls out where there is no room. */
static uint32_t insert(const struct route *route, struct route_near *out, uint32_t count,
                       uint32_t k, const struct route_near *near)
{
    uint32_t at = count < k ? count : k - 1;
    if (count == k && !is_before(route, near, &out[k - 1])) {
        return count;
    }
    for (; at > 0 && is_before(route, near, &out[at - 1]); at--) {
        out[at] = out[at - 1];
    }
    out[at] = *near;
    return count < k ? count + 1 : count;
}

static bool is_able(const struct route *route, int service, uint32_t slot, uint32_t metres)
{
    const struct network *network = route->view->network;
    const struct node *node = &network->nodes[network->node_of_slot[slot]];
    if (metres > route->request->max_m) {
        return false;
    }
    return service < 0 || ((route->group.base[slot / 64] >> (slot % 64) & 1) &&
                           metres <= node->config.max_m[service]);
}

/* How many kits of these lines the node has; of one item its units. */
static uint32_t sets_free(const struct route *route, uint16_t node, cell_word first)
{
    const struct demand *demand = &route->demands[0];
    uint32_t least = stock_free(route->view, demand->item, node, first) / demand->qty;
    for (uint32_t i = 1; i < route->group.demand_count && least > 0; i++) {
        uint32_t own = demand_free(route, &route->demands[i], node) / route->demands[i].qty;
        least = own < least ? own : least;
    }
    return least;
}

uint32_t route_nearest(struct route *route, const struct stock_view *view,
                       const struct route_line *lines, uint32_t line_count, uint32_t qty,
                       const struct route_request *where, int service, uint32_t k,
                       struct route_near *out)
{
    struct route_request request = *where;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint32_t count = 0;
    request.lines = lines;
    request.line_count = line_count;
    route_begin(route, view, &request);
    for (uint32_t i = 0; i < line_count; i++) {
        route->lines[i] = i;
    }
    group_begin(route, line_count);
    const struct row *row = route->demands[0].row;
    if (!row || k == 0) {
        return 0;
    }
    bool is_measured = group_is_measured(route);
    split_place_begin(route);
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        uint16_t node = view->network->node_of_slot[slot];
        struct route_near near = {node, 0, sets_free(route, node, row_word(row, index))};
        if (near.free == 0 || near.free < qty) {
            continue;
        }
        near.metres = is_measured ? split_word_metres(route, slot / 64)[slot % 64] : 0;
        if (is_able(route, service, slot, near.metres)) {
            count = insert(route, out, count, k, &near);
        }
    }
    work(route, row->count * FOUND_STEPS + 1);
    return count;
}
