/* Four stages, each REPLAY_AHEAD_STEP records after the one before: the slot of the order and the
 * entries of the items; the order, the rows' heads and the chains of holds; the rows' bitmaps; the
 * cells. */
#include "replay_ahead.h"

#include "check.h"
#include "effect_bytes_internal.h"
#include "prefetch.h"

_Static_assert(REPLAY_AHEAD_RING > REPLAY_AHEAD, "a record stays until its last stage");
_Static_assert((REPLAY_AHEAD_RING & (REPLAY_AHEAD_RING - 1)) == 0, "index by mask");

static void note(struct replay_ahead *ahead, const struct tables *tables, uint8_t type,
                 const uint8_t *bytes, uint32_t size)
{
    struct effect_order_peek peek = {.count = 0};
    const uint32_t at = ahead->next % REPLAY_AHEAD_RING;
    ahead->ring[at].id_hash = 0;
    ahead->ring[at].count = 0;
    if (size == 0 || (type != EFFECT_ORDER && type != EFFECT_CANCEL && type != EFFECT_FULFIL) ||
        !effect_order_peek(bytes, size, type == EFFECT_ORDER, &peek)) {
        return;
    }
    ahead->ring[at].id_hash = orders_hash(&tables->orders, peek.id.at, peek.id.len);
    ahead->ring[at].is_new = type == EFFECT_ORDER;
    orders_prefetch(&tables->orders, ahead->ring[at].id_hash);
    for (uint32_t i = 0; i < peek.count && peek.node < tables->network.count; i++) {
        if (peek.items[i] < tables->catalogue.count) {
            ahead->ring[at].items[ahead->ring[at].count++] = peek.items[i];
            prefetch_read(&tables->catalogue.items[peek.items[i]]);
        }
    }
    ahead->ring[at].node = peek.node;
}

static void fetch_order(const struct tables *tables, uint64_t id_hash)
{
    const slab_ref ref = orders_likely(&tables->orders, id_hash);
    const char *order = ref ? (const char *)order_at(&tables->orders, ref) : NULL;
    for (uint32_t at = 0; order && at < 192; at += 64) {
        prefetch_write(order + at);
    }
}

static void fetch_heads(const struct replay_ahead *ahead, const struct tables *tables, uint32_t at)
{
    if (ahead->ring[at].id_hash && !ahead->ring[at].is_new) {
        fetch_order(tables, ahead->ring[at].id_hash);
    }
    for (uint32_t i = 0; i < ahead->ring[at].count; i++) {
        prefetch_write(tables->catalogue.items[ahead->ring[at].items[i]].row);
        holds_prefetch(&tables->holds, ahead->ring[at].items[i], ahead->ring[at].node);
    }
}

static void fetch_bitmaps(const struct replay_ahead *ahead, const struct tables *tables,
                          uint32_t at)
{
    for (uint32_t i = 0; i < ahead->ring[at].count; i++) {
        const struct row *row = tables->catalogue.items[ahead->ring[at].items[i]].row;
        if (row) {
            row_prefetch_find(row, tables->network.hot[ahead->ring[at].node].slot);
        }
    }
}

static void fetch_cells(const struct replay_ahead *ahead, const struct tables *tables, uint32_t at)
{
    for (uint32_t i = 0; i < ahead->ring[at].count; i++) {
        const struct cell cell =
            tables_cell(tables, ahead->ring[at].items[i], ahead->ring[at].node);
        if (cell.index >= 0) {
            row_prefetch_cell(cell.row, (uint32_t)cell.index);
        }
    }
}

void replay_ahead(struct replay_ahead *ahead, const struct tables *tables, uint8_t type,
                  const uint8_t *bytes, uint32_t size)
{
    note(ahead, tables, type, bytes, size);
    fetch_heads(ahead, tables, (ahead->next - REPLAY_AHEAD_STEP) % REPLAY_AHEAD_RING);
    fetch_bitmaps(ahead, tables, (ahead->next - 2 * REPLAY_AHEAD_STEP) % REPLAY_AHEAD_RING);
    fetch_cells(ahead, tables, (ahead->next - 3 * REPLAY_AHEAD_STEP) % REPLAY_AHEAD_RING);
    ahead->next++;
}
