/* return.quote, return.create, return.receive: units that come back, to any node.
 *
 * An order in memory is the measure: no more comes back than left, and not after the window. A
 * return whose order is not in memory is `unverified`: it names items, and is taken as told. */
#include <string.h>

#include "document_internal.h"
#include "order_names_internal.h"
#include "return_internal.h"

/* -- reading -- */

enum { R_ID, R_ORDER, R_LINES, R_NODE, R_AT, R_NEAR };

static void lines_read(struct reader *reader, struct returning *returning, uint32_t fields)
{
    struct reader_array array;
    if (reader_array_begin(reader, &array, DOCUMENT_LINES_MAX) == 0) {
        reader_fail(reader, "name at least one line");
    }
    while (reader_array_next(reader, &array)) {
        draft_ask_read(reader, &returning->asks[returning->count++], fields);
    }
}

static void field_read(struct service_core *service, struct reader *reader, int field,
                       uint32_t line_fields, struct returning *returning)
{
    switch (field) {
    case R_ID:
        returning->id = reader_text(reader, 1, ID_MAX);
        break;
    case R_ORDER:
        returning->order_id = reader_text(reader, 1, ID_MAX);
        break;
    case R_LINES:
        lines_read(reader, returning, line_fields);
        break;
    case R_NODE:
        returning->node = reader_text(reader, 1, ID_MAX);
        break;
    case R_AT:
        returning->at_ms = read_time(service, reader);
        break;
    default:
        place_read(reader, &returning->near);
    }
}

/* What a method takes: its fields, required ones first. */
struct return_fields {
    const char *names[5];
    uint8_t kinds[5]; /* R_ of each */
    uint32_t count, required;
    uint32_t line_fields;
};

static bool returning_read(struct service_core *service, struct call *call,
                           const struct return_fields *fields, struct returning *returning)
{
    struct reader reader;
    struct reader_map map;
    memset(returning, 0, offsetof(struct returning, asks));
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields->names, fields->count);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        field_read(service, &reader, fields->kinds[field], fields->line_fields, returning);
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

/* -- what may come back -- */

static void order_sums(struct returning *returning)
{
    struct order *order = returning->order;
    memset(returning->left_store, 0, order->line_count * sizeof returning->left_store[0]);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        const struct order_part *part = &order_parts(order)[share->part];
        uint32_t unfetched = part->is_awaited || part->is_arrived ? share->no_show : 0;
        returning->left_store[share->line] +=
            share_active(share) - share_held(share, (enum way)part->way) + unfetched;
    }
    memset(returning->elsewhere, 0, order->line_count * sizeof returning->elsewhere[0]);
}

/* Units of each line that other returns of the order claim: received, or announced and still to
 * come. */
static void elsewhere_sum(struct service_core *service, struct returning *returning,
                          const struct document *own)
{
    const struct documents *documents = &service->tables.documents;
    uint64_t at = 0;
    slab_ref ref;
    while ((ref = documents_next_of_order(documents, returning->order->lsn, &at)) != 0) {
        struct document *document = document_at(documents, ref);
        if (document == own) {
            continue;
        }
        for (uint32_t i = 0; i < document->line_count; i++) {
            const struct document_line *line = &document_lines(document)[i];
            if (line->order_line < returning->order->line_count) {
                returning->elsewhere[line->order_line] +=
                    document_received(document, line) + document_outstanding(document, line);
            }
        }
    }
}

static void order_find(struct service_core *service, struct text order_id,
                       struct returning *returning)
{
    const struct orders *orders = &service->tables.orders;
    slab_ref ref = 0;
    if (order_id.len) {
        ref = orders_find(orders, orders_hash(orders, order_id.at, order_id.len), order_id.at,
                          order_id.len);
    }
    returning->order = ref ? order_at(orders, ref) : NULL;
    if (returning->order) {
        order_sums(returning);
    }
}

/* The order's line with the item from which most may still come back. */
static uint32_t line_of_item(const struct returning *returning, uint32_t item)
{
    uint32_t best = DOCUMENT_NO_LINE;
    int64_t most = -1;
    for (uint32_t i = 0; i < returning->order->line_count; i++) {
        int64_t left = (int64_t)returning->left_store[i] - returning->elsewhere[i];
        left = left < 0 ? 0 : left;
        struct order_kit kit = line_kit(returning->order, i);
        bool is_named = kit.item ? kit.item - 1 == item && kit.first == i
                                 : order_lines(returning->order)[i].item == item;
        if (is_named && left > most) {
            best = i;
            most = left;
        }
    }
    return best;
}

static bool order_line_find(struct service_core *service, struct call *call,
                            const struct order_names *names, struct returning *returning,
                            uint32_t i)
{
    const struct draft_ask *ask = &returning->asks[i];
    uint32_t line = ask->line.len ? order_names_find(names, ask->line, false)
                                  : line_of_item(returning, returning->items[i]);
    if (ask->line.len && line == ORDER_NAMES_NONE) {
        reply_unknown_line(service, call, i, ask->line, "order");
        return false;
    }
    if (line == DOCUMENT_NO_LINE) {
        reply_error(service, call, CODE_UNKNOWN_LINE,
                    "lines[%u].item: %.*s is on no line of order %.*s", i, (int)ask->item.len,
                    ask->item.at, (int)returning->order_id.len, returning->order_id.at);
        return false;
    }
    struct order_kit kit = line_kit(returning->order, line);
    uint32_t item = kit.item ? kit.item - 1 : order_lines(returning->order)[line].item;
    if (ask->item.len && returning->items[i] != item) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines[%u].item: is not the item of line %.*s: leave one of the two out", i,
                    (int)ask->line.len, ask->line.at);
        return false;
    }
    returning->items[i] = order_lines(returning->order)[line].item;
    returning->order_lines[i] = (uint16_t)line;
    return true;
}

static void ask_copy(struct draft_ask *to, const struct draft_ask *from)
{
    *to = *from;
    if (from->line.at == from->line_scratch) {
        to->line.at = to->line_scratch;
    }
}

/* A kit comes back whole: what names its line is about each component, in units of it. Goes on
 * behind them; false: answered. */
static bool kit_apart(struct service_core *service, struct call *call, struct returning *returning,
                      uint32_t *i)
{
    struct order *order = returning->order;
    uint32_t line = returning->order_lines[*i];
    uint32_t run = line_run(order, line);
    uint32_t kits = returning->asks[*i].qty;
    if (returning->count + run - 1 > DOCUMENT_LINES_MAX) {
        reply_error(service, call, CODE_TOO_LARGE,
                    "lines: with the components of kits at most %d", DOCUMENT_LINES_MAX);
        return false;
    }
    for (uint32_t k = returning->count; run > 1 && k-- > *i + 1;) {
        ask_copy(&returning->asks[k + run - 1], &returning->asks[k]);
    }
    for (uint32_t k = 0; k < run && line_kit(order, line).item; k++) {
        if (k > 0) {
            ask_copy(&returning->asks[*i + k], &returning->asks[*i]);
        }
        returning->asks[*i + k].qty = kits * units_per(order, line + k);
        returning->items[*i + k] = order_lines(order)[line + k].item;
        returning->order_lines[*i + k] = (uint16_t)(line + k);
    }
    returning->count += run - 1;
    *i += run - 1;
    return true;
}

/* Items and order lines of all that is named. False: answered. */
static bool lines_find(struct service_core *service, struct call *call, struct returning *returning)
{
    struct order_names names;
    if (returning->order) {
        order_names_init(&names, returning->order, -1);
    }
    for (uint32_t i = 0; i < returning->count; i++) {
        const struct draft_ask *ask = &returning->asks[i];
        returning->order_lines[i] = DOCUMENT_NO_LINE;
        if (ask->item.len) {
            returning->items[i] = need_item(service, call, "lines[].item", ask->item);
            if (returning->items[i] == ITEM_NONE) {
                return false;
            }
        } else if (!returning->order) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u].item: missing: the order is not in memory, so that line %.*s "
                        "says nothing",
                        i, (int)ask->line.len, ask->line.at);
            return false;
        }
        if (returning->order && (!order_line_find(service, call, &names, returning, i) ||
                                 !kit_apart(service, call, returning, &i))) {
            return false;
        }
        if (!returning->order && refuse_kit(service, call, "lines[].item", returning->items[i])) {
            return false;
        }
    }
    return true;
}

static void refuse(struct service_core *service, struct call *call, enum reason reason,
                   const struct returning *returning, uint32_t i, int64_t returnable,
                   const char *why)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(returning->order, returning->order_lines[i], scratch, &len);
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    put_text(writer, "line", name, len);
    put_int(writer, "returnable", returnable);
    put_string(writer, "detail", why);
    put_lsn(service, writer);
    reply_send(service, call);
}

static bool is_over(const struct service_core *service, const struct order *order)
{
    uint64_t from = order->done_ms ? order->done_ms : service->now_ms;
    return from + service->options.return_window_ms < service->now_ms;
}

/* Whether line i may bring units more back. wanted: over all that names the same order line. */
static bool line_is_returnable(struct service_core *service, struct call *call,
                               const struct returning *returning, uint32_t i, uint64_t wanted)
{
    uint32_t line = returning->order_lines[i];
    int64_t left = (int64_t)returning->left_store[line] - returning->elsewhere[line];
    left = left < 0 ? 0 : left;
    if (returning->left_store[line] == 0) {
        refuse(service, call, REASON_NOT_RETURNABLE, returning, i, 0,
               "nothing of the line was shipped or collected");
    } else if (is_over(service, returning->order)) {
        refuse(service, call, REASON_NOT_RETURNABLE, returning, i, 0,
               "return_window is over since the order was done");
    } else if (wanted > (uint64_t)left) {
        refuse(service, call, REASON_QTY_EXCEEDS_ORDERED, returning, i, left,
               "more than left and has not come back");
    } else {
        return true;
    }
    return false;
}

bool returning_check(struct service_core *service, struct call *call,
                     const struct returning *returning)
{
    uint64_t wanted[EFFECT_LINES_MAX];
    if (!returning->order) {
        return true;
    }
    memset(wanted, 0, returning->order->line_count * sizeof wanted[0]);
    for (uint32_t i = 0; i < returning->count; i++) {
        uint32_t line = returning->order_lines[i];
        wanted[line] += returning->asks[i].qty;
        if (!line_is_returnable(service, call, returning, i, wanted[line])) {
            return false;
        }
    }
    return true;
}

bool returning_resolve(struct service_core *service, struct call *call, struct text order_id,
                       const struct document *own, struct returning *returning)
{
    order_find(service, order_id, returning);
    if (returning->order) {
        elsewhere_sum(service, returning, own);
    }
    return lines_find(service, call, returning);
}

/* -- answers -- */

static const char *return_state(struct document *document)
{
    uint64_t received = 0;
    uint64_t outstanding = 0;
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document_lines(document)[i];
        received += document_received(document, line);
        outstanding += document_outstanding(document, line);
    }
    if (document->is_cancelled) {
        return "expired";
    }
    return received == 0 ? "created" : outstanding ? "partial" : "received";
}

static void put_head(struct writer *writer, struct document *document)
{
    put_text(writer, "return_id", document_texts(document), document->id_len);
    put_string(writer, "state", return_state(document));
    put_bool(writer, "unverified", document->is_unverified);
}

static struct document *find_again(struct service_core *service, struct text id)
{
    const struct documents *documents = &service->tables.documents;
    uint64_t hash = documents_hash(documents, DOCUMENT_RETURN, id.at, id.len);
    slab_ref ref = documents_find(documents, hash, DOCUMENT_RETURN, id.at, id.len);
    CHECK(ref);
    return document_at(documents, ref);
}

static void answer_created(struct service_core *service, struct call *call, struct text id,
                           bool is_duplicate)
{
    struct document *document = find_again(service, id);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 4u + is_duplicate);
    put_head(writer, document);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- return.create -- */

static uint64_t create_content(const struct returning *returning)
{
    struct content content;
    content_begin(&content, METHOD_RETURN_CREATE);
    content_text(&content, returning->order_id.at, returning->order_id.len);
    content_text(&content, returning->node.at, returning->node.len);
    draft_content(&content, returning->asks, returning->count);
    return content.hash;
}

static bool answer_known(struct service_core *service, struct call *call,
                         const struct returning *returning, const struct draft *draft,
                         uint64_t content)
{
    if (!draft->before) {
        return false;
    }
    if (draft->effect.content == content) {
        answer_created(service, call, returning->id, true);
    } else {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "return_id: %.*s is another return: take a new id for a new one",
                    (int)returning->id.len, returning->id.at);
    }
    return true;
}

static void head_of(const struct returning *returning, struct draft *draft)
{
    draft->effect.order_id = (struct effect_text){returning->order_id.at, returning->order_id.len};
    draft->effect.order_lsn = returning->order ? returning->order->lsn : 0;
    draft->effect.is_unverified = !returning->order;
}

static bool lines_announce(struct service_core *service, struct call *call,
                           const struct returning *returning, struct draft *draft)
{
    for (uint32_t i = 0; i < returning->count; i++) {
        const struct draft_ask *ask = &returning->asks[i];
        struct effect_document_line *line =
            draft_add(service, call, draft, returning->items[i], returning->order_lines[i]);
        if (!line) {
            return false;
        }
        line->qty = ask->qty;
        line->reason = (struct effect_text){ask->reason.at, ask->reason.len};
    }
    return true;
}

/* The node that is named, if one is. False: answered. */
static bool node_check(struct service_core *service, struct call *call,
                       const struct returning *returning, uint16_t *node_out)
{
    *node_out = NODE_NONE;
    if (returning->node.len) {
        *node_out = need_node(service, call, "node", returning->node);
    }
    return !returning->node.len || *node_out != NODE_NONE;
}

void handle_return_create(struct service_core *service, struct call *call)
{
    static const struct return_fields fields = {{"return_id", "lines", "order_id", "node"},
                                                {R_ID, R_LINES, R_ORDER, R_NODE},
                                                4,
                                                2,
                                                ASK_LINE | ASK_REASON};
    struct returning returning;
    struct draft draft;
    if (!returning_read(service, call, &fields, &returning)) {
        return;
    }
    uint64_t content = create_content(&returning);
    draft_begin(service, DOCUMENT_RETURN, returning.id, &draft);
    if (answer_known(service, call, &returning, &draft, content) ||
        !node_check(service, call, &returning, &draft.effect.node) ||
        !returning_resolve(service, call, returning.order_id, NULL, &returning) ||
        !returning_check(service, call, &returning) ||
        !lines_announce(service, call, &returning, &draft)) {
        return;
    }
    head_of(&returning, &draft);
    draft.effect.content = content;
    if (draft_log(service, call, &draft, 0)) {
        answer_created(service, call, returning.id, false);
    }
}

/* -- return.receive -- */

/* The document's line of ask i, appended where there is none yet; UINT32_MAX: answered. */
static uint32_t draft_line(struct service_core *service, struct call *call,
                           const struct returning *returning, uint32_t i, struct draft *draft)
{
    for (uint32_t k = 0; k < draft->effect.line_count; k++) {
        if (draft->lines[k].item == returning->items[i] &&
            draft->lines[k].order_line == returning->order_lines[i]) {
            return k;
        }
    }
    struct effect_document_line *line =
        draft_add(service, call, draft, returning->items[i], returning->order_lines[i]);
    return line ? (uint32_t)(line - draft->lines) : UINT32_MAX;
}

static uint32_t received_of(const struct effect_document_line *line)
{
    return line->counts[RETURN_SELLABLE] + line->counts[RETURN_DAMAGED] +
           line->counts[RETURN_UNSELLABLE];
}

/* No order line brings more back than left. The lines of the document are the new totals. */
static bool totals_check(struct service_core *service, struct call *call,
                         const struct returning *returning, const struct draft *draft, uint32_t i,
                         uint32_t line)
{
    uint64_t total = received_of(&draft->lines[line]);
    if (!returning->order || draft->grown[line] == 0) {
        return true;
    }
    return line_is_returnable(service, call, returning, i, total);
}

static bool totals_raise(struct service_core *service, struct call *call,
                         const struct returning *returning, struct draft *draft)
{
    for (uint32_t i = 0; i < returning->count; i++) {
        const struct draft_ask *ask = &returning->asks[i];
        uint32_t line = draft_line(service, call, returning, i, draft);
        if (line == UINT32_MAX) {
            return false;
        }
        uint32_t sellable = draft->lines[line].counts[RETURN_SELLABLE];
        draft_raise(draft, line, ask->condition, ask->qty);
        if (!totals_check(service, call, returning, draft, i, line)) {
            return false;
        }
        uint32_t units = draft->lines[line].counts[RETURN_SELLABLE] - sellable;
        if (units && !draft_touch(service, call, draft, line, draft->effect.at_node, units)) {
            return false;
        }
    }
    return true;
}

static void put_booked(struct service_core *service, struct writer *writer,
                       const struct draft *draft, const uint32_t *sellable_before)
{
    uint32_t mark = (writer_str(writer, "booked"), writer_open(writer));
    uint32_t count = 0;
    for (uint32_t i = 0; i < draft->effect.line_count; i++) {
        const struct effect_document_line *line = &draft->lines[i];
        uint32_t units = line->counts[RETURN_SELLABLE] - sellable_before[i];
        const struct item *item = &service->tables.catalogue.items[line->item];
        if (units == 0) {
            continue;
        }
        struct cell cell = tables_cell(&service->tables, line->item, draft->effect.at_node);
        writer_map(writer, 3);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "qty", units);
        put_int(writer, "on_hand", cell_on_hand(tables_word(&cell)));
        count++;
    }
    writer_array_close(writer, mark, count);
}

static void answer_received(struct service_core *service, struct call *call,
                            const struct returning *returning, const struct draft *draft,
                            const uint32_t *sellable_before)
{
    bool is_duplicate = draft->grown_units == 0;
    struct document *document = find_again(service, returning->id);
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5u + is_duplicate);
    put_head(writer, document);
    put_booked(service, writer, draft, sellable_before);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static bool order_is_same(struct service_core *service, struct call *call,
                          const struct returning *returning, const struct draft *draft)
{
    const struct effect_text *own = &draft->effect.order_id;
    bool is_same = !returning->order_id.len || !draft->before ||
                   (own->len == returning->order_id.len &&
                    memcmp(own->at, returning->order_id.at, own->len) == 0);
    if (!is_same) {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "order_id: return %.*s belongs to another order", (int)returning->id.len,
                    returning->id.at);
    }
    return is_same;
}

void handle_return_receive(struct service_core *service, struct call *call)
{
    static const struct return_fields fields = {{"return_id", "lines", "node", "order_id", "at"},
                                                {R_ID, R_LINES, R_NODE, R_ORDER, R_AT},
                                                5,
                                                3,
                                                ASK_LINE | ASK_CONDITION};
    uint32_t sellable[DOCUMENT_LINES_MAX] = {0};
    struct returning returning;
    struct draft draft;
    if (!returning_read(service, call, &fields, &returning)) {
        return;
    }
    draft_begin(service, DOCUMENT_RETURN, returning.id, &draft);
    if (!order_is_same(service, call, &returning, &draft)) {
        return;
    }
    struct text order_id = returning.order_id;
    if (draft.before) {
        order_id = (struct text){draft.effect.order_id.at, draft.effect.order_id.len};
        returning.order_id = order_id;
    }
    for (uint32_t i = 0; i < draft.effect.line_count; i++) {
        sellable[i] = draft.lines[i].counts[RETURN_SELLABLE];
    }
    if (!node_check(service, call, &returning, &draft.effect.at_node) ||
        !returning_resolve(service, call, order_id, draft_before(service, &draft), &returning)) {
        return;
    }
    if (!draft.before) {
        head_of(&returning, &draft);
    }
    if (totals_raise(service, call, &returning, &draft) &&
        (draft.grown_units == 0 || draft_log(service, call, &draft, returning.at_ms))) {
        answer_received(service, call, &returning, &draft, sellable);
    }
}

/* -- return.quote -- */

void handle_return_quote(struct service_core *service, struct call *call)
{
    static const struct return_fields fields = {
        {"lines", "order_id", "near"}, {R_LINES, R_ORDER, R_NEAR}, 3, 1, ASK_LINE | ASK_REASON};
    struct returning returning;
    if (!returning_read(service, call, &fields, &returning)) {
        return;
    }
    if (returning_resolve(service, call, returning.order_id, NULL, &returning) &&
        returning_check(service, call, &returning)) {
        return_options(service, call, &returning);
    }
}
