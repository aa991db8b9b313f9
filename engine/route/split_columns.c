/* Which slots may have some of an item: a bitmap each, from the rows, without reading a cell.
 *
 * A row's own bitmap may say too much (stock that is all safety stock, or taken by an earlier
 * group), never too little. */
#include <string.h>

#include "check.h"
#include "split_internal.h"

enum {
    STEP_WORDS = 8, /* copied while a step of the tree takes its time */
    COST_NODES = 4,
    SLOT_COST_SHIFT = 28 /* of priorities above the lowest */
};

_Static_assert(FEW_NODES_MAX *(uint64_t)GEO_METRES_MAX < 1 << SLOT_COST_SHIFT, "metres fit below");

_Static_assert(ROUTE_LINES_MAX < 1 << COLUMN_DIGITS, "counts of columns have so many digits");
_Static_assert(WORD_MAX_NETWORK % COLUMN_BLOCK == 0, "bitmaps have room for whole blocks");

static slot_bits *column_block(struct split *split, uint32_t item, uint32_t block)
{
    return &split->column_words[((size_t)block * split->columns.items + item) * COLUMN_BLOCK];
}

static void copy_bitmap(const struct route *route, uint32_t item)
{
    struct split *split = route->split;
    struct row *row = route->demands[item].row;
    const uint64_t *maybe = row_maybe(row);
    uint32_t words = route->view->network->words;
    words = row->words < words ? row->words : words;
    for (uint32_t word = 0; word < words; word += COLUMN_BLOCK) {
        slot_bits *to = column_block(split, item, word / COLUMN_BLOCK);
        uint32_t count = words - word < COLUMN_BLOCK ? words - word : COLUMN_BLOCK;
        for (uint32_t i = 0; i < count; i++) {
            to[i] =
                __atomic_load_n(&maybe[word + i], __ATOMIC_RELAXED) & route->group.base[word + i];
        }
    }
}

static void copy_list(const struct route *route, uint32_t item)
{
    struct split *split = route->split;
    const struct row *row = route->demands[item].row;
    const uint16_t *slots = row_slots(row);
    for (uint32_t i = 0; i < row->count; i++) {
        uint32_t word = slots[i] / 64;
        slot_bits bit = (slot_bits)1 << (slots[i] % 64) & route->group.base[word];
        column_block(split, item, word / COLUMN_BLOCK)[word % COLUMN_BLOCK] |= bit;
    }
}

/* Make the column, add it to the touched slots, and count its slots. */
static uint32_t make_column(const struct route *route, uint32_t item)
{
    struct split *split = route->split;
    const struct row *row = route->demands[item].row;
    uint32_t cells = 0;
    for (uint32_t block = 0; block < split->columns.blocks; block++) {
        memset(column_block(split, item, block), 0, COLUMN_BLOCK * sizeof(slot_bits));
    }
    if (row && row->kind == ROW_BITMAP) {
        copy_bitmap(route, item);
    } else if (row) {
        copy_list(route, item);
    }
    for (uint32_t block = 0; block < split->columns.blocks; block++) {
        const slot_bits *from = column_block(split, item, block);
        for (uint32_t i = 0; i < COLUMN_BLOCK; i++) {
            cells += (uint32_t)__builtin_popcountll(from[i]);
            split->touched[block * COLUMN_BLOCK + i] |= from[i];
        }
    }
    return cells;
}

/* A counting sort: numbers of slots are taken for equal that differ by less than a part in so
 * many. */
static void sort_by_rarity(struct split *split)
{
    enum { PARTS = 256 };
    uint32_t from[PARTS + 1] = {0};
    uint32_t most = 1;
    for (uint32_t item = 0; item < split->item_count; item++) {
        most = split->column_cells[item] > most ? split->column_cells[item] : most;
    }
    for (uint32_t item = 0; item < split->item_count; item++) {
        uint32_t part = split->column_cells[item] * (PARTS - 1) / most;
        from[part + 1] += split->demand[item] > 0;
    }
    for (uint32_t part = 0; part < PARTS; part++) {
        from[part + 1] += from[part];
    }
    split->asked_count = from[PARTS];
    for (uint32_t item = 0; item < split->item_count; item++) {
        if (split->demand[item] > 0) {
            uint32_t part = split->column_cells[item] * (PARTS - 1) / most;
            split->rarest[from[part]++] = (uint16_t)item;
        }
    }
}

/* Slots that are too far are touched by none. */
static void drop_far(struct route *route)
{
    struct split *split = route->split;
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        for (slot_bits bits = split->touched[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            bool is_far = split_slot_metres(route, slot) == UINT32_MAX;
            split->touched[word] &= is_far ? ~(bits & -bits) : ~(slot_bits)0;
        }
    }
}

/* The lowest priority of a touched slot. */
static int32_t priority_min(const struct route *route)
{
    const struct network *network = route->view->network;
    int32_t least = INT32_MAX;
    if (network->has_classes && network->class_count == 1) {
        return network->class_priority[0];
    }
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits bits = route->split->touched[word]; bits; bits &= bits - 1) {
            uint16_t node = network->node_of_slot[word * 64 + (uint32_t)__builtin_ctzll(bits)];
            int32_t priority = split_priority(network, node);
            least = priority < least ? priority : least;
        }
    }
    return least;
}

/* Costs of plans of equally many nodes compare as their priorities, then their metres do. */
static void fill_costs(struct route *route)
{
    struct split *split = route->split;
    const struct network *network = route->view->network;
    int64_t base = priority_min(route);
    uint32_t touched = 0;
    split->cost_min = UINT64_MAX;
    for (uint32_t word = 0; word < network->words; word++) {
        for (slot_bits bits = split->touched[word]; bits; bits &= bits - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
            int64_t priority = split_priority(network, network->node_of_slot[slot]);
            uint64_t cost =
                (uint64_t)(priority - base) << SLOT_COST_SHIFT | split->slot_metres[slot];
            split->slot_cost[slot] = cost;
            split->cost_min = cost < split->cost_min ? cost : split->cost_min;
            touched++;
        }
    }
    split->steps += touched / COST_NODES + 1;
}

bool split_columns(struct route *route, bool is_whole)
{
    struct split *split = route->split;
    uint32_t blocks = (route->view->network->words + COLUMN_BLOCK - 1) / COLUMN_BLOCK;
    bool is_had = true;
    split->columns = (struct columns){split->column_words, split->item_count, blocks};
    memset(split->touched, 0, (size_t)blocks * COLUMN_BLOCK * sizeof *split->touched);
    for (uint32_t item = 0; item < split->item_count && (is_had || is_whole); item++) {
        split->column_cells[item] = make_column(route, item);
        work(route, blocks);
        is_had = is_had && (split->demand[item] == 0 || split->column_cells[item] > 0);
    }
    split->steps += split->item_count * blocks * COLUMN_BLOCK / STEP_WORDS + 1;
    split->has_columns = is_had || is_whole;
    if (split->has_columns) {
        sort_by_rarity(split);
        drop_far(route);
        fill_costs(route);
    }
    return is_had;
}

uint32_t split_most_touched(struct split *split, const slot_bits *among, uint32_t listed)
{
    uint32_t words = split->columns.blocks * COLUMN_BLOCK;
    uint32_t digits = 32 - (uint32_t)__builtin_clz(listed | 1);
    uint32_t most = 0;
    memcpy(split->able, among, words * sizeof *split->able);
    for (uint32_t digit = digits; digit-- > 0;) {
        slot_bits any = 0;
        for (uint32_t word = 0; word < words; word++) {
            any |= split->able[word] & split->planes[digit][word];
        }
        for (uint32_t word = 0; any && word < words; word++) {
            split->able[word] &= split->planes[digit][word];
        }
        most |= any ? 1u << digit : 0;
    }
    return most;
}

bool split_slot_is_cheaper(const struct route *route, uint32_t a, uint32_t b)
{
    const struct split *split = route->split;
    const struct network *network = route->view->network;
    if (split->slot_cost[a] != split->slot_cost[b]) {
        return split->slot_cost[a] < split->slot_cost[b];
    }
    return node_compare(network, network->node_of_slot[a], network->node_of_slot[b]) < 0;
}

uint32_t split_cheapest_slot(const struct route *route, const slot_bits *bits)
{
    uint32_t best = UINT32_MAX;
    for (uint32_t word = 0; word < route->view->network->words; word++) {
        for (slot_bits rest = bits[word]; rest; rest &= rest - 1) {
            uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(rest);
            if (best == UINT32_MAX || split_slot_is_cheaper(route, slot, best)) {
                best = slot;
            }
        }
    }
    return best;
}
