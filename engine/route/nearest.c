/* The best single source: least (priority, whole metres, id) among nodes that hold all.
 *
 * Words of 64 neighbouring slots are looked at in the order of a lower bound of their distance
 * (cap centre minus radius), of an area that comes again from a list (near_area.c); in a word,
 * nodes in the order of their float distance. Only nodes that float distance cannot rule out are
 * measured by geo_metres and compared exactly. Where candidates are few, WORD_BLOCK words of an
 * area's list are looked at together. A few words usually settle it. Bitmap rows are
 * ANDed at once, that takes nanoseconds; where a list row takes part, the first LAZY words are put
 * together one by one, only then all. Items held by few nodes are searched from their list
 * instead.
 *
 * Why float may preselect. Let u = 2^-24, c the true chord between place and node (unit
 * vectors), f the chord computed in float.
 * 1. Each coordinate of both is rounded once: the difference of a coordinate is off by at most
 *    u/2 + u/2 = u from the rounding of numbers of size <= 1 (half an ulp is u/2), and by u|d|
 *    from the subtraction. The vector of differences is off by at most sqrt(3) u + u c.
 * 2. Squares and the two sums round three times on the way: the sum is off by at most 3u of
 *    itself, its root by 1.5u, plus one rounding of the root where it is taken.
 * So |f - c| <= u (1.74 + 4 c), with room for products of errors.
 * 3. Let b be a feasible node, f_b its float chord. A node a that is as near in whole metres
 *    has great-circle distance d_a <= d_b + 1 m; a chord grows no faster than its arc, so
 *    c_a <= c_b + 1.5 m / R, where half a metre covers the double arithmetic of geo_metres
 *    (largest near the antipode, about 0.1 m). 1.5 m / R < 4 u.
 * Hence f_a <= f_b + u (2 * 1.74 + 4 + 8 c_a) <= f_b (1 + 16 u) + 8 u =: limit, as c_a and f_b
 *    differ by less than 20 u. In squares: f_a^2 <= limit^2 (1 + 16 u) after rounding.
 * 4. A cap's bound: c >= |place - centre| - radius (triangle inequality). The centre is a float
 *    point, so its float distance is off by at most 10 u, its radius by 2 u (it is widened by
 *    more), f of the node by 10 u: CAP_SLACK = 32 u covers their sum. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "prefetch.h"
#include "route_internal.h"

enum {
    LAZY = 8,        /* words looked at one by one before list rows are spread to bitmaps */
    SHORT = 64,      /* a row of at most so many cells is searched from its list */
    MERGED = 256,    /* a list up to which membership is found by merging, not by binary search */
    MAPS_MAX = 16,   /* bitmaps up to which words are looked at together */
    FEW_OF_WORD = 8, /* candidates of a word, as expected, up to which they are */
    SPARSE = 4       /* candidates of a word up to which they are measured one by one */
};

_Static_assert(NEAR_WORDS % WORD_BLOCK == 0, "a block of a list is read whole");

/* One search in one class of priority, or in all where there are too many classes. */
struct search {
    struct route *route;
    const struct network *network;
    const slot_bits *class_bits; /* NULL = every node */
    bool has_priorities;         /* compare priorities: no class separates them */
    bool has_reach;              /* a limit of distance holds for some node */
    bool is_by_hint;             /* believe the hints of bitmap rows, read no cell of them */
    float place[3];
    float limit;   /* chord beyond which no node can be better */
    float limit_2; /* its square, rounded up */
    int32_t priority;
    struct route_guess best;
    bool is_measured; /* best.metres is known: mostly float tells, and it is measured at the end */
    float best_2;     /* squared float chord of the best */
};

float chord_limit(uint32_t metres)
{
    double chord = ((double)metres + 2) / GEO_RADIUS_M;
    return chord > 2 ? 4.0f : (float)chord * (1 + 0x1p-20f) + 0x1p-21f;
}

static void limit_set(struct search *search, float limit)
{
    search->limit = limit;
    search->limit_2 = limit * limit * (1 + 0x1p-20f);
}

static void measure_best(struct search *search)
{
    if (!search->is_measured && search->best.node != NODE_NONE) {
        search->best.metres = group_metres(search->route, search->best.node);
        search->is_measured = true;
    }
}

/* Chord beyond which no node is as near as a feasible one at distance_2. */
static float limit_behind(float distance_2)
{
    return sqrtf(distance_2) * (1 + 0x1p-20f) + 0x1p-21f;
}

bool chord_tells(float near_2, float far_2)
{
    float limit = limit_behind(near_2);
    return limit * limit * (1 + 0x1p-20f) < far_2;
}

/* Whether (priority, metres, id) of node is less than that of the best so far. Both are measured
 * only where float does not tell: here the best is the one that it rules out. */
static bool is_better(struct search *search, uint16_t node, float distance_2)
{
    if (search->best.node == NODE_NONE) {
        return true;
    }
    if (search->has_priorities) {
        int32_t priority = search->network->nodes[node].config.priority;
        if (priority != search->priority) {
            return priority < search->priority;
        }
    }
    if (chord_tells(distance_2, search->best_2)) {
        return true;
    }
    measure_best(search);
    uint32_t metres = group_metres(search->route, node);
    if (metres != search->best.metres) {
        return metres < search->best.metres;
    }
    return node_compare(search->network, node, search->best.node) < 0;
}

static bool is_within_reach(const struct search *search, uint16_t node)
{
    return !search->has_reach ||
           group_takes_node(search->route, node, group_metres(search->route, node));
}

/* Whether list rows hold what is asked for; what bitmap rows hold is left to the hint. */
bool nearest_lists_hold(const struct route *route, uint16_t node)
{
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        if (demand->row->kind == ROW_LIST && demand_free(route, demand, node) < demand->qty) {
            return false;
        }
    }
    return true;
}

/* Take the candidate if it is better and holds all. */
static void try_slot(struct search *search, uint32_t slot, float distance_2)
{
    struct route *route = search->route;
    uint16_t node = search->network->node_of_slot[slot];
    if (!is_better(search, node, distance_2) || !is_within_reach(search, node) ||
        !(search->is_by_hint ? nearest_lists_hold(route, node) : group_holds(route, node))) {
        return;
    }
    search->best.node = node;
    prefetch_read(&search->network->hot[node]); /* to be measured at the end */
    search->is_measured = false;
    search->best_2 = distance_2;
    if (search->has_priorities) {
        search->priority = search->network->nodes[node].config.priority;
        return;
    }
    float limit = limit_behind(distance_2);
    if (limit < search->limit) {
        limit_set(search, limit);
    }
}

/* Bits of the slots in word that the list row has; binary search without branches. */
static slot_bits list_bits(const struct row *row, uint32_t word)
{
    const uint16_t *at = row_slots(row);
    const uint16_t *end = at + row->count;
    uint32_t first = word * 64;
    for (uint32_t left = row->count; left > 1;) {
        uint32_t half = left / 2;
        at += at[half - 1] < first ? half : 0;
        left -= half;
    }
    slot_bits bits = 0;
    for (; at < end && *at < first + 64; at++) {
        bits |= *at >= first ? (slot_bits)1 << (*at % 64) : 0;
    }
    return bits;
}

/* Slots of word that may hold the demand. */
static slot_bits demand_bits(const struct demand *demand, uint32_t word)
{
    slot_bits bits;
    if (demand->row->kind == ROW_LIST) {
        bits = list_bits(demand->row, word);
    } else {
        bits = word < demand->row->words
                   ? __atomic_load_n(&row_maybe(demand->row)[word], __ATOMIC_RELAXED)
                   : 0;
    }
    return bits;
}

static slot_bits word_base(const struct search *search, uint32_t word)
{
    slot_bits bits = search->route->group.base[word];
    return search->class_bits ? bits & search->class_bits[word] : bits;
}

/* Of the bits of word those whose slots may hold the whole group. */
static slot_bits able_bits(const struct route *route, uint32_t word, slot_bits bits)
{
    for (uint32_t i = 0; i < route->group.demand_count && bits; i++) {
        bits &= demand_bits(&route->demands[i], word);
    }
    return bits;
}

/* Slots of word that may hold the whole group. */
static slot_bits word_bits(const struct search *search, uint32_t word)
{
    return able_bits(search->route, word, word_base(search, word));
}

slot_bits nearest_word(const struct route *route, uint32_t word)
{
    return able_bits(route, word, route->group.base[word]);
}

static float distance_2(const struct search *search, uint32_t slot)
{
    const struct network *network = search->network;
    float x = network->x[slot] - search->place[0];
    float y = network->y[slot] - search->place[1];
    float z = network->z[slot] - search->place[2];
    return x * x + y * y + z * z;
}

/* Try candidates in the order of their keys while they can be better. slots: NULL = the key's
 * index is the slot. */
static void try_keys(struct search *search, int64_t *keys, uint32_t count, uint32_t first,
                     const uint16_t *slots)
{
    for (uint32_t i = 0; i < count; i++) {
        int64_t key = search->route->kernel->least(keys, count);
        if (key == KEY_NONE || key_distance(key) > search->limit_2) {
            return;
        }
        uint32_t index = key_index(key);
        keys[index - first] = KEY_NONE;
        try_slot(search, slots ? slots[index] : index, key_distance(key));
    }
}

/* The least of SPARSE keys, taken out. */
static int64_t take_least(int64_t *keys)
{
    uint32_t at = 0;
    for (uint32_t i = 1; i < SPARSE; i++) {
        at = keys[i] < keys[at] ? i : at;
    }
    int64_t key = keys[at];
    keys[at] = KEY_NONE;
    return key;
}

static void try_word(struct search *search, uint32_t word, slot_bits bits)
{
    if (__builtin_popcountll(bits) > SPARSE) {
        int64_t keys[64];
        search->route->kernel->word(search->network, search->place, word, bits, keys);
        try_keys(search, keys, 64, word * 64, NULL);
        return;
    }
    int64_t keys[SPARSE] = {KEY_NONE, KEY_NONE, KEY_NONE, KEY_NONE};
    for (uint32_t i = 0; bits; bits &= bits - 1, i++) {
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        keys[i] = key_make(distance_2(search, slot), slot);
    }
    for (int64_t key = take_least(keys); key != KEY_NONE; key = take_least(keys)) {
        if (key_distance(key) > search->limit_2) {
            return;
        }
        try_slot(search, key_index(key), key_distance(key));
    }
}

static void and_with(const struct search *search, slot_bits *bits, const slot_bits *with,
                     uint32_t words)
{
    uint32_t all = search->network->words;
    uint32_t known = words < all ? words : all;
    search->route->kernel->and (bits, with, known);
    if (known < all) {
        memset(bits + known, 0, (all - known) * sizeof *bits);
    }
}

/* Bits of the slots that a list row has, all words. */
static void list_spread(const struct row *row, slot_bits *bits, uint32_t words)
{
    const uint16_t *slots = row_slots(row);
    memset(bits, 0, words * sizeof *bits);
    for (uint32_t i = 0; i < row->count; i++) {
        bits[slots[i] / 64] |= (slot_bits)1 << (slots[i] % 64);
    }
}

/* AND one demand into found. */
static void and_demand(const struct search *search, const struct demand *demand)
{
    struct route *route = search->route;
    uint32_t words = search->network->words;
    if (demand->row->kind == ROW_LIST) {
        list_spread(demand->row, route->listed, words);
        and_with(search, route->found, route->listed, words);
    } else {
        and_with(search, route->found, row_maybe(demand->row), demand->row->words);
    }
}

/* Every slot that may hold the whole group, into found. */
static void and_all(const struct search *search)
{
    struct route *route = search->route;
    uint32_t words = search->network->words;
    memcpy(route->found, route->group.base, words * sizeof *route->found);
    if (search->class_bits) {
        and_with(search, route->found, search->class_bits, words);
    }
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        and_demand(search, &route->demands[i]);
    }
}

void nearest_able(struct route *route)
{
    const struct search search = {.route = route, .network = route->view->network};
    and_all(&search);
}

/* Drop the words without candidates from those still to be looked at. */
static void drop_empty(struct search *search)
{
    struct route *route = search->route;
    for (uint32_t word = 0; word < search->network->words; word++) {
        route->cap_keys[word] = route->found[word] ? route->cap_keys[word] : KEY_NONE;
    }
}

/* lazy: words to look at one by one before all are ANDed; 0 = that was done. */
static void search_words(struct search *search, uint32_t lazy)
{
    struct route *route = search->route;
    uint32_t words = search->network->words;
    uint32_t padded = (words + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK;
    const slot_bits *bits = lazy ? route->group.base : route->found;
    route->kernel->caps(search->network, search->place, bits, words, route->cap_keys);
    for (uint32_t word = words; word < padded; word++) {
        route->cap_keys[word] = KEY_NONE;
    }
    for (uint32_t done = 0; done <= words; done++) { /* one round is the AND of the rest */
        int64_t key = route->kernel->least(route->cap_keys, padded);
        if (key == KEY_NONE || key_distance(key) > search->limit) {
            return;
        }
        if (lazy && done == lazy) {
            and_all(search);
            drop_empty(search);
            continue;
        }
        uint32_t word = key_index(key);
        slot_bits able = done < lazy ? word_bits(search, word) : route->found[word];
        route->cap_keys[word] = KEY_NONE;
        if (able) {
            try_word(search, word, able);
        }
    }
}

/* Whether a node of the word can be as near as the best. */
static bool is_near(const struct search *search, uint32_t word)
{
    const struct network *network = search->network;
    float x = network->cap_x[word] - search->place[0];
    float y = network->cap_y[word] - search->place[1];
    float z = network->cap_z[word] - search->place[2];
    float reach = search->limit + network->cap_radius[word] + CAP_SLACK;
    return x * x + y * y + z * z <= reach * reach * (1 + 0x1p-20f);
}

/* The bitmaps that a candidate's bit must be set in. False: words are not looked at together, as
 * there are too many bitmaps, or so many candidates that one word mostly settles it. */
static bool maps_list(const struct search *search, struct slot_map *maps, uint32_t *count)
{
    const struct route *route = search->route;
    uint32_t words = search->network->words;
    double held = 64; /* over all: candidates of a word, if items lay about by chance */
    double all = 1;
    *count = 0;
    if (route->group.demand_count > MAPS_MAX - 2) {
        return false;
    }
    maps[(*count)++] = (struct slot_map){route->group.base, words};
    if (search->class_bits) {
        maps[(*count)++] = (struct slot_map){search->class_bits, words};
    }
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        struct row *row = route->demands[i].row;
        maps[(*count)++] = (struct slot_map){row_maybe(row), row->words};
        held *= row->count;
        all *= words * 64;
    }
    return held <= FEW_OF_WORD * all;
}

/* Word by word, while it can have a better one. */
static void try_each(struct search *search, const struct near_area *area, uint32_t at,
                     uint32_t count)
{
    for (uint32_t i = at; i < at + count && area->bounds[i] <= search->limit; i++) {
        slot_bits able = word_bits(search, area->words[i]);
        if (able && is_near(search, area->words[i])) {
            try_word(search, area->words[i], able);
        }
    }
}

/* Words of the list together: mostly their nearest candidate rules out all others. */
static void try_block(struct search *search, const struct near_area *area, uint32_t at,
                      uint32_t count, const struct slot_map *maps, uint32_t map_count)
{
    int64_t second;
    int64_t least = search->route->kernel->block(search->network, search->place, &area->words[at],
                                                 count, maps, map_count, &second);
    if (least == KEY_NONE || key_distance(least) > search->limit_2) {
        return;
    }
    try_slot(search, key_index(least), key_distance(least));
    if (second != KEY_NONE && key_distance(second) <= search->limit_2) {
        try_each(search, area, at, count);
    }
}

/* The words of the area's list. False: there may be a better node in others. */
static bool search_area(struct search *search, const struct near_area *area)
{
    struct slot_map maps[MAPS_MAX];
    uint32_t map_count;
    bool is_sparse = maps_list(search, maps, &map_count);
    for (uint32_t at = 0; at < area->count; at += WORD_BLOCK) {
        uint32_t left = area->count - at;
        uint32_t count = left < WORD_BLOCK ? left : WORD_BLOCK;
        if (area->bounds[at] > search->limit) {
            return true;
        }
        if (is_sparse) {
            try_block(search, area, at, count, maps, map_count);
        } else {
            try_each(search, area, at, count);
        }
    }
    return area->end > search->limit;
}

/* What an area's list does not settle is searched from the beginning: the best stays the best. */
static void search_bitmaps(struct search *search)
{
    const struct near_area *area =
        near_area_at(&search->route->areas, search->network, search->place);
    if (!area || !search_area(search, area)) {
        and_all(search);
        search_words(search, 0);
    }
}

/* Keep the slots, sorted, that the row has too; merging, as both are short. */
static uint32_t merge(uint16_t *slots, uint32_t count, const struct row *row)
{
    const uint16_t *others = row_slots(row);
    uint32_t kept = 0;
    uint32_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (at < row->count && others[at] < slots[i]) {
            at++;
        }
        slots[kept] = slots[i];
        kept += at < row->count && others[at] == slots[i];
    }
    return kept;
}

/* Keep the slots that may hold the demand. */
static uint32_t keep_able(uint16_t *slots, uint32_t count, const struct demand *demand)
{
    const struct row *row = demand->row;
    uint32_t kept = 0;
    if (row->kind == ROW_LIST && row->count <= MERGED) {
        count = merge(slots, count, row);
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t slot = slots[i];
        slots[kept] = (uint16_t)slot;
        if (row->kind == ROW_BITMAP) {
            kept += (uint32_t)(demand_bits(demand, slot / 64) >> (slot % 64)) & 1;
        } else {
            kept += row->count <= MERGED || row_find(row, slot) >= 0;
        }
    }
    return kept;
}

/* Search from the cells of one short row. */
static void search_list(struct search *search, const struct row *row)
{
    const struct route *route = search->route;
    uint16_t slots[SHORT];
    int64_t keys[SHORT];
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint32_t count = 0;
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        slots[count] = (uint16_t)slot;
        count += (uint32_t)(word_base(search, slot / 64) >> (slot % 64)) & 1;
    }
    for (uint32_t i = 0; i < route->group.demand_count && count > 0; i++) {
        const struct demand *demand = &route->demands[i];
        if (demand->row != row) {
            count = keep_able(slots, count, demand);
        }
    }
    uint32_t padded = (count + KEY_BLOCK - 1) / KEY_BLOCK * KEY_BLOCK;
    route->kernel->list(search->network, search->place, slots, count, keys);
    for (uint32_t i = count; i < padded; i++) {
        keys[i] = KEY_NONE;
    }
    try_keys(search, keys, padded, 0, slots);
}

bool nearest_has_list(const struct route *route)
{
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        if (route->demands[i].row->kind == ROW_LIST) {
            return true;
        }
    }
    return false;
}

/* The shortest row of the group, or NULL where some item is nowhere to be had. */
static const struct row *shortest(const struct route *route)
{
    const struct row *row = NULL;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        const struct demand *demand = &route->demands[i];
        if (!demand->row) {
            return NULL;
        }
        if (!row || demand->row->count < row->count) {
            row = demand->row;
        }
    }
    return row;
}

static void search_begin(struct search *search, struct route *route, uint32_t class)
{
    const struct network *network = route->view->network;
    const struct geo_point *dest = &route->request->dest;
    *search = (struct search){.route = route,
                              .network = network,
                              .has_priorities = !network->has_classes,
                              .has_reach = route->request->max_m != ROUTE_NO_LIMIT ||
                                           network->reach_min[route->group.service] != UINT32_MAX,
                              .place = {(float)dest->x, (float)dest->y, (float)dest->z},
                              .best = {NODE_NONE, 0}};
    if (network->has_classes && network->class_count > 1) {
        search->class_bits = network->class_bits[class];
    }
    limit_set(search, chord_limit(route->group.reach_m));
}

struct route_guess nearest_source(struct route *route, bool is_by_hint)
{
    const struct network *network = route->view->network;
    const struct row *row = shortest(route);
    uint32_t classes = network->has_classes ? network->class_count : 1;
    struct search search = {.best = {NODE_NONE, 0}};
    DCHECK(route->request->has_dest);
    for (uint32_t class = 0; row && class < classes && search.best.node == NODE_NONE; class ++) {
        search_begin(&search, route, class);
        search.is_by_hint = is_by_hint;
        if (row->count <= SHORT) {
            search_list(&search, row);
        } else if (nearest_has_list(route)) {
            search_words(&search, LAZY);
        } else {
            search_bitmaps(&search);
        }
    }
    if (is_by_hint) {
        search.best.metres = 0; /* whoever confirms it measures it, when its node is near */
    } else {
        measure_best(&search);
    }
    return search.best;
}
