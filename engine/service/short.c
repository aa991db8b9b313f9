/* stock.short: a cell has less than orders were promised, by a report of fact or a rule. Noted in
 * the log right behind what brought it about, in the same group, for readers of events alone:
 * whenever they read it, it is told as it was then. Units that carts hold give way first; that they
 * are broken is told by records of their own, which come next. */
#include "short.h"

#include <stdlib.h>

#include "told.h"

enum {
    CELLS_MAX = SHORT_NODE_CELLS, /* of a record */
    STEPS_MAX = 2000, /* holds looked at for a record */
    SHARES_MAX = 1000 /* of a node's open fulfilments that are looked at, the oldest */
};

struct tell {
    struct effect_short_cell cells[CELLS_MAX];
    struct effect_holder holders[SHORT_HOLDERS_MAX + CELLS_MAX];
    uint32_t cell_count, holder_count;
};

uint32_t shorts_size(uint32_t cells)
{
    return (cells / CELLS_MAX + 1) * (TOLD_FIXED_MAX + SHORT_HOLDERS_MAX * TOLD_HOLDER_MAX) +
           cells * (TOLD_SHORT_MAX + TOLD_HOLDER_MAX);
}

uint32_t shorts_records(uint32_t cells)
{
    return cells / CELLS_MAX + 1;
}

uint32_t short_size(const struct service_core *service, uint32_t item, uint16_t node)
{
    const struct cell cell = tables_cell(&service->tables, item, node);
    return cell.index >= 0 && cell_reserved(tables_word(&cell)) > 0 ? shorts_size(1) : 0;
}

/* Orders with units at the cell, the newest first: at most so many, within so many steps. */
static void holders_find(const struct service_core *service, struct tell *tell,
                         struct effect_short_cell *cell, uint32_t most, uint32_t steps)
{
    const struct tables *tables = &service->tables;
    uint32_t at = holds_newest(&tables->holds, cell->item, cell->node);
    for (; at != HOLD_NONE && cell->holder_count < most && steps > 0; steps--) {
        const struct hold *hold = holds_at(&tables->holds, at);
        at = hold->older;
        if (hold->kind == HOLD_ORDER) {
            struct order *order = order_at(&tables->orders, hold->order);
            tell->holders[tell->holder_count++] = (struct effect_holder){
                {order_id(order), order->id_len}, order_shares(order)[hold->share].part};
            cell->holder_count++;
        }
    }
}

static void cells_find(const struct service_core *service, struct tell *tell,
                       const struct short_cell *cells, uint32_t count)
{
    tell->cell_count = tell->holder_count = 0;
    for (uint32_t i = 0; i < count; i++) {
        int64_t units = tables_orders_short(&service->tables, cells[i].item, cells[i].node);
        if (units > 0) {
            tell->cells[tell->cell_count++] =
                (struct effect_short_cell){cells[i].item, cells[i].node, (uint32_t)units, 0};
        }
    }
    for (uint32_t i = 0; i < tell->cell_count; i++) {
        const uint32_t each = SHORT_HOLDERS_MAX / tell->cell_count;
        holders_find(service, tell, &tell->cells[i], each > 0 ? each : 1,
                     STEPS_MAX / tell->cell_count);
    }
}

static void tell_log(struct service_core *service, const struct tell *tell)
{
    const struct effect_short effect = {.count = tell->cell_count,
                                        .cells = tell->cells,
                                        .holders = tell->holders};
    uint8_t *bytes = log_begin(service, shorts_size(tell->cell_count));
    uint64_t lsn = log_end(service, EFFECT_SHORT, told_put_short(bytes, &effect));
    tables_apply_short(&service->tables, lsn, service->now_ms);
}

void shorts_tell(struct service_core *service, const struct short_cell *cells, uint32_t count)
{
    struct tell tell;
    for (uint32_t at = 0; at < count; at += CELLS_MAX) {
        cells_find(service, &tell, cells + at, count - at < CELLS_MAX ? count - at : CELLS_MAX);
        if (tell.cell_count > 0) {
            tell_log(service, &tell);
        }
    }
}

void short_tell(struct service_core *service, uint32_t item, uint16_t node)
{
    const struct short_cell cell = {item, node};
    shorts_tell(service, &cell, 1);
}

static int by_item(const void *a, const void *b)
{
    const struct short_cell *x = a;
    const struct short_cell *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

/* Cells of the part that are short; each of its shares is one of those looked at. */
static uint32_t part_cells(const struct service_core *service, struct order *order,
                           const struct order_part *part, struct short_cell *cells,
                           uint32_t *looked)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < part->share_count && *looked < SHARES_MAX; i++, ++*looked) {
        const struct order_share *share = &order_shares(order)[part->share_first + i];
        const uint32_t item = order_lines(order)[share->line].item;
        if (tables_orders_short(&service->tables, item, part->node) > 0) {
            cells[count++] = (struct short_cell){item, part->node};
        }
    }
    return count;
}

void shorts_tell_node(struct service_core *service, uint16_t node)
{
    struct short_cell cells[SHARES_MAX];
    const struct node_queue *queue = &service->tables.queues[node];
    slab_ref ref = queue->first_order;
    uint16_t index = queue->first_part;
    uint32_t count = 0;
    for (uint32_t looked = 0; ref && looked < SHARES_MAX;) {
        struct order *order = order_at(&service->tables.orders, ref);
        const struct order_part *part = &order_parts(order)[index];
        count += part_cells(service, order, part, cells + count, &looked);
        ref = part->next_order;
        index = part->next_part;
    }
    qsort(cells, count, sizeof cells[0], by_item);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count && kept < CELLS_MAX; i++) {
        if (kept == 0 || cells[kept - 1].item != cells[i].item) {
            cells[kept++] = cells[i];
        }
    }
    shorts_tell(service, cells, kept);
}
