/* Sections of stock: the rows of cells, their overrides, and the latest movements.
 *
 * A cell takes about three bytes: its node as the distance from the one before, on_hand with two
 * bits (the override's, and whether anything is reserved), and its count time as the distance
 * from that of the node's cell before, as a node is mostly counted as a whole. A row is built
 * once, not birth by birth: 46 million cells load in seconds. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image_internal.h"

enum {
    ROW_HEAD_MAX = 20,
    CELL_SIZE_MAX = 3 + 6 + 5 + 10,
    CELL_BITS = 2,
    CELL_HAS_RESERVED = 1,
    CELL_HAS_OVERRIDE = 2
};

_Static_assert(ROW_HEAD_MAX + NODE_MAX * CELL_SIZE_MAX <= IMAGE_RECORD_MAX,
               "the largest row is one record");

void row_order_put(struct row_order *order, uint32_t number, uint32_t index)
{
    order->bits[number / 64] |= (uint64_t)1 << (number % 64);
    order->index[number] = (uint16_t)index;
}

uint32_t row_order_take(struct row_order *order, uint32_t from, uint32_t limit)
{
    for (uint32_t word = from / 64; word * 64 < limit; word++) {
        uint64_t bits = order->bits[word];
        if (bits) {
            order->bits[word] = bits & (bits - 1);
            return word * 64 + (uint32_t)__builtin_ctzll(bits);
        }
    }
    return SLOT_MAX;
}

/* -- rows -- */

void row_order_by_node(const struct tables *tables, const struct row *row,
                          struct row_order *order)
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        row_order_put(order, tables->network.node_of_slot[slot], index);
    }
}

static uint8_t *put_cell(uint8_t *at, const struct row *row, uint32_t index, uint64_t *last_time)
{
    const cell_word word = row_word(row, index);
    const int64_t on_hand = cell_on_hand(word);
    const uint32_t reserved = (uint32_t)cell_reserved(word);
    const uint64_t time = row_count_time(row, index);
    const uint64_t zigzag = (uint64_t)on_hand << 1 ^ (uint64_t)(on_hand >> 63);
    at = bytes_put_int(at, zigzag << CELL_BITS |
                               (cell_has_override(word) ? CELL_HAS_OVERRIDE : 0) |
                               (reserved ? CELL_HAS_RESERVED : 0));
    if (reserved) {
        at = bytes_put_int(at, reserved);
    }
    at = bytes_put_signed(at, (int64_t)(time - *last_time));
    *last_time = time;
    return at;
}

static void save_row(const struct tables *tables, uint32_t item, struct row_order *order,
                     struct image_sink *sink)
{
    const struct row *row = tables->catalogue.items[item].row;
    uint8_t *at = image_begin(sink, ROW_HEAD_MAX + row->count * CELL_SIZE_MAX);
    at = bytes_put_int(at, item);
    at = bytes_put_int(at, row->count);
    row_order_by_node(tables, row, order);
    uint32_t next = 0;
    for (uint32_t i = 0; i < row->count; i++) {
        uint32_t node = row_order_take(order, next, tables->network.count);
        CHECK(node < tables->network.count);
        at = bytes_put_int(at, node - next);
        at = put_cell(at, row, order->index[node], &order->last_time[node]);
        next = node + 1;
    }
    image_end(sink, at);
}

void save_rows(const struct tables *tables, struct image_sink *sink)
{
    struct row_order *order = calloc(1, sizeof *order);
    if (!order) {
        sink->err = sink->err == ERR_OK ? ERR_NOMEM : sink->err;
        return;
    }
    for (uint32_t item = 0; item < tables->catalogue.count; item++) {
        if (tables->catalogue.items[item].row) {
            save_row(tables, item, order, sink);
        }
    }
    free(order);
}

/* What loading a row needs beside its record. */
struct row_cells {
    struct row_order order; /* by slot */
    uint16_t nodes[NODE_MAX];
    cell_word words[NODE_MAX];
    uint64_t times[NODE_MAX];
};

static bool get_cell(struct bytes_source *fields, uint64_t *last_time, cell_word *word_out,
                     uint64_t *time_out)
{
    const uint64_t value = bytes_get_int(fields);
    const uint64_t zigzag = value >> CELL_BITS;
    const int64_t on_hand = (int64_t)(zigzag >> 1 ^ (0 - (zigzag & 1)));
    const bool has_reserved = (value & CELL_HAS_RESERVED) != 0;
    const uint64_t reserved = has_reserved ? bytes_get_max(fields, CELL_RESERVED_MAX) : 0;
    const uint64_t time = *last_time + (uint64_t)bytes_get_signed(fields);
    if (on_hand < -CELL_ON_HAND_MAX || on_hand > CELL_ON_HAND_MAX || time >> 48 ||
        has_reserved != (reserved > 0)) {
        return false;
    }
    *last_time = time;
    *time_out = time;
    *word_out = cell_make((int32_t)on_hand, (int32_t)reserved, (value & CELL_HAS_OVERRIDE) != 0);
    return true;
}

/* The cells of the record, and the order of their slots. */
static bool get_cells(const struct tables *tables, struct bytes_source *fields, uint32_t count,
                      struct row_cells *cells)
{
    uint64_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t node = next + bytes_get_max(fields, NODE_MAX);
        if (fields->is_bad || node >= tables->network.count ||
            !get_cell(fields, &cells->order.last_time[node], &cells->words[i],
                      &cells->times[i])) {
            return false;
        }
        cells->nodes[i] = (uint16_t)node;
        row_order_put(&cells->order, tables->network.hot[node].slot, i);
        next = node + 1;
    }
    return true;
}

static enum err cell_enter(struct tables *tables, uint32_t item, uint16_t node, cell_word word,
                           uint64_t time)
{
    const uint64_t name = cell_name(item, node);
    digest_add_words(&tables->digest, TAG_CELL, name, word, 0);
    if (time) {
        digest_add_words(&tables->digest, TAG_COUNT, name, time, 0);
        uint64_t *fed_ms = &tables->timing.fed_ms[node];
        *fed_ms = time > *fed_ms ? time : *fed_ms;
    }
    tables->cells_short += cell_reserved(word) > cell_on_hand(word);
    return itemset_add(&tables->node_items[node], item);
}

static enum err row_enter(struct tables *tables, uint32_t item, uint32_t count,
                          struct row_cells *cells)
{
    struct row *row = row_build(count, tables->network.words);
    uint32_t slot = 0;
    if (!row) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        slot = row_order_take(&cells->order, slot, tables->network.words * 64);
        CHECK(slot < SLOT_MAX);
        uint32_t from = cells->order.index[slot];
        row_build_add(row, slot, cells->words[from], cells->times[from]);
    }
    row_build_end(row);
    tables->catalogue.items[item].row = row;
    tables->row_bytes += row_size(row);
    tables->cells += count;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        err = cell_enter(tables, item, cells->nodes[i], cells->words[i], cells->times[i]);
    }
    return err;
}

static void load_row(struct tables *tables, struct image_source *source,
                     struct bytes_source *fields, struct row_cells *cells)
{
    uint32_t item = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    uint32_t count = (uint32_t)bytes_get_max(fields, NODE_MAX);
    if (item >= tables->catalogue.count || tables->catalogue.items[item].row || count == 0 ||
        !get_cells(tables, fields, count, cells)) {
        image_bad(source, ERR_DAMAGED, "the row of item %u is not one", item);
    } else if (image_fields_end(source, fields, "a row")) {
        enum err err = row_enter(tables, item, count, cells);
        if (err != ERR_OK) {
            image_bad(source, err, "the row of item %u: %s", item, err_text(err));
        }
    }
}

void load_rows(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    struct row_cells *cells = calloc(1, sizeof *cells);
    if (!cells) {
        image_bad(source, ERR_NOMEM, "no memory to load rows");
        return;
    }
    while (image_fields(source, &fields)) {
        load_row(tables, source, &fields, cells);
    }
    free(cells);
}

/* -- policies: item, then [node, bits, safety stock] of its overridden cells but those that have
 * nothing but quotas -- */

enum { POLICY_SIZE_MAX = 10, POLICY_SAFETY = 1, POLICY_UNLISTED = 2 };

static bool has_rule(const struct tables *tables, uint32_t item, uint16_t node)
{
    const struct policy *policy = policies_find(&tables->policies, item, node);
    CHECK(policy);
    return policy->has_safety || policy->is_unlisted;
}

/* The overridden cells of an item that are more than quotas, by node. */
static uint32_t overrides_order(const struct tables *tables, uint32_t item, struct row_order *order)
{
    const struct row *row = tables->catalogue.items[item].row;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint32_t count = 0;
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        uint16_t node = tables->network.node_of_slot[slot];
        if (cell_has_override(row_word(row, index)) && has_rule(tables, item, node)) {
            row_order_put(order, tables->network.node_of_slot[slot], index);
            count++;
        }
    }
    return count;
}

static void save_overrides(const struct tables *tables, uint32_t item, struct row_order *order,
                           struct image_sink *sink)
{
    uint32_t count = overrides_order(tables, item, order);
    if (count == 0) {
        return;
    }
    uint8_t *at = image_begin(sink, ROW_HEAD_MAX + count * POLICY_SIZE_MAX);
    at = bytes_put_int(at, item);
    at = bytes_put_int(at, count);
    uint32_t node = 0;
    for (uint32_t i = 0; i < count; i++) {
        node = row_order_take(order, node, tables->network.count);
        const struct policy *policy = policies_find(&tables->policies, item, (uint16_t)node);
        CHECK(policy);
        at = bytes_put_int(at, node);
        *at++ = (uint8_t)((policy->has_safety ? POLICY_SAFETY : 0) |
                          (policy->is_unlisted ? POLICY_UNLISTED : 0));
        at = bytes_put_signed(at, policy->safety_stock);
    }
    image_end(sink, at);
}

void save_policies(const struct tables *tables, struct image_sink *sink)
{
    struct row_order *order = calloc(1, sizeof *order);
    if (!order) {
        sink->err = sink->err == ERR_OK ? ERR_NOMEM : sink->err;
        return;
    }
    for (uint32_t item = 0; item < tables->catalogue.count && tables->policies.count; item++) {
        if (tables->catalogue.items[item].row) {
            save_overrides(tables, item, order, sink);
        }
    }
    free(order);
}

static bool load_policy(struct tables *tables, struct image_source *source,
                        struct bytes_source *fields, uint32_t item)
{
    uint16_t node = (uint16_t)bytes_get_max(fields, NODE_MAX - 1);
    uint8_t bits = bytes_get_byte(fields);
    int64_t safety = bytes_get_signed(fields);
    struct policy policy = {(bits & POLICY_SAFETY) != 0, (bits & POLICY_UNLISTED) != 0,
                            (int32_t)safety, QUOTA_NONE, 0};
    bool is_sound = !fields->is_bad && node < tables->network.count && bits &&
                    bits <= (POLICY_SAFETY | POLICY_UNLISTED) && safety >= 0 &&
                    safety <= INT32_MAX && !policies_find(&tables->policies, item, node);
    struct cell cell = is_sound ? tables_cell(tables, item, node) : (struct cell){.index = -1};
    if (cell.index < 0 || !cell_has_override(tables_word(&cell))) {
        image_bad(source, ERR_DAMAGED, "the override of item %u at node %u is not one", item, node);
        return false;
    }
    enum err err = policies_set(&tables->policies, item, node, &policy);
    if (err != ERR_OK) {
        image_bad(source, err, "overrides: %s", err_text(err));
        return false;
    }
    policy_digest(tables, item, node, true);
    return true;
}

void load_policies(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t item = (uint32_t)bytes_get_max(&fields, UINT32_MAX);
        uint32_t count = (uint32_t)bytes_get_max(&fields, NODE_MAX);
        bool is_sound = item < tables->catalogue.count;
        for (uint32_t i = 0; i < count && is_sound; i++) {
            is_sound = load_policy(tables, source, &fields, item);
        }
        if (!is_sound) {
            image_bad(source, ERR_DAMAGED, "overrides of an unknown item");
        } else {
            (void)image_fields_end(source, &fields, "overrides");
        }
    }
}

/* -- movements: first what the ring is, then its entries, oldest first -- */

enum { MOVEMENT_SIZE_MAX = 40, MOVEMENTS_MAX = 500000000 };

void save_movements(const struct tables *tables, struct image_sink *sink)
{
    const struct movements *movements = &tables->movements;
    uint64_t count = movements_count(movements);
    uint8_t *at = image_begin(sink, MOVEMENT_SIZE_MAX);
    at = bytes_put_int(at, movements->max);
    at = bytes_put_int(at, movements->next);
    at = bytes_put_int(at, movements->lost_ms);
    image_end(sink, at);
    for (uint64_t number = movements->next - count; number < movements->next; number++) {
        const struct movement *movement = &movements->ring[number % movements->max];
        at = image_begin(sink, MOVEMENT_SIZE_MAX);
        at = bytes_put_int(at, movement->item);
        at = bytes_put_int(at, movement->node);
        at = bytes_put_signed(at, movement->delta);
        at = bytes_put_int(at, movement->at_ms);
        image_end(sink, at);
    }
}

/* The ring's size decides which movements are forgotten, by replay too: that of the data stays,
 * whatever the setting says. */
static bool ring_fit(struct tables *tables, struct image_source *source, uint64_t max)
{
    struct movements *movements = &tables->movements;
    if (max == movements->max) {
        return true;
    }
    if (max == 0 || max > MOVEMENTS_MAX) {
        image_bad(source, ERR_DAMAGED, "a ring of %llu movements", (unsigned long long)max);
        return false;
    }
    movements_close(movements);
    enum err err = movements_init(movements, (uint32_t)max);
    if (err != ERR_OK) {
        image_bad(source, err, "no memory for %llu movements", (unsigned long long)max);
    }
    return err == ERR_OK;
}

static bool load_ring(struct tables *tables, struct image_source *source, uint64_t *next_out)
{
    struct bytes_source fields;
    struct movements *movements = &tables->movements;
    if (!image_fields(source, &fields)) {
        return false;
    }
    uint64_t max = bytes_get_int(&fields);
    *next_out = bytes_get_int(&fields);
    uint64_t lost_ms = bytes_get_int(&fields);
    if (!image_fields_end(source, &fields, "movements")) {
        return false;
    }
    if (*next_out == 0) {
        image_bad(source, ERR_DAMAGED, "movements are counted from 1");
        return false;
    }
    if (!ring_fit(tables, source, max)) {
        return false;
    }
    movements->lost_ms = lost_ms;
    uint64_t ever = *next_out - 1;
    movements->next = *next_out - (ever < max ? ever : max);
    return true;
}

static void load_movement(struct tables *tables, struct image_source *source,
                          struct bytes_source *fields)
{
    struct movement lost;
    uint32_t item = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    uint16_t node = (uint16_t)bytes_get_max(fields, NODE_MAX - 1);
    int64_t delta = bytes_get_signed(fields);
    uint64_t at_ms = bytes_get_int(fields);
    if (!image_fields_end(source, fields, "movements")) {
        return;
    }
    if (delta < INT32_MIN || delta > INT32_MAX) {
        image_bad(source, ERR_DAMAGED, "a movement of too many units");
        return;
    }
    (void)movements_add(&tables->movements, item, node, (int32_t)delta, at_ms, &lost);
    digest_add_words(&tables->digest, TAG_MOVEMENT, cell_name(item, node), (uint64_t)delta, at_ms);
}

void load_movements(struct tables *tables, struct image_source *source)
{
    uint64_t next;
    struct bytes_source fields;
    if (!load_ring(tables, source, &next)) {
        return;
    }
    while (tables->movements.next < next && image_fields(source, &fields)) {
        load_movement(tables, source, &fields);
    }
    uint32_t size;
    if (tables->movements.next != next || image_next(source, &size)) {
        image_bad(source, ERR_DAMAGED, "not as many movements as told");
    }
}
