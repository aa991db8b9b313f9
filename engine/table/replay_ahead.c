/* Six stages, each REPLAY_AHEAD_STEP records after the one before: the slot of the order; the
 * order, if there is one; what it holds and the entries of its items; the rows' heads, the slots of
 * the holds and the node's list; the rows' bitmaps and the ends of both lists; the cells. */
#include "replay_ahead.h"

#include "check.h"
#include "effect_bytes_internal.h"
#include "prefetch.h"

_Static_assert(REPLAY_AHEAD_RING > REPLAY_AHEAD, "a record stays until its last stage");
_Static_assert((REPLAY_AHEAD_RING & (REPLAY_AHEAD_RING - 1)) == 0, "index by mask");

static void cell_add(struct replay_record *record, uint32_t item, uint16_t node, uint32_t hold)
{
    record->items[record->count] = item;
    record->nodes[record->count] = node;
    record->holds[record->count++] = hold;
}

static void note(struct replay_record *record, const struct tables *tables, uint8_t type,
                 const uint8_t *bytes, uint32_t size)
{
    struct effect_order_peek peek = {.count = 0};
    record->id_hash = 0;
    record->count = 0;
    if (size == 0 || (type != EFFECT_ORDER && type != EFFECT_CANCEL && type != EFFECT_FULFIL) ||
        !effect_order_peek(bytes, size, type == EFFECT_ORDER, &peek)) {
        return;
    }
    record->id_hash = orders_hash(&tables->orders, peek.id.at, peek.id.len);
    record->is_new = type == EFFECT_ORDER;
    orders_prefetch(&tables->orders, record->id_hash);
    for (uint32_t i = 0; i < peek.count && peek.node < tables->network.count; i++) {
        if (peek.items[i] < tables->catalogue.count) {
            cell_add(record, peek.items[i], peek.node, HOLD_NONE);
        }
    }
}

static slab_ref order_likely(const struct replay_record *record, const struct tables *tables)
{
    return record->id_hash && !record->is_new ? orders_likely(&tables->orders, record->id_hash)
                                              : 0;
}

static void fetch_order(struct replay_record *record, const struct tables *tables)
{
    const slab_ref ref = order_likely(record, tables);
    if (ref) {
        orders_prefetch_block(&tables->orders, ref);
    }
}

/* The cells of an order that is there, and its neighbours in their nodes' lists. */
static void fetch_shares(struct replay_record *record, const struct tables *tables, slab_ref ref)
{
    struct order *order = order_at(&tables->orders, ref);
    for (uint32_t i = 0; i < order->share_count && i < EFFECT_PEEK_MAX; i++) {
        const struct order_share *share = &order_shares(order)[i];
        const struct order_part *part = &order_parts(order)[share->part];
        cell_add(record, order_lines(order)[share->line].item, part->node, share->hold);
        prefetch_write(holds_at(&tables->holds, share->hold));
        movements_prefetch(&tables->movements, record->items[i], part->node);
        if (i == part->share_first) {
            orders_prefetch_beside(&tables->orders, part);
        }
    }
}

static void fetch_items(struct replay_record *record, const struct tables *tables)
{
    const slab_ref ref = order_likely(record, tables);
    if (ref) {
        fetch_shares(record, tables, ref);
    }
    for (uint32_t i = 0; i < record->count; i++) {
        prefetch_read(&tables->catalogue.items[record->items[i]]);
    }
}

static void fetch_heads(struct replay_record *record, const struct tables *tables)
{
    for (uint32_t i = 0; i < record->count; i++) {
        prefetch_read(tables->catalogue.items[record->items[i]].row);
        holds_prefetch(&tables->holds, record->items[i], record->nodes[i]);
        holds_prefetch_links(&tables->holds, record->holds[i]);
        prefetch_write(&tables->queues[record->nodes[i]]);
    }
}

/* A new order's holds and parts are linked to the newest of their cell and node. */
static void fetch_ends(struct replay_record *record, const struct tables *tables)
{
    for (uint32_t i = 0; i < record->count; i++) {
        holds_prefetch_newest(&tables->holds, record->items[i], record->nodes[i]);
    }
    if (record->count) {
        orders_prefetch_links(&tables->orders, tables->queues[record->nodes[0]].last_order);
    }
}

static void fetch_bitmaps(struct replay_record *record, const struct tables *tables)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct row *row = tables->catalogue.items[record->items[i]].row;
        if (row) {
            row_prefetch_find(row, tables->network.hot[record->nodes[i]].slot);
        }
    }
    if (record->is_new) {
        fetch_ends(record, tables);
    }
}

static void fetch_cells(struct replay_record *record, const struct tables *tables)
{
    for (uint32_t i = 0; i < record->count; i++) {
        const struct cell cell = tables_cell(tables, record->items[i], record->nodes[i]);
        if (cell.index >= 0) {
            row_prefetch_cell(cell.row, (uint32_t)cell.index);
        }
    }
}

void replay_ahead(struct replay_ahead *ahead, const struct tables *tables, uint8_t type,
                  const uint8_t *bytes, uint32_t size)
{
    typedef void fetch(struct replay_record *record, const struct tables *tables);
    static fetch *const stages[] = {fetch_order, fetch_items, fetch_heads, fetch_bitmaps,
                                    fetch_cells};
    const uint32_t count = sizeof stages / sizeof stages[0];
    note(&ahead->ring[ahead->next % REPLAY_AHEAD_RING], tables, type, bytes, size);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t behind = (i + 1) * REPLAY_AHEAD_STEP;
        stages[i](&ahead->ring[(ahead->next - behind) % REPLAY_AHEAD_RING], tables);
    }
    ahead->next++;
}
