/* What a strategy sees in a node: the values of its terms, the fences, and the score. */
#include "strategy_route_internal.h"

#include <math.h>

#include "check.h"
#include "timing.h"

enum { MILLION = 1000000, THOUSAND = 1000 };

/* Weight of the whole group: what one node would send. */
static uint64_t group_grams(const struct route *route)
{
    uint64_t grams = 0;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        grams += (uint64_t)demand->qty * route->view->catalogue->items[demand->item].weight_g;
    }
    return grams;
}

void contender_begin(struct contender *contender, uint16_t node, uint32_t metres)
{
    contender->node = node;
    contender->metres = metres;
    contender->has_metres = true;
    contender->has_promise = false;
    contender->chord_2 = CHORD_UNKNOWN;
    contender->memo = NULL;
}

void contender_open(struct contender *contender, uint16_t node, float chord_2,
                    struct lane_memo *memo)
{
    contender->node = node;
    contender->has_metres = false;
    contender->has_promise = false;
    contender->chord_2 = chord_2;
    contender->memo = memo;
}

/* The arc is 2 asin(c / 2) = c + c^3 / 24 + ..., and what is left out lies between 0 and 0.006 c^5
 * up to a chord of 1. nearest.c bounds how far a float chord may be off: by less than a metre, but
 * for a share of it. 10 m and the share of 2^-18 (64 roundings) cover that, the few roundings here
 * and geo_metres' own. */
uint32_t chord_metres_least(float chord)
{
    float arc = chord * (1 + chord * chord * (1.0f / 24));
    float metres = arc * ((float)GEO_RADIUS_M * (1 - 0x1p-18f)) - 10;
    return metres > 0 ? (uint32_t)(int32_t)metres : 0;
}

uint32_t chord_metres_most(float chord)
{
    float square = chord * chord;
    float arc = chord * (1 + square * (1.0f / 24 + square * 0.006f));
    float metres = arc * ((float)GEO_RADIUS_M * (1 + 0x1p-18f)) + 10;
    return chord <= 1 ? (uint32_t)(int32_t)metres : METRES_UNSURE;
}

uint32_t contender_metres(const struct route *route, struct contender *contender)
{
    if (!contender->has_metres) {
        contender->metres = group_metres(route, contender->node);
        contender->has_metres = true;
    }
    return contender->metres;
}

/* Any number of the band that the metres lie in. */
static uint64_t distance_in_band(const struct route *route, struct contender *contender,
                                 uint32_t band)
{
    if (!contender->has_metres && contender->chord_2 >= 0 && band > 1) {
        float chord = sqrtf(contender->chord_2);
        uint32_t least = chord_metres_least(chord);
        uint32_t most = chord_metres_most(chord);
        if (most != METRES_UNSURE && least / band == most / band) {
            return least;
        }
    }
    return contender_metres(route, contender);
}

static const struct promise *promise_of(const struct route *route, struct contender *contender)
{
    if (!contender->has_promise) {
        contender->has_promise = true;
        fence_promise(route, contender->node, contender_metres(route, contender), route->grams,
                      &contender->promise);
    }
    return &contender->promise;
}

static const struct road *road_of(const struct route *route, uint16_t node)
{
    const struct timing *timing = route->view->timing;
    bool has_roads = timing && timing->travels.rows > 0;
    return has_roads ? travels_find(&timing->travels, node, &route->place.roads) : NULL;
}

static uint64_t road_metres(const struct route *route, struct contender *contender)
{
    const struct road *road = road_of(route, contender->node);
    return road ? road->metres : contender_metres(route, contender);
}

/* The rule of same_day's dates where no road is loaded. */
static uint64_t road_minutes(const struct route *route, struct contender *contender)
{
    const struct road *road = road_of(route, contender->node);
    return road ? road->minutes
                : PROMISE_ROAD_BASE_MIN +
                      (uint64_t)contender_metres(route, contender) * 60 /
                          (PROMISE_ROAD_KMH * 1000);
}

/* What a promise says of the cost, without its dates. */
static uint64_t lane_cost(const struct route *route, uint16_t node)
{
    const struct carriers *carriers = &route->view->timing->carriers;
    enum service service = route->group.service;
    if (service == SERVICE_SAME_DAY || service_is_pickup(service)) {
        return 0;
    }
    uint64_t grams = route->grams;
    const struct lane *lane =
        carriers_best(carriers, service, node, &route->place.lanes, grams);
    uint64_t cents = lane ? lane_cents(lane, grams) : 0;
    return cents < UINT32_MAX ? cents : UINT32_MAX;
}

uint64_t strategy_lane_cost(const struct route *route, uint16_t node, struct lane_memo *memo)
{
    const struct timing *timing = route->view->timing;
    if (!timing || timing->carriers.rows == 0) {
        return 0;
    }
    if (!memo) {
        return lane_cost(route, node);
    }
    const struct area_matches *origins = &timing->carriers.origins[node];
    uint32_t origin = origins->count > 0 ? origins->ids[0] : AREA_UNKNOWN;
    if (!memo->is_set || memo->origin != origin) {
        *memo = (struct lane_memo){true, origin, lane_cost(route, node)};
    }
    DCHECK(memo->cents == lane_cost(route, node));
    return memo->cents;
}

static uint64_t cost_of(const struct route *route, const struct contender *contender)
{
    uint64_t cents = route->view->network->hot[contender->node].handling_cents;
    return cents + strategy_lane_cost(route, contender->node, contender->memo);
}

/* Minutes until it is delivered, begun ones too. */
static uint64_t date_of(const struct route *route, struct contender *contender)
{
    const struct timing *timing = route->view->timing;
    if (!timing) {
        return 0;
    }
    const struct promise *promise = promise_of(route, contender);
    uint64_t now_ms = route->request->at_ms ? route->request->at_ms : timing->now_ms;
    if (promise->is_never) {
        return STRATEGY_VALUE_MAX;
    }
    const uint64_t left_ms = promise->by_ms > now_ms ? promise->by_ms - now_ms : 0;
    return (left_ms + DATE_MINUTE_MS - 1) / DATE_MINUTE_MS;
}

/* The largest share of an item's free stock there that the group would take, in thousandths. */
static uint64_t scarcity_of(const struct route *route, uint16_t node)
{
    uint64_t most = 0;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        uint64_t free = demand_free(route, demand, node);
        uint64_t share = free > demand->qty ? (uint64_t)demand->qty * THOUSAND / free : THOUSAND;
        most = share > most ? share : most;
    }
    return most;
}

static bool is_of_type(const struct route *route, uint16_t node, enum node_type type)
{
    return route->view->network->hot[node].type == (uint8_t)type;
}

static uint64_t load_of(const struct route *route, uint16_t node)
{
    return route->view->queues ? route->view->queues[node].count : 0;
}

static uint64_t declines_of(const struct route *route, uint16_t node)
{
    return route->view->declines ? route->view->declines[node] : 0;
}

/* Before its band, but for distance. */
static uint64_t value_plain(const struct route *route, struct contender *contender,
                            const struct strategy_term *term)
{
    uint16_t node = contender->node;
    switch ((enum strategy_term_kind)term->term) {
    case STRATEGY_TERM_DISTANCE:
        return distance_in_band(route, contender, term->band);
    case STRATEGY_TERM_ROAD:
        return road_metres(route, contender);
    case STRATEGY_TERM_MINUTES:
        return road_minutes(route, contender);
    case STRATEGY_TERM_COST:
        return cost_of(route, contender);
    case STRATEGY_TERM_DATE:
        return date_of(route, contender);
    case STRATEGY_TERM_STORE:
        return !is_of_type(route, node, NODE_STORE);
    case STRATEGY_TERM_WAREHOUSE:
        return !is_of_type(route, node, NODE_WAREHOUSE);
    case STRATEGY_TERM_VENDOR:
        return !is_of_type(route, node, NODE_VENDOR);
    case STRATEGY_TERM_PRIORITY:
        return (uint64_t)((int64_t)route->view->network->nodes[node].config.priority +
                          STRATEGY_PRIORITY_SHIFT);
    case STRATEGY_TERM_LOAD:
        return load_of(route, node);
    case STRATEGY_TERM_ACCEPTANCE:
        return declines_of(route, node);
    case STRATEGY_TERM_SCARCITY:
        return scarcity_of(route, node);
    case STRATEGY_TERM_COUNT:
        break;
    }
    CHECK_UNREACHABLE("no such term");
}

uint64_t strategy_value(const struct route *route, struct contender *contender,
                        const struct strategy_term *term)
{
    uint64_t value = value_plain(route, contender, term);
    value = value < STRATEGY_VALUE_MAX ? value : STRATEGY_VALUE_MAX;
    return term->band > 1 ? value - (uint32_t)value % term->band : value;
}

uint32_t strategy_keys(const struct strategy *strategy)
{
    return strategy->mode == STRATEGY_WEIGHTED ? 1 : strategy->term_count;
}

void strategy_score(const struct route *route, struct contender *contender, uint64_t *keys)
{
    const struct strategy *strategy = route->request->strategy;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        uint64_t value = strategy_value(route, contender, &strategy->terms[i]);
        keys[i] = value;
        sum += value * strategy->factor[i];
    }
    if (strategy->mode == STRATEGY_WEIGHTED) {
        keys[0] = sum;
    }
}

bool strategy_fence_holds(const struct route *route, struct contender *contender,
                          const struct strategy_fence *fence, uint64_t *value_out)
{
    uint16_t node = contender->node;
    switch ((enum strategy_fence_kind)fence->fence) {
    case STRATEGY_FENCE_MAX_KM:
        *value_out = contender_metres(route, contender);
        return *value_out <= fence->value;
    case STRATEGY_FENCE_MAX_MINUTES:
        *value_out = road_minutes(route, contender);
        return *value_out <= fence->value;
    case STRATEGY_FENCE_MAX_COST:
        *value_out = cost_of(route, contender);
        return *value_out <= fence->value;
    case STRATEGY_FENCE_MAX_LOAD:
        *value_out = load_of(route, node);
        return *value_out < fence->value;
    case STRATEGY_FENCE_MIN_ACCEPTANCE:
        *value_out = MILLION - declines_of(route, node);
        return *value_out >= fence->value;
    case STRATEGY_FENCE_TYPES:
        *value_out = route->view->network->hot[node].type;
        return fence->value >> *value_out & 1;
    case STRATEGY_FENCE_KEEP_LAST: /* lowers what is free: demand_free */
        *value_out = 0;
        return true;
    case STRATEGY_FENCE_COUNT:
        break;
    }
    CHECK_UNREACHABLE("no such fence");
}

bool strategy_takes(const struct route *route, struct contender *contender)
{
    const struct strategy *strategy = route->request->strategy;
    uint64_t value;
    for (uint32_t i = 0; i < strategy->fence_count; i++) {
        if (!strategy_fence_holds(route, contender, &strategy->fences[i], &value)) {
            return false;
        }
    }
    return true;
}

void strategy_begin(struct route *route)
{
    const struct strategy *strategy = route->request->strategy;
    bool is_ruled = strategy && route->group.place == NODE_NONE;
    route->is_ruled = is_ruled;
    route->keep = is_ruled ? strategy->keep : 0;
    route->grams = is_ruled ? group_grams(route) : 0;
    if (is_ruled && strategy->max_m < route->group.reach_m) {
        route->group.reach_m = strategy->max_m;
    }
}

void strategy_fence_base(struct route *route)
{
    const struct network *network = route->view->network;
    if (!route->is_ruled || route->request->strategy->fence_count == 0) {
        return;
    }
    group_base_copy(route);
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits left = route->base[word]; left; left &= left - 1) {
            uint32_t at = (uint32_t)__builtin_ctzll(left);
            uint16_t node = network->node_of_slot[word * 64 + at];
            struct contender contender;
            contender_begin(&contender, node, group_metres(route, node));
            if (!strategy_takes(route, &contender)) {
                route->base[word] &= ~((slot_bits)1 << at);
            }
        }
    }
}
