/* Groups: lines of equal service and place, their items summed, and the bitmap of nodes that may
 * serve them before stock is looked at. */
#include <string.h>

#include "check.h"
#include "route_internal.h"

enum { FEW = 8 }; /* up to this many items a linear search beats the table */

static uint32_t hash_item(uint32_t item)
{
    return (item * 2654435761u) >> 20; /* 12 bits: ITEM_TABLE */
}

_Static_assert(ITEM_TABLE == 1 << 12, "hash_item gives 12 bits");
_Static_assert(ITEM_TABLE > 2 * ROUTE_LINES_MAX, "the table is never full");

/* Whether no node at all may handle the item for this service and destination. */
static bool is_barred(const struct route_request *request, const struct item *item,
                      enum capability capability)
{
    if (capability == CAPABILITY_SAME_DAY && (item->flags >> FLAG_NO_SAME_DAY & 1)) {
        return true;
    }
    if (capability == CAPABILITY_PICKUP && (item->flags >> FLAG_NO_PICKUP & 1)) {
        return true;
    }
    return item->not_to_count > 0 && request->has_dest &&
           areas_hold(item->not_to, item->not_to_count, request->country, request->postcode);
}

static void bits_add(slot_bits *to, const slot_bits *bits, uint32_t words)
{
    for (uint32_t word = 0; word < words && bits; word++) {
        to[word] |= bits[word];
    }
}

/* Add the nodes that may not handle the item. */
static void bars_add(const struct route *route, const struct item *item, slot_bits *barred)
{
    const struct network *network = route->view->network;
    enum capability capability = service_capability(route->group.service);
    if (is_barred(route->request, item, capability)) {
        bits_add(barred, network->used, network->words);
    }
    if (capability == CAPABILITY_SHIP && (item->flags >> FLAG_NO_SHIP_FROM_STORE & 1)) {
        bits_add(barred, network->of_type[NODE_STORE], network->words);
    }
    for (uint64_t flags = item->flags; flags; flags &= flags - 1) {
        bits_add(barred, network->bars[__builtin_ctzll(flags)], network->words);
    }
}

void group_bars(const struct route *route, slot_bits *barred)
{
    memset(barred, 0, route->view->network->words * sizeof *barred);
    for (uint32_t i = 0; i < route->group.demand_count && route->group.has_bars; i++) {
        bars_add(route, &route->view->catalogue->items[route->demands[i].item], barred);
    }
}

static void unlisted_add_cell(const struct route *route, const struct demand *demand, uint32_t slot,
                              uint32_t index, slot_bits *unlisted)
{
    if (cell_has_override(row_word(demand->row, index))) {
        uint16_t node = route->view->network->node_of_slot[slot];
        const struct policy *policy = policies_find(route->view->policies, demand->item, node);
        unlisted[slot / 64] |= (slot_bits)(policy && policy->is_unlisted) << (slot % 64);
    }
}

/* Add the nodes where the demand's item is not listed, stock or not. */
static void unlisted_add(const struct route *route, const struct demand *demand,
                         slot_bits *unlisted)
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    row_walk_begin(demand->row, &walk);
    while (row_walk_next(demand->row, &walk, &slot, &index)) {
        unlisted_add_cell(route, demand, slot, index, unlisted);
    }
}

static bool has_overrides(const struct row *row)
{
    cell_word any = 0; /* all read, no branch: mostly there is none */
    for (uint32_t i = 0; i < row->count; i++) {
        any |= row_word(row, i);
    }
    return cell_has_override(any);
}

void group_unlisted(const struct route *route, slot_bits *unlisted)
{
    uint16_t place = route->group.place;
    uint32_t slot = place == NODE_NONE ? 0 : route->view->network->nodes[place].slot;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        int32_t index = demand->row && place != NODE_NONE ? row_find(demand->row, slot) : -1;
        if (index >= 0) {
            unlisted_add_cell(route, demand, slot, (uint32_t)index, unlisted);
        } else if (place == NODE_NONE && demand->row && has_overrides(demand->row)) {
            unlisted_add(route, demand, unlisted);
        }
    }
}

static void demand_begin(struct route *route, struct demand *demand, uint32_t handle)
{
    const struct item *item = &route->view->catalogue->items[handle];
    demand->item = handle;
    demand->qty = 0;
    /* Pairs with the release store of a new block: its cells are seen with it. */
    demand->row = __atomic_load_n(&item->row, __ATOMIC_ACQUIRE);
    route->group.has_bars |= item->flags || item->not_to_count;
}

static uint32_t demand_search(const struct route *route, uint32_t item)
{
    uint32_t i = 0;
    while (i < route->group.demand_count && route->demands[i].item != item) {
        i++;
    }
    return i;
}

/* Index of the item's demand in the table, entered as the next one where it is new. */
static uint32_t demand_look_up(struct route *route, uint32_t item)
{
    uint32_t at = hash_item(item);
    while (route->items[at].stamp == route->stamp && route->items[at].item != item) {
        at = (at + 1) % ITEM_TABLE;
    }
    if (route->items[at].stamp != route->stamp) {
        route->items[at] = (struct item_slot){route->stamp, item, route->group.demand_count};
    }
    return route->items[at].demand;
}

static void demands_add(struct route *route)
{
    struct group *group = &route->group;
    for (uint32_t i = 0; i < group->line_count; i++) {
        const struct route_line *line = &route->request->lines[route->lines[i]];
        uint32_t at = group->line_count <= FEW ? demand_search(route, line->item)
                                               : demand_look_up(route, line->item);
        if (at == group->demand_count) {
            demand_begin(route, &route->demands[at], line->item);
            group->demand_count++;
        }
        route->demands[at].qty += line->qty;
        route->demand_of[route->lines[i]] = (uint16_t)at;
    }
}

void group_base_copy(struct route *route)
{
    if (route->group.base != route->base) {
        memcpy(route->base, route->group.base, route->view->network->words * sizeof(slot_bits));
        route->group.base = route->base;
    }
}

static void base_serving(struct route *route)
{
    const struct network *network = route->view->network;
    const struct route_request *request = route->request;
    slot_bits scratch[WORD_MAX_NETWORK];
    if (network->with_serves_count == 0 || !request->has_dest) {
        return;
    }
    const slot_bits *serving =
        network_serving(network, request->country, request->postcode, scratch);
    group_base_copy(route);
    for (uint32_t word = 0; word < network->words && serving; word++) {
        route->base[word] &= serving[word];
    }
}

static void bits_of(const struct network *network, const uint16_t *nodes, uint32_t count,
                    slot_bits *bits)
{
    memset(bits, 0, network->words * sizeof(slot_bits));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = network->nodes[nodes[i]].slot;
        bits[slot / 64] |= (slot_bits)1 << (slot % 64);
    }
}

static void base_listed(struct route *route, const uint16_t *nodes, uint32_t count, bool is_in)
{
    if (count == 0) {
        return;
    }
    bits_of(route->view->network, nodes, count, route->listed);
    group_base_copy(route);
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        route->base[word] &= is_in ? route->listed[word] : ~route->listed[word];
    }
}

void group_fences(struct route *route, bool is_static)
{
    const struct route_request *request = route->request;
    const struct network *network = route->view->network;
    struct group *group = &route->group;
    group->base = is_static ? network->offers[group->service] : network->eligible[group->service];
    if (group->service == SERVICE_NEXT_DAY) {
        carried_add(route, is_static);
    }
    if (!is_static) {
        fence_full(route);
    }
    base_serving(route);
    base_listed(route, request->include, request->include_count, true);
    base_listed(route, request->exclude, request->exclude_count, false);
    base_listed(route, request->rejected, request->rejected_count, false);
    if (request->is_po_box && group->service == SERVICE_SAME_DAY) {
        group_base_copy(route);
        memset(route->base, 0, sizeof route->base);
    }
}

/* Take the nodes of bits, in route->listed, out of the base. */
static void base_drop_listed(struct route *route)
{
    group_base_copy(route);
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        route->base[word] &= ~route->listed[word];
    }
}

void group_drop_unlisted(struct route *route)
{
    if (route->view->policies->count > 0) {
        memset(route->listed, 0, route->view->network->words * sizeof *route->listed);
        group_unlisted(route, route->listed);
        base_drop_listed(route);
    }
}

void group_begin(struct route *route, uint32_t line_count)
{
    const struct route_line *first = &route->request->lines[route->lines[0]];
    uint32_t reach = route->view->network->reach_max[first->service];
    CHECK(line_count > 0);
    route->stamp++;
    route->group =
        (struct group){.service = first->service,
                       .place = first->node,
                       .to = NODE_NONE,
                       .line_count = line_count,
                       .reach_m = reach < route->request->max_m ? reach : route->request->max_m};
    demands_add(route);
    group_refence(route);
}

void group_refence(struct route *route)
{
    group_fences(route, false);
    if (route->group.has_bars) {
        group_bars(route, route->listed);
        base_drop_listed(route);
    }
    fence_time(route);
}

uint32_t demand_free(const struct route *route, const struct demand *demand, uint16_t node)
{
    uint32_t slot = route->view->network->hot[node].slot;
    int32_t index = demand->row ? row_find(demand->row, slot) : -1;
    if (index < 0) {
        return 0;
    }
    cell_word word = row_word(demand->row, (uint32_t)index);
    uint32_t free = stock_free(route->view, demand->item, node, word);
    uint32_t gone = route->keep + (route->has_takes ? taken(route, demand->item, node) : 0);
    return free > gone ? free - gone : 0;
}

bool group_holds(const struct route *route, uint16_t node)
{
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        if (demand_free(route, demand, node) < demand->qty) {
            return false;
        }
    }
    return true;
}

bool group_is_measured(const struct route *route)
{
    bool is_there = service_is_pickup(route->group.service) ||
                    route->group.service == SERVICE_CARRY_OUT; /* with the customer */
    return route->request->has_dest && !(route->group.place != NODE_NONE && is_there);
}

uint32_t group_metres(const struct route *route, uint16_t node)
{
    if (!group_is_measured(route)) {
        return 0;
    }
    return geo_metres(&route->view->network->hot[node].point, &route->request->dest);
}

bool group_takes_node(const struct route *route, uint16_t node, uint32_t metres)
{
    const struct node *at = &route->view->network->nodes[node];
    bool is_eligible = route->group.base[at->slot / 64] >> (at->slot % 64) & 1;
    return is_eligible && metres <= route->request->max_m &&
           metres <= at->config.max_m[route->group.service];
}

int node_compare(const struct network *network, uint16_t a, uint16_t b)
{
    const struct node *x = &network->nodes[a];
    const struct node *y = &network->nodes[b];
    uint32_t len = x->id_len < y->id_len ? x->id_len : y->id_len;
    int order = memcmp(x->id, y->id, len);
    return order ? order : (int)x->id_len - (int)y->id_len;
}

static uint32_t take_slot_of(const struct route *route, uint32_t item, uint16_t node)
{
    uint64_t key = ((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(key >> 50);
    const struct take_slot *slot = &route->takes[at];
    while (slot->stamp == route->order_stamp && (slot->item != item || slot->node != node)) {
        at = (at + 1) % TAKE_TABLE;
        slot = &route->takes[at];
    }
    return at;
}

_Static_assert(TAKE_TABLE == 1 << 14, "take_slot_of uses the upper 14 bits");
_Static_assert(TAKE_TABLE > 2 * ROUTE_SHARES_MAX, "the table is never full");

uint32_t taken(const struct route *route, uint32_t item, uint16_t node)
{
    const struct take_slot *slot = &route->takes[take_slot_of(route, item, node)];
    return slot->stamp == route->order_stamp ? slot->qty : 0;
}

void take(struct route *route, uint32_t item, uint16_t node, uint32_t qty)
{
    struct take_slot *slot = &route->takes[take_slot_of(route, item, node)];
    if (slot->stamp != route->order_stamp) {
        *slot = (struct take_slot){route->order_stamp, item, node, 0};
    }
    slot->qty += qty;
    route->has_takes = true;
}
