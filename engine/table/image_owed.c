/* Sections of what orders are owed and of how nodes answer.
 *
 * owed: count, [LSN of the order, line, qty, status, reason, LSN since when], longest owed first.
 * declines: node, rate. */
#include "check.h"
#include "image_internal.h"

enum { OWED_OF_RECORD = 10000, OWED_ENTRY_MAX = 10 + 3 + 5 + 2 + 10, OWED_HEAD_MAX = 5 };

static uint8_t *put_owed(uint8_t *at, const struct tables *tables, const struct owed_entry *entry)
{
    at = bytes_put_int(at, order_at(&tables->orders, entry->order)->lsn);
    at = bytes_put_int(at, entry->line);
    at = bytes_put_int(at, entry->qty);
    *at++ = entry->status;
    *at++ = entry->reason;
    return bytes_put_int(at, entry->lsn);
}

void save_owed(const struct tables *tables, struct image_sink *sink)
{
    const struct owed *owed = &tables->owed;
    uint32_t left = owed->live;
    for (uint32_t index = owed->oldest; left > 0;) {
        uint32_t count = left < OWED_OF_RECORD ? left : OWED_OF_RECORD;
        uint8_t *at = image_begin(sink, OWED_HEAD_MAX + count * OWED_ENTRY_MAX);
        at = bytes_put_int(at, count);
        for (uint32_t i = 0; i < count; i++) {
            at = put_owed(at, tables, owed_at(owed, index));
            index = owed_at(owed, index)->newer;
        }
        image_end(sink, at);
        left -= count;
    }
}

static void load_owed_entry(struct tables *tables, struct image_source *source,
                            struct bytes_source *fields)
{
    slab_ref ref;
    struct order *order = image_named_order(tables, source, fields, &ref);
    struct owed_entry what = {.line = (uint16_t)bytes_get_max(fields, UINT16_MAX)};
    what.qty = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    what.status = bytes_get_byte(fields);
    what.reason = (uint8_t)bytes_get_max(fields, REASON_COUNT - 1);
    what.lsn = bytes_get_int(fields);
    if (!order) {
        return;
    }
    bool is_known = what.status == ORDER_HELD || what.status == ORDER_BACKORDERED;
    if (fields->is_bad || !is_known || what.qty == 0 || what.line >= order->line_count ||
        owed_find(&tables->owed, order, what.line) != OWED_NONE ||
        order_line_units(order, what.line) + what.qty > order_lines(order)[what.line].qty) {
        image_bad(source, ERR_DAMAGED, "what is owed of an order is not right (LSN %llu)",
                  (unsigned long long)order->lsn);
    } else if (!owed_has_room(&tables->owed, 1)) {
        image_bad(source, ERR_FULL, "owed_max is lower than when this was written");
    } else {
        what.item = order_lines(order)[what.line].item;
        owed_set(&tables->owed, &tables->catalogue, &tables->digest, order, ref, &what);
    }
}

void load_owed(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t count = (uint32_t)bytes_get_max(&fields, OWED_OF_RECORD);
        for (uint32_t i = 0; i < count && source->err == ERR_OK; i++) {
            load_owed_entry(tables, source, &fields);
        }
        (void)image_fields_end(source, &fields, "owed lines");
    }
    owed_file_all(&tables->owed, &tables->catalogue, &tables->orders);
}

void save_declines(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t node = 0; node < tables->network.count; node++) {
        if (tables->declines[node] > 0) {
            uint8_t *at = image_begin(sink, 10);
            at = bytes_put_int(at, node);
            image_end(sink, bytes_put_int(at, tables->declines[node]));
        }
    }
}

void load_declines(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t node = (uint32_t)bytes_get_max(&fields, NODE_MAX - 1);
        uint32_t rate = (uint32_t)bytes_get_max(&fields, 1000000);
        if (image_fields_end(source, &fields, "a node's answers") &&
            node < tables->network.count) {
            declines_set(tables, (uint16_t)node, rate);
        } else {
            image_bad(source, ERR_DAMAGED, "answers of a node that is not there");
        }
    }
}
