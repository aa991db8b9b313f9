/* Why a node is not the source of a group: all that stands in its way, not only the first of it,
 * and how far it is from the best single source. Runs before the group is decided, on what earlier
 * groups left. */
#include <string.h>

#include "strategy_route_internal.h"

/* The built-in strategy, told in terms. */
static const struct strategy nearest_rules = {
    .mode = STRATEGY_LEXICOGRAPHIC,
    .term_count = 2,
    .terms = {{STRATEGY_TERM_PRIORITY, 0, 1}, {STRATEGY_TERM_DISTANCE, 0, 1}},
};

static struct route_why_fence *add(struct route_why *why, enum reject reject)
{
    struct route_why_fence *own = &why->fences[why->fence_count++];
    *own = (struct route_why_fence){.reject = (uint8_t)reject};
    return own;
}

static bool is_named(const uint16_t *nodes, uint32_t count, uint16_t node)
{
    for (uint32_t i = 0; i < count; i++) {
        if (nodes[i] == node) {
            return true;
        }
    }
    return false;
}

static void add_lists(const struct route *route, struct route_why *why)
{
    const struct route_request *request = route->request;
    bool is_left_out = request->include_count > 0 &&
                       !is_named(request->include, request->include_count, why->node);
    bool is_elsewhere = route->group.place != NODE_NONE && route->group.place != why->node;
    if (is_left_out || is_elsewhere ||
        is_named(request->exclude, request->exclude_count, why->node)) {
        add(why, REJECT_EXCLUDED);
    }
    if (is_named(request->rejected, request->rejected_count, why->node)) {
        add(why, REJECT_PREVIOUSLY_REJECTED);
    }
}

/* What holds of the node whatever the request lists; base and listed are worked out for it. */
static void add_static(struct route *route, struct route_why *why)
{
    const struct node *at = &route->view->network->nodes[why->node];
    enum service service = route->group.service;
    uint64_t bit = (uint64_t)1 << (at->slot % 64);
    bool is_active = node_is_active(at, service);
    bool is_offered = carried_offers(route, at);
    if (!is_active) {
        add(why, REJECT_NODE_INACTIVE);
    } else if (!is_offered) {
        add(why, REJECT_SERVICE_NOT_OFFERED);
    } else if (!(route->group.base[at->slot / 64] & bit)) {
        add(why, REJECT_DESTINATION_NOT_SERVED);
    }
    uint32_t limit = at->config.max_m[service];
    limit = route->request->max_m < limit ? route->request->max_m : limit;
    if (why->metres > limit) {
        struct route_why_fence *far = add(why, REJECT_TOO_FAR);
        far->has_values = true;
        far->is = why->metres;
        far->needs = limit;
    }
    if (route->listed[at->slot / 64] & bit) {
        add(why, REJECT_ITEM_BARRED);
    }
}

static void fences_static(struct route *route, struct route_why *why)
{
    const struct route_request *asked = route->request;
    struct route_request plain = *asked;
    plain.include_count = plain.exclude_count = plain.rejected_count = 0;
    route->request = &plain;
    group_fences(route, true);
    group_bars(route, route->listed);
    if (route->view->policies->count > 0) {
        group_unlisted(route, route->listed);
    }
    add_static(route, why);
    route->request = asked;
    group_refence(route);
}

/* When it would come; without values where it never does. */
static void add_promise(const struct route *route, struct route_why_fence *fence,
                        const struct route_why *why)
{
    struct promise promise;
    fence_promise(route, why->node, why->metres, 0, &promise);
    fence->has_values = !promise.is_never;
    fence->is = promise.by_ms;
    fence->needs = route->request->required_by_ms;
}

static void fences_now(struct route *route, struct route_why *why)
{
    for (uint32_t left = fence_rejects(route, why->node); left; left &= left - 1) {
        struct route_why_fence *own = add(why, (enum reject)__builtin_ctz(left));
        if (own->reject == REJECT_MISSES_PROMISE) {
            add_promise(route, own, why);
        }
    }
    const struct strategy *strategy = route->is_ruled ? route->request->strategy : NULL;
    for (uint32_t i = 0; strategy && i < strategy->fence_count; i++) {
        struct contender contender;
        uint64_t value;
        contender_begin(&contender, why->node, why->metres);
        if (!strategy_fence_holds(route, &contender, &strategy->fences[i], &value)) {
            struct route_why_fence *own = add(why, REJECT_STRATEGY_FENCED);
            own->has_values = true;
            own->fence = strategy->fences[i].fence;
            own->is = value;
            own->needs = strategy->fences[i].value;
        }
    }
}

static void stock(const struct route *route, struct route_why *why)
{
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        uint32_t free = demand_free(route, demand, why->node);
        if (free < demand->qty) {
            why->items[why->item_count++] =
                (struct route_why_item){demand->item, demand->qty, free};
        }
    }
}

static void values(const struct route *route, uint16_t node, uint32_t metres,
                   const struct strategy *rules, uint64_t *out)
{
    struct contender contender;
    contender_begin(&contender, node, metres);
    for (uint32_t i = 0; i < rules->term_count; i++) {
        out[i] = strategy_value(route, &contender, &rules->terms[i]);
    }
}

/* Against the best node that holds all, if there is one. */
static void rank(struct route *route, const struct route_guess *best, struct route_why *why)
{
    const struct strategy *rules = route->is_ruled ? route->request->strategy : &nearest_rules;
    why->best = best->node;
    why->best_metres = best->metres;
    why->is_weighted = rules->mode == STRATEGY_WEIGHTED;
    if (best->node == NODE_NONE || best->node == why->node) {
        return;
    }
    uint64_t own[STRATEGY_TERMS_MAX];
    uint64_t other[STRATEGY_TERMS_MAX];
    values(route, why->node, why->metres, rules, own);
    values(route, best->node, best->metres, rules, other);
    why->term_count = rules->term_count;
    for (uint32_t i = 0; i < rules->term_count; i++) {
        why->terms[i] = (struct route_why_term){rules->terms[i].term, rules->terms[i].weight,
                                                own[i], other[i]};
    }
}

/* Whether a place that is fixed could be the source now; of what is sent to a store it is none. */
static bool is_source(struct route *route, uint16_t place)
{
    const enum service service = route->group.service;
    return place != NODE_NONE && service != SERVICE_SHIP_TO_STORE &&
           group_takes_node(route, place, group_metres(route, place)) &&
           (service == SERVICE_CARRY_OUT || group_holds(route, place));
}

void why_group(struct route *route, struct route_guess (*source)(struct route *route))
{
    struct route_why why = {.node = route->why.node, .service = route->group.service};
    bool is_open = route->group.place == NODE_NONE && route->request->has_dest;
    struct route_guess best = {route->group.place, 0};
    why.metres = group_metres(route, why.node);
    add_lists(route, &why);
    fences_static(route, &why);
    fences_now(route, &why);
    stock(route, &why);
    if (is_open) {
        best = source(route);
    } else if (!is_source(route, best.node)) {
        best.node = NODE_NONE;
    }
    rank(route, &best, &why);
    route->why.visit(route->why.owner, &why);
}
