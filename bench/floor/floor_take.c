/* The stages of a batch, and the taking of one order, in request order. */
#include <string.h>

#include "floor.h"
#include "prefetch.h"

void floor_hash_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct floor_order *order = &orders[i];
        order->id_hash = floor_hash(order->id, order->id_size);
        prefetch_write(&tables->order_slots[order->id_hash & tables->order_mask]);
        for (uint32_t k = 0; k < order->count; k++) {
            order->item_hash[k] = floor_hash(order->lines[k].item, order->lines[k].item_size);
            prefetch_read(&tables->item_slots[order->item_hash[k] & tables->item_mask]);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < orders[i].count; k++) {
            uint32_t slot = tables->item_slots[orders[i].item_hash[k] & tables->item_mask];
            prefetch_read(&tables->items[slot > 0 ? slot - 1 : 0]);
        }
    }
}

static struct floor_item *item_find(const struct floor_tables *tables,
                                    const struct floor_line *line, uint64_t hash)
{
    struct floor_name name = {.size = (uint8_t)line->item_size};
    memcpy(name.at, line->item, line->item_size);
    uint32_t slot = (uint32_t)hash & tables->item_mask;
    for (; tables->item_slots[slot] != 0; slot = (slot + 1) & tables->item_mask) {
        struct floor_item *item = &tables->items[tables->item_slots[slot] - 1];
        if (memcmp(&item->name, &name, sizeof name) == 0) {
            return item;
        }
    }
    return NULL;
}

void floor_find_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct floor_order *order = &orders[i];
        order->point = geo_point(order->lat, order->lon);
        order->near = floor_grid_at(tables, order->lat, order->lon);
        order->is_refused = order->is_known = false;
        for (uint32_t k = 0; k < order->count; k++) {
            struct floor_item *item = item_find(tables, &order->lines[k], order->item_hash[k]);
            order->item[k] = item;
            order->is_refused = order->is_refused || !item;
        }
        for (uint32_t k = 0; k < order->count && !order->is_refused; k++) {
            for (uint32_t n = 0; n < 8 && n < tables->words; n++) {
                prefetch_read(&order->item[k]->free[order->near[n].word]);
            }
        }
    }
}

/* The nearest slot for all lines, else for each line its own. False: some line has none. */
static bool guess(const struct floor_tables *tables, struct floor_order *order, bool checks)
{
    uint16_t slot = floor_nearest(tables, order, 0, order->count, checks);
    for (uint32_t k = 0; k < order->count; k++) {
        order->node[k] = slot != FLOOR_NODE_NONE
                             ? slot
                             : floor_nearest(tables, order, k, 1, checks);
        if (order->node[k] == FLOOR_NODE_NONE) {
            return false;
        }
    }
    return true;
}

void floor_guess_stage(struct floor_tables *tables, struct floor_order *orders, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct floor_order *order = &orders[i];
        if (order->is_refused) {
            continue;
        }
        order->is_refused = !guess(tables, order, false);
        for (uint32_t k = 0; k < order->count && !order->is_refused; k++) {
            prefetch_read(&order->item[k]->words[order->node[k] >> 6]);
            prefetch_read(&tables->nodes[tables->by_slot[order->node[k]]]);
        }
        uint64_t entry = tables->order_slots[order->id_hash & tables->order_mask];
        prefetch_read(&tables->orders[entry == 0 ? 0 : (uint32_t)entry - 1]);
    }
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t k = 0; k < orders[i].count && !orders[i].is_refused; k++) {
            prefetch_write(floor_cell_at(orders[i].item[k], orders[i].node[k]));
        }
    }
}

struct floor_record *floor_order_find(const struct floor_tables *tables,
                                      const struct floor_order *order, uint32_t *slot_out)
{
    uint32_t slot = (uint32_t)(order->id_hash & tables->order_mask);
    uint64_t high = order->id_hash >> 32 << 32;
    for (; tables->order_slots[slot] != 0; slot = (slot + 1) & tables->order_mask) {
        uint64_t entry = tables->order_slots[slot];
        struct floor_record *record = &tables->orders[(uint32_t)entry - 1];
        if ((entry >> 32 << 32) == high && record->id_size == order->id_size &&
            memcmp(record->id, order->id, order->id_size) == 0) {
            return record;
        }
    }
    *slot_out = slot;
    return NULL;
}

/* Take line by line; the last of an item clears its bit. False: short, and all is given back. */
static bool cells_take(struct floor_order *order)
{
    for (uint32_t k = 0; k < order->count; k++) {
        uint32_t slot = order->node[k];
        struct floor_cell *cell = floor_cell_at(order->item[k], slot);
        int32_t qty = (int32_t)order->lines[k].qty;
        if (cell->on_hand - cell->reserved < qty) {
            while (k-- > 0) {
                floor_cell_at(order->item[k], order->node[k])->reserved -=
                    (int32_t)order->lines[k].qty;
                order->item[k]->free[order->node[k] >> 6] |= UINT64_C(1) << (order->node[k] & 63);
            }
            return false;
        }
        cell->reserved += qty;
        if (cell->on_hand == cell->reserved) {
            order->item[k]->free[slot >> 6] &= ~(UINT64_C(1) << (slot & 63));
        }
    }
    return true;
}

static void keep(struct floor_tables *tables, const struct floor_order *order, uint32_t slot)
{
    struct floor_record *record = &tables->orders[tables->orders_count++];
    memcpy(record->id, order->id, order->id_size);
    record->id_size = (uint8_t)order->id_size;
    for (uint32_t k = 0; k < 2 && k < order->count; k++) {
        record->node[k] = order->node[k];
        record->item[k] = (uint32_t)(order->item[k] - tables->items);
        record->qty[k] = (uint16_t)order->lines[k].qty;
    }
    record->lsn = (uint32_t)order->lsn;
    tables->order_slots[slot] = order->id_hash >> 32 << 32 | tables->orders_count;
}

/* A known order's answer is that of its record. */
static void recall(struct floor_tables *tables, struct floor_order *order,
                   const struct floor_record *record)
{
    order->is_known = true;
    order->is_refused = false;
    order->lsn = record->lsn;
    for (uint32_t k = 0; k < 2 && k < order->count; k++) {
        order->node[k] = record->node[k];
        order->item[k] = &tables->items[record->item[k]];
    }
}

void floor_take(struct floor_tables *tables, struct floor_order *order)
{
    uint32_t slot = 0;
    const struct floor_record *known = floor_order_find(tables, order, &slot);
    if (known) {
        recall(tables, order, known);
        return;
    }
    bool is_full = tables->orders_count == tables->orders_max;
    if (order->is_refused || is_full) {
        order->is_refused = true;
        return;
    }
    order->lsn = tables->lsn + 1;
    if (!cells_take(order) && !(guess(tables, order, true) && cells_take(order))) {
        order->is_refused = true;
        return;
    }
    tables->lsn++;
    keep(tables, order, slot);
}
