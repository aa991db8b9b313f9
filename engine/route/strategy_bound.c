/* What nodes score at least by a strategy, before any is measured and any cell is read: of a word,
 * and of the candidates of a word.
 *
 * What costs, types and priorities of a word's nodes are at least changes only when a node or a
 * carrier's rows do, so it is kept until then (struct face). Terms whose value is the same at all
 * nodes are added once; of the others those that stand ready (load, declines, handling) are added
 * candidate by candidate, the rest (dates, roads, stock) count as 0. A distance is bounded by the
 * float chord: nearest.c says how far it may be off, and a chord is shorter than its arc. */
#include <math.h>

#include "mem.h"
#include "strategy_route_internal.h"

/* Of the nodes of a word, or of all. */
struct face {
    uint16_t node;   /* one of them, NODE_NONE = there is none */
    uint32_t origin; /* by carriers, of that one */
    bool is_mixed;   /* others have other ones */
    uint8_t types;   /* bit per enum node_type that occurs */
    uint32_t cents_least, cents_most; /* of handling */
    int32_t priority_least;           /* where the network has classes */
};

struct faces {
    uint64_t stamp; /* of network and rows, + 1 */
    const struct network *network;
    struct face all;
    struct face words[WORD_MAX_NETWORK];
    struct strategy_entry entries[SLOT_MAX];
};

static const struct face face_none = {
    .node = NODE_NONE, .cents_least = UINT32_MAX, .priority_least = INT32_MAX};

enum err faces_new(struct faces **out)
{
    void *memory;
    enum err err = mem_reserve(sizeof **out, &memory);
    if (err == ERR_OK) {
        *out = memory;
    }
    return err;
}

void faces_free(struct faces *faces)
{
    if (faces) {
        mem_release(faces, sizeof *faces);
    }
}

static uint32_t origin_of(const struct route *route, uint16_t node)
{
    const struct timing *timing = route->view->timing;
    bool has_lanes = timing && timing->carriers.rows > 0;
    const struct area_matches *origins = has_lanes ? &timing->carriers.origins[node] : NULL;
    return origins && origins->count > 0 ? origins->ids[0] : AREA_UNKNOWN;
}

static uint32_t lesser(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t greater(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* All that from says holds of to's nodes as well. */
static void face_add(struct face *to, const struct face *from)
{
    if (from->node == NODE_NONE) {
        return;
    }
    to->is_mixed |= from->is_mixed || (to->node != NODE_NONE && to->origin != from->origin);
    to->node = from->node;
    to->origin = from->origin;
    to->types |= from->types;
    to->cents_least = lesser(to->cents_least, from->cents_least);
    to->cents_most = greater(to->cents_most, from->cents_most);
    to->priority_least =
        to->priority_least < from->priority_least ? to->priority_least : from->priority_least;
}

static int32_t priority_of_word(const struct network *network, uint32_t word)
{
    uint32_t class = 0;
    while (network->has_classes && class < network->class_count &&
           !network->class_bits[class][word]) {
        class ++;
    }
    return network->has_classes && class < network->class_count ? network->class_priority[class]
                                                                : INT32_MAX;
}

static void face_make(const struct route *route, uint32_t word, struct face *face)
{
    const struct network *network = route->view->network;
    int32_t priority = priority_of_word(network, word);
    *face = face_none;
    for (slot_bits left = network->used[word]; left; left &= left - 1) {
        uint16_t node = network->node_of_slot[word * 64 + (uint32_t)__builtin_ctzll(left)];
        const struct node_hot *hot = &network->hot[node];
        const struct face own = {.node = node,
                                 .origin = origin_of(route, node),
                                 .types = (uint8_t)(1u << hot->type),
                                 .cents_least = hot->handling_cents,
                                 .cents_most = hot->handling_cents,
                                 .priority_least = priority};
        face_add(face, &own);
    }
}

static struct faces *faces_now(const struct route *route)
{
    const struct network *network = route->view->network;
    const struct timing *timing = route->view->timing;
    struct faces *faces = route->faces;
    uint64_t stamp = network->generation + (timing ? timing->carriers.generation : 0) + 1;
    if (faces->stamp != stamp || faces->network != network) {
        faces->stamp = stamp;
        faces->network = network;
        faces->all = face_none;
        for (uint32_t word = 0; word < network->words; word++) {
            face_make(route, word, &faces->words[word]);
            face_add(&faces->all, &faces->words[word]);
        }
    }
    return faces;
}

void faces_forget(struct faces *faces)
{
    faces->network = NULL;
}

struct strategy_entry *strategy_entries(struct route *route)
{
    return route->faces->entries;
}

/* -- terms -- */

/* The least value of a term among a face's nodes, and whether all have it. */
struct spread {
    uint64_t least;
    bool is_fixed;
};

static struct spread spread_of_cost(const struct route *route, const struct face *face,
                                    struct lane_memo *memo)
{
    uint64_t lane = face->is_mixed ? 0 : strategy_lane_cost(route, face->node, memo);
    return (struct spread){face->cents_least + lane,
                           !face->is_mixed && face->cents_least == face->cents_most};
}

static struct spread spread_of_type(const struct face *face, enum node_type type)
{
    bool has_it = face->types >> type & 1;
    return (struct spread){!has_it, !has_it || face->types == 1u << type};
}

static struct spread spread_of_priority(const struct route *route, const struct face *face)
{
    const struct network *network = route->view->network;
    if (!network->has_classes) {
        return (struct spread){0, false};
    }
    return (struct spread){(uint64_t)((int64_t)face->priority_least + STRATEGY_PRIORITY_SHIFT),
                           network->class_count == 1};
}

static struct spread spread_of(const struct route *route, const struct strategy_term *term,
                               const struct face *face, struct lane_memo *memo)
{
    struct spread spread = {0, false};
    if (face->node == NODE_NONE) {
        return spread;
    }
    if (term->term == STRATEGY_TERM_COST) {
        spread = spread_of_cost(route, face, memo);
    } else if (term->term == STRATEGY_TERM_STORE) {
        spread = spread_of_type(face, NODE_STORE);
    } else if (term->term == STRATEGY_TERM_WAREHOUSE) {
        spread = spread_of_type(face, NODE_WAREHOUSE);
    } else if (term->term == STRATEGY_TERM_VENDOR) {
        spread = spread_of_type(face, NODE_VENDOR);
    } else if (term->term == STRATEGY_TERM_PRIORITY) {
        spread = spread_of_priority(route, face);
    }
    spread.least = spread.least < STRATEGY_VALUE_MAX ? spread.least : STRATEGY_VALUE_MAX;
    spread.least -= spread.least % term->band;
    return spread;
}

/* Whether the term's value is at hand without metres and stock. */
static bool is_ready(uint8_t term)
{
    return term == STRATEGY_TERM_LOAD || term == STRATEGY_TERM_ACCEPTANCE ||
           term == STRATEGY_TERM_COST || term == STRATEGY_TERM_PRIORITY ||
           term == STRATEGY_TERM_STORE || term == STRATEGY_TERM_WAREHOUSE ||
           term == STRATEGY_TERM_VENDOR;
}

static bool is_led_by(const struct strategy *strategy, uint32_t term)
{
    return strategy->is_led && strategy->led_by == term;
}

static void add_term(const struct route *route, struct strategy_bound *bound,
                     const struct strategy_term *term, uint64_t factor)
{
    if (term->term == STRATEGY_TERM_LOAD && term->band == 1 && route->view->queues) {
        bound->load_factor += factor;
    } else if (term->term == STRATEGY_TERM_ACCEPTANCE && term->band == 1 &&
               route->view->declines) {
        bound->declines_factor += factor;
    } else {
        bound->terms[bound->count] = term;
        bound->factors[bound->count++] = factor;
    }
}

void strategy_bound_begin(const struct route *route, struct strategy_bound *bound,
                          struct lane_memo *memo)
{
    const struct strategy *strategy = route->request->strategy;
    const struct faces *faces = faces_now(route);
    bool is_weighted = strategy->mode == STRATEGY_WEIGHTED;
    uint32_t count = is_weighted ? strategy->term_count : 1;
    const struct geo_point *dest = &route->request->dest;
    *bound = (struct strategy_bound){.place = {(float)dest->x, (float)dest->y, (float)dest->z},
                                     .memo = memo};
    if (strategy->is_led) {
        bound->distance = &strategy->terms[strategy->led_by];
        bound->distance_factor = is_weighted ? strategy->factor[strategy->led_by] : 1;
        bound->distance_band = is_weighted ? bound->distance->band : 1;
    }
    bound->is_whole = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct strategy_term *term = &strategy->terms[i];
        uint64_t factor = is_weighted ? strategy->factor[i] : 1;
        struct spread spread = spread_of(route, term, &faces->all, memo);
        bound->least += spread.least * factor;
        if (spread.is_fixed) {
            bound->fixed += spread.least * factor;
        } else if (is_ready(term->term)) {
            add_term(route, bound, term, factor);
        } else {
            bound->is_whole = bound->is_whole && is_led_by(strategy, i);
        }
    }
}

/* -- candidates -- */

static uint64_t distance_least(const struct strategy_bound *bound, float chord)
{
    uint32_t metres = chord_metres_least(chord);
    metres -= bound->distance_band > 1 ? metres % bound->distance_band : 0;
    return metres * bound->distance_factor;
}

static uint64_t capped(uint64_t value)
{
    return value < STRATEGY_VALUE_MAX ? value : STRATEGY_VALUE_MAX;
}

/* What all terms but the leading distance add. */
static uint64_t rest_of(const struct route *route, const struct strategy_bound *bound,
                        uint16_t node)
{
    uint64_t sum = bound->fixed;
    if (bound->load_factor > 0) {
        sum += capped(route->view->queues[node].count) * bound->load_factor;
    }
    if (bound->declines_factor > 0) {
        sum += capped(route->view->declines[node]) * bound->declines_factor;
    }
    for (uint32_t i = 0; i < bound->count; i++) {
        struct contender contender;
        contender_open(&contender, node, CHORD_UNKNOWN, bound->memo);
        sum += strategy_value(route, &contender, bound->terms[i]) * bound->factors[i];
    }
    return sum;
}

static float chord_2_of(const struct network *network, const float place[3], uint32_t slot)
{
    float x = network->x[slot] - place[0];
    float y = network->y[slot] - place[1];
    float z = network->z[slot] - place[2];
    return x * x + y * y + z * z;
}

/* Every candidate is written down and the next one over it where it is none: which ones are cannot
 * be foreseen, and a branch that is taken wrongly costs more than a bound. */
uint32_t strategy_bound_word(const struct route *route, const struct strategy_bound *bound,
                             uint32_t word, slot_bits bits, const struct strategy_limits *limits,
                             struct strategy_entry *entries)
{
    const struct network *network = route->view->network;
    const bool is_led = bound->distance != NULL;
    const float far_2 = limits->chord_2;
    const uint64_t most = limits->most;
    uint32_t count = 0;
    for (; bits; bits &= bits - 1) {
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        uint16_t node = network->node_of_slot[slot];
        float chord_2 = is_led ? chord_2_of(network, bound->place, slot) : CHORD_UNKNOWN;
        uint64_t sum = rest_of(route, bound, node);
        sum += is_led ? distance_least(bound, sqrtf(chord_2)) : 0;
        entries[count] = (struct strategy_entry){sum, chord_2, node};
        count += (sum <= most) & (chord_2 <= far_2);
    }
    return count;
}
