/* What candidates hold: one walk over the cells of each item of the group. */
#include <string.h>

#include "check.h"
#include "heap_sort.h"
#include "split_internal.h"

enum {
    LISTED_CELLS = 8000,
    CELLS_A_WORD = 6,
    VISITED = 2, /* cells that take as long as a step */
    DIGIT_BITS = 8,
    DIGIT = 1 << DIGIT_BITS
}; /* of the counting sort */

/* Whether some node may be too far for the group. */
static bool has_reach(const struct route *route)
{
    return route->request->max_m != ROUTE_NO_LIMIT ||
           route->view->network->reach_min[route->group.service] != UINT32_MAX;
}

/* Metres stay known while they are asked for the same place in the same network. */
static void place_begin(struct route *route)
{
    struct split *split = route->split;
    const struct network *network = route->view->network;
    const struct geo_point *dest = &route->request->dest;
    bool is_same = split->place_network == network &&
                   split->place_generation == network->generation &&
                   split->place_point.x == dest->x && split->place_point.y == dest->y &&
                   split->place_point.z == dest->z;
    if (!is_same) {
        split->place_network = network;
        split->place_generation = network->generation;
        split->place_point = *dest;
        split->place_stamp++;
    }
}

static void measure(struct route *route, uint32_t word)
{
    const struct network *network = route->view->network;
    const struct geo_point *dest = &route->request->dest;
    const double place[3] = {dest->x, dest->y, dest->z};
    uint32_t *metres = &route->split->place_metres[word * 64];
    route->kernel->metres(network, place, word, metres);
    for (uint32_t i = 0; i < 64; i++) {
        uint16_t node = network->node_of_slot[word * 64 + i];
        if (metres[i] == METRES_UNSURE && node != NODE_NONE) {
            metres[i] = geo_metres(&network->nodes[node].point, dest);
        }
    }
}

const uint32_t *split_word_metres(struct route *route, uint32_t word)
{
    struct split *split = route->split;
    if (split->place_stamps[word] != split->place_stamp) {
        split->place_stamps[word] = split->place_stamp;
        measure(route, word);
    }
    return &split->place_metres[word * 64];
}

/* Metres to the 64 slots of the word, UINT32_MAX where a node is out of reach or no candidate. */
static void measure_word(struct route *route, uint32_t word)
{
    const struct network *network = route->view->network;
    uint32_t *metres = &route->split->slot_metres[word * 64];
    bool is_limited = has_reach(route);
    if (group_is_measured(route)) {
        memcpy(metres, split_word_metres(route, word), 64 * sizeof *metres);
    } else {
        memset(metres, 0, 64 * sizeof *metres);
    }
    for (uint32_t i = 0; i < 64 && is_limited; i++) {
        uint16_t node = network->node_of_slot[word * 64 + i];
        if (node != NODE_NONE && !group_takes_node(route, node, metres[i])) {
            metres[i] = UINT32_MAX;
        }
    }
}

static uint32_t measure_slot(struct route *route, uint32_t slot)
{
    struct split *split = route->split;
    if (split->slot_stamp[slot] != route->stamp) {
        uint16_t node = route->view->network->node_of_slot[slot];
        uint32_t metres = group_metres(route, node);
        split->slot_stamp[slot] = route->stamp;
        split->slot_metres[slot] = group_takes_node(route, node, metres) ? metres : UINT32_MAX;
        split->slot_candidate[slot] = UINT32_MAX;
    }
    return split->slot_metres[slot];
}

/* Cells of the group's rows, whoever may serve. */
static uint64_t row_cells_of(const struct route *route)
{
    uint64_t cells = 0;
    for (uint32_t i = 0; i < route->group.demand_count; i++) {
        cells += route->demands[i].row ? route->demands[i].row->count : 0;
    }
    return cells;
}

/* Whether they are few in a word: 64 metres at once cost as much as six. */
static bool is_sparse(const struct route *route, uint64_t cells)
{
    return cells < (uint64_t)route->view->network->words * CELLS_A_WORD;
}

uint32_t split_slot_metres(struct route *route, uint32_t slot)
{
    struct split *split = route->split;
    if (split->is_sparse) {
        return measure_slot(route, slot);
    }
    uint32_t word = slot / 64;
    if (split->word_stamp[word] != route->stamp) {
        split->word_stamp[word] = route->stamp;
        measure_word(route, word);
        memset(&split->slot_candidate[word * 64], 0xff, 64 * sizeof *split->slot_candidate);
    }
    return split->slot_metres[slot];
}

static bool visit_cell(struct route *route, uint32_t item, uint32_t slot, uint32_t index,
                       cell_visit *visit)
{
    const struct demand *demand = &route->demands[item];
    uint16_t node = route->view->network->node_of_slot[slot];
    uint32_t free = stock_free(route->view, demand->item, node, row_word(demand->row, index));
    uint32_t gone = route->keep + (route->has_takes ? taken(route, demand->item, node) : 0);
    if (free > gone && split_slot_metres(route, slot) != UINT32_MAX) {
        return visit(route, item, slot, free - gone);
    }
    return true;
}

static void visit_list(struct route *route, uint32_t item, const slot_bits *among,
                       cell_visit *visit)
{
    const struct demand *demand = &route->demands[item];
    const uint16_t *slots = row_slots(demand->row);
    for (uint32_t i = 0; i < demand->row->count; i++) {
        uint32_t slot = slots[i];
        bool is_able = among[slot / 64] >> (slot % 64) & 1;
        if (is_able && !visit_cell(route, item, slot, i, visit)) {
            return;
        }
    }
}

static void visit_bitmap(struct route *route, uint32_t item, const slot_bits *among,
                         cell_visit *visit)
{
    const struct demand *demand = &route->demands[item];
    const struct row *row = demand->row;
    uint32_t words = route->view->network->words;
    words = row->words < words ? row->words : words;
    for (uint32_t word = 0; word < words; word++) {
        slot_bits bits =
            among[word] & __atomic_load_n(&row_maybe(demand->row)[word], __ATOMIC_RELAXED);
        for (; bits; bits &= bits - 1) {
            uint32_t at = (uint32_t)__builtin_ctzll(bits);
            uint32_t index = row_rank(row, word, (slot_bits)1 << at);
            if (!visit_cell(route, item, word * 64 + at, index, visit)) {
                return;
            }
        }
    }
}

void split_visit(struct route *route, uint32_t item, const slot_bits *among, cell_visit *visit)
{
    const struct demand *demand = &route->demands[item];
    if (!demand->row) {
        return;
    }
    if (demand->row->kind == ROW_LIST) {
        visit_list(route, item, among, visit);
    } else {
        visit_bitmap(route, item, among, visit);
    }
}

bool split_has_candidate(struct route *route)
{
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        for (slot_bits bits = route->group.base[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            if (split_slot_metres(route, slot) != UINT32_MAX) {
                return true;
            }
        }
    }
    return false;
}

/* Of wide groups: whether there is enough is all that is asked. */
static bool add_available(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    (void)slot;
    split->steps++;
    split->available[item] += free;
    return split->available[item] < split->demand[item];
}

/* Where all are the same the nodes need not be read. */
int32_t split_priority(const struct network *network, uint16_t node)
{
    bool is_one = network->has_classes && network->class_count == 1;
    return is_one ? network->class_priority[0] : network->nodes[node].config.priority;
}

/* The candidate at the slot, listed at its first cell. */
static struct candidate *candidate_at(struct route *route, uint32_t slot)
{
    struct split *split = route->split;
    uint32_t at = split->slot_candidate[slot];
    if (at == UINT32_MAX) {
        at = split->count++;
        split->slot_candidate[slot] = at;
        uint16_t node = route->view->network->node_of_slot[slot];
        split->candidates[at] =
            (struct candidate){.free = at,
                               .metres = split->slot_metres[slot],
                               .priority = split_priority(route->view->network, node),
                               .node = node};
        memset(&split->free[(size_t)at * split->item_count], 0,
               split->item_count * sizeof *split->free);
    }
    return &split->candidates[at];
}

static bool add_candidate(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    struct split *split = route->split;
    struct candidate *candidate = candidate_at(route, slot);
    uint64_t bit = (uint64_t)1 << item;
    uint32_t demand = split->demand[item];
    candidate->some |= bit;
    candidate->whole |= free >= demand ? bit : 0;
    split->spread |= free >= demand ? 0 : bit;
    split->free[(size_t)candidate->free * split->item_count + item] = free < demand ? free : demand;
    return true;
}

static bool add_both(struct route *route, uint32_t item, uint32_t slot, uint32_t free)
{
    route->split->available[item] += free;
    route->split->cells++;
    return add_candidate(route, item, slot, free);
}

static uint32_t visit_steps(const struct route *route, uint32_t item)
{
    const struct row *row = route->demands[item].row;
    return row ? row->count / VISITED + 1 : 1;
}

static void candidates_begin(struct route *route)
{
    struct split *split = route->split;
    CHECK(!split->is_wide);
    split->count = 0;
    split->all = 0;
    split->spread = 0;
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->all |= split->demand[item] ? (uint64_t)1 << item : 0;
    }
}

void split_candidates(struct route *route)
{
    struct split *split = route->split;
    candidates_begin(route);
    route->stamp++; /* candidates known by slot are forgotten */
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->demand[item] > 0) {
            split_visit(route, item, route->group.base, add_candidate);
            work(route, visit_steps(route, item));
        }
    }
}

void split_place_begin(struct route *route)
{
    if (group_is_measured(route)) {
        place_begin(route);
    }
}

void split_begin(struct route *route)
{
    struct split *split = route->split;
    split_place_begin(route);
    uint64_t cells = row_cells_of(route);
    split->is_sparse = is_sparse(route, cells);
    split->item_count = route->group.demand_count;
    split->is_long = split->item_count > MASK_ITEMS_MAX;
    split->is_listed =
        split->item_count <= SPLIT_ITEMS_MAX && (!split->is_long || cells <= LISTED_CELLS);
    split->steps = 0;
    split->cells = 0;
    split->nodes_ruled_out = 0;
    split->has_columns = false;
    for (uint32_t item = 0; item < split->item_count; item++) {
        split->demand[item] = route->demands[item].qty;
        split->available[item] = 0;
    }
}

void split_collect(struct route *route)
{
    struct split *split = route->split;
    split->is_wide = !split->is_listed;
    if (!split->is_wide) {
        candidates_begin(route);
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        split_visit(route, item, route->group.base, split->is_wide ? add_available : add_both);
        work(route, visit_steps(route, item));
    }
}

/* One pass of a counting sort over a digit of the keys. */
static void sort_by_digit(struct split *split, uint32_t shift)
{
    uint32_t from[DIGIT + 1] = {0};
    const struct sort_key *keys = split->sort_keys[split->sort_side];
    struct sort_key *to = split->sort_keys[!split->sort_side];
    for (uint32_t i = 0; i < split->count; i++) {
        from[(keys[i].cost >> shift) % DIGIT + 1]++;
    }
    for (uint32_t i = 0; i < DIGIT; i++) {
        from[i + 1] += from[i];
    }
    for (uint32_t i = 0; i < split->count; i++) {
        to[from[(keys[i].cost >> shift) % DIGIT]++] = keys[i];
    }
    split->sort_side = !split->sort_side;
}

/* Least significant digit first, without those that are the same in all. Candidates are large:
 * they move once, at the end. */
static void sort_by_cost(struct split *split)
{
    uint64_t differing = 0;
    split->sort_side = 0;
    for (uint32_t i = 0; i < split->count; i++) {
        const struct candidate *at = &split->candidates[i];
        uint64_t priority = (uint64_t)((int64_t)at->priority - INT32_MIN);
        split->sort_keys[0][i] = (struct sort_key){priority << 32 | at->metres, i};
        differing |= split->sort_keys[0][i].cost ^ split->sort_keys[0][0].cost;
        split->sorted[i] = *at;
    }
    for (uint32_t shift = 0; shift < 64; shift += DIGIT_BITS) {
        if (differing >> shift & (DIGIT - 1)) {
            sort_by_digit(split, shift);
        }
    }
    for (uint32_t i = 0; i < split->count; i++) {
        split->candidates[i] = split->sorted[split->sort_keys[split->sort_side][i].index];
    }
}

static bool is_less(const void *owner, uint32_t a, uint32_t b)
{
    const struct route *route = owner;
    return candidate_compare(route, &route->split->candidates[a], &route->split->candidates[b]) < 0;
}

static void swap(void *owner, uint32_t a, uint32_t b)
{
    struct candidate *candidates = ((struct route *)owner)->split->candidates;
    struct candidate moved = candidates[a];
    candidates[a] = candidates[b];
    candidates[b] = moved;
}

static const struct heap_order by_id = {is_less, swap};

void split_sort(struct route *route)
{
    struct split *split = route->split;
    sort_by_cost(split);
    for (uint32_t first = 0, end; first < split->count; first = end) {
        plan_cost cost = candidate_cost(&split->candidates[first]);
        for (end = first + 1; end < split->count; end++) {
            if (candidate_cost(&split->candidates[end]) != cost) {
                break;
            }
        }
        if (end - first > 1) {
            heap_sort(route, &by_id, first, end - first);
        }
    }
}
