/* The best single source by a strategy, exactly: every node that holds all is compared, but for
 * those that are too far to be the best, or score too much before they are measured
 * (strategy_bound.c).
 *
 * What is nearer than some distance is all that has to be looked at when distance leads (the first
 * term of a lexicographic strategy, any term of a weighted one, as no term is ever negative):
 * words of 64 neighbours then come nearest first, by the bounds of nearest.c, until the next is
 * too far. Otherwise every word is looked at.
 *
 * A guess, for a batch, is the same search by hints of stock, and notes the least that any other
 * node scores (struct route_rank). Until it is confirmed free stock only falls, and load and
 * declines of nodes only rise: so no other node's score falls, and the guess is the best while its
 * own is still below that. */
#include "strategy_route_internal.h"

#include <math.h>
#include <string.h>

#include "prefetch.h"

enum {
    LOADS_MORE = 2, /* from a guess to its confirmation, without another search */
    MAPS_MAX = 16   /* items up to which their bitmaps are listed before a search */
};

/* Keys behind the last one that was worked out are 0. */
struct score {
    bool is_whole;
    uint64_t keys[STRATEGY_TERMS_MAX];
    uint32_t values[STRATEGY_TERMS_MAX]; /* of the terms */
};

_Static_assert((int)ROUTE_TERMS_MAX == (int)STRATEGY_TERMS_MAX, "a rank is of any strategy");

struct race {
    struct route *route;
    const struct strategy *strategy;
    uint64_t slack; /* what a guess's first key may rise by until it is confirmed */
    uint64_t most;  /* no node whose bound is greater is better */
    struct route_rank *rank; /* of a guess; NULL = decide */
    bool is_by_hint;         /* believe the hints of bitmap rows, read no cell of them */
    bool has_reach;          /* a limit of distance holds for some node */
    struct lane_memo memo;
    struct strategy_bound bound;
    struct score score; /* of the best */
    struct route_guess best;
    bool is_measured; /* best.metres is known: at the end it is */
    float best_2;     /* squared float chord of the best; CHORD_UNKNOWN */
    float limit, limit_2; /* chord beyond which no node is better, and its square */
};

/* Metres beyond which every node is worse than the best so far. */
static uint32_t reach_of(const struct race *race)
{
    const struct strategy_bound *bound = &race->bound;
    uint64_t band = bound->distance->band;
    uint64_t value = race->score.keys[0];
    if (race->strategy->mode == STRATEGY_WEIGHTED) {
        value = (race->score.keys[0] + race->slack - bound->least) / bound->distance_factor;
    }
    uint64_t metres = value - value % band + band - 1;
    return metres < race->route->group.reach_m ? (uint32_t)metres : race->route->group.reach_m;
}

static void limit_set(struct race *race)
{
    race->most = race->score.keys[0] + race->slack;
    if (race->bound.distance) {
        uint32_t reach = reach_of(race);
        race->limit = chord_limit(reach);
        race->limit_2 = race->limit * race->limit * (1 + 0x1p-20f);
        race->most = race->strategy->mode == STRATEGY_WEIGHTED ? race->most : reach;
    }
}

/* -- what is known of the others -- */

/* Whether (keys, metres, id) is less than what is noted of the others. NODE_NONE, whose metres are
 * a bound, is the least of equals. */
static bool is_below(const struct route *route, const struct route_rank *rank,
                     const uint64_t *keys, const struct route_guess *guess)
{
    uint32_t count = strategy_keys(route->request->strategy);
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] != rank->others[i]) {
            return keys[i] < rank->others[i];
        }
    }
    if (guess->metres != rank->other.metres) {
        return guess->metres < rank->other.metres;
    }
    return rank->other.node != NODE_NONE &&
           (guess->node == NODE_NONE ||
            node_compare(route->view->network, guess->node, rank->other.node) < 0);
}

/* A node that is not the best scores that much, or more where not all of it was worked out, or is
 * so far away, or farther where it was not measured: then it is none that can be told from others,
 * NODE_NONE. */
static void other_add(struct race *race, const struct score *score, const struct route_guess *other)
{
    struct route_rank *rank = race->rank;
    if (!rank->has_other || is_below(race->route, rank, score->keys, other)) {
        rank->has_other = true;
        rank->other = *other;
        memcpy(rank->others, score->keys, sizeof rank->others);
    }
}

/* -- the race -- */

static void measure_best(struct race *race)
{
    if (!race->is_measured && race->best.node != NODE_NONE) {
        race->best.metres = group_metres(race->route, race->best.node);
        race->is_measured = true;
    }
}

/* Of equal scores: the nearer, then the lesser id. Measured only where float does not tell. */
static bool is_nearer(struct race *race, struct contender *contender)
{
    if (contender->chord_2 >= 0 && race->best_2 >= 0) {
        if (chord_tells(contender->chord_2, race->best_2)) {
            return true;
        }
        if (chord_tells(race->best_2, contender->chord_2)) {
            return false;
        }
    }
    measure_best(race);
    uint32_t metres = contender_metres(race->route, contender);
    if (metres != race->best.metres) {
        return metres < race->best.metres;
    }
    return node_compare(race->route->view->network, contender->node, race->best.node) < 0;
}

/* Whether the score is less than the best so far, or equal and the node is nearer. */
static bool is_better(struct race *race, const uint64_t *keys, struct contender *contender)
{
    uint32_t count = strategy_keys(race->strategy);
    if (race->best.node == NODE_NONE) {
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] != race->score.keys[i]) {
            return keys[i] < race->score.keys[i];
        }
    }
    return is_nearer(race, contender);
}

/* The score, unless a term tells already that the node is worse. */
static bool score_below(struct race *race, struct contender *contender, struct score *score)
{
    const struct strategy *strategy = race->strategy;
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    bool is_open = race->best.node != NODE_NONE; /* so far equal to the best */
    memset(score->keys, 0, sizeof score->keys);
    score->is_whole = false;
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        uint32_t at = is_weighted ? 0 : i;
        uint64_t value = strategy_value(race->route, contender, &strategy->terms[i]);
        score->values[i] = (uint32_t)value;
        score->keys[at] += is_weighted ? value * strategy->factor[i] : value;
        if (is_open && score->keys[at] > race->score.keys[at]) {
            return false;
        }
        is_open = is_open && (is_weighted || score->keys[at] == race->score.keys[at]);
    }
    score->is_whole = true;
    return is_better(race, score->keys, contender);
}

static bool is_within_reach(const struct race *race, struct contender *contender)
{
    const struct route *route = race->route;
    return !race->has_reach ||
           group_takes_node(route, contender->node, contender_metres(route, contender));
}

static bool holds(const struct race *race, uint16_t node)
{
    return race->is_by_hint ? nearest_lists_hold(race->route, node)
                            : group_holds(race->route, node);
}

/* One of the others: not measured where its chord tells about how far it is. */
static struct route_guess other_of(const struct race *race, struct contender *contender)
{
    if (!contender->has_metres && contender->chord_2 >= 0) {
        return (struct route_guess){NODE_NONE, chord_metres_least(sqrtf(contender->chord_2))};
    }
    return (struct route_guess){contender->node, contender_metres(race->route, contender)};
}

static void lost(struct race *race, const struct score *score, struct contender *contender)
{
    struct route_guess other = {NODE_NONE, 0};
    if (race->rank && score->is_whole) {
        other = other_of(race, contender);
    }
    if (race->rank) {
        other_add(race, score, &other);
    }
}

static void best_lost(struct race *race)
{
    struct contender contender;
    contender_open(&contender, race->best.node, race->best_2, &race->memo);
    contender.metres = race->best.metres;
    contender.has_metres = race->is_measured;
    lost(race, &race->score, &contender);
}

static void won(struct race *race, const struct score *score, struct contender *contender)
{
    if (race->rank && race->best.node != NODE_NONE) {
        best_lost(race);
    }
    race->score = *score;
    race->best = (struct route_guess){contender->node, contender->metres};
    race->is_measured = contender->has_metres;
    race->best_2 = contender->chord_2;
    prefetch_read(&race->route->view->network->hot[contender->node]); /* measured at the end */
    limit_set(race);
}

static void try_node(struct race *race, const struct strategy_entry *entry)
{
    struct contender contender;
    struct score score;
    contender_open(&contender, entry->node, entry->chord_2, &race->memo);
    if (!score_below(race, &contender, &score)) {
        lost(race, &score, &contender);
    } else if (is_within_reach(race, &contender) && strategy_takes(race->route, &contender) &&
               holds(race, entry->node)) {
        won(race, &score, &contender);
    }
}

/* The entry is kept only as one of the others, and its bound, which leaves no term out, tells as
 * much of it as its score would. */
static bool is_other(const struct race *race, const struct strategy_entry *entry)
{
    return race->rank && race->bound.is_whole && race->best.node != NODE_NONE &&
           race->strategy->mode == STRATEGY_WEIGHTED && entry->bound > race->score.keys[0];
}

static void other_bound(struct race *race, uint64_t bound)
{
    const struct score score = {.keys = {bound}};
    const struct route_guess other = {NODE_NONE, 0};
    other_add(race, &score, &other);
}

/* The entry of the least bound, taken out. */
static struct strategy_entry take_least(struct strategy_entry *entries, uint32_t *count)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < *count; i++) {
        at = entries[i].bound < entries[at].bound ? i : at;
    }
    struct strategy_entry entry = entries[at];
    entries[at] = entries[--*count];
    return entry;
}

static void try_word(struct race *race, uint32_t word, slot_bits bits)
{
    const struct strategy_limits limits = {race->limit_2, race->most};
    struct strategy_entry entries[64];
    uint32_t count =
        strategy_bound_word(race->route, &race->bound, word, bits, &limits, entries);
    while (count > 0) {
        struct strategy_entry entry = take_least(entries, &count);
        if (entry.bound > race->most) {
            return;
        }
        if (is_other(race, &entry)) {
            other_bound(race, entry.bound); /* the rest have greater ones */
            return;
        }
        try_node(race, &entry);
    }
}

/* The bitmaps that a candidate's bit must be set in, but for the base; 0: there are too many. */
static uint32_t maps_list(const struct route *route, struct slot_map *maps)
{
    uint32_t count = route->group.demand_count;
    for (uint32_t i = 0; i < count && count <= MAPS_MAX; i++) {
        struct row *row = route->demands[i].row;
        maps[i] = (struct slot_map){row_maybe(row), row->words};
    }
    return count <= MAPS_MAX ? count : 0;
}

static slot_bits word_of(const struct route *route, const struct slot_map *maps, uint32_t count,
                         uint32_t word)
{
    slot_bits bits = route->group.base[word];
    for (uint32_t i = 0; i < count; i++) {
        bits &= word < maps[i].words ? __atomic_load_n(&maps[i].bits[word], __ATOMIC_RELAXED) : 0;
    }
    return count > 0 ? bits : nearest_word(route, word);
}

/* The words of the area's list, of rows that are bitmaps, that are near enough. False: others may
 * have a better node. */
static bool try_area(struct race *race, const struct near_area *area)
{
    struct slot_map maps[MAPS_MAX];
    uint32_t count = maps_list(race->route, maps);
    for (uint32_t i = 0; i < area->count; i++) {
        if (area->bounds[i] > race->limit) {
            return true;
        }
        slot_bits bits = word_of(race->route, maps, count, area->words[i]);
        if (bits) {
            try_word(race, area->words[i], bits);
        }
    }
    return area->end > race->limit;
}

/* Those that area, unless it is NULL, does not list. */
static void try_near_words(struct race *race, const struct near_area *area)
{
    struct route *route = race->route;
    uint32_t words = route->view->network->words;
    uint32_t padded = (words + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK;
    nearest_able(route);
    for (uint32_t i = 0; area && i < area->count; i++) {
        route->found[area->words[i]] = 0;
    }
    route->kernel->caps(route->view->network, race->bound.place, route->found, words,
                        route->cap_keys);
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

static void try_near(struct race *race)
{
    struct route *route = race->route;
    const struct network *network = route->view->network;
    const struct near_area *area =
        nearest_has_list(route) ? NULL : near_area_at(&route->areas, network, race->bound.place);
    if (!area || !try_area(race, area)) {
        try_near_words(race, area);
    }
}

/* No distance leads: the bounds of all, then from the least on. Not sorted: many may be equal. */
static void try_all(struct race *race)
{
    struct route *route = race->route;
    const struct strategy_limits limits = {race->limit_2, race->most};
    struct strategy_entry *entries = strategy_entries(route);
    uint32_t count = 0;
    uint32_t first = 0;
    nearest_able(route);
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        count += strategy_bound_word(route, &race->bound, word, route->found[word], &limits,
                                     entries + count);
    }
    for (uint32_t i = 1; i < count; i++) {
        first = entries[i].bound < entries[first].bound ? i : first;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (first + i) % count;
        if (entries[at].bound <= race->most) {
            try_node(race, &entries[at]);
        }
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

/* Whether its score depends on what is free. */
static bool looks_at_stock(const struct strategy *strategy)
{
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        if (strategy->terms[i].term == STRATEGY_TERM_SCARCITY) {
            return true;
        }
    }
    return false;
}

static void race_begin(struct race *race, struct route *route, struct route_rank *rank)
{
    const struct network *network = route->view->network;
    *race = (struct race){.route = route,
                          .strategy = route->request->strategy,
                          .rank = rank,
                          .is_by_hint = rank && !looks_at_stock(route->request->strategy),
                          .has_reach = route->request->max_m != ROUTE_NO_LIMIT ||
                                       network->reach_min[route->group.service] != UINT32_MAX,
                          .most = UINT64_MAX,
                          .best = {NODE_NONE, 0}};
    race->limit = chord_limit(route->group.reach_m);
    race->limit_2 = race->limit * race->limit * (1 + 0x1p-20f);
    strategy_bound_begin(route, &race->bound, &race->memo);
}

static struct route_guess race_run(struct race *race)
{
    if (!has_rows(race->route)) {
        return race->best;
    }
    if (race->bound.distance) {
        try_near(race);
    } else {
        try_all(race);
    }
    measure_best(race);
    return race->best;
}

struct route_guess strategy_source(struct route *route)
{
    struct race race;
    race_begin(&race, route, NULL);
    return race_run(&race);
}

/* -- guesses -- */

/* What the best's first key may rise by and still bound the search: two fulfilments more. */
static uint64_t slack_of(const struct strategy *strategy)
{
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    uint64_t slack = 0;
    for (uint32_t i = 0; i < (is_weighted ? strategy->term_count : 1u); i++) {
        const struct strategy_term *term = &strategy->terms[i];
        if (term->term == STRATEGY_TERM_LOAD) {
            uint64_t more = term->band > 1 ? term->band : LOADS_MORE;
            slack += is_weighted ? strategy->factor[i] * more : more;
        }
    }
    return slack;
}

struct route_guess strategy_guess(struct route *route, struct route_rank *rank)
{
    struct race race;
    race_begin(&race, route, rank);
    rank->has_other = false;
    race.slack = slack_of(race.strategy);
    struct route_guess best = race_run(&race);
    rank->reach =
        strategy_bound_has_terms(&race.bound) ? race.score.keys[0] + race.slack : UINT64_MAX;
    memcpy(rank->values, race.score.values, sizeof rank->values);
    return best;
}

static bool moves(uint8_t term)
{
    return term == STRATEGY_TERM_LOAD || term == STRATEGY_TERM_ACCEPTANCE ||
           term == STRATEGY_TERM_SCARCITY;
}

bool strategy_stands(const struct route *route, const struct route_guess *guess,
                     const struct route_rank *rank)
{
    const struct strategy *strategy = route->request->strategy;
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    uint64_t keys[STRATEGY_TERMS_MAX] = {0};
    struct contender contender;
    contender_begin(&contender, guess->node, guess->metres);
    for (uint32_t i = 0; i < strategy->term_count; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        uint64_t value =
            moves(term->term) ? strategy_value(route, &contender, term) : rank->values[i];
        keys[is_weighted ? 0 : i] += is_weighted ? value * strategy->factor[i] : value;
    }
    return keys[0] <= rank->reach && strategy_takes(route, &contender) &&
           (!rank->has_other || is_below(route, rank, keys, guess));
}
