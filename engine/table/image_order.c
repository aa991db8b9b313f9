/* Sections of orders: the orders by coming, then the lists that they stand in (open fulfilments of
 * a node, holds of a cell, done orders), which name them by the LSN that made them.
 *
 * An order's record is the bytes of the effect that would make it as it is now, then what happened
 * to it since: size of the effect, effect, LSN, created; from version 2 on bits (changed, has more
 * kits), rejects; per part: from version 2 on bits (its node said no, ..), from 4 on closed_s, from
 * 3 on accept_by, then collect_by, tracking; per share: units that reached each step, cancelled,
 * no_show, from version 2 on moved; history. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image_ahead_internal.h"
#include "image_internal.h"

enum {
    LIST_MAX = 10000, /* entries of one record of a list */
    LIST_ENTRY_MAX = 16,
    HOLD_ENTRY_MAX = 16 + ID_MAX, /* one record of 10,000 is below IMAGE_RECORD_MAX */
    LIST_HEAD_MAX = 24,
    PART_SIZE_MAX = 1 + 3 + 5 + 5 + 10 + 2 + 255,
    SHARE_SIZE_MAX = (STEP_COUNT + 3) * 5,
    ENTRY_SIZE_MAX = 10 + 10 + 5 + 3 + 3 + 2,
    TAIL_HEAD_MAX = 32,
    BIT_CHANGED = 1,
    BIT_MORE_KITS = 2
};

_Static_assert(464 + EFFECT_LINES_MAX * 112 + 2 * EFFECT_NODES_MAX * 3 +
                       EFFECT_PARTS_MAX * (44 + PART_SIZE_MAX) +
                       EFFECT_SHARES_MAX * (16 + SHARE_SIZE_MAX) +
                       ORDER_HISTORY_MAX * ENTRY_SIZE_MAX + TAIL_HEAD_MAX <=
                   IMAGE_RECORD_MAX,
               "the largest order is one record");

/* -- orders -- */

static void effect_lines_of(struct order *order, struct effect_scratch *scratch)
{
    memset(scratch->owed_units, 0, order->line_count * sizeof scratch->owed_units[0]);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order_lines(order)[i];
        scratch->lines[i] = (struct effect_line){
            line->item, line->qty, line->unfilled,
            {order_body(order) + line->text, line->text_len & ~(uint32_t)ORDER_LINE_KIT},
            line->service, line->node, line_kit(order, i)};
    }
}

static void effect_parts_of(struct order *order, struct effect_scratch *scratch)
{
    for (uint32_t i = 0; i < order->part_count; i++) {
        const struct order_part *part = &order_parts(order)[i];
        scratch->parts[i] = (struct effect_part){part->node, part->way, part->service,
                                                 part->metres, part->cost_cents,
                                                 part->dates};
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        scratch->shares[i] = (struct effect_share){share->part, share->line, share->qty};
    }
}

static void effect_rules_of(struct order *order, struct effect_order *effect)
{
    const struct order_rules *rules = order_rules(order);
    if (rules) {
        effect->max_splits = rules->max_splits;
        effect->max_m = rules->max_m;
        effect->required_by_ms = order_time(rules->required_by);
        effect->deliver_after_ms = order_time(rules->deliver_after);
        effect->include_count = rules->include_count;
        effect->include = rules->nodes;
        effect->exclude_count = rules->exclude_count;
        effect->exclude = rules->nodes + rules->include_count;
    }
}

/* The effect that makes the order as it stands; lists are in scratch. What is owed has a section
 * of its own. */
static struct effect_order effect_of(struct order *order, struct effect_scratch *scratch)
{
    struct effect_order effect = {
        .id = {order_id(order), order->id_len},
        .content = order->content,
        .status = order->status,
        .service = order->service,
        .is_optimal = order->is_optimal,
        .is_po_box = order->is_po_box,
        .is_backorder = order->is_backorder,
        .owed = scratch->owed_units,
        .has_dest = order->has_dest,
        .lat = order->lat,
        .lon = order->lon,
        .postcode = {order_postcode(order), order->postcode_len},
        .ref = {order_ref(order), order->ref_len},
        .channel = {order_channel(order), order->channel_len},
        .max_splits = UINT32_MAX,
        .max_m = UINT32_MAX,
        .sold_at = order->sold_at == NODE_NONE ? 0 : (uint16_t)(order->sold_at + 1),
        .strategy = order->strategy,
        .splits = order->splits,
        .total_m = order->total_m,
        .line_count = order->line_count,
        .part_count = order->part_count,
        .share_count = order->share_count,
        .lines = scratch->lines,
        .parts = scratch->parts,
        .shares = scratch->shares,
    };
    memcpy(effect.country, order->country, sizeof order->country);
    effect_rules_of(order, &effect);
    effect_lines_of(order, scratch);
    effect_parts_of(order, scratch);
    return effect;
}

static uint8_t *put_part_tail(uint8_t *at, const struct tables *tables,
                              const struct order_part *part)
{
    bool is_sent = part->to != NODE_NONE; /* its line may be for another store by now */
    *at++ = (uint8_t)(part->is_rejected | part->is_arrived << 1 | part->is_awaited << 2 |
                      is_sent << 3);
    if (is_sent) {
        at = bytes_put_int(at, part->to);
    }
    at = bytes_put_int(at, part->closed_s);
    at = bytes_put_int(at, part->accept_by_s);
    at = bytes_put_int(at, part->collect_by);
    if (!part->tracking) {
        return bytes_put_text(at, "", 0);
    }
    const uint8_t *block = slab_at(&tables->orders.slab, part->tracking);
    return bytes_put_text(at, (const char *)block + 1, block[0]);
}

static uint8_t *put_share_tail(uint8_t *at, const struct order_share *share)
{
    for (int step = 0; step < STEP_COUNT; step++) {
        at = bytes_put_int(at, share->reached[step]);
    }
    at = bytes_put_int(at, share->cancelled);
    at = bytes_put_int(at, share->no_show);
    return bytes_put_int(at, share->moved);
}

static uint8_t *put_history(uint8_t *at, const struct tables *tables, const struct order *order)
{
    at = bytes_put_int(at, order->history_count);
    const struct order_entry *entries = slab_at(&tables->orders.slab, order->history);
    for (uint32_t i = 0; i < order->history_count; i++) {
        at = bytes_put_int(at, entries[i].at_ms);
        at = bytes_put_int(at, entries[i].lsn);
        at = bytes_put_int(at, entries[i].qty);
        at = bytes_put_int(at, entries[i].part);
        at = bytes_put_int(at, entries[i].line);
        *at++ = entries[i].event;
        *at++ = entries[i].state;
    }
    return at;
}

static void save_order(const struct tables *tables, struct order *order, struct image_sink *sink)
{
    const struct effect_order effect = effect_of(order, tables->scratch);
    const uint32_t effect_max = effect_order_size(&effect);
    uint8_t *begin = image_begin(
        sink, effect_max + TAIL_HEAD_MAX + order->part_count * (uint32_t)PART_SIZE_MAX +
                  order->share_count * (uint32_t)SHARE_SIZE_MAX +
                  order->history_count * (uint32_t)ENTRY_SIZE_MAX);
    uint32_t size = effect_order_encode(begin + sizeof size, &effect);
    memcpy(begin, &size, sizeof size);
    uint8_t *at = begin + sizeof size + size;
    at = bytes_put_int(at, order->lsn);
    at = bytes_put_int(at, order->created_ms);
    *at++ = (uint8_t)((order->is_changed ? BIT_CHANGED : 0) |
                      (order->has_more_kits ? BIT_MORE_KITS : 0));
    *at++ = order->rejects;
    for (uint32_t i = 0; i < order->part_count; i++) {
        at = put_part_tail(at, tables, &order_parts(order)[i]);
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        at = put_share_tail(at, &order_shares(order)[i]);
    }
    image_end(sink, put_history(at, tables, order));
}

void save_orders(const struct tables *tables, struct image_sink *sink)
{
    for (slab_ref ref = tables->orders.oldest; ref;) {
        struct order *order = order_at(&tables->orders, ref);
        save_order(tables, order, sink);
        ref = order->newer;
    }
}

static void load_share(struct bytes_source *fields, struct order_share *share, uint32_t version)
{
    for (int step = 0; step < STEP_COUNT; step++) {
        share->reached[step] = (uint32_t)bytes_get_max(fields, share->qty);
    }
    share->cancelled = (uint32_t)bytes_get_max(fields, share->qty);
    share->no_show = (uint32_t)bytes_get_max(fields, share->qty - share->cancelled);
    if (version >= 2) {
        share->moved = (uint32_t)bytes_get_max(fields, share_active(share));
    }
    fields->is_bad = fields->is_bad || share->reached[0] > share_active(share);
    for (int step = 1; step < STEP_COUNT; step++) {
        fields->is_bad = fields->is_bad || share->reached[step] > share->reached[step - 1];
    }
}

static bool load_tails(struct tables *tables, struct bytes_source *fields, struct order *order,
                       uint32_t version)
{
    if (version >= 2) {
        const uint8_t bits = bytes_get_byte(fields);
        order->is_changed = (bits & BIT_CHANGED) != 0;
        order->has_more_kits = (bits & BIT_MORE_KITS) != 0;
        order->rejects = bytes_get_byte(fields);
    }
    for (uint32_t i = 0; i < order->part_count; i++) {
        struct order_part *part = &order_parts(order)[i];
        uint8_t bits = version >= 2 ? bytes_get_byte(fields) : 0;
        part->is_rejected = bits & 1;
        part->is_arrived = (bits & 2) != 0;
        part->is_awaited = (bits & 4) != 0;
        if (bits & 8) {
            part->to = (uint16_t)bytes_get_max(fields, NODE_MAX - 1);
            fields->is_bad = fields->is_bad || part->to >= tables->network.count;
        }
        tables->has_arrived = tables->has_arrived || part->is_arrived || part->is_awaited;
        part->closed_s = version >= 4 ? (uint32_t)bytes_get_max(fields, UINT32_MAX) : 0;
        part->accept_by_s = version >= 3 ? (uint32_t)bytes_get_max(fields, UINT32_MAX) : 0;
        part->collect_by = bytes_get_int(fields);
        struct effect_text tracking = bytes_get_text(fields, 255);
        tracking_set(tables, part, &tracking);
        if (tracking.len && !part->tracking) {
            return false;
        }
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        load_share(fields, &order_shares(order)[i], version);
    }
    return true;
}

static bool load_history(struct tables *tables, struct bytes_source *fields, struct order *order)
{
    uint32_t count = (uint32_t)bytes_get_max(fields, ORDER_HISTORY_MAX);
    for (uint32_t i = 0; i < count && !fields->is_bad; i++) {
        struct order_entry entry = {.at_ms = bytes_get_int(fields), .lsn = bytes_get_int(fields)};
        entry.qty = (uint32_t)bytes_get_max(fields, UINT32_MAX);
        entry.part = (uint16_t)bytes_get_max(fields, UINT16_MAX);
        entry.line = (uint16_t)bytes_get_max(fields, UINT16_MAX);
        entry.event = bytes_get_byte(fields);
        entry.state = bytes_get_byte(fields);
        if (!order_history_add(&tables->orders, order, &entry)) {
            return false;
        }
    }
    return true;
}

/* No digest has the lines of an order that was never changed. */
static bool lines_hold(struct order *order)
{
    uint64_t units[EFFECT_LINES_MAX];
    for (uint32_t line = 0; line < order->line_count; line++) {
        units[line] = order_lines(order)[line].unfilled;
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        units[share->line] += share_kept(share);
    }
    for (uint32_t line = 0; line < order->line_count; line++) {
        if (units[line] > order_lines(order)[line].qty) {
            return false;
        }
    }
    return true;
}

static bool room_for(struct tables *tables, struct image_source *source,
                     const struct effect_order *effect)
{
    const char *why;
    if (!orders_have_room(&tables->orders, tables_order_size(effect), &why)) {
        image_bad(source, ERR_FULL, "%s is lower than when this was written", why);
        return false;
    }
    return true;
}

static void load_order(struct tables *tables, struct image_source *source, const uint8_t *bytes,
                       uint32_t size)
{
    uint32_t effect_size = 0;
    struct effect_order effect;
    struct bytes_source fields = {bytes, bytes + size, false};
    bytes_get_bytes(&fields, &effect_size, sizeof effect_size);
    if (fields.is_bad || effect_size > (size_t)(fields.end - fields.at) ||
        !order_read(tables, fields.at, effect_size, &effect)) {
        image_bad(source, ERR_DAMAGED, "order number %llu is not one",
                  (unsigned long long)source->orders.count + 1);
        return;
    }
    fields.at += effect_size;
    uint64_t lsn = bytes_get_int(&fields);
    uint64_t created_ms = bytes_get_int(&fields);
    const struct image_orders *orders = &source->orders;
    bool is_rising = orders->count == 0 ? lsn > 0 : lsn > orders->lsns[orders->count - 1];
    if (!is_rising) {
        image_bad(source, ERR_DAMAGED, "orders do not come in the order of their LSNs");
    } else if (room_for(tables, source, &effect)) {
        slab_ref ref = order_enter(tables, &effect, lsn, created_ms);
        struct order *order = order_at(&tables->orders, ref);
        CHECK(ref);
        if (!load_tails(tables, &fields, order, source->version) ||
            !load_history(tables, &fields, order)) {
            image_bad(source, ERR_FULL, "orders_memory is lower than when this was written");
        } else if (!lines_hold(order)) {
            image_bad(source, ERR_DAMAGED, "a line has less than was taken of it (LSN %llu)",
                      (unsigned long long)lsn);
        } else if (image_fields_end(source, &fields, "an order")) {
            order_digest(order, &tables->digest, true);
            image_order_note(source, lsn, ref);
        }
    }
}

void load_orders(struct tables *tables, struct image_source *source)
{
    const uint8_t *bytes;
    uint32_t size;
    struct image_ahead ahead = {0};
    while ((bytes = image_next(source, &size))) {
        image_ahead_order(&ahead, tables, source);
        load_order(tables, source, bytes, size);
    }
}

/* The order that a list names next. */
struct order *image_named_order(struct tables *tables, struct image_source *source,
                                struct bytes_source *fields, slab_ref *ref_out)
{
    uint64_t lsn = bytes_get_int(fields);
    *ref_out = fields->is_bad ? 0 : image_order(source, lsn);
    if (!*ref_out) {
        image_bad(source, ERR_DAMAGED, "a list names an order that is not there (LSN %llu)",
                  (unsigned long long)lsn);
        return NULL;
    }
    return order_at(&tables->orders, *ref_out);
}

/* -- queues: node, count, [LSN of the order, part], oldest first -- */

static void save_queue(const struct tables *tables, uint32_t node, struct image_sink *sink)
{
    const struct node_queue *queue = &tables->queues[node];
    uint32_t left = queue->count;
    uint32_t ref = queue->first_order;
    uint16_t index = queue->first_part;
    while (left) {
        uint32_t count = left < LIST_MAX ? left : LIST_MAX;
        uint8_t *at = image_begin(sink, LIST_HEAD_MAX + count * LIST_ENTRY_MAX);
        at = bytes_put_int(at, node);
        at = bytes_put_int(at, count);
        for (uint32_t i = 0; i < count; i++) {
            struct order *order = order_at(&tables->orders, ref);
            const struct order_part *part = &order_parts(order)[index];
            at = bytes_put_int(at, order->lsn);
            at = bytes_put_int(at, index);
            ref = part->next_order;
            index = part->next_part;
        }
        image_end(sink, at);
        left -= count;
    }
    CHECK(ref == 0);
}

void save_queues(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t node = 0; node < tables->network.count; node++) {
        save_queue(tables, node, sink);
    }
}

static void load_queue_entry(struct tables *tables, struct image_source *source,
                             struct bytes_source *fields, uint32_t node)
{
    slab_ref ref;
    struct order *order = image_named_order(tables, source, fields, &ref);
    uint32_t part = (uint32_t)bytes_get_max(fields, UINT16_MAX);
    if (!order) {
        return;
    }
    if (fields->is_bad || part >= order->part_count || order_parts(order)[part].node != node ||
        order_parts(order)[part].is_listed) {
        image_bad(source, ERR_DAMAGED, "the open fulfilments of node %u are not right", node);
        return;
    }
    queue_append(tables, ref, (uint16_t)part);
}

/* Look at the next entry of those that come. */
static void look_queue_entry(struct image_ahead *ahead, const struct tables *tables,
                             struct image_source *source, struct bytes_source *coming)
{
    const uint64_t lsn = bytes_get_int(coming);
    const uint32_t part = (uint32_t)bytes_get_max(coming, UINT16_MAX);
    image_ahead_part(ahead, tables, source, coming->is_bad ? 0 : lsn, part);
}

void load_queues(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    struct image_ahead ahead = {0};
    while (image_fields(source, &fields)) {
        uint32_t node = (uint32_t)bytes_get_max(&fields, NODE_MAX - 1);
        uint32_t count = (uint32_t)bytes_get_max(&fields, LIST_MAX);
        struct bytes_source coming = fields;
        for (uint32_t i = 0; i < IMAGE_AHEAD; i++) {
            look_queue_entry(&ahead, tables, source, &coming);
        }
        for (uint32_t i = 0; i < count && source->err == ERR_OK; i++) {
            look_queue_entry(&ahead, tables, source, &coming);
            load_queue_entry(tables, source, &fields, node);
        }
        (void)image_fields_end(source, &fields, "a node's fulfilments");
    }
}

/* -- holds: item, node, count, [whose], oldest first. Whose: 0 = an order's share, LSN, share; 1 =
 * a
 * reservation's piece, LSN, piece; 2 = a document's line, id of a transfer, line -- */

static uint32_t oldest_hold(const struct holds *holds, uint32_t item, uint16_t node,
                            uint32_t *count_out)
{
    uint32_t oldest = HOLD_NONE;
    *count_out = 0;
    for (uint32_t at = holds_newest(holds, item, node); at; at = holds_at(holds, at)->older) {
        oldest = at;
        ++*count_out;
    }
    return oldest;
}

static uint8_t *put_hold(uint8_t *at, const struct tables *tables, const struct hold *hold)
{
    *at++ = hold->kind;
    switch ((enum hold_kind)hold->kind) {
    case HOLD_DOCUMENT: {
        struct document *document = document_at(&tables->documents, hold->order);
        at = bytes_put_text(at, document_texts(document), document->id_len);
        break;
    }
    case HOLD_RESERVATION:
        at = bytes_put_int(at, reservation_at(&tables->reserves, hold->order)->lsn);
        break;
    case HOLD_ORDER:
        at = bytes_put_int(at, order_at(&tables->orders, hold->order)->lsn);
        break;
    }
    return bytes_put_int(at, hold->share);
}

static void save_chain(const struct tables *tables, uint32_t item, uint16_t node,
                       struct image_sink *sink)
{
    uint32_t left;
    uint32_t hold = oldest_hold(&tables->holds, item, node, &left);
    while (left) {
        uint32_t count = left < LIST_MAX ? left : LIST_MAX;
        uint8_t *at = image_begin(sink, LIST_HEAD_MAX + count * HOLD_ENTRY_MAX);
        at = bytes_put_int(at, item);
        at = bytes_put_int(at, node);
        at = bytes_put_int(at, count);
        for (uint32_t i = 0; i < count; i++) {
            at = put_hold(at, tables, holds_at(&tables->holds, hold));
            hold = holds_at(&tables->holds, hold)->newer;
        }
        image_end(sink, at);
        left -= count;
    }
}

static void save_row_holds(const struct tables *tables, uint32_t item, struct row_order *order,
                           struct image_sink *sink)
{
    const struct row *row = tables->catalogue.items[item].row;
    uint32_t node = 0;
    row_order_by_node(tables, row, order);
    for (uint32_t i = 0; i < row->count; i++) {
        node = row_order_take(order, node, tables->network.count);
        if (cell_reserved(row_word(row, order->index[node]))) {
            save_chain(tables, item, (uint16_t)node, sink);
        }
    }
}

void save_holds(const struct tables *tables, struct image_sink *sink)
{
    struct row_order *order = calloc(1, sizeof *order);
    if (!order) {
        sink->err = sink->err == ERR_OK ? ERR_NOMEM : sink->err;
        return;
    }
    for (uint32_t item = 0; item < tables->catalogue.count && tables->holds.live; item++) {
        if (tables->catalogue.items[item].row) {
            save_row_holds(tables, item, order, sink);
        }
    }
    free(order);
}

/* Where a hold is noted by whom it belongs to; NULL: it belongs to nobody there. */
static uint32_t *hold_of_order(struct tables *tables, struct image_source *source,
                               struct bytes_source *fields, struct hold *hold)
{
    struct order *order = image_named_order(tables, source, fields, &hold->order);
    uint32_t index = (uint32_t)bytes_get_max(fields, HOLD_SHARE_MAX);
    struct order_share *share =
        order && index < order->share_count ? &order_shares(order)[index] : NULL;
    hold->share = index & 0x3fffu;
    bool is_right = share && order_lines(order)[share->line].item == hold->item &&
                    order_parts(order)[share->part].node == hold->node;
    return is_right ? &share->hold : NULL;
}

static uint32_t *hold_of_document(struct tables *tables, struct bytes_source *fields,
                                  struct hold *hold)
{
    const struct documents *documents = &tables->documents;
    struct effect_text id = bytes_get_text(fields, ID_MAX);
    uint32_t index = (uint32_t)bytes_get_max(fields, HOLD_SHARE_MAX);
    uint64_t hash = documents_hash(documents, DOCUMENT_TRANSFER, id.at, id.len);
    hold->order = documents_find(documents, hash, DOCUMENT_TRANSFER, id.at, id.len);
    hold->share = index & 0x3fffu;
    struct document *document = hold->order ? document_at(documents, hold->order) : NULL;
    struct document_line *line =
        document && index < document->line_count ? &document_lines(document)[index] : NULL;
    bool is_right = line && line->item == hold->item && document->node == hold->node &&
                    document_held(document, line) > 0;
    return is_right ? &line->hold : NULL;
}

static uint32_t *hold_place(struct tables *tables, struct image_source *source,
                            struct bytes_source *fields, struct hold *hold)
{
    hold->kind = bytes_get_byte(fields) & 3u;
    switch ((enum hold_kind)hold->kind) {
    case HOLD_ORDER:
        return hold_of_order(tables, source, fields, hold);
    case HOLD_DOCUMENT:
        return hold_of_document(tables, fields, hold);
    case HOLD_RESERVATION:
        return hold_of_piece(tables, source, fields, hold);
    }
    return NULL;
}

static void load_hold(struct tables *tables, struct image_source *source,
                      struct bytes_source *fields, uint32_t item, uint16_t node)
{
    struct hold hold = {.item = item, .node = node};
    uint32_t *place = hold_place(tables, source, fields, &hold);
    if (!place || fields->is_bad || *place != HOLD_NONE) {
        image_bad(source, ERR_DAMAGED, "a hold on item %u at node %u is not right", item, node);
    } else if (!holds_have_room(&tables->holds, 1)) {
        image_bad(source, ERR_FULL, "holds_max is lower than when this was written");
    } else {
        *place = holds_add_other(&tables->holds, item, node, (enum hold_kind)hold.kind,
                                 hold.order, hold.share);
        if (hold.kind == HOLD_RESERVATION) {
            reserves_piece_enter(&tables->reserves, (struct piece_name){hold.order, hold.share});
        }
    }
}

void load_holds(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    struct image_ahead ahead = {0};
    while (image_fields(source, &fields)) {
        image_ahead_hold(&ahead, tables, source);
        uint32_t item = (uint32_t)bytes_get_max(&fields, UINT32_MAX);
        uint16_t node = (uint16_t)bytes_get_max(&fields, NODE_MAX - 1);
        uint32_t count = (uint32_t)bytes_get_max(&fields, LIST_MAX);
        for (uint32_t i = 0; i < count && source->err == ERR_OK; i++) {
            load_hold(tables, source, &fields, item, node);
        }
        (void)image_fields_end(source, &fields, "holds");
    }
}

/* -- done: count, [LSN of the order, when], oldest first -- */

void save_done(const struct tables *tables, struct image_sink *sink)
{
    for (uint64_t from = 0; from < tables->orders.done_count; from += LIST_MAX) {
        const uint64_t left = tables->orders.done_count - from;
        const uint32_t count = left < LIST_MAX ? (uint32_t)left : LIST_MAX;
        uint8_t *at = image_begin(sink, LIST_HEAD_MAX + count * (LIST_ENTRY_MAX + 4));
        at = bytes_put_int(at, count);
        for (uint32_t i = 0; i < count; i++) {
            const struct order *order =
                order_at(&tables->orders, orders_done_at(&tables->orders, from + i));
            at = bytes_put_int(at, order->lsn);
            at = bytes_put_int(at, order->done_ms);
        }
        image_end(sink, at);
    }
}

static void load_done_entry(struct tables *tables, struct image_source *source,
                            struct bytes_source *fields)
{
    slab_ref ref;
    struct order *order = image_named_order(tables, source, fields, &ref);
    uint64_t done_ms = bytes_get_int(fields);
    if (!order) {
        return;
    }
    if (order->done_ms || done_ms == 0) {
        image_bad(source, ERR_DAMAGED, "the list of done orders is not right");
        return;
    }
    orders_done(&tables->orders, ref, done_ms);
}

void load_done(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t count = (uint32_t)bytes_get_max(&fields, LIST_MAX);
        for (uint32_t i = 0; i < count && source->err == ERR_OK; i++) {
            load_done_entry(tables, source, &fields);
        }
        (void)image_fields_end(source, &fields, "done orders");
    }
}
