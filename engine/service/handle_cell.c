/* stock.get and stock.list: what is at one cell, with its holds, and pages of cells. */
#include <string.h>

#include "service_internal.h"

enum { HOLDS_SHOWN = 1000 };

/* What is kept for channels at the cell: one field, or none. */
static uint32_t put_quotas(const struct quotas *quotas, struct writer *writer, uint32_t first)
{
    uint32_t count = 0;
    if (first == QUOTA_NONE) {
        return 0;
    }
    writer_str(writer, "quotas");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = first; i; i = quotas_at(quotas, i)->next) {
        const struct quota *quota = quotas_at(quotas, i);
        uint32_t len;
        const char *name = quotas_name_of(quotas, quota, &len);
        writer_map(writer, 3);
        put_text(writer, "channel", name, len);
        put_int(writer, "qty", quota->qty);
        put_int(writer, "left", quota_left(quota));
        count++;
    }
    writer_array_close(writer, mark, count);
    return 1;
}

/* on_hand, reserved, safety_stock, ats as the channel sees it (len 0: all of it), counted_at (nil =
 * never), listed where it is not, and quotas where there are some: how many fields. */
static uint32_t put_cell(const struct service_core *service, struct writer *writer, uint32_t item,
                         uint16_t node, const struct cell *cell, struct text channel)
{
    struct stock_view seen = service->tables.view;
    const struct stock_view *view = &seen;
    cell_word word = tables_word(cell);
    uint64_t counted = tables_counted_at(cell);
    const struct policy *policy =
        cell_has_override(word) ? policies_find(view->policies, item, node) : NULL;
    put_int(writer, "on_hand", cell_on_hand(word));
    put_int(writer, "reserved", cell_reserved(word));
    put_int(writer, "safety_stock", stock_safety(view, item, node, word));
    seen.channel = channel_find(service, channel);
    put_int(writer, "ats", channel.len ? stock_ats_seen(view, item, node, word)
                                       : stock_ats(view, item, node, word));
    writer_str(writer, "counted_at");
    if (counted) {
        writer_uint(writer, counted);
    } else {
        writer_nil(writer);
    }
    if (policy && policy->is_unlisted) {
        put_bool(writer, "listed", false);
    }
    return 5u + (policy && policy->is_unlisted) +
           (policy ? put_quotas(&view->policies->quotas, writer, policy->quotas) : 0);
}

/* -- stock.get -- */

/* A transfer that is not shipped yet. */
static void put_transfer_hold(struct service_core *service, struct writer *writer,
                              const struct hold *hold)
{
    struct document *document = document_at(&service->tables.documents, hold->order);
    writer_map(writer, 2);
    put_text(writer, "transfer_id", document_texts(document), document->id_len);
    put_int(writer, "qty", document_held(document, &document_lines(document)[hold->share]));
}

static void put_reservation_hold(struct service_core *service, struct writer *writer,
                                 const struct hold *hold)
{
    const struct reserves *reserves = &service->tables.reserves;
    const struct reservation *own = reservation_at(reserves, hold->order);
    writer_map(writer, 2);
    put_text(writer, "reservation_id", reservation_id(own), own->id_len);
    put_int(writer, "qty", reservation_pieces(reserves, own)[hold->share].held);
}

static void put_hold(struct service_core *service, struct writer *writer, const struct hold *hold)
{
    if (hold->kind == HOLD_DOCUMENT) {
        put_transfer_hold(service, writer, hold);
        return;
    }
    if (hold->kind == HOLD_RESERVATION) {
        put_reservation_hold(service, writer, hold);
        return;
    }
    char id[ID_MAX + 8];
    struct order *order = order_at(&service->tables.orders, hold->order);
    const struct order_share *share = &order_shares(order)[hold->share];
    const struct order_part *part = &order_parts(order)[share->part];
    uint32_t len = fulfilment_text(order, share->part, id);
    writer_map(writer, 2);
    put_text(writer, "fulfilment", id, len);
    put_int(writer, "qty", share_held(share, (enum way)part->way));
}

/* Newest first; more than are shown are told by `more`. Gives the number of fields. */
static uint32_t put_holds(struct service_core *service, struct writer *writer, uint32_t item,
                          uint16_t node)
{
    const struct holds *holds = &service->tables.holds;
    uint32_t count = 0;
    writer_str(writer, "holds");
    uint32_t mark = writer_open(writer);
    uint32_t index = holds_newest(holds, item, node);
    for (; index != HOLD_NONE && count < HOLDS_SHOWN; count++) {
        const struct hold *hold = holds_at(holds, index);
        put_hold(service, writer, hold);
        index = hold->older;
    }
    writer_array_close(writer, mark, count);
    if (index != HOLD_NONE) {
        put_bool(writer, "more", true);
        return 2;
    }
    return 1;
}

/* A component at the node: how many kits it is enough for. */
static int64_t put_component(struct service_core *service, struct writer *writer,
                             const struct kit_part *part, uint16_t node, struct text channel)
{
    struct stock_view view = service->tables.view;
    struct cell cell = tables_cell(&service->tables, part->item, node);
    cell_word word = tables_word(&cell);
    view.channel = channel_find(service, channel);
    int64_t ats = channel.len ? stock_ats_seen(&view, part->item, node, word)
                              : stock_ats(&view, part->item, node, word);
    const struct item *item = &service->tables.catalogue.items[part->item];
    const struct policy *policy =
        cell_has_override(word) ? policies_find(view.policies, part->item, node) : NULL;
    writer_map(writer, 3);
    put_text(writer, "item", item->id, item->id_len);
    put_int(writer, "qty", part->qty);
    put_int(writer, "ats", ats);
    return ats > 0 && !(policy && policy->is_unlisted) ? ats / part->qty : 0;
}

/* A kit has no stock: what it is made of says how many there are. */
static void answer_kit(struct service_core *service, struct call *call, uint32_t item,
                       uint16_t node, struct text channel)
{
    const struct kit *kit = kits_find(&service->tables.kits, item);
    int64_t least = INT64_MAX;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3);
    writer_str(writer, "components");
    writer_array(writer, kit->count);
    for (uint32_t i = 0; i < kit->count; i++) {
        int64_t own = put_component(service, writer, &kit->parts[i], node, channel);
        least = own < least ? own : least;
    }
    put_int(writer, "ats", least);
    put_lsn(service, writer);
    reply_send(service, call);
}

static void answer_get(struct service_core *service, struct call *call, uint32_t item,
                       uint16_t node, struct text channel, bool wants_holds)
{
    struct cell cell = tables_cell(&service->tables, item, node);
    struct writer *writer = reply_begin(service, call);
    uint32_t mark = writer_open(writer);
    uint32_t count = put_cell(service, writer, item, node, &cell, channel);
    if (wants_holds) {
        count += put_holds(service, writer, item, node);
    }
    put_lsn(service, writer);
    writer_map_close(writer, mark, count + 1);
    reply_send(service, call);
}

void handle_stock_get(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"item", "node", "channel", "holds"};
    struct reader reader;
    struct reader_map map;
    struct text item = {"", 0};
    struct text node = {"", 0};
    struct text channel = {"", 0};
    bool wants_holds = false;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 4);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            item = reader_text(&reader, 1, ID_MAX);
            break;
        case 1:
            node = reader_text(&reader, 1, ID_MAX);
            break;
        case 2:
            channel = reader_text(&reader, 1, ID_MAX);
            break;
        default:
            wants_holds = reader_bool(&reader);
        }
    }
    reader_require(&reader, &map, 0);
    reader_require(&reader, &map, 1);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t at_node = need_node(service, call, "node", node);
    uint32_t of_item = at_node == NODE_NONE ? ITEM_NONE : need_item(service, call, "item", item);
    if (of_item != ITEM_NONE && service->tables.catalogue.items[of_item].is_kit) {
        answer_kit(service, call, of_item, at_node, channel);
    } else if (of_item != ITEM_NONE) {
        answer_get(service, call, of_item, at_node, channel, wants_holds);
    }
}

/* -- stock.list -- */

struct list {
    struct text node, item, after, channel;
    uint32_t limit;
};

static void list_read(struct reader *reader, struct list *list)
{
    static const char *const fields[] = {"node", "item", "after", "limit", "channel"};
    struct reader_map map;
    *list = (struct list){.limit = PAGE_DEFAULT};
    reader_params(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            list->node = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            list->item = reader_text(reader, 1, ID_MAX);
            break;
        case 2:
            list->after = reader_text(reader, 1, ID_MAX);
            break;
        case 3:
            list->limit = (uint32_t)reader_int(reader, 1, PAGE_MAX);
            break;
        default:
            list->channel = reader_text(reader, 1, ID_MAX);
        }
    }
    if (reader_map_has(&map, 0) == reader_map_has(&map, 1)) {
        reader_fail(reader, "give either node (its items) or item (the nodes that have it)");
    }
}

static void put_entry(struct service_core *service, struct writer *writer, uint32_t item,
                      uint16_t node, struct text channel)
{
    const struct tables *tables = &service->tables;
    struct cell cell = tables_cell(tables, item, node);
    uint32_t mark = writer_open(writer);
    put_text(writer, "item", tables->catalogue.items[item].id,
             tables->catalogue.items[item].id_len);
    put_text(writer, "node", tables->network.nodes[node].id, tables->network.nodes[node].id_len);
    writer_map_close(writer, mark, put_cell(service, writer, item, node, &cell, channel) + 2);
}

/* End of a page that began with map and `cells`; next is the id to go on after. */
static void page_send(struct service_core *service, struct call *call, uint32_t mark,
                      uint32_t count, struct text next)
{
    struct writer *writer = &service->writer;
    writer_array_close(writer, mark, count);
    if (next.len) {
        put_text(writer, "next", next.at, next.len);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* The head of a page has its count of fields first: whether there will be a next is known then. */
static uint32_t page_begin(struct service_core *service, struct call *call, bool has_next)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, has_next ? 3 : 2);
    writer_str(writer, "cells");
    return writer_open(writer);
}

/* The node's items, in the order in which the items were made. */
static void list_node(struct service_core *service, struct call *call, const struct list *list,
                      uint16_t node, uint32_t from)
{
    uint32_t limit = list->limit;
    const struct tables *tables = &service->tables;
    const struct itemset *set = &tables->node_items[node];
    uint32_t items[PAGE_MAX + 1];
    uint32_t count = 0;
    for (uint32_t item = itemset_next(set, from); item != UINT32_MAX && count <= limit;
         item = itemset_next(set, item + 1)) {
        items[count++] = item;
    }
    bool has_next = count > limit;
    count -= has_next;
    uint32_t mark = page_begin(service, call, has_next);
    for (uint32_t i = 0; i < count; i++) {
        put_entry(service, &service->writer, items[i], node, list->channel);
    }
    struct text next = {"", 0};
    if (has_next) {
        const struct item *last = &tables->catalogue.items[items[count - 1]];
        next = (struct text){last->id, last->id_len};
    }
    page_send(service, call, mark, count, next);
}

/* Bit per node handle that has a cell of the row: slots may be laid out anew, handles stay. */
static void row_handles(const struct tables *tables, const struct row *row,
                        uint64_t bits[NODE_MAX / 64 + 1])
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    memset(bits, 0, (NODE_MAX / 64 + 1) * sizeof *bits);
    if (!row) {
        return;
    }
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        uint16_t node = tables->network.node_of_slot[slot];
        bits[node / 64] |= (uint64_t)1 << (node % 64);
    }
}

/* Smallest handle at or above from whose bit is set, or NODE_NONE. */
static uint16_t next_handle(const uint64_t *bits, uint32_t from)
{
    if (from >= NODE_MAX) {
        return NODE_NONE;
    }
    uint64_t word = bits[from / 64] & ~(((uint64_t)1 << (from % 64)) - 1);
    uint32_t at = from / 64;
    while (!word && at < NODE_MAX / 64) {
        word = bits[++at];
    }
    return word ? (uint16_t)(at * 64 + (uint32_t)__builtin_ctzll(word)) : NODE_NONE;
}

/* The nodes that have the item, in the order in which the nodes were made. */
static void list_item(struct service_core *service, struct call *call, const struct list *list,
                      uint32_t item, uint32_t from)
{
    uint32_t limit = list->limit;
    const struct tables *tables = &service->tables;
    uint64_t bits[NODE_MAX / 64 + 1];
    uint16_t nodes[PAGE_MAX + 1];
    uint32_t count = 0;
    row_handles(tables, tables->catalogue.items[item].row, bits);
    for (uint16_t node = next_handle(bits, from); node != NODE_NONE && count <= limit;
         node = next_handle(bits, node + 1u)) {
        nodes[count++] = node;
    }
    bool has_next = count > limit;
    count -= has_next;
    uint32_t mark = page_begin(service, call, has_next);
    for (uint32_t i = 0; i < count; i++) {
        put_entry(service, &service->writer, item, nodes[i], list->channel);
    }
    struct text next = {"", 0};
    if (has_next) {
        const struct node *last = &tables->network.nodes[nodes[count - 1]];
        next = (struct text){last->id, last->id_len};
    }
    page_send(service, call, mark, count, next);
}

void handle_stock_list(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct list list;
    reader_init(&reader, call->params, call->params_size);
    list_read(&reader, &list);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (list.node.len) {
        uint16_t node = need_node(service, call, "node", list.node);
        uint32_t after = 0;
        if (node != NODE_NONE && list.after.len) {
            after = need_item(service, call, "after", list.after) + 1; /* none + 1 = 0 */
        }
        if (!call->is_answered) {
            list_node(service, call, &list, node, after);
        }
        return;
    }
    uint32_t item = need_item(service, call, "item", list.item);
    uint32_t after = 0;
    if (item != ITEM_NONE && list.after.len) {
        after = need_node(service, call, "after", list.after) + 1u;
    }
    if (!call->is_answered) {
        list_item(service, call, &list, item, after);
    }
}
