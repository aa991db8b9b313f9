/* The best single source by a strategy, exactly: every node that holds all is compared, but for
 * those that are too far to be the best.
 *
 * What is nearer than some distance is all that has to be looked at when distance leads (the first
 * term of a lexicographic strategy, any term of a weighted one, as no term is ever negative):
 * words of 64 neighbours then come nearest first, by the bounds of nearest.c, until the next is
 * too far. Otherwise every word is looked at. */
#include "strategy_route_internal.h"

#include <string.h>

struct race {
    struct route *route;
    const struct strategy *strategy;
    const struct strategy_term *distance; /* that bounds the search, NULL = none does */
    uint64_t distance_factor;             /* weighted */
    uint64_t least; /* weighted: what the terms but distance sum to at least */
    uint64_t keys[STRATEGY_TERMS_MAX];
    struct route_guess best;
    float limit, limit_2; /* chord beyond which no node is better, and its square */
    float place[3];
};

static void lead_find(struct race *race)
{
    const struct strategy *strategy = race->strategy;
    const struct network *network = race->route->view->network;
    uint32_t leading = strategy->mode == STRATEGY_WEIGHTED ? strategy->term_count : 1;
    for (uint32_t i = 0; i < leading && !race->distance; i++) {
        if (strategy->terms[i].term == STRATEGY_TERM_DISTANCE) {
            race->distance = &strategy->terms[i];
            race->distance_factor = strategy->factor[i];
        }
    }
    for (uint32_t i = 0; i < leading && network->has_classes; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        if (strategy->mode == STRATEGY_WEIGHTED && term->term == STRATEGY_TERM_PRIORITY) {
            uint64_t value =
                (uint64_t)((int64_t)network->class_priority[0] + STRATEGY_PRIORITY_SHIFT);
            race->least += (value - value % term->band) * strategy->factor[i];
        }
    }
}

/* Metres beyond which every node is worse than the best so far. */
static uint32_t reach_of(const struct race *race)
{
    uint64_t band = race->distance->band;
    uint64_t value = race->keys[0];
    if (race->strategy->mode == STRATEGY_WEIGHTED) {
        value = (race->keys[0] - race->least) / race->distance_factor;
    }
    uint64_t metres = value - value % band + band - 1;
    return metres < race->route->group.reach_m ? (uint32_t)metres : race->route->group.reach_m;
}

static void limit_set(struct race *race)
{
    if (race->distance) {
        race->limit = chord_limit(reach_of(race));
        race->limit_2 = race->limit * race->limit * (1 + 0x1p-20f);
    }
}

/* Whether the score is less than the best so far, of equal ones the nearer, then the lesser id. */
static bool is_better(const struct race *race, const uint64_t *keys,
                      const struct contender *contender)
{
    uint32_t count = strategy_keys(race->strategy);
    if (race->best.node == NODE_NONE) {
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] != race->keys[i]) {
            return keys[i] < race->keys[i];
        }
    }
    if (contender->metres != race->best.metres) {
        return contender->metres < race->best.metres;
    }
    return node_compare(race->route->view->network, contender->node, race->best.node) < 0;
}

/* The score, unless a term tells already that the node is worse. */
static bool score_below(const struct race *race, struct contender *contender, uint64_t *keys)
{
    const struct strategy *strategy = race->strategy;
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    bool is_open = race->best.node != NODE_NONE; /* so far equal to the best */
    uint64_t sum = 0;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        uint64_t value = strategy_value(race->route, contender, &strategy->terms[i]);
        sum += value * strategy->factor[i];
        keys[i] = value;
        uint64_t own = is_weighted ? sum : value;
        uint64_t best = race->keys[is_weighted ? 0 : i];
        if (is_open && own > best) {
            return false;
        }
        is_open = is_open && (is_weighted || own == best);
    }
    keys[0] = is_weighted ? sum : keys[0];
    return is_better(race, keys, contender);
}

static void try_node(struct race *race, uint16_t node)
{
    struct route *route = race->route;
    struct contender contender;
    uint64_t keys[STRATEGY_TERMS_MAX];
    contender_begin(&contender, node, group_metres(route, node));
    if (!group_takes_node(route, node, contender.metres) ||
        !score_below(race, &contender, keys) || !strategy_takes(route, &contender) ||
        !group_holds(route, node)) {
        return;
    }
    memcpy(race->keys, keys, race->strategy->term_count * sizeof *keys);
    race->best = (struct route_guess){node, contender.metres};
    limit_set(race);
}

static bool is_too_far(const struct race *race, uint32_t slot)
{
    const struct network *network = race->route->view->network;
    float x = network->x[slot] - race->place[0];
    float y = network->y[slot] - race->place[1];
    float z = network->z[slot] - race->place[2];
    return race->distance && x * x + y * y + z * z > race->limit_2;
}

static void try_word(struct race *race, uint32_t word, slot_bits bits)
{
    for (; bits; bits &= bits - 1) {
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        if (!is_too_far(race, slot)) {
            try_node(race, race->route->view->network->node_of_slot[slot]);
        }
    }
}

static void try_near_words(struct race *race)
{
    struct route *route = race->route;
    uint32_t words = route->view->network->words;
    uint32_t padded = (words + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK;
    route->kernel->caps(route->view->network, race->place, route->found, words, route->cap_keys);
    for (uint32_t word = words; word < padded; word++) {
        route->cap_keys[word] = KEY_NONE;
    }
    for (;;) {
        int64_t key = route->kernel->least(route->cap_keys, padded);
        if (key == KEY_NONE || key_distance(key) > race->limit) {
            return;
        }
        uint32_t word = key_index(key);
        route->cap_keys[word] = KEY_NONE;
        try_word(race, word, route->found[word]);
    }
}

/* Whether each item is to be had somewhere. */
static bool has_rows(const struct route *route)
{
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        if (!route->demands[i].row) {
            return false;
        }
    }
    return true;
}

struct route_guess strategy_source(struct route *route)
{
    const struct geo_point *dest = &route->request->dest;
    struct race race = {.route = route,
                        .strategy = route->request->strategy,
                        .place = {(float)dest->x, (float)dest->y, (float)dest->z},
                        .best = {NODE_NONE, 0}};
    if (!has_rows(route)) {
        return race.best;
    }
    race.limit = chord_limit(route->group.reach_m);
    race.limit_2 = race.limit * race.limit * (1 + 0x1p-20f);
    lead_find(&race);
    nearest_able(route);
    if (race.distance) {
        try_near_words(&race);
        return race.best;
    }
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        try_word(&race, word, route->found[word]);
    }
    return race.best;
}
