/* order.get and order.list. */
#include <string.h>

#include "replan_internal.h"
#include "strategy_internal.h"
#include "walk_internal.h"

enum { HISTORY_TOLD = 1000 };

/* What became of the units of a line. */
struct line_sums {
    uint32_t open, done, no_show, returned;
    bool is_told; /* when owed units may be there */
};

static void sum_shares(struct order *order, struct line_sums *sums)
{
    memset(sums, 0, order->line_count * sizeof *sums);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        struct line_sums *sum = &sums[share->line];
        uint32_t held = share_held(share, (enum way)order_parts(order)[share->part].way);
        sum->open += held;
        sum->done += share_active(share) - held;
        sum->no_show += share->no_show;
    }
}

static void sum_returns(const struct service_core *service, const struct order *order,
                        struct line_sums *sums)
{
    const struct documents *documents = &service->tables.documents;
    uint64_t at = 0;
    slab_ref ref;
    while ((ref = documents_next_of_order(documents, order->lsn, &at)) != 0) {
        struct document *document = document_at(documents, ref);
        for (uint32_t i = 0; i < document->line_count; i++) {
            const struct document_line *line = &document_lines(document)[i];
            if (line->order_line < order->line_count) {
                sums[line->order_line].returned += document_received(document, line);
            }
        }
    }
}

/* When what is owed of the line may be there; 0 = nobody knows. */
static uint64_t owed_at_ms(const struct service_core *service, const struct order *order,
                           uint32_t line)
{
    const struct owed *owed = &service->tables.owed;
    const struct owed_entry *entry = owed_at(owed, owed_find(owed, order, line));
    return entry->reason == REASON_INSUFFICIENT_STOCK
               ? available_at_owed(service, entry->order, line)
               : 0;
}

static void put_line(struct service_core *service, struct writer *writer, struct order *order,
                     uint32_t index, const struct line_sums *sum)
{
    const struct order_line *line = &order_lines(order)[index];
    const struct item *item = &service->tables.catalogue.items[line->item];
    char scratch[12];
    uint32_t len;
    const char *name = line_text(order, index, scratch, &len);
    uint32_t owed = owed_units(&service->tables.owed, order, index);
    uint64_t at_ms = owed > 0 && sum->is_told ? owed_at_ms(service, order, index) : 0;
    struct order_kit kit = line_kit(order, index);
    writer_map(writer, 8u + (sum->no_show > 0) + (owed > 0) + (at_ms != 0) +
                           2u * (kit.item != 0));
    put_text(writer, "line", name, len);
    put_kit(service, writer, &kit);
    if (kit.item) {
        put_int(writer, "per_kit", kit.per);
    }
    put_text(writer, "item", item->id, item->id_len);
    put_int(writer, "qty", line->qty);
    put_int(writer, "open", sum->open);
    put_int(writer, "done", sum->done);
    put_int(writer, "cancelled", line->qty - line->unfilled - owed - sum->open - sum->done);
    put_int(writer, "unfilled", line->unfilled);
    put_int(writer, "returned", sum->returned);
    if (owed > 0) { /* no source yet */
        put_int(writer, "owed", owed);
    }
    if (at_ms) {
        put_int(writer, "available_at", (int64_t)at_ms);
    }
    if (sum->no_show > 0) { /* of those told as cancelled */
        put_int(writer, "no_show", sum->no_show);
    }
}

/* is_one: the answer is about this order alone, its work has room for times. */
static void put_lines(struct service_core *service, struct writer *writer, struct order *order,
                      bool is_one)
{
    struct line_sums sums[EFFECT_LINES_MAX];
    CHECK(order->line_count <= EFFECT_LINES_MAX);
    sum_shares(order, sums);
    sum_returns(service, order, sums);
    writer_str(writer, "lines");
    writer_array(writer, order->line_count);
    for (uint32_t i = 0; i < order->line_count; i++) {
        sums[i].is_told = is_one && i < AVAILABLE_TOLD;
        put_line(service, writer, order, i, &sums[i]);
    }
}

static void put_fulfilments(struct service_core *service, struct writer *writer,
                            struct order *order)
{
    writer_str(writer, "fulfilments");
    writer_array(writer, order->part_count);
    for (uint32_t i = 0; i < order->part_count; i++) {
        put_fulfilment(service, writer, order, i, false);
    }
}

static const char *entry_type(enum order_event event)
{
    switch (event) {
    case ORDER_EVENT_CANCELLED:
        return "order.cancelled";
    case ORDER_EVENT_CREATED:
        return "fulfil.created";
    case ORDER_EVENT_OWED:
        return "order.held";
    case ORDER_EVENT_CHANGED:
        return "order.changed";
    case ORDER_EVENT_ROUTED:
    case ORDER_EVENT_STATE:
    case ORDER_EVENT_REJECTED:
    case ORDER_EVENT_MOVED:
        break;
    }
    return "fulfil.state";
}

/* What an event tells beside line, fulfilment and quantity; the number of fields. */
static uint32_t put_entry_state(struct writer *writer, const struct order_entry *entry)
{
    switch ((enum order_event)entry->event) {
    case ORDER_EVENT_STATE:
        put_string(writer, "state", state_text((enum state)entry->state));
        return 1;
    case ORDER_EVENT_REJECTED:
        put_string(writer, "state", state_text(STATE_REJECTED));
        put_string(writer, "reason", decline_text((enum decline)entry->state));
        return 2;
    case ORDER_EVENT_MOVED:
        put_string(writer, "state", state_text(STATE_CANCELLED));
        return 1;
    case ORDER_EVENT_CREATED:
        put_string(writer, "cause", cause_text((enum cause)entry->state));
        return 1;
    case ORDER_EVENT_OWED:
        put_string(writer, "reason", reason_text((enum reason)entry->state));
        return 1;
    case ORDER_EVENT_ROUTED:
    case ORDER_EVENT_CANCELLED:
    case ORDER_EVENT_CHANGED:
        break;
    }
    return 0;
}

/* Whether an entry is about one line. */
static bool has_line(const struct order_entry *entry)
{
    return entry->event != ORDER_EVENT_STATE && entry->event != ORDER_EVENT_CREATED &&
           entry->line != ORDER_NO_PART;
}

static void put_entry(struct writer *writer, struct order *order, const struct order_entry *entry)
{
    char id[ID_MAX + 8];
    uint32_t map = writer_open(writer);
    uint32_t fields = 4;
    put_int(writer, "lsn", (int64_t)entry->lsn);
    put_int(writer, "at", (int64_t)entry->at_ms);
    put_string(writer, "type", entry_type((enum order_event)entry->event));
    if (entry->part != ORDER_NO_PART) {
        put_text(writer, "fulfilment", id, fulfilment_text(order, entry->part, id));
        fields++;
    }
    put_int(writer, "qty", entry->qty);
    if (has_line(entry)) {
        put_order_line(writer, order, entry->line);
        fields++;
    }
    fields += put_entry_state(writer, entry);
    writer_map_close(writer, map, fields);
}

/* The routing and the newest entries: more would hold the loop. */
static void put_history(struct service_core *service, struct writer *writer, struct order *order)
{
    const struct order_entry *entries =
        order->history ? slab_at(&service->tables.orders.slab, order->history) : NULL;
    uint32_t told = order->history_count < HISTORY_TOLD ? order->history_count : HISTORY_TOLD;
    writer_str(writer, "history");
    writer_array(writer, 1u + told);
    writer_map(writer, 3);
    put_int(writer, "lsn", (int64_t)order->lsn);
    put_int(writer, "at", (int64_t)order->created_ms);
    put_string(writer, "type", "order.routed");
    for (uint32_t i = order->history_count - told; i < order->history_count; i++) {
        put_entry(writer, order, &entries[i]);
    }
}

static void put_dest(struct writer *writer, struct order *order)
{
    bool has_country = order->country[0] != '\0';
    writer_str(writer, "dest");
    writer_map(writer, 2u * order->has_dest + has_country + (order->postcode_len > 0));
    if (order->has_dest) {
        put_float(writer, "lat", order->lat);
        put_float(writer, "lon", order->lon);
    }
    if (has_country) {
        put_text(writer, "country", order->country, 2);
    }
    if (order->postcode_len > 0) {
        put_text(writer, "postcode", order_postcode(order),
                 order->postcode_len);
    }
}

/* The fields that order.get and order.list share: 9, and ref and channel where there are any. */
static void put_order(struct service_core *service, struct writer *writer, struct order *order,
                      bool is_one)
{
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(order_status_now(order)));
    put_string(writer, "service", service_text((enum service)order->service));
    put_int(writer, "created_at", (int64_t)order->created_ms);
    put_dest(writer, order);
    if (order->ref_len > 0) {
        put_text(writer, "ref", order_ref(order), order->ref_len);
    }
    if (order->channel_len > 0) {
        put_text(writer, "channel", order_channel(order), order->channel_len);
    }
    if (order->sold_at != NODE_NONE) {
        const struct node *node = &service->tables.network.nodes[order->sold_at];
        put_text(writer, "sold_at", node->id, node->id_len);
    }
    put_fulfilments(service, writer, order);
    put_lines(service, writer, order, is_one);
    put_int(writer, "splits", order->splits);
    put_km(writer, "total_km", order->total_m);
    put_bool(writer, "optimal", order->is_optimal);
    if (order->strategy) {
        put_strategy_name(service, writer, order->strategy);
    }
}

static uint32_t order_fields(const struct order *order)
{
    return 10u + (order->ref_len > 0) + (order->channel_len > 0) +
           (order->sold_at != NODE_NONE) + (order->strategy ? STRATEGY_NAME_FIELDS : 0u);
}

/* -- order.get -- */

void handle_order_get(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"order_id"};
    struct text id = {"", 0};
    struct reader reader;
    struct reader_map map;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 1);
    while (reader_map_next(&reader, &map) >= 0) {
        id = reader_text(&reader, 1, ID_MAX);
    }
    reader_require(&reader, &map, 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_order(service, call, id);
    if (!ref) {
        return;
    }
    struct order *order = order_at(&service->tables.orders, ref);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, order_fields(order) + 2u);
    put_order(service, writer, order, true);
    put_history(service, writer, order);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- order.list -- */

struct order_list {
    struct text node, after;
    int status; /* enum order_status, -1 = any */
    uint32_t limit;
};

static bool list_decode(struct reader *reader, const struct call *call, struct order_list *list)
{
    static const char *const fields[] = {"node", "status", "after", "limit"};
    struct reader_map map;
    *list = (struct order_list){.status = -1, .limit = PAGE_DEFAULT};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            list->node = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            list->status = reader_word(reader, &names_order_statuses);
            break;
        case 2:
            list->after = reader_text(reader, 1, WALK_CURSOR_MAX);
            break;
        default:
            list->limit = (uint32_t)reader_int(reader, 1, PAGE_MAX);
            break;
        }
    }
    return reader_is_ok(reader);
}

static bool has_node(struct order *order, uint16_t node)
{
    for (uint32_t i = 0; i < order->part_count; i++) {
        if (order_parts(order)[i].node == node) {
            return true;
        }
    }
    return false;
}

/* Rows of an order that an answer goes over, twice: summing them and writing them. */
static uint32_t order_steps(const struct order *order)
{
    return 2u * ((uint32_t)order->part_count + order->share_count + order->line_count);
}

static uint32_t put_page(struct service_core *service, struct writer *writer,
                         const struct order_list *list, uint16_t node, struct walk *walk)
{
    uint32_t count = 0;
    uint32_t part;
    struct order *order;
    while (count < list->limit && (order = walk_next(service, walk, &part)) != NULL) {
        bool is_wanted =
            (node == NODE_NONE || has_node(order, node)) &&
            (list->status < 0 || order_status_now(order) == (enum order_status)list->status);
        if (is_wanted) {
            writer_map(writer, order_fields(order));
            put_order(service, writer, order, false);
            count++;
        }
        walk_told(walk, order, WALK_WHOLE, is_wanted ? order_steps(order) : order->share_count);
    }
    return count;
}

void handle_order_list(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct order_list list;
    struct walk walk;
    uint16_t node = NODE_NONE;
    if (!list_decode(&reader, call, &list)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (list.node.len > 0) {
        node = need_node(service, call, "node", list.node);
        if (node == NODE_NONE) {
            return;
        }
    }
    if (!walk_begin(service, call, list.after, &walk)) {
        return;
    }
    struct writer *writer = reply_begin(service, call);
    uint32_t map = writer_open(writer);
    writer_str(writer, "orders");
    uint32_t mark = writer_open(writer);
    writer_array_close(writer, mark, put_page(service, writer, &list, node, &walk));
    if (walk.at) {
        walk_put_next(service, writer, &walk);
    }
    put_lsn(service, writer);
    writer_map_close(writer, map, walk.at ? 3 : 2);
    reply_send(service, call);
}
