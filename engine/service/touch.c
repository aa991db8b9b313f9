/* An update reads order, lines, rows and cells one behind the other, each a cache miss. The
 * steps here overlap those of many requests; each reads what the step before brought near. */
#include "touch.h"

#include <string.h>

#include "prefetch.h"

/* A fixstr or str8 at *at; false: neither, or cut short. */
static bool text_at(const uint8_t **at, const uint8_t *end, struct text *text)
{
    const uint8_t *from = *at;
    uint32_t len;
    if (end - from < 2) {
        return false;
    }
    if ((from[0] & 0xe0) == 0xa0) {
        len = from[0] & 0x1f;
        from += 1;
    } else if (from[0] == 0xd9) {
        len = from[1];
        from += 2;
    } else {
        return false;
    }
    *text = (struct text){(const char *)from, len};
    *at = from + len;
    return (size_t)(end - from) >= len;
}

static bool is_name(struct text key, const char *name)
{
    return key.len == strlen(name) && memcmp(key.at, name, key.len) == 0;
}

/* `<order_id>/<n>` without its end. */
static struct text order_part_of(struct text fulfilment)
{
    while (fulfilment.len > 0 && fulfilment.at[fulfilment.len - 1] != '/') {
        fulfilment.len--;
    }
    fulfilment.len -= fulfilment.len > 0;
    return fulfilment;
}

void touch_begin(struct service_core *service, struct call *call, struct touch *touch)
{
    const uint8_t *at = call->params;
    const uint8_t *end = at + call->params_size;
    struct text key;
    struct text id;
    touch->hash = 0;
    touch->ref = 0;
    touch->count = 0;
    if (end - at < 4 || at[0] != 0x91 || (at[1] & 0xf0) != 0x80) {
        return;
    }
    at += 2;
    if (!text_at(&at, end, &key) || !text_at(&at, end, &id)) {
        return;
    }
    if (is_name(key, "fulfilment")) {
        id = order_part_of(id);
    } else if (!is_name(key, "order_id")) {
        return;
    }
    touch->hash = orders_hash(&service->tables.orders, id.at, id.len);
    call->order_id = id;
    call->order_hash = touch->hash;
}

void touch_slot(struct service_core *service, struct touch *touch)
{
    orders_prefetch(&service->tables.orders, touch->hash);
}

void touch_block(struct service_core *service, struct touch *touch)
{
    touch->ref = orders_likely(&service->tables.orders, touch->hash);
    if (touch->ref) {
        orders_prefetch_block(&service->tables.orders, touch->ref);
    }
}

/* The order's shares from first on. */
static void shares_from(struct service_core *service, struct order *order, uint32_t first,
                        struct touch *touch)
{
    touch->count = 0;
    for (uint32_t i = 0; first + i < order->share_count && i < TOUCH_SHARES; i++) {
        const struct order_share *share = &order_shares(order)[first + i];
        const struct order_part *part = &order_parts(order)[share->part];
        touch->items[i] = order_lines(order)[share->line].item;
        touch->nodes[i] = part->node;
        touch->holds[i] = share->hold;
        touch->count = i + 1;
        prefetch_write(&service->tables.catalogue.items[touch->items[i]]);
        prefetch_write(holds_at(&service->tables.holds, share->hold));
        holds_prefetch(&service->tables.holds, touch->items[i], touch->nodes[i]);
        movements_prefetch(&service->tables.movements, touch->items[i], touch->nodes[i]);
        if (first + i == part->share_first) {
            orders_prefetch_beside(&service->tables.orders, part);
        }
    }
}

void touch_shares(struct service_core *service, struct touch *touch)
{
    if (touch->ref) {
        shares_from(service, order_at(&service->tables.orders, touch->ref), 0, touch);
    }
}

void touch_rows(struct service_core *service, struct touch *touch)
{
    for (uint32_t i = 0; i < touch->count; i++) {
        const struct row *row = service->tables.catalogue.items[touch->items[i]].row;
        if (row) {
            prefetch_read(row);
        }
        prefetch_write(&service->tables.queues[touch->nodes[i]]);
        holds_prefetch_links(&service->tables.holds, touch->holds[i]);
    }
}

void touch_places(struct service_core *service, struct touch *touch)
{
    for (uint32_t i = 0; i < touch->count; i++) {
        const struct row *row = service->tables.catalogue.items[touch->items[i]].row;
        if (row) {
            row_prefetch_find(row, service->tables.network.hot[touch->nodes[i]].slot);
        }
    }
}

void touch_cells(struct service_core *service, struct touch *touch)
{
    for (uint32_t i = 0; i < touch->count; i++) {
        struct cell cell = tables_cell(&service->tables, touch->items[i], touch->nodes[i]);
        if (cell.index >= 0) {
            row_prefetch_cell(cell.row, (uint32_t)cell.index);
        }
    }
}

/* Windows of shares, stage by stage; between two windows the turn may be suspended. */
void touch_order(struct service_core *service, struct order *order)
{
    enum { WINDOW = 8, SHARE_STEPS = 10 };
    struct touch touches[WINDOW];
    for (uint32_t first = 0; first < order->share_count; first += WINDOW * TOUCH_SHARES) {
        for (uint32_t i = 0; i < WINDOW; i++) {
            shares_from(service, order, first + i * TOUCH_SHARES, &touches[i]);
        }
        for (uint32_t i = 0; i < WINDOW; i++) {
            touch_rows(service, &touches[i]);
        }
        for (uint32_t i = 0; i < WINDOW; i++) {
            touch_places(service, &touches[i]);
        }
        for (uint32_t i = 0; i < WINDOW; i++) {
            touch_cells(service, &touches[i]);
        }
        route_work(service->route, WINDOW * TOUCH_SHARES * SHARE_STEPS);
    }
}
