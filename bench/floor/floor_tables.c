/* Items, nodes and rows of the floor, filled before the measurement. */
#include <stdlib.h>
#include <string.h>

#include <xxhash.h>

#include "check.h"
#include "floor_caps.h"
#include "mem.h"

enum { NODES_MAX = 1 << 16 };

static uint32_t power_over(uint32_t count)
{
    uint32_t size = 64;
    while (size < count) {
        size *= 2;
    }
    return size;
}

static enum err reserve(size_t size, void *out)
{
    enum err err = mem_reserve(size, out);
    if (err == ERR_OK) {
        mem_populate(*(void **)out, size);
    }
    return err;
}

enum err floor_tables_init(struct floor_tables *tables, uint32_t items_max, uint32_t orders_max)
{
    *tables = (struct floor_tables){.items_max = items_max, .orders_max = orders_max};
    tables->item_mask = power_over(items_max * 2) - 1;
    tables->order_mask = power_over(orders_max + orders_max / 4) - 1;
    tables->nodes = calloc(NODES_MAX, sizeof *tables->nodes);
    tables->grid = calloc(FLOOR_GRID, sizeof *tables->grid);
    enum err err = tables->nodes && tables->grid ? ERR_OK : ERR_NOMEM;
    if (err == ERR_OK) {
        err = reserve(sizeof *tables->items * items_max, &tables->items);
    }
    if (err == ERR_OK) {
        err = reserve(sizeof *tables->item_slots * (tables->item_mask + 1), &tables->item_slots);
    }
    if (err == ERR_OK) {
        err = reserve(sizeof *tables->orders * orders_max, &tables->orders);
    }
    if (err == ERR_OK) {
        err = reserve(sizeof *tables->order_slots * (tables->order_mask + 1ul),
                      &tables->order_slots);
    }
    return err;
}

static void rows_free(struct floor_tables *tables)
{
    for (uint32_t i = 0; i < tables->items_count; i++) {
        free(tables->items[i].cells);
    }
}

void floor_tables_close(struct floor_tables *tables)
{
    if (tables->sealed_size > 0) {
        mem_release(tables->sealed, tables->sealed_size);
    } else {
        rows_free(tables);
    }
    for (uint32_t i = 0; i < FLOOR_GRID && tables->grid; i++) {
        free(tables->grid[i]);
    }
    free(tables->grid);
    free(tables->nodes);
    free(tables->by_slot);
    free(tables->x);
    free(tables->caps);
    mem_release(tables->items, sizeof *tables->items * tables->items_max);
    mem_release(tables->item_slots, sizeof *tables->item_slots * (tables->item_mask + 1));
    mem_release(tables->orders, sizeof *tables->orders * tables->orders_max);
    mem_release(tables->order_slots, sizeof *tables->order_slots * (tables->order_mask + 1ul));
}

uint64_t floor_hash(const char *text, uint32_t size)
{
    return XXH3_64bits(text, size);
}

static struct floor_name name_of(const char *id, uint32_t size)
{
    struct floor_name name = {.size = (uint8_t)size};
    memcpy(name.at, id, size);
    return name;
}

struct floor_item *floor_item_put(struct floor_tables *tables, const char *id, uint32_t size)
{
    if (size == 0 || size > FLOOR_NAME_MAX) {
        return NULL;
    }
    struct floor_name name = name_of(id, size);
    uint32_t slot = (uint32_t)floor_hash(id, size) & tables->item_mask;
    while (tables->item_slots[slot] != 0) {
        struct floor_item *item = &tables->items[tables->item_slots[slot] - 1];
        if (memcmp(&item->name, &name, sizeof name) == 0) {
            return item;
        }
        slot = (slot + 1) & tables->item_mask;
    }
    if (tables->items_count == tables->items_max) {
        return NULL;
    }
    tables->item_slots[slot] = ++tables->items_count;
    tables->items[tables->items_count - 1].name = name;
    return &tables->items[tables->items_count - 1];
}

/* By linear search where it was the last one asked for, else by a scan: setup only. */
uint16_t floor_node_put(struct floor_tables *tables, const char *id, uint32_t size, double lat,
                        double lon, bool is_warehouse)
{
    static uint32_t last;
    if (size == 0 || size > FLOOR_NAME_MAX) {
        return FLOOR_NODE_NONE;
    }
    struct floor_name name = name_of(id, size);
    for (uint32_t i = 0; i < tables->nodes_count; i++) {
        uint32_t at = (last + i) % tables->nodes_count;
        if (memcmp(&tables->nodes[at].name, &name, sizeof name) == 0) {
            last = at;
            return (uint16_t)at;
        }
    }
    if (tables->nodes_count == NODES_MAX - 1 || tables->words != 0) {
        return FLOOR_NODE_NONE;
    }
    tables->nodes[tables->nodes_count] = (struct floor_node){
        .name = name, .point = geo_point(lat, lon), .lat = lat, .lon = lon,
        .is_warehouse = is_warehouse};
    return (uint16_t)tables->nodes_count++;
}

static const struct floor_node *sorted_nodes;

static int by_curve(const void *a, const void *b)
{
    const struct floor_node *left = &sorted_nodes[*(const uint16_t *)a];
    const struct floor_node *right = &sorted_nodes[*(const uint16_t *)b];
    uint32_t x = geo_hilbert(left->lat, left->lon);
    uint32_t y = geo_hilbert(right->lat, right->lon);
    return x < y ? -1 : x > y;
}

void floor_layout(struct floor_tables *tables)
{
    uint32_t count = tables->nodes_count;
    tables->words = (count + 63) / 64;
    uint32_t room = tables->words * 64;
    tables->by_slot = calloc(room, sizeof *tables->by_slot);
    tables->x = calloc(room * 3ul, sizeof *tables->x);
    tables->caps = calloc(tables->words + 1ul, sizeof *tables->caps);
    CHECK(tables->by_slot);
    CHECK(tables->x);
    CHECK(tables->caps);
    tables->y = tables->x + room;
    tables->z = tables->y + room;
    for (uint32_t i = 0; i < count; i++) {
        tables->by_slot[i] = (uint16_t)i;
    }
    sorted_nodes = tables->nodes;
    qsort(tables->by_slot, count, sizeof *tables->by_slot, by_curve);
    for (uint32_t slot = 0; slot < count; slot++) {
        struct floor_node *node = &tables->nodes[tables->by_slot[slot]];
        node->slot = (uint16_t)slot;
        tables->x[slot] = (float)node->point.x;
        tables->y[slot] = (float)node->point.y;
        tables->z[slot] = (float)node->point.z;
    }
    floor_caps_make(tables);
}

static bool cells_grow(struct floor_item *item)
{
    if (item->count < item->capacity) {
        return true;
    }
    uint32_t capacity = item->capacity + item->capacity / 2 + 16;
    struct floor_cell *cells = realloc(item->cells, capacity * sizeof *cells);
    if (cells) {
        item->cells = cells;
        item->capacity = capacity;
    }
    return cells;
}

/* An item's rows as they came, in cells: on_hand, and the slot in the place of reserved. The last
 * of a slot counts. Words, bits and cells go where the three say. */
static void row_build(struct floor_item *item, int32_t *dense, uint32_t words)
{
    uint32_t count = 0;
    memset(dense, 0xff, words * 64 * sizeof *dense);
    for (uint32_t i = 0; i < item->count; i++) {
        dense[item->cells[i].reserved] = item->cells[i].on_hand;
    }
    struct floor_cell *cells = item->sealed_cells;
    for (uint32_t word = 0; word < words; word++) {
        item->words[word].rank = count;
        for (uint32_t bit = 0; bit < 64; bit++) {
            int32_t on_hand = dense[word * 64 + bit];
            if (on_hand >= 0) {
                item->words[word].has |= UINT64_C(1) << bit;
                item->free[word] |= (uint64_t)(on_hand > 0) << bit;
                cells[count++] = (struct floor_cell){on_hand, 0};
            }
        }
    }
    free(item->cells);
    item->cells = cells;
    item->count = count;
}

/* First all bits, then all words, then all cells: a batch meets as few pages as can be. */
static void rows_build(struct floor_tables *tables)
{
    uint32_t words = tables->words;
    uint64_t *free_at = (uint64_t *)(void *)tables->sealed;
    struct floor_word *words_at = (void *)(free_at + (size_t)tables->items_count * words);
    struct floor_cell *cells_at = (void *)(words_at + (size_t)tables->items_count * words);
    int32_t *dense = malloc(words * 64 * sizeof *dense);
    CHECK(dense);
    for (uint32_t i = 0; i < tables->items_count; i++) {
        struct floor_item *item = &tables->items[i];
        item->free = free_at + (size_t)i * words;
        item->words = words_at + (size_t)i * words;
        item->sealed_cells = cells_at;
        row_build(item, dense, words);
        cells_at += item->count;
    }
    free(dense);
}

void floor_seal(struct floor_tables *tables)
{
    if (tables->words == 0) {
        floor_layout(tables);
    }
    size_t size = 64;
    for (uint32_t i = 0; i < tables->items_count; i++) {
        size += tables->items[i].count * sizeof(struct floor_cell) +
                tables->words * (sizeof(struct floor_word) + sizeof(uint64_t));
    }
    enum err err = mem_reserve(size, (void **)&tables->sealed);
    CHECK(err == ERR_OK);
    mem_populate(tables->sealed, size);
    tables->sealed_size = size;
    rows_build(tables);
}

bool floor_stock_set(struct floor_tables *tables, struct floor_item *item, uint16_t node,
                     uint32_t on_hand)
{
    if (tables->words == 0) {
        floor_layout(tables);
    }
    if (tables->sealed_size > 0 || !cells_grow(item)) {
        return false;
    }
    int32_t slot = tables->nodes[node].slot;
    item->cells[item->count++] = (struct floor_cell){(int32_t)on_hand, slot};
    return true;
}
