/* Events of orders: what their records say, with names of lines and nodes where the order is still
 * in memory. `share` numbers the entries of fulfilments in the order of their coming, from 0, so
 * that a reader who keeps them can do without those names. */
#include "decimal.h"
#include "events_internal.h"

enum { EVENTS_MINUTE_MS = 60000 };

/* The order that the record is about, not a later one of the same id; NULL: not in memory. */
static struct order *order_known(const struct events *events, const struct effect_text *id)
{
    const struct orders *orders = &events->service->tables.orders;
    const slab_ref ref = orders_find(orders, orders_hash(orders, id->at, id->len), id->at, id->len);
    struct order *order = ref ? order_at(orders, ref) : NULL;
    return order && order->lsn <= events->lsn ? order : NULL;
}

static void order_done(struct events *events, const struct effect_text *id,
                       const struct order *order)
{
    if (order && order->done_ms == events->at_ms && event_begin(events, EVENT_ORDER_DONE)) {
        event_text(events, "order_id", id);
        events->is_match = true; /* of the whole order */
        event_end(events);
    }
}

/* -- pieces -- */

static void put_minutes(struct writer *writer, const char *name, uint32_t minutes)
{
    put_int(writer, name, (int64_t)minutes * EVENTS_MINUTE_MS);
}

static uint32_t put_dates(struct writer *writer, const struct order_dates *dates)
{
    if (dates->by_min == 0) {
        return 0;
    }
    put_minutes(writer, "ship_by", dates->ship_by_min);
    put_minutes(writer, "deliver_from", dates->from_min);
    put_minutes(writer, "deliver_by", dates->by_min);
    return 3;
}

static void put_line_name(struct writer *writer, const struct effect_line *line, uint32_t index)
{
    char text[16];
    writer_str(writer, "line");
    if (line->line.len) {
        writer_text(writer, line->line.at, line->line.len);
    } else {
        writer_text(writer, text, decimal_put(text, index + 1));
    }
}

static void put_known_line(struct writer *writer, struct order *order, uint32_t line)
{
    char scratch[16];
    uint32_t len;
    const char *name = line_text(order, line, scratch, &len);
    put_text(writer, "line", name, len);
}

/* The entries of one part of a new order. */
static void put_shares(struct events *events, const struct effect_order *effect, uint32_t part)
{
    struct writer *writer = &events->writer;
    uint32_t count = 0;
    writer_str(writer, "lines");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const struct effect_share *share = &effect->shares[i];
        if (share->part != part) {
            continue;
        }
        const struct effect_line *line = &effect->lines[share->line];
        writer_map(writer, 4);
        put_line_name(writer, line, share->line);
        entry_item(events, "item", line->item);
        put_int(writer, "qty", share->qty);
        put_int(writer, "share", i);
        count++;
    }
    writer_array_close(writer, mark, count);
}

/* The fields of a part; how many. */
static uint32_t put_part(struct events *events, const struct effect_part *part)
{
    struct writer *writer = &events->writer;
    const bool is_carried = part->way == WAY_CARRY_OUT;
    entry_node(events, "node", part->node);
    put_string(writer, "service", service_text((enum service)part->service));
    put_string(writer, "method", way_text((enum way)part->way));
    put_string(writer, "state", state_text(is_carried ? STATE_COLLECTED : STATE_OPEN));
    put_km(writer, "km", part->metres);
    put_int(writer, "cost_cents", part->cost_cents);
    return 6 + put_dates(writer, &part->dates);
}

/* -- routed -- */

static void put_dest(struct events *events, const struct effect_order *effect)
{
    struct writer *writer = &events->writer;
    event_name(events, "dest");
    uint32_t fields = 0;
    uint32_t mark = writer_open(writer);
    if (effect->has_dest) {
        put_float(writer, "lat", effect->lat);
        put_float(writer, "lon", effect->lon);
        fields += 2;
    }
    if (effect->country[0]) {
        put_string(writer, "country", effect->country);
        fields++;
    }
    if (effect->postcode.len) {
        put_text(writer, "postcode", effect->postcode.at, effect->postcode.len);
        fields++;
    }
    if (effect->is_po_box) {
        put_bool(writer, "po_box", true);
        fields++;
    }
    writer_map_close(writer, mark, fields);
}

static void put_asked(struct events *events, const struct effect_order *effect)
{
    struct writer *writer = &events->writer;
    event_name(events, "lines");
    writer_array(writer, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        const uint32_t owed = effect->is_backorder ? effect->owed[i] : 0;
        writer_map(writer, 4u + (owed > 0));
        put_line_name(writer, line, i);
        entry_item(events, "item", line->item);
        put_int(writer, "qty", line->qty);
        put_int(writer, "unfilled", line->unfilled);
        if (owed > 0) {
            put_int(writer, "owed", owed);
        }
    }
}

static void put_parts(struct events *events, const struct effect_order *effect)
{
    struct writer *writer = &events->writer;
    event_name(events, "fulfilments");
    writer_array(writer, effect->part_count);
    for (uint32_t i = 0; i < effect->part_count; i++) {
        uint32_t mark = writer_open(writer);
        entry_fulfilment(events, "fulfilment", &effect->id, i);
        uint32_t fields = 2 + put_part(events, &effect->parts[i]);
        put_shares(events, effect, i);
        writer_map_close(writer, mark, fields);
    }
}

static void routed(struct events *events, const struct effect_order *effect)
{
    if (!event_begin(events, EVENT_ORDER_ROUTED)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_string(events, "status", order_status_text((enum order_status)effect->status));
    event_string(events, "service", service_text((enum service)effect->service));
    if (effect->sold_at) {
        event_node(events, "sold_at", (uint16_t)(effect->sold_at - 1));
    }
    put_dest(events, effect);
    if (effect->ref.len) {
        event_text(events, "ref", &effect->ref);
    }
    put_asked(events, effect);
    put_parts(events, effect);
    event_int(events, "splits", effect->splits);
    event_name(events, "total_km");
    writer_float(&events->writer, (double)effect->total_m / 1000.0);
    event_bool(events, "optimal", effect->is_optimal);
    event_end(events);
}

static void created(struct events *events, const struct effect_order *effect, uint32_t part)
{
    if (!event_begin(events, EVENT_FULFIL_CREATED)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_fulfilment(events, "fulfilment", &effect->id, part);
    events->fields += put_part(events, &effect->parts[part]) + 1;
    put_shares(events, effect, part);
    event_end(events);
}

static bool order_is_sound(const struct events *events, const struct effect_order *effect)
{
    const struct tables *tables = &events->service->tables;
    bool is_sound = effect->sold_at <= tables->network.count;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        is_sound = is_sound && effect->lines[i].item < tables->catalogue.count;
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        is_sound = is_sound && effect->parts[i].node < tables->network.count;
    }
    return is_sound;
}

enum err events_order(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_order effect;
    const enum err err =
        effect_order_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || !order_is_sound(events, &effect)) {
        return ERR_DAMAGED;
    }
    routed(events, &effect);
    for (uint32_t i = 0; i < effect.part_count; i++) {
        created(events, &effect, i);
    }
    order_done(events, &effect.id, order_known(events, &effect.id));
    return ERR_OK;
}

/* -- later -- */

/* Entries that name shares of the order. */
static void put_units(struct events *events, struct order *order, const struct effect_text *id,
                      const struct effect_quantity *list, uint32_t count)
{
    struct writer *writer = &events->writer;
    event_name(events, "lines");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_known = order && list[i].share < order->share_count;
        writer_map(writer, is_known ? 6 : 2);
        put_int(writer, "share", list[i].share);
        put_int(writer, "qty", list[i].qty);
        if (is_known) {
            const struct order_share *share = &order_shares(order)[list[i].share];
            put_known_line(writer, order, share->line);
            entry_item(events, "item", order_lines(order)[share->line].item);
            entry_node(events, "node", order_parts(order)[share->part].node);
            entry_fulfilment(events, "fulfilment", id, share->part);
        }
    }
}

/* Entries that name lines. */
static void put_owed_lines(struct events *events, const char *name, struct order *order,
                           const struct effect_quantity *list, uint32_t count)
{
    struct writer *writer = &events->writer;
    event_name(events, name);
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_known = order && list[i].share < order->line_count;
        writer_map(writer, is_known ? 4 : 2);
        put_int(writer, "index", list[i].share);
        put_int(writer, "qty", list[i].qty);
        if (is_known) {
            put_known_line(writer, order, list[i].share);
            entry_item(events, "item", order_lines(order)[list[i].share].item);
        }
    }
}

enum err events_cancel(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_cancel effect;
    const enum err err =
        effect_cancel_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK) {
        return err;
    }
    struct order *order = order_known(events, &effect.id);
    if (event_begin(events, EVENT_ORDER_CANCELLED)) {
        event_text(events, "order_id", &effect.id);
        put_units(events, order, &effect.id, effect.shares, effect.count);
        if (effect.owed_count) {
            put_owed_lines(events, "owed", order, effect.owed, effect.owed_count);
        }
        event_end(events);
    }
    order_done(events, &effect.id, order);
    return ERR_OK;
}

static void fulfil_state(struct events *events, struct order *order,
                         const struct effect_fulfil *effect)
{
    if (!event_begin(events, EVENT_FULFIL_STATE)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_fulfilment(events, "fulfilment", &effect->id, effect->part);
    if (order && effect->part < order->part_count) {
        event_node(events, "node", order_parts(order)[effect->part].node);
    }
    event_string(events, "state", state_text((enum state)effect->state));
    event_int(events, "as_of", (int64_t)effect->at_ms);
    if (effect->collect_by) {
        event_int(events, "collect_by", (int64_t)effect->collect_by);
    }
    if (effect->tracking.len) {
        event_text(events, "tracking", &effect->tracking);
    }
    put_units(events, order, &effect->id, effect->shares, effect->count);
    event_end(events);
}

enum err events_fulfil(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_fulfil effect;
    const enum err err =
        effect_fulfil_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || effect.state >= STATE_COUNT) {
        return ERR_DAMAGED;
    }
    struct order *order = order_known(events, &effect.id);
    fulfil_state(events, order, &effect);
    order_done(events, &effect.id, order);
    return ERR_OK;
}

/* -- a change after the routing -- */

/* Number of the first fulfilment that the record made: the history tells it. */
static uint32_t first_part(const struct events *events, struct order *order)
{
    if (!order || !order->history) {
        return ORDER_NO_PART;
    }
    const struct order_entry *entries =
        slab_at(&events->service->tables.orders.slab, order->history);
    for (uint32_t i = 0; i < order->history_count; i++) {
        if (entries[i].lsn == events->lsn && entries[i].event == ORDER_EVENT_CREATED) {
            return entries[i].part;
        }
    }
    return ORDER_NO_PART;
}

static void left(struct events *events, struct order *order, const struct effect_replan *effect)
{
    const bool is_reject = effect->cause == CAUSE_REJECT;
    if (effect->move_count == 0 || !event_begin(events, EVENT_FULFIL_STATE)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    if (effect->has_part) {
        event_fulfilment(events, "fulfilment", &effect->id, effect->part);
    }
    event_string(events, "state", state_text(is_reject ? STATE_REJECTED : STATE_CANCELLED));
    event_string(events, "cause", cause_text((enum cause)effect->cause));
    if (is_reject) {
        event_string(events, "reason", decline_text((enum decline)effect->decline));
        event_bool(events, "by_engine", effect->is_by_engine);
    }
    event_int(events, "as_of", (int64_t)effect->at_ms);
    put_units(events, order, &effect->id, effect->moves, effect->move_count);
    event_end(events);
}

static void cancelled(struct events *events, struct order *order,
                      const struct effect_replan *effect)
{
    if (effect->cancel_count && event_begin(events, EVENT_ORDER_CANCELLED)) {
        event_text(events, "order_id", &effect->id);
        event_string(events, "cause", cause_text((enum cause)effect->cause));
        put_units(events, order, &effect->id, effect->cancels, effect->cancel_count);
        event_end(events);
    }
}

/* Cells of the node that said no; it is named while the order is in memory. */
static void cells(struct events *events, const struct order *order,
                  const struct effect_replan *effect, bool is_count)
{
    const struct effect_stock_row *rows = is_count ? effect->counts : effect->missing;
    const uint32_t count = is_count ? effect->count_count : effect->missing_count;
    struct order *own = (struct order *)(uintptr_t)order;
    for (uint32_t i = 0; i < count; i++) {
        if (!event_begin(events, EVENT_STOCK_CHANGED)) {
            continue;
        }
        event_item(events, "item", rows[i].item);
        if (own && effect->part < own->part_count) {
            event_node(events, "node", order_parts(own)[effect->part].node);
        }
        event_fulfilment(events, "fulfilment", &effect->id, effect->part);
        event_string(events, "cause", "reject");
        event_int(events, is_count ? "on_hand" : "delta", rows[i].value);
        event_int(events, "as_of", (int64_t)effect->at_ms);
        event_end(events);
    }
}

static void put_new_shares(struct events *events, struct order *order,
                           const struct effect_replan *effect, uint32_t part, uint32_t own_part)
{
    struct writer *writer = &events->writer;
    const bool is_known = order && own_part < order->part_count;
    uint32_t count = 0;
    event_name(events, "lines");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const struct effect_share *share = &effect->shares[i];
        if (share->part != part) {
            continue;
        }
        writer_map(writer, is_known ? 5 : 2);
        put_int(writer, "index", share->line);
        put_int(writer, "qty", share->qty);
        if (is_known) {
            put_int(writer, "share", order_parts(order)[own_part].share_first + count);
            put_known_line(writer, order, share->line);
            entry_item(events, "item", order_lines(order)[share->line].item);
        }
        count++;
    }
    writer_array_close(writer, mark, count);
}

static void created_later(struct events *events, struct order *order,
                          const struct effect_replan *effect, uint32_t part, uint32_t own_part)
{
    if (!event_begin(events, EVENT_FULFIL_CREATED)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    if (own_part != ORDER_NO_PART) {
        event_fulfilment(events, "fulfilment", &effect->id, own_part);
    }
    event_string(events, "cause", cause_text((enum cause)effect->cause));
    events->fields += put_part(events, &effect->parts[part]);
    put_new_shares(events, order, effect, part, own_part);
    event_end(events);
}

static void changed(struct events *events, const struct effect_replan *effect)
{
    if ((effect->line_count == 0 && !effect->has_place) ||
        !event_begin(events, EVENT_ORDER_CHANGED)) {
        return;
    }
    struct writer *writer = &events->writer;
    event_text(events, "order_id", &effect->id);
    event_string(events, "cause", cause_text((enum cause)effect->cause));
    event_string(events, "service", service_text((enum service)effect->service));
    event_name(events, "lines");
    writer_array(writer, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_replan_line *line = &effect->lines[i];
        writer_map(writer, 4);
        put_int(writer, "index", line->index);
        put_line_name(writer, &line->line, line->index);
        entry_item(events, "item", line->line.item);
        put_int(writer, "qty", line->line.qty);
    }
    events->is_match = true; /* of the whole order */
    event_end(events);
}

static void owed(struct events *events, struct order *order, const struct effect_replan *effect)
{
    if (effect->owed_count == 0 || !event_begin(events, EVENT_ORDER_HELD)) {
        return;
    }
    struct writer *writer = &events->writer;
    event_text(events, "order_id", &effect->id);
    event_name(events, "lines");
    writer_array(writer, effect->owed_count);
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        const struct effect_owed *line = &effect->owed[i];
        const bool is_known = order && line->line < order->line_count;
        writer_map(writer, is_known ? 6 : 4);
        put_int(writer, "index", line->line);
        put_int(writer, "owed", line->qty);
        put_string(writer, "status", order_status_text((enum order_status)line->status));
        put_string(writer, "reason", reason_text((enum reason)line->reason));
        if (is_known) {
            put_known_line(writer, order, line->line);
            entry_item(events, "item", order_lines(order)[line->line].item);
        }
    }
    events->is_match = true; /* of the whole order */
    event_end(events);
}

/* What was promised for the fulfilment that said no, against what takes its place. */
static void promise(struct events *events, struct order *order, const struct effect_replan *effect)
{
    uint32_t latest = 0;
    const bool is_known = order && effect->has_part && effect->part < order->part_count;
    const uint32_t was = is_known ? order_parts(order)[effect->part].dates.by_min : 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const uint32_t by_min = effect->parts[i].dates.by_min;
        latest = by_min > latest ? by_min : latest;
    }
    const bool is_late = effect->owed_count > 0 || latest == 0 || latest > was;
    if (was == 0 || effect->move_count == 0 || !is_late ||
        !event_begin(events, EVENT_PROMISE_BROKEN)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_fulfilment(events, "fulfilment", &effect->id, effect->part);
    event_node(events, "node", order_parts(order)[effect->part].node);
    event_int(events, "was", (int64_t)was * EVENTS_MINUTE_MS);
    if (latest) {
        event_int(events, "deliver_by", (int64_t)latest * EVENTS_MINUTE_MS);
    }
    event_end(events);
}

static bool replan_is_sound(const struct events *events, const struct effect_replan *effect)
{
    const struct tables *tables = &events->service->tables;
    bool is_sound = effect->cause < CAUSE_COUNT && effect->decline < DECLINE_COUNT &&
                    effect->service < SERVICE_COUNT;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        is_sound = is_sound && effect->parts[i].node < tables->network.count;
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        is_sound = is_sound && effect->lines[i].line.item < tables->catalogue.count;
    }
    for (uint32_t i = 0; i < effect->count_count; i++) {
        is_sound = is_sound && effect->counts[i].item < tables->catalogue.count;
    }
    for (uint32_t i = 0; i < effect->missing_count; i++) {
        is_sound = is_sound && effect->missing[i].item < tables->catalogue.count;
    }
    return is_sound;
}

static void replan_tell(struct events *events, struct order *order,
                        const struct effect_replan *effect)
{
    const uint32_t first = first_part(events, order);
    left(events, order, effect);
    cancelled(events, order, effect);
    cells(events, order, effect, true);
    cells(events, order, effect, false);
    changed(events, effect);
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const uint32_t own_part = first == ORDER_NO_PART ? ORDER_NO_PART : first + i;
        created_later(events, order, effect, i, own_part);
    }
    owed(events, order, effect);
    promise(events, order, effect);
    order_done(events, &effect->id, order);
}

enum err events_replan(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_replan effect;
    const enum err err =
        effect_replan_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || !replan_is_sound(events, &effect)) {
        return ERR_DAMAGED;
    }
    replan_tell(events, order_known(events, &effect.id), &effect);
    return ERR_OK;
}
