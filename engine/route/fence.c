/* Fences of time and promises: capacity that is counted in units, and required_by. What holds of a
 * node whatever is asked (too late today, full, counts too old) is in the network's bitmaps. */
#include <string.h>

#include "route_internal.h"
#include "timing.h"

/* Units of all lines of the group. */
static uint64_t group_units(const struct route *route)
{
    uint64_t units = 0;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        units += route->demands[i].qty;
    }
    return units;
}

/* What earlier groups of the order took of the node's capacity, meters of other services too: a
 * node that two groups go to is rare, and erring to the full side costs another node. */
static void taken_capacity(const struct route *route, uint16_t node, uint64_t *orders,
                           uint64_t *units)
{
    *orders = *units = 0;
    if (route->earlier_parts == 0) {
        return;
    }
    for (uint32_t i = 0; i < route->answer->share_count; i++) {
        const struct route_share *share = &route->shares[i];
        bool is_there =
            share->part < route->earlier_parts && route->parts[share->part].node == node;
        *units += is_there ? share->qty : 0;
    }
    for (uint32_t i = 0; i < route->earlier_parts; i++) {
        *orders += route->parts[i].node == node;
    }
}

/* Whether the node can take on the whole group, and what the order took there before. */
static bool has_capacity(const struct route *route, uint16_t node)
{
    const struct timing *timing = route->view->timing;
    uint64_t orders;
    uint64_t units;
    if (!timing->capacity.nodes[node]) {
        return true;
    }
    taken_capacity(route, node, &orders, &units);
    return timing_has_room(timing, node, route->group.service, orders,
                           units + group_units(route));
}

/* Nodes that hold something of the group, by what may be in stock. */
static void bits_stocked(const struct route *route, slot_bits *stocked)
{
    uint32_t words = route->view->network->words;
    memset(stocked, 0, words * sizeof *stocked);
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        struct row *row = route->demands[i].row;
        for (uint32_t k = 0; row && row->kind == ROW_LIST && k < row->count; k++) {
            uint32_t slot = row_slots(row)[k];
            stocked[slot / 64] |= (slot_bits)1 << (slot % 64);
        }
        uint32_t count = row && row->kind != ROW_LIST ? row->words : 0;
        for (uint32_t word = 0; word < count && word < words; word++) {
            stocked[word] |= __atomic_load_n(&row_maybe(row)[word], __ATOMIC_RELAXED);
        }
    }
}

static bool keeps_promise(const struct route *route, uint16_t node)
{
    struct promise promise;
    fence_promise(route, node, group_metres(route, node), 0, &promise);
    return !promise.is_never && promise.by_ms <= route->request->required_by_ms;
}

/* What the mark of the cut-off says of now, for another time. */
static bool is_in_time(const struct route *route, uint16_t node)
{
    struct promise promise;
    fence_promise(route, node, 0, 0, &promise);
    return !promise.is_never && (promise.is_today || route->group.service != SERVICE_SAME_DAY);
}

typedef bool node_test(const struct route *route, uint16_t node);

/* Take the nodes of bits that fail the test out of the base. */
static void base_test(struct route *route, const slot_bits *bits, node_test *test)
{
    const struct network *network = route->view->network;
    group_base_copy(route);
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits left = route->base[word] & bits[word]; left; left &= left - 1) {
            uint32_t at = (uint32_t)__builtin_ctzll(left);
            if (!test(route, network->node_of_slot[word * 64 + at])) {
                route->base[word] &= ~((slot_bits)1 << at);
            }
        }
    }
}

/* Nodes with few units left, or all whose units are counted where the group asks for many. */
static void base_capacity(struct route *route)
{
    const struct network *network = route->view->network;
    enum service service = route->group.service;
    bool is_small = group_units(route) < NETWORK_TIGHT_UNITS;
    if (network->metered_count > 0) {
        base_test(route, is_small ? network->tight[service] : network->metered[service],
                  has_capacity);
    }
    for (uint32_t i = 0; i < route->earlier_parts; i++) {
        uint16_t node = route->parts[i].node;
        uint32_t slot = network->hot[node].slot;
        slot_bits bit = (slot_bits)1 << (slot % 64);
        if ((route->group.base[slot / 64] & bit) && !has_capacity(route, node)) {
            group_base_copy(route);
            route->base[slot / 64] &= ~bit;
        }
    }
}

/* Nodes that are out only for these marks come back. */
static void base_unmark(struct route *route, uint8_t marks)
{
    const struct network *network = route->view->network;
    enum service service = route->group.service;
    const slot_bits *carried = carried_nodes(route);
    group_base_copy(route);
    for (uint32_t node = 0; node < network->count; node++) {
        uint32_t slot = network->hot[node].slot;
        bool is_out = (network->marks[node][service] & MARK_OUT & ~marks) != 0;
        slot_bits offers = network->offers[service][slot / 64] | (carried ? carried[slot / 64] : 0);
        if (!is_out && (offers >> (slot % 64) & 1)) {
            route->base[slot / 64] |= (slot_bits)1 << (slot % 64);
        }
    }
}

void fence_full(struct route *route)
{
    uint8_t marks = 0;
    if (route->request->at_ms) {
        marks = MARK_FULL | MARK_CUTOFF | MARK_BLOCKED; /* they are of the present */
    } else if (route->relaxed & FENCE_CAPACITY) {
        marks = MARK_FULL;
    }
    if (marks) {
        base_unmark(route, marks);
    }
}

void fence_time(struct route *route)
{
    const struct timing *timing = route->view->timing;
    if (!timing || route->group.service == SERVICE_CARRY_OUT) {
        return;
    }
    if (route->request->at_ms) {
        slot_bits stocked[WORD_MAX_NETWORK];
        bits_stocked(route, stocked);
        base_test(route, stocked, is_in_time);
    } else if (timing->capacity.count > 0 && !(route->relaxed & FENCE_CAPACITY)) {
        base_capacity(route);
    }
    if (route->request->required_by_ms && !(route->relaxed & FENCE_PROMISE)) {
        slot_bits stocked[WORD_MAX_NETWORK];
        bits_stocked(route, stocked);
        base_test(route, stocked, keeps_promise);
    }
}

static uint32_t bit_if(bool is_out, enum reject reject)
{
    return is_out ? 1u << reject : 0;
}

uint32_t fence_rejects(const struct route *route, uint16_t node)
{
    uint8_t marks = route->view->network->marks[node][route->group.service];
    bool has_timing = route->view->timing != NULL;
    bool is_full = (marks & MARK_FULL) || (has_timing && !has_capacity(route, node));
    bool is_dated = has_timing && route->request->required_by_ms;
    return bit_if(marks & MARK_BLOCKED, REJECT_NODE_BLOCKED) |
           bit_if(marks & MARK_STALE, REJECT_STOCK_STALE) |
           bit_if(is_full, REJECT_CAPACITY_FULL) |
           bit_if(marks & MARK_CUTOFF, REJECT_CUTOFF_MISSED) |
           bit_if(is_dated && !keeps_promise(route, node), REJECT_MISSES_PROMISE);
}

enum reject fence_reject(const struct route *route, uint16_t node)
{
    uint32_t rejects = fence_rejects(route, node);
    return rejects ? (enum reject)__builtin_ctz(rejects) : REJECT_NONE;
}

_Static_assert(REJECT_COUNT <= 32, "a bit for each reason");

/* -- dates of the answer -- */

void fence_place(struct route *route)
{
    const struct timing *timing = route->view->timing;
    route->place.lanes.count = route->place.roads.count = 0;
    if (timing && timing->carriers.rows + timing->travels.rows > 0) {
        promise_place(timing, route->request->country, route->request->postcode, &route->place);
    }
}

void fence_promise(const struct route *route, uint16_t node, uint32_t metres, uint64_t grams,
                   struct promise *promise)
{
    const struct route_request *request = route->request;
    const struct promise_ask ask = {.node = node,
                                    .service = route->group.service,
                                    .metres = metres,
                                    .grams = grams,
                                    .at_ms = request->at_ms};
    promise_make(route->view->timing, &ask, &route->place, promise);
}

/* Weight of a part, whose shares begin at *share, which moves on to the next part's. */
static uint64_t part_grams(const struct route *route, uint32_t part, uint32_t *share)
{
    uint64_t grams = 0;
    for (; *share < route->answer->share_count && route->shares[*share].part == part; ++*share) {
        const struct route_share *own = &route->shares[*share];
        uint32_t item = route->request->lines[own->line].item;
        grams += (uint64_t)own->qty * route->view->catalogue->items[item].weight_g;
    }
    return grams;
}

static uint32_t minutes(uint64_t moment_ms)
{
    return (uint32_t)((moment_ms + 59999) / 60000);
}

static void part_date(struct route *route, uint32_t index, uint64_t grams, bool is_dated,
                      struct promise *promise)
{
    struct route_part *part = &route->parts[index];
    *promise = (struct promise){.is_never = false};
    if (part->service == SERVICE_CARRY_OUT) {
        return; /* the customer has it already */
    }
    const struct route_request *request = route->request;
    const struct promise_ask ask = {.node = part->node,
                                    .service = (enum service)part->service,
                                    .metres = part->metres,
                                    .grams = grams,
                                    .at_ms = request->at_ms,
                                    .deliver_after_ms = request->deliver_after_ms};
    promise_make(route->view->timing, &ask, &route->place, promise);
    part->cost_cents += promise->cents;
    if (is_dated && !promise->is_never) {
        part->dates.ship_by_min = minutes(promise->ship_by_ms);
        part->dates.from_min = minutes(promise->from_ms);
        part->dates.by_min = minutes(promise->by_ms);
    }
    bool is_counted = route->view->timing->capacity.nodes[part->node] != NULL;
    part->dates.slot = is_counted ? promise->slot : 0;
}

bool fence_dates(struct route *route)
{
    const struct timing *timing = route->view->timing;
    const struct route_request *request = route->request;
    bool is_asked = request->required_by_ms || request->deliver_after_ms;
    bool is_dated = timing && (is_asked || request->is_quote || timing_is_used(timing));
    if (!timing || (!is_dated && timing->capacity.count == 0)) {
        return true;
    }
    for (uint32_t i = 0, share = 0; i < route->answer->part_count; i++) {
        struct promise promise;
        uint64_t grams = part_grams(route, i, &share);
        part_date(route, i, grams, is_dated, &promise);
        bool is_late = promise.is_never ||
                       (request->required_by_ms && promise.by_ms > request->required_by_ms);
        if (is_asked && is_late && !(route->relaxed & FENCE_PROMISE)) {
            return false;
        }
    }
    return true;
}
