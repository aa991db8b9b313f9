/* supply.put, supply.receive, supply.cancel: units that will come from outside.
 *
 * A supply that is put again is changed: its quantity and time follow the supplier. Its item and
 * node do not: that would be another supply. */
#include <string.h>

#include "document_internal.h"

enum { ATP_SHOWN = 100 };

/* Latest time that may be named: the end of the year 9999. */
#define ETA_MAX INT64_C(253402300799999)

/* -- answers -- */

static const char *supply_state(struct document *document)
{
    struct document_line *line = document_lines(document);
    uint32_t received = line->counts[SUPPLY_RECEIVED];
    if (document_outstanding(document, line) > 0) {
        return received ? "partial" : "expected";
    }
    return document->is_cancelled && received < line->qty ? "cancelled" : "received";
}

/* What may be promised at the cell, from when: now, and after each supply that is expected. */
static void put_promise(struct service_core *service, struct writer *writer, uint32_t item,
                        uint16_t node)
{
    const struct tables *tables = &service->tables;
    struct cell cell = tables_cell(tables, item, node);
    int64_t ats = stock_ats(&tables->view, item, node, tables_word(&cell));
    uint32_t mark = (writer_str(writer, "atp"), writer_open(writer));
    uint32_t count = 1;
    writer_map(writer, 2);
    put_int(writer, "at", (int64_t)service->now_ms);
    put_int(writer, "qty", ats > 0 ? ats : 0);
    uint32_t at = 0;
    while (count < ATP_SHOWN && (at = incoming_next(&tables->incoming, item, at)) != 0) {
        const struct incoming_entry *entry = &tables->incoming.entries[at];
        struct document *document = document_at(&tables->documents, entry->document);
        if (entry->node != node || entry->eta_ms == 0) {
            continue;
        }
        ats += document_outstanding(document, &document_lines(document)[entry->line]);
        writer_map(writer, 2);
        put_int(writer, "at", (int64_t)entry->eta_ms);
        put_int(writer, "qty", ats > 0 ? ats : 0);
        count++;
    }
    writer_array_close(writer, mark, count);
}

static void answer_supply(struct service_core *service, struct call *call, struct text id,
                          bool is_duplicate)
{
    const struct documents *documents = &service->tables.documents;
    uint64_t hash = documents_hash(documents, DOCUMENT_SUPPLY, id.at, id.len);
    slab_ref ref = documents_find(documents, hash, DOCUMENT_SUPPLY, id.at, id.len);
    CHECK(ref);
    struct document *document = document_at(documents, ref);
    struct document_line *line = document_lines(document);
    struct cell cell = tables_cell(&service->tables, line->item, document->node);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 7u + is_duplicate);
    put_text(writer, "supply_id", id.at, id.len);
    put_string(writer, "state", supply_state(document));
    put_int(writer, "received", line->counts[SUPPLY_RECEIVED]);
    put_int(writer, "outstanding", document_outstanding(document, line));
    put_int(writer, "on_hand", cell_on_hand(tables_word(&cell)));
    put_promise(service, writer, line->item, document->node);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static bool need_supply(struct service_core *service, struct call *call, struct text id,
                        struct draft *draft)
{
    draft_begin(service, DOCUMENT_SUPPLY, id, draft);
    if (!draft->before) {
        reply_error(service, call, CODE_UNKNOWN_SUPPLY,
                    "supply_id: no supply %.*s is in memory: supply.put makes one, done ones "
                    "leave after order_window_ms=%llu",
                    (int)id.len, id.at, (unsigned long long)service->options.order_window_ms);
    }
    return draft->before != 0;
}

/* -- supply.put -- */

struct supply_put {
    struct text id, item, node, kind;
    uint32_t qty;
    uint64_t eta_ms;
    bool has_qty, has_eta, has_kind;
};

static void put_read(struct reader *reader, struct supply_put *put)
{
    static const char *const fields[] = {"supply_id", "item", "node", "qty", "eta", "kind"};
    struct reader_map map;
    memset(put, 0, sizeof *put);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            put->id = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            put->item = reader_text(reader, 1, ID_MAX);
            break;
        case 2:
            put->node = reader_text(reader, 1, ID_MAX);
            break;
        case 3:
            put->qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
            put->has_qty = true;
            break;
        case 4:
            put->has_eta = true;
            put->eta_ms = reader_nil(reader) ? 0 : (uint64_t)reader_int(reader, 1, ETA_MAX);
            break;
        default:
            put->has_kind = true;
            put->kind = reader_nil(reader) ? (struct text){"", 0}
                                           : reader_text(reader, 1, DOCUMENT_REASON_MAX);
        }
    }
    reader_require(reader, &map, 0);
}

/* A new supply needs all; one that is there keeps its item and node. False: answered. */
static bool put_names(struct service_core *service, struct call *call, const struct supply_put *put,
                      struct draft *draft)
{
    if (!draft->before && (!put->item.len || !put->node.len || !put->has_qty)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s: missing: a new supply names item, node and qty",
                    !put->item.len   ? "item"
                    : !put->node.len ? "node"
                                     : "qty");
        return false;
    }
    uint32_t item = draft->before ? draft->lines[0].item : ITEM_NONE;
    uint16_t node = draft->effect.node;
    if (put->item.len && ((item = need_item(service, call, "item", put->item)) == ITEM_NONE ||
                          refuse_kit(service, call, "item", item))) {
        return false;
    }
    if (put->node.len && (node = need_node(service, call, "node", put->node)) == NODE_NONE) {
        return false;
    }
    if (draft->before && (item != draft->lines[0].item || node != draft->effect.node)) {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "supply_id: %.*s is a supply of another item or to another node: cancel it "
                    "and take a new id",
                    (int)put->id.len, put->id.at);
        return false;
    }
    draft->effect.node = node;
    return draft->before || draft_add(service, call, draft, item, DOCUMENT_NO_LINE) != NULL;
}

/* Whether anything is different from what is there. */
static bool put_change(const struct supply_put *put, struct draft *draft)
{
    struct effect_document *effect = &draft->effect;
    struct effect_document before = *effect;
    uint32_t qty = draft->lines[0].qty;
    draft->lines[0].qty = put->has_qty ? put->qty : qty;
    effect->eta_ms = put->has_eta ? put->eta_ms : effect->eta_ms;
    if (put->has_kind) {
        effect->note = (struct effect_text){put->kind.at, put->kind.len};
    }
    bool is_note_same =
        before.note.len == effect->note.len &&
        (effect->note.len == 0 || memcmp(before.note.at, effect->note.at, effect->note.len) == 0);
    return !draft->before || draft->lines[0].qty != qty || before.eta_ms != effect->eta_ms ||
           !is_note_same;
}

void handle_supply_put(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct supply_put put;
    struct draft draft;
    reader_init(&reader, call->params, call->params_size);
    put_read(&reader, &put);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    draft_begin(service, DOCUMENT_SUPPLY, put.id, &draft);
    if (!put_names(service, call, &put, &draft)) {
        return;
    }
    bool is_change = put_change(&put, &draft);
    if (is_change && draft.effect.is_cancelled) {
        reply_refused(service, call, REASON_INVALID_STATE, "state", "cancelled");
    } else if (!is_change || draft_log(service, call, &draft, 0)) {
        answer_supply(service, call, put.id, !is_change);
    }
}

/* -- supply.receive -- */

void handle_supply_receive(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"supply_id", "qty", "at"};
    struct reader reader;
    struct reader_map map;
    struct draft draft;
    struct text id = {"", 0};
    uint32_t total = 0;
    uint64_t at_ms = 0;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 3);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        if (field == 0) {
            id = reader_text(&reader, 1, ID_MAX);
        } else if (field == 1) {
            total = (uint32_t)reader_int(&reader, 1, QTY_MAX);
        } else {
            at_ms = read_time(service, &reader);
        }
    }
    reader_require(&reader, &map, 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!need_supply(service, call, id, &draft)) {
        return;
    }
    draft.effect.at_node = draft.effect.node;
    draft_raise(&draft, 0, SUPPLY_RECEIVED, total ? total : draft.lines[0].qty);
    bool is_change = draft.grown_units > 0;
    if (is_change && !draft_touch(service, call, &draft, 0, draft.effect.node, draft.grown[0])) {
        return;
    }
    if (!is_change || draft_log(service, call, &draft, at_ms)) {
        answer_supply(service, call, id, !is_change);
    }
}

/* -- supply.cancel -- */

void handle_supply_cancel(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"supply_id"};
    struct reader reader;
    struct reader_map map;
    struct draft draft;
    struct text id = {"", 0};
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
    if (!need_supply(service, call, id, &draft)) {
        return;
    }
    bool is_over = document_at(&service->tables.documents, draft.before)->done_ms != 0;
    draft.effect.is_cancelled = true;
    if (is_over || draft_log(service, call, &draft, 0)) {
        answer_supply(service, call, id, is_over);
    }
}
