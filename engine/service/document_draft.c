/* Documents changed by requests: from what is there to what will be, logged and applied. */
#include <string.h>

#include "document_internal.h"
#include "short.h"

/* -- from what is there -- */

static const char *line_begin(struct document *document, uint32_t i, const char *at,
                              struct effect_document_line *out)
{
    const struct document_line *line = &document_lines(document)[i];
    *out = (struct effect_document_line){.item = line->item,
                                         .qty = line->qty,
                                         .order_line = line->order_line,
                                         .reason = {at, line->reason_len}};
    memcpy(out->counts, line->counts, sizeof out->counts);
    return at + line->reason_len;
}

static void document_read(struct document *document, struct draft *draft)
{
    const char *at = document_texts(document);
    struct effect_document *effect = &draft->effect;
    effect->is_cancelled = document->is_cancelled;
    effect->is_unverified = document->is_unverified;
    effect->node = document->node;
    effect->to = document->to;
    effect->content = document->content;
    effect->order_lsn = document->order_lsn;
    effect->eta_ms = document->eta_ms;
    effect->id = (struct effect_text){at, document->id_len};
    at += document->id_len;
    effect->order_id = (struct effect_text){at, document->order_len};
    at += document->order_len;
    effect->note = (struct effect_text){at, document->note_len};
    at += document->note_len;
    effect->line_count = document->line_count;
    for (uint32_t i = 0; i < document->line_count; i++) {
        at = line_begin(document, i, at, &draft->lines[i]);
    }
}

void draft_begin(struct service_core *service, enum document_kind kind, struct text id,
                 struct draft *draft)
{
    const struct documents *documents = &service->tables.documents;
    uint64_t hash = documents_hash(documents, kind, id.at, id.len);
    memset(draft, 0, offsetof(struct draft, lines));
    memset(draft->grown, 0, sizeof draft->grown);
    draft->grown_units = 0;
    draft->counted_ms = 0;
    draft->before = documents_find(documents, hash, kind, id.at, id.len);
    draft->effect.kind = (uint8_t)kind;
    draft->effect.lines = draft->lines;
    draft->effect.node = draft->effect.to = draft->effect.at_node = NODE_NONE;
    draft->effect.id = (struct effect_text){id.at, id.len};
    if (draft->before) {
        document_read(document_at(documents, draft->before), draft);
    }
}

/* -- to what will be -- */

struct effect_document_line *draft_add(struct service_core *service, struct call *call,
                                       struct draft *draft, uint32_t item, uint16_t order_line)
{
    if (draft->effect.line_count == DOCUMENT_LINES_MAX) {
        reply_error(service, call, CODE_TOO_LARGE, "lines: at most %d in one document",
                    DOCUMENT_LINES_MAX);
        return NULL;
    }
    struct effect_document_line *line = &draft->lines[draft->effect.line_count++];
    memset(line, 0, sizeof *line);
    line->item = item;
    line->order_line = order_line;
    return line;
}

void draft_raise(struct draft *draft, uint32_t i, uint32_t count, uint32_t total)
{
    uint32_t *own = &draft->lines[i].counts[count];
    if (total > *own) {
        draft->grown[i] += total - *own;
        draft->grown_units += total - *own;
        *own = total;
    }
}

bool draft_touch(struct service_core *service, struct call *call, struct draft *draft, uint32_t i,
                 uint16_t node, int64_t delta)
{
    struct cell cell = tables_cell(&service->tables, draft->lines[i].item, node);
    int64_t on_hand = cell_on_hand(tables_word(&cell)) + delta;
    uint64_t counted = tables_counted_at(&cell);
    if (on_hand < -CELL_ON_HAND_MAX || on_hand > CELL_ON_HAND_MAX) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines[%u].qty: on_hand would become %lld, it must stay within -%d to %d", i,
                    (long long)on_hand, CELL_ON_HAND_MAX, CELL_ON_HAND_MAX);
        return false;
    }
    draft->counted_ms = counted > draft->counted_ms ? counted : draft->counted_ms;
    return true;
}

/* What a transfer took out of its node may have been promised. */
static void shipped_tell(struct service_core *service, const struct effect_document *effect)
{
    struct short_cell cells[DOCUMENT_LINES_MAX];
    if (effect->kind != DOCUMENT_TRANSFER || effect->at_node != effect->node) {
        return;
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        cells[i] = (struct short_cell){effect->lines[i].item, effect->node};
    }
    shorts_tell(service, cells, effect->line_count);
}

/* Cells that the record makes, at most. */
static uint32_t cells_missing(const struct tables *tables, const struct effect_document *effect)
{
    uint32_t missing = 0;
    const uint16_t nodes[] = {effect->node, effect->at_node};
    for (uint32_t i = 0; i < effect->line_count; i++) {
        for (uint32_t j = 0; j < 2; j++) {
            missing += nodes[j] != NODE_NONE &&
                       tables_cell(tables, effect->lines[i].item, nodes[j]).index < 0;
        }
    }
    return missing;
}

bool draft_log(struct service_core *service, struct call *call, struct draft *draft, uint64_t at_ms)
{
    struct tables *tables = &service->tables;
    struct effect_document *effect = &draft->effect;
    uint32_t size = effect_document_size(effect);
    if (!tables_document_fits(tables, effect)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "documents_max=%u returns, supplies and transfers are in memory: done ones "
                    "leave after order_window, or raise documents_max (or holds_max)",
                    tables->documents.max);
        return false;
    }
    const struct grown_rules more = {.incoming = draft->before ? 0 : effect->line_count};
    if ((more.incoming && !rules_room(service, call, &more)) ||
        !stock_room(service, call, cells_missing(tables, effect))) {
        return false;
    }
    if (!log_room(service, call, size + shorts_size(effect->line_count),
                  1 + shorts_records(effect->line_count), WAL_CLAIM_CHANGE)) {
        return false;
    }
    effect->at_ms = at_ms ? at_ms : time_of_arrival(service->now_ms, draft->counted_ms);
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_DOCUMENT, effect_document_encode(bytes, effect));
    must_apply(tables_apply_document(tables, lsn, service->now_ms, effect), "document");
    shipped_tell(service, effect);
    return true;
}

/* -- requests -- */

static uint8_t read_condition(struct reader *reader)
{
    static const char *const texts[] = {"sellable", "damaged", "unsellable"};
    static const struct names conditions = {texts, 3};
    int word = reader_word(reader, &conditions);
    return word < 0 ? RETURN_SELLABLE : (uint8_t)word;
}

void draft_ask_read(struct reader *reader, struct draft_ask *ask, uint32_t fields)
{
    static const char *const all[] = {"item", "qty", "line", "reason", "condition"};
    static const char *const with_condition[] = {"item", "qty", "line", "condition"};
    struct reader_map map;
    bool is_received = fields & ASK_CONDITION;
    uint32_t count = fields & ASK_REASON ? 4 : fields & ASK_LINE ? 3 : 2;
    *ask = (struct draft_ask){.qty = 0};
    reader_map_begin(reader, &map, is_received ? with_condition : all, is_received ? 4 : count);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->item = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            ask->qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
            break;
        case 2:
            ask->line = reader_text_or_int(reader, ask->line_scratch, 1, ID_MAX);
            break;
        default:
            if (is_received) {
                ask->condition = read_condition(reader);
            } else {
                ask->reason = reader_text(reader, 1, DOCUMENT_REASON_MAX);
            }
        }
    }
    reader_require(reader, &map, 1);
    if (is_received) {
        reader_require(reader, &map, 3);
    }
    if (reader_is_ok(reader) && !ask->item.len && !ask->line.len) {
        reader_fail(reader,
                    fields & ASK_LINE ? "name an item, or a line of the order" : "name an item");
    }
}

void draft_content(struct content *content, const struct draft_ask *asks, uint32_t count)
{
    content_int(content, count);
    for (uint32_t i = 0; i < count; i++) {
        content_text(content, asks[i].line.at, asks[i].line.len);
        content_text(content, asks[i].item.at, asks[i].item.len);
        content_text(content, asks[i].reason.at, asks[i].reason.len);
        content_int(content, asks[i].qty);
        content_int(content, asks[i].condition);
    }
}
