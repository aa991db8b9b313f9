/* Events of orders: what their records say, and what they tell for this alone (told.h): the order
 * need not be in memory any more. Records from before that tell numbers only. `share` numbers the
 * entries of fulfilments in the order of their coming, from 0. */
#include "decimal.h"
#include "events_internal.h"
#include "told.h"

static void order_done(struct events *events, const struct effect_text *id, bool is_done)
{
    if (is_done && event_begin(events, EVENT_ORDER_DONE)) {
        event_text(events, "order_id", id);
        events->is_match = true; /* of the whole order */
        event_end(events);
    }
}

/* -- pieces -- */

static void put_minutes(struct writer *writer, const char *name, uint32_t minutes)
{
    put_int(writer, name, (int64_t)(minutes * DATE_MINUTE_MS));
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

static void put_told_line(struct events *events, const struct told_line *line)
{
    const struct effect_line own = {.line = line->name};
    put_line_name(&events->writer, &own, line->index);
    entry_item(events, "item", line->item);
}

/* The next line, or unit, that is told. False: none is. */
static bool next_line(const struct events *events, struct told *told, struct told_line *out)
{
    told_line(told, out);
    told->is_bad = told->is_bad || out->item >= events->service->tables.catalogue.count;
    return !told->is_bad;
}

static bool next_unit(const struct events *events, struct told *told, struct told_unit *out)
{
    const struct tables *tables = &events->service->tables;
    told_unit(told, out);
    told->is_bad = told->is_bad || out->line.item >= tables->catalogue.count ||
                   out->node >= tables->network.count;
    return !told->is_bad;
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

/* All of it was carried out, and nothing is owed. */
static bool is_born_done(const struct effect_order *effect)
{
    bool is_done = effect->part_count > 0;
    for (uint32_t i = 0; i < effect->part_count && is_done; i++) {
        is_done = effect->parts[i].way == WAY_CARRY_OUT;
    }
    for (uint32_t i = 0; effect->is_backorder && i < effect->line_count && is_done; i++) {
        is_done = effect->owed[i] == 0;
    }
    return is_done;
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
    order_done(events, &effect.id, is_born_done(&effect));
    return ERR_OK;
}

/* -- later -- */

/* Entries that name shares of the order. */
static void put_units(struct events *events, struct told told, const struct effect_text *id,
                      const struct effect_quantity *list, uint32_t count)
{
    struct writer *writer = &events->writer;
    struct told_unit unit;
    event_name(events, "lines");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_told = next_unit(events, &told, &unit);
        writer_map(writer, is_told ? 6 : 2);
        put_int(writer, "share", list[i].share);
        put_int(writer, "qty", list[i].qty);
        if (is_told) {
            put_told_line(events, &unit.line);
            entry_node(events, "node", unit.node);
            entry_fulfilment(events, "fulfilment", id, unit.part);
        }
    }
}

/* Entries that name lines. */
static void put_owed_lines(struct events *events, const char *name, struct told told,
                           const struct effect_quantity *list, uint32_t count)
{
    struct writer *writer = &events->writer;
    struct told_line line;
    event_name(events, name);
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const bool is_told = next_line(events, &told, &line);
        writer_map(writer, is_told ? 4 : 2);
        put_int(writer, "index", list[i].share);
        put_int(writer, "qty", list[i].qty);
        if (is_told) {
            put_told_line(events, &line);
        }
    }
}

/* Whether what the record tells can be read to its end. */
static enum err told_end(const struct effect_text *bytes, const struct told *end)
{
    return bytes->len == 0 || (!end->is_bad && end->at == end->end) ? ERR_OK : ERR_DAMAGED;
}

enum err events_cancel(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_cancel effect;
    const enum err err =
        effect_cancel_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK) {
        return err;
    }
    const struct told units = told_begin(&effect.told);
    const struct told owed = told_behind_units(units, effect.count);
    const struct told end = told_behind_lines(owed, effect.owed_count);
    if (event_begin(events, EVENT_ORDER_CANCELLED)) {
        event_text(events, "order_id", &effect.id);
        put_units(events, units, &effect.id, effect.shares, effect.count);
        if (effect.owed_count) {
            put_owed_lines(events, "owed", owed, effect.owed, effect.owed_count);
        }
        event_end(events);
    }
    order_done(events, &effect.id, told_is_done(&effect.told));
    return told_end(&effect.told, &end);
}

/* The shares of an update: all are of its part, at its node. */
static void put_updated(struct events *events, struct told told, uint16_t node,
                        const struct effect_fulfil *effect)
{
    struct writer *writer = &events->writer;
    struct told_line line;
    event_name(events, "lines");
    writer_array(writer, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const bool is_told = next_line(events, &told, &line);
        writer_map(writer, is_told ? 6 : 2);
        put_int(writer, "share", effect->shares[i].share);
        put_int(writer, "qty", effect->shares[i].qty);
        if (is_told) {
            put_told_line(events, &line);
            entry_node(events, "node", node);
            entry_fulfilment(events, "fulfilment", &effect->id, effect->part);
        }
    }
}

static void fulfil_state(struct events *events, struct told told, uint16_t node,
                         const struct effect_fulfil *effect)
{
    if (!event_begin(events, EVENT_FULFIL_STATE)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_fulfilment(events, "fulfilment", &effect->id, effect->part);
    if (node != NODE_NONE) {
        event_node(events, "node", node);
    }
    event_string(events, "state", state_text((enum state)effect->state));
    event_int(events, "as_of", (int64_t)effect->at_ms);
    if (effect->collect_by) {
        const bool is_sent = effect->state == STATE_SHIPPED;
        event_int(events, is_sent ? "arrive_by" : "collect_by", (int64_t)effect->collect_by);
    }
    if (effect->tracking.len) {
        event_text(events, "tracking", &effect->tracking);
    }
    put_updated(events, told, node, effect);
    event_end(events);
}

/* The node of the part; NODE_NONE: it is not told. */
static uint16_t part_node(const struct events *events, struct told *told)
{
    const uint16_t node = told_node(told);
    told->is_bad = told->is_bad || node >= events->service->tables.network.count;
    return told->is_bad ? NODE_NONE : node;
}

enum err events_fulfil(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_fulfil effect;
    const enum err err =
        effect_fulfil_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || effect.state >= STATE_COUNT) {
        return ERR_DAMAGED;
    }
    struct told told = told_begin(&effect.told);
    const uint16_t node = part_node(events, &told);
    const struct told end = told_behind_lines(told, effect.count);
    fulfil_state(events, told, node, &effect);
    order_done(events, &effect.id, told_is_done(&effect.told));
    return told_end(&effect.told, &end);
}

/* -- a change after the routing -- */

/* What the record tells, each list at its begin. */
struct replan_told {
    bool is_there;
    uint32_t first_part, first_share; /* new ones are numbered from there */
    uint16_t node;                    /* of the part that said no, and its promise */
    uint32_t was_min;
    struct told moves, cancels, shares, owed, end;
};

static void replan_told(const struct events *events, const struct effect_replan *effect,
                        struct replan_told *out)
{
    struct told told = told_begin(&effect->told);
    *out = (struct replan_told){.is_there = effect->told.len > 0, .node = NODE_NONE};
    out->first_part = told_int(&told);
    out->first_share = told_int(&told);
    if (effect->has_part) {
        out->node = part_node(events, &told);
        out->was_min = told_int(&told);
    }
    out->moves = told;
    out->cancels = told_behind_units(told, effect->move_count);
    out->shares = told_behind_units(out->cancels, effect->cancel_count);
    out->owed = told_behind_lines(out->shares, effect->share_count);
    out->end = told_behind_lines(out->owed, effect->owed_count);
}

static void left(struct events *events, const struct replan_told *told,
                 const struct effect_replan *effect)
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
    put_units(events, told->moves, &effect->id, effect->moves, effect->move_count);
    event_end(events);
}

static void cancelled(struct events *events, const struct replan_told *told,
                      const struct effect_replan *effect)
{
    if (effect->cancel_count && event_begin(events, EVENT_ORDER_CANCELLED)) {
        event_text(events, "order_id", &effect->id);
        event_string(events, "cause", cause_text((enum cause)effect->cause));
        put_units(events, told->cancels, &effect->id, effect->cancels, effect->cancel_count);
        event_end(events);
    }
}

/* Cells of the node that said no. */
static void cells(struct events *events, const struct replan_told *told,
                  const struct effect_replan *effect, bool is_count)
{
    const struct effect_stock_row *rows = is_count ? effect->counts : effect->missing;
    const uint32_t count = is_count ? effect->count_count : effect->missing_count;
    for (uint32_t i = 0; i < count; i++) {
        if (!event_begin(events, EVENT_STOCK_CHANGED)) {
            continue;
        }
        event_item(events, "item", rows[i].item);
        if (told->node != NODE_NONE) {
            event_node(events, "node", told->node);
        }
        event_fulfilment(events, "fulfilment", &effect->id, effect->part);
        event_string(events, "cause", "reject");
        event_int(events, is_count ? "on_hand" : "delta", rows[i].value);
        event_int(events, "as_of", (int64_t)effect->at_ms);
        event_end(events);
    }
}

/* The new shares of one new part, which stand together; *share is the first of them. */
static void put_new_shares(struct events *events, struct replan_told *told,
                           const struct effect_replan *effect, uint32_t part, uint32_t *share)
{
    struct writer *writer = &events->writer;
    uint32_t count = 0;
    event_name(events, "lines");
    uint32_t mark = writer_open(writer);
    for (; *share < effect->share_count && effect->shares[*share].part == part; ++*share) {
        struct told_line line;
        const bool is_told = next_line(events, &told->shares, &line);
        writer_map(writer, is_told ? 5 : 2);
        put_int(writer, "index", effect->shares[*share].line);
        put_int(writer, "qty", effect->shares[*share].qty);
        if (is_told) {
            put_int(writer, "share", told->first_share + *share);
            put_told_line(events, &line);
        }
        count++;
    }
    writer_array_close(writer, mark, count);
}

/* The same where nobody asked for the event. */
static void pass_new_shares(struct replan_told *told, const struct effect_replan *effect,
                            uint32_t part, uint32_t *share)
{
    const uint32_t first = *share;
    while (*share < effect->share_count && effect->shares[*share].part == part) {
        ++*share;
    }
    told->shares = told_behind_lines(told->shares, *share - first);
}

static void created_later(struct events *events, struct replan_told *told,
                          const struct effect_replan *effect)
{
    uint32_t share = 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        if (!event_begin(events, EVENT_FULFIL_CREATED)) {
            pass_new_shares(told, effect, i, &share);
            continue;
        }
        event_text(events, "order_id", &effect->id);
        if (told->is_there) {
            event_fulfilment(events, "fulfilment", &effect->id, told->first_part + i);
        }
        event_string(events, "cause", cause_text((enum cause)effect->cause));
        events->fields += put_part(events, &effect->parts[i]);
        put_new_shares(events, told, effect, i, &share);
        event_end(events);
    }
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

static void owed(struct events *events, struct told told, const struct effect_replan *effect)
{
    struct told_line known;
    if (effect->owed_count == 0 || !event_begin(events, EVENT_ORDER_HELD)) {
        return;
    }
    struct writer *writer = &events->writer;
    event_text(events, "order_id", &effect->id);
    event_name(events, "lines");
    writer_array(writer, effect->owed_count);
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        const struct effect_owed *line = &effect->owed[i];
        const bool is_told = next_line(events, &told, &known);
        writer_map(writer, is_told ? 6 : 4);
        put_int(writer, "index", line->line);
        put_int(writer, "owed", line->qty);
        put_string(writer, "status", order_status_text((enum order_status)line->status));
        put_string(writer, "reason", reason_text((enum reason)line->reason));
        if (is_told) {
            put_told_line(events, &known);
        }
    }
    events->is_match = true; /* of the whole order */
    event_end(events);
}

static void promise_broken(struct events *events, const struct effect_replan *effect,
                           const struct told_late *late)
{
    if (!event_begin(events, EVENT_PROMISE_BROKEN)) {
        return;
    }
    event_text(events, "order_id", &effect->id);
    event_fulfilment(events, "fulfilment", &effect->id, late->part);
    event_node(events, "node", late->node);
    event_string(events, "cause", cause_text((enum cause)effect->cause));
    event_int(events, "was", (int64_t)(late->was_min * DATE_MINUTE_MS));
    if (late->by_min) {
        event_int(events, "deliver_by", (int64_t)(late->by_min * DATE_MINUTE_MS));
    }
    if (late->has_owed) {
        event_bool(events, "owed", true);
    }
    event_end(events);
}

/* Of a record from before they were told: what was promised for the fulfilment that said no,
 * against what takes its place. */
static void promise_of_old(struct events *events, const struct replan_told *told,
                           const struct effect_replan *effect)
{
    struct told_late late = {.part = effect->part, .node = told->node, .was_min = told->was_min};
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const uint32_t by_min = effect->parts[i].dates.by_min;
        late.by_min = by_min > late.by_min ? by_min : late.by_min;
    }
    late.has_owed = effect->owed_count > 0;
    const bool is_late = late.has_owed || late.by_min == 0 || late.by_min > late.was_min;
    if (told->node != NODE_NONE && late.was_min && effect->move_count && is_late) {
        promise_broken(events, effect, &late);
    }
}

/* The promises that the change does not keep; told->end is then behind them. */
static void promises(struct events *events, struct replan_told *told,
                     const struct effect_replan *effect)
{
    struct told_late late;
    if (told->end.is_bad || told->end.at == told->end.end) {
        promise_of_old(events, told, effect);
        return;
    }
    const uint32_t count = told_int(&told->end);
    for (uint32_t i = 0; i < count && !told->end.is_bad; i++) {
        told_late(&told->end, &late);
        told->end.is_bad =
            told->end.is_bad || late.node >= events->service->tables.network.count;
        if (!told->end.is_bad) {
            promise_broken(events, effect, &late);
        }
    }
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

static enum err replan(struct events *events, uint8_t type, const uint8_t *bytes, uint32_t size)
{
    struct effect_replan effect;
    struct replan_told told;
    const enum err err =
        effect_replan_decode(type, bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || !replan_is_sound(events, &effect)) {
        return ERR_DAMAGED;
    }
    replan_told(events, &effect, &told);
    left(events, &told, &effect);
    cancelled(events, &told, &effect);
    cells(events, &told, &effect, true);
    cells(events, &told, &effect, false);
    changed(events, &effect);
    created_later(events, &told, &effect);
    owed(events, told.owed, &effect);
    promises(events, &told, &effect);
    order_done(events, &effect.id, told_is_done(&effect.told));
    return told_end(&effect.told, &told.end);
}

enum err events_replan(struct events *events, const uint8_t *bytes, uint32_t size)
{
    return replan(events, EFFECT_REPLAN, bytes, size);
}

enum err events_replan_kits(struct events *events, const uint8_t *bytes, uint32_t size)
{
    return replan(events, EFFECT_REPLAN_KITS, bytes, size);
}
