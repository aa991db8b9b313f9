/* transfer.create, .ship, .receive, .cancel: units that go from one node to another. They are
 * held where they start from the first, on their way from when they are shipped, and stock of the
 * other node when they are received. */
#include <string.h>

#include "document_internal.h"

/* Latest time that may be named: the end of the year 9999. */
#define ETA_MAX INT64_C(253402300799999)

/* On the caller's stack. */
struct transfer {
    struct text id, from, to;
    uint64_t eta_ms, at_ms;
    bool has_lines;
    uint32_t count;
    struct draft_ask asks[DOCUMENT_LINES_MAX];
};

enum { T_ID, T_FROM, T_TO, T_LINES, T_ETA, T_AT };

/* What a method takes: its fields, required ones first. */
struct transfer_fields {
    const char *names[5];
    uint8_t kinds[5]; /* T_ of each */
    uint32_t count, required;
};

static void lines_read(struct reader *reader, struct transfer *transfer)
{
    struct reader_array array;
    transfer->has_lines = true;
    if (reader_array_begin(reader, &array, DOCUMENT_LINES_MAX) == 0) {
        reader_fail(reader, "name at least one line");
    }
    while (reader_array_next(reader, &array)) {
        draft_ask_read(reader, &transfer->asks[transfer->count++], 0);
    }
}

static void field_read(struct service_core *service, struct reader *reader, int field,
                       struct transfer *transfer)
{
    switch (field) {
    case T_ID:
        transfer->id = reader_text(reader, 1, ID_MAX);
        break;
    case T_FROM:
        transfer->from = reader_text(reader, 1, ID_MAX);
        break;
    case T_TO:
        transfer->to = reader_text(reader, 1, ID_MAX);
        break;
    case T_LINES:
        lines_read(reader, transfer);
        break;
    case T_ETA:
        transfer->eta_ms = (uint64_t)reader_int(reader, 1, ETA_MAX);
        break;
    default:
        transfer->at_ms = read_time(service, reader);
    }
}

static bool transfer_read(struct service_core *service, struct call *call,
                          const struct transfer_fields *fields, struct transfer *transfer)
{
    struct reader reader;
    struct reader_map map;
    memset(transfer, 0, offsetof(struct transfer, asks));
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields->names, fields->count);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        field_read(service, &reader, fields->kinds[field], transfer);
    }
    for (uint32_t i = 0; i < fields->required; i++) {
        reader_require(&reader, &map, i);
    }
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return false;
    }
    return true;
}

/* -- answers -- */

static const char *transfer_state(struct document *document)
{
    uint64_t shipped = 0;
    uint64_t received = 0;
    uint64_t outstanding = 0;
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document_lines(document)[i];
        shipped += line->counts[TRANSFER_SHIPPED];
        received += line->counts[TRANSFER_RECEIVED];
        outstanding += document_outstanding(document, line);
    }
    if (outstanding == 0) {
        return shipped == 0 ? "cancelled" : "received";
    }
    return shipped == 0 ? "created" : received == 0 ? "shipped" : "partial";
}

static void put_lines(struct service_core *service, struct writer *writer,
                      struct document *document)
{
    writer_str(writer, "lines");
    writer_array(writer, document->line_count);
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document_lines(document)[i];
        const struct item *item = &service->tables.catalogue.items[line->item];
        writer_map(writer, 4);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "qty", line->qty);
        put_int(writer, "shipped", line->counts[TRANSFER_SHIPPED]);
        put_int(writer, "received", line->counts[TRANSFER_RECEIVED]);
    }
}

static void answer_transfer(struct service_core *service, struct call *call, struct text id,
                            bool is_duplicate)
{
    const struct documents *documents = &service->tables.documents;
    const struct node *nodes = service->tables.network.nodes;
    uint64_t hash = documents_hash(documents, DOCUMENT_TRANSFER, id.at, id.len);
    slab_ref ref = documents_find(documents, hash, DOCUMENT_TRANSFER, id.at, id.len);
    CHECK(ref);
    struct document *document = document_at(documents, ref);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6u + is_duplicate);
    put_text(writer, "transfer_id", id.at, id.len);
    put_string(writer, "state", transfer_state(document));
    put_text(writer, "from", nodes[document->node].id, nodes[document->node].id_len);
    put_text(writer, "to", nodes[document->to].id, nodes[document->to].id_len);
    put_lines(service, writer, document);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- transfer.create -- */

static void refuse_short(struct service_core *service, struct call *call, struct text item,
                         uint32_t wanted, uint32_t available)
{
    service->refusals[REASON_INSUFFICIENT_STOCK]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_INSUFFICIENT_STOCK));
    put_text(writer, "item", item.at, item.len);
    put_int(writer, "wanted", wanted);
    put_int(writer, "available", available);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* One line of the document for each item, which must be free at its start. */
static bool lines_take(struct service_core *service, struct call *call,
                       const struct transfer *transfer, struct draft *draft)
{
    const struct tables *tables = &service->tables;
    for (uint32_t i = 0; i < transfer->count; i++) {
        const struct draft_ask *ask = &transfer->asks[i];
        uint32_t item = need_item(service, call, "lines[].item", ask->item);
        if (item == ITEM_NONE || refuse_kit(service, call, "lines[].item", item)) {
            return false;
        }
        for (uint32_t k = 0; k < draft->effect.line_count; k++) {
            if (draft->lines[k].item == item) {
                reply_error(service, call, CODE_INVALID_ARGUMENT,
                            "lines[%u].item: %.*s is named twice", i, (int)ask->item.len,
                            ask->item.at);
                return false;
            }
        }
        struct cell cell = tables_cell(tables, item, draft->effect.node);
        uint32_t free = stock_free(&tables->view, item, draft->effect.node, tables_word(&cell));
        if (free < ask->qty) {
            refuse_short(service, call, ask->item, ask->qty, free);
            return false;
        }
        struct effect_document_line *line = draft_add(service, call, draft, item, DOCUMENT_NO_LINE);
        if (!line) {
            return false;
        }
        line->qty = ask->qty;
    }
    return true;
}

static bool nodes_find(struct service_core *service, struct call *call,
                       const struct transfer *transfer, struct draft *draft)
{
    draft->effect.node = need_node(service, call, "from", transfer->from);
    if (draft->effect.node == NODE_NONE) {
        return false;
    }
    draft->effect.to = need_node(service, call, "to", transfer->to);
    if (draft->effect.to == NODE_NONE) {
        return false;
    }
    if (draft->effect.to == draft->effect.node) {
        reply_error(service, call, CODE_INVALID_ARGUMENT, "to: is where it starts: name another");
        return false;
    }
    return true;
}

static uint64_t create_content(const struct transfer *transfer)
{
    struct content content;
    content_begin(&content, METHOD_TRANSFER_CREATE);
    content_text(&content, transfer->from.at, transfer->from.len);
    content_text(&content, transfer->to.at, transfer->to.len);
    content_int(&content, (int64_t)transfer->eta_ms);
    draft_content(&content, transfer->asks, transfer->count);
    return content.hash;
}

void handle_transfer_create(struct service_core *service, struct call *call)
{
    static const struct transfer_fields fields = {
        {"transfer_id", "from", "to", "lines", "eta"}, {T_ID, T_FROM, T_TO, T_LINES, T_ETA}, 5, 4};
    struct transfer transfer;
    struct draft draft;
    if (!transfer_read(service, call, &fields, &transfer)) {
        return;
    }
    uint64_t content = create_content(&transfer);
    draft_begin(service, DOCUMENT_TRANSFER, transfer.id, &draft);
    if (draft.before && draft.effect.content == content) {
        answer_transfer(service, call, transfer.id, true);
        return;
    }
    if (draft.before) {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "transfer_id: %.*s is another transfer: take a new id for a new one",
                    (int)transfer.id.len, transfer.id.at);
        return;
    }
    if (!nodes_find(service, call, &transfer, &draft) ||
        !lines_take(service, call, &transfer, &draft)) {
        return;
    }
    draft.effect.content = content;
    draft.effect.eta_ms = transfer.eta_ms;
    if (draft_log(service, call, &draft, 0)) {
        answer_transfer(service, call, transfer.id, false);
    }
}

/* -- transfer.ship, transfer.receive -- */

static bool need_transfer(struct service_core *service, struct call *call, struct text id,
                          struct draft *draft)
{
    draft_begin(service, DOCUMENT_TRANSFER, id, draft);
    if (!draft->before) {
        reply_error(service, call, CODE_UNKNOWN_TRANSFER,
                    "transfer_id: no transfer %.*s is in memory: transfer.create makes one, done "
                    "ones leave after order_window_ms=%llu",
                    (int)id.len, id.at, (unsigned long long)service->options.order_window_ms);
    }
    return draft->before != 0;
}

/* How far the total of a line can go now. */
static uint32_t total_limit(const struct draft *draft, uint32_t line, uint32_t count)
{
    const struct effect_document_line *own = &draft->lines[line];
    if (count == TRANSFER_RECEIVED) {
        return own->counts[TRANSFER_SHIPPED];
    }
    return draft->effect.is_cancelled ? own->counts[TRANSFER_SHIPPED] : own->qty;
}

static bool line_raise(struct service_core *service, struct call *call, struct draft *draft,
                       uint32_t line, uint32_t count, uint32_t total)
{
    uint32_t limit = total_limit(draft, line, count);
    if (total > limit) {
        const struct item *item = &service->tables.catalogue.items[draft->lines[line].item];
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines: %.*s: a total of %u is more than the %u %s", (int)item->id_len,
                    item->id, total, limit,
                    count == TRANSFER_RECEIVED ? "that were shipped" : "that may leave");
        return false;
    }
    uint32_t before = draft->grown[line];
    draft_raise(draft, line, count, total);
    int64_t units = draft->grown[line] - before;
    bool is_out = count == TRANSFER_SHIPPED;
    return units == 0 ||
           draft_touch(service, call, draft, line, is_out ? draft->effect.node : draft->effect.to,
                       is_out ? -units : units);
}

static bool lines_raise(struct service_core *service, struct call *call,
                        const struct transfer *transfer, struct draft *draft, uint32_t count)
{
    if (!transfer->has_lines) {
        for (uint32_t i = 0; i < draft->effect.line_count; i++) {
            if (!line_raise(service, call, draft, i, count, total_limit(draft, i, count))) {
                return false;
            }
        }
        return true;
    }
    for (uint32_t i = 0; i < transfer->count; i++) {
        const struct draft_ask *ask = &transfer->asks[i];
        uint32_t item = need_item(service, call, "lines[].item", ask->item);
        uint32_t line = 0;
        while (line < draft->effect.line_count && draft->lines[line].item != item) {
            line++;
        }
        if (item != ITEM_NONE && line == draft->effect.line_count) {
            reply_error(service, call, CODE_UNKNOWN_LINE,
                        "lines[%u].item: %.*s is not in the transfer", i, (int)ask->item.len,
                        ask->item.at);
        }
        if (item == ITEM_NONE || line == draft->effect.line_count ||
            !line_raise(service, call, draft, line, count, ask->qty)) {
            return false;
        }
    }
    return true;
}

static void move(struct service_core *service, struct call *call, uint32_t count)
{
    static const struct transfer_fields fields = {
        {"transfer_id", "lines", "at", "eta"}, {T_ID, T_LINES, T_AT, T_ETA}, 4, 1};
    struct transfer transfer;
    struct draft draft;
    if (!transfer_read(service, call, &fields, &transfer) ||
        !need_transfer(service, call, transfer.id, &draft)) {
        return;
    }
    bool is_later = transfer.eta_ms && transfer.eta_ms != draft.effect.eta_ms;
    draft.effect.eta_ms = transfer.eta_ms ? transfer.eta_ms : draft.effect.eta_ms;
    draft.effect.at_node = count == TRANSFER_RECEIVED ? draft.effect.to : NODE_NONE;
    if (!lines_raise(service, call, &transfer, &draft, count)) {
        return;
    }
    bool is_change = draft.grown_units > 0 || is_later;
    if (!is_change || draft_log(service, call, &draft, transfer.at_ms)) {
        answer_transfer(service, call, transfer.id, !is_change);
    }
}

void handle_transfer_ship(struct service_core *service, struct call *call)
{
    move(service, call, TRANSFER_SHIPPED);
}

void handle_transfer_receive(struct service_core *service, struct call *call)
{
    move(service, call, TRANSFER_RECEIVED);
}

/* What was not shipped is free again; what is on its way still comes. */
void handle_transfer_cancel(struct service_core *service, struct call *call)
{
    static const struct transfer_fields fields = {{"transfer_id"}, {T_ID}, 1, 1};
    struct transfer transfer;
    struct draft draft;
    if (!transfer_read(service, call, &fields, &transfer) ||
        !need_transfer(service, call, transfer.id, &draft)) {
        return;
    }
    bool is_over = draft.effect.is_cancelled ||
                   document_at(&service->tables.documents, draft.before)->done_ms != 0;
    draft.effect.is_cancelled = true;
    if (is_over || draft_log(service, call, &draft, 0)) {
        answer_transfer(service, call, transfer.id, is_over);
    }
}
