/* From a record to its events: what of stock, nodes and documents; orders and reservations have
 * files of their own. */
#include "decimal.h"
#include "effect_strategy.h"
#include "events_internal.h"
#include "told.h"

bool events_has_cell(const struct events *events, uint32_t item, uint16_t node)
{
    const struct tables *tables = &events->service->tables;
    return item < tables->catalogue.count && node < tables->network.count;
}

/* -- stock -- */

/* The fulfilments of one cell that is short. */
static void put_holders(struct events *events, struct told *told, uint32_t count)
{
    struct writer *writer = &events->writer;
    event_name(events, "fulfilments");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        char text[ID_MAX + 16];
        const struct effect_text order = told_text(told);
        const uint32_t part = told_int(told);
        memcpy(text, order.at, order.len);
        text[order.len] = '/';
        writer_text(writer, text,
                    order.len + 1 + decimal_put(text + order.len + 1, part + 1));
    }
}

static void pass_holders(struct told *told, uint32_t count)
{
    for (uint32_t i = 0; i < count && !told->is_bad; i++) {
        (void)told_text(told);
        (void)told_int(told);
    }
}

static bool short_cell(struct events *events, struct told *told)
{
    const uint32_t item = told_int(told);
    const uint16_t node = told_node(told);
    const uint32_t units = told_int(told);
    const uint32_t holders = told_int(told);
    struct told behind = *told;
    pass_holders(&behind, holders);
    if (behind.is_bad || !events_has_cell(events, item, node)) {
        return false;
    }
    if (event_begin(events, EVENT_STOCK_SHORT)) {
        event_item(events, "item", item);
        event_node(events, "node", node);
        event_int(events, "short", units);
        put_holders(events, told, holders);
        event_end(events);
    }
    *told = behind;
    return true;
}

static enum err of_short(struct events *events, const uint8_t *bytes, uint32_t size)
{
    const struct effect_text all = {(const char *)bytes, size};
    struct told told = told_begin(&all);
    const uint32_t count = told_int(&told);
    bool is_sound = !told.is_bad;
    for (uint32_t i = 0; i < count && is_sound; i++) {
        is_sound = short_cell(events, &told);
    }
    return is_sound && told.at == told.end ? ERR_OK : ERR_DAMAGED;
}

static void stock_row(struct events *events, const struct effect_stock *effect,
                      const struct effect_stock_row *row)
{
    if (!event_begin(events, EVENT_STOCK_CHANGED)) {
        return;
    }
    event_item(events, "item", row->item);
    event_node(events, "node", effect->node);
    event_string(events, "cause", effect->is_count ? "count" : "movement");
    event_int(events, effect->is_count ? "on_hand" : "delta", row->value);
    event_int(events, "as_of", (int64_t)effect->at_ms);
    event_end(events);
}

static enum err of_stock(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_stock effect;
    enum err err = effect_stock_decode(bytes, size, events->service->tables.scratch, &effect);
    for (uint32_t i = 0; i < effect.count && err == ERR_OK; i++) {
        err = events_has_cell(events, effect.rows[i].item, effect.node) ? ERR_OK : ERR_DAMAGED;
        if (err == ERR_OK) {
            stock_row(events, &effect, &effect.rows[i]);
        }
    }
    return err;
}

static enum err of_policy(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_policy effect;
    enum err err = effect_policy_decode(bytes, size, &effect);
    if (err != ERR_OK || !events_has_cell(events, effect.item, effect.node)) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, EVENT_STOCK_CHANGED)) {
        event_item(events, "item", effect.item);
        event_node(events, "node", effect.node);
        event_string(events, "cause", "policy");
        event_bool(events, "listed", !effect.is_unlisted);
        if (effect.has_safety) {
            event_int(events, "safety_stock", effect.safety_stock);
        }
        event_end(events);
    }
    return ERR_OK;
}

static enum err of_item(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_item effect;
    enum err err = effect_item_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err == ERR_OK && event_begin(events, EVENT_ITEM_CHANGED)) {
        event_text(events, "item", &effect.id);
        event_int(events, "weight_g", effect.weight_g);
        event_end(events);
    }
    return err;
}

/* -- nodes -- */

static void node_put(struct events *events, uint16_t node, const struct effect_node *effect)
{
    if (!event_begin(events, EVENT_NODE_CHANGED)) {
        return;
    }
    event_node(events, "node", node);
    event_string(events, "what", "config");
    event_string(events, "node_type", node_type_text(effect->config.type));
    event_string(events, "status", node_status_text(effect->config.status));
    event_int(events, "priority", effect->config.priority);
    event_int(events, "safety_stock", effect->config.safety_stock);
    put_float(&events->writer, "lat", effect->config.lat);
    put_float(&events->writer, "lon", effect->config.lon);
    events->fields += 2;
    event_end(events);
}

static enum err of_node(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_node effect;
    const struct tables *tables = &events->service->tables;
    enum err err = effect_node_decode(bytes, size, tables->scratch, &effect);
    if (err != ERR_OK) {
        return err;
    }
    const uint16_t node = network_find(&tables->network, effect.id.at, effect.id.len);
    if (node == NODE_NONE) {
        return ERR_DAMAGED;
    }
    node_put(events, node, &effect);
    return ERR_OK;
}

static enum err node_other(struct events *events, uint16_t node, const char *what)
{
    if (node >= events->service->tables.network.count) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, EVENT_NODE_CHANGED)) {
        event_node(events, "node", node);
        event_string(events, "what", what);
        event_end(events);
    }
    return ERR_OK;
}

static enum err of_hours(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_hours_scratch scratch;
    struct effect_hours effect;
    const enum err err = effect_hours_decode(bytes, size, &scratch, &effect);
    return err == ERR_OK ? node_other(events, effect.node, "hours") : err;
}

static enum err of_capacity(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_capacity effect;
    const enum err err = effect_capacity_decode(bytes, size, &effect);
    return err == ERR_OK ? node_other(events, effect.node, "capacity") : err;
}

/* -- documents: totals, as the records have them -- */

static void put_document_lines(struct events *events, const struct effect_document *effect)
{
    static const char *const counts[][DOCUMENT_COUNTS] = {
        [DOCUMENT_RETURN] = {"sellable", "damaged", "unsellable"},
        [DOCUMENT_SUPPLY] = {"received", NULL, NULL},
        [DOCUMENT_TRANSFER] = {"shipped", "received", NULL},
    };
    struct writer *writer = &events->writer;
    event_name(events, "lines");
    writer_array(writer, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_document_line *line = &effect->lines[i];
        uint32_t fields = 2;
        uint32_t mark = writer_open(writer);
        entry_item(events, "item", line->item);
        put_int(writer, "qty", line->qty);
        for (int at = 0; at < DOCUMENT_COUNTS && counts[effect->kind][at]; at++, fields++) {
            put_int(writer, counts[effect->kind][at], line->counts[at]);
        }
        writer_map_close(writer, mark, fields);
    }
}

static void document_node(struct events *events, const char *name, uint16_t node)
{
    if (node != NODE_NONE) {
        event_node(events, name, node);
    }
}

static void document_put(struct events *events, const struct effect_document *effect)
{
    static const char *const ids[] = {[DOCUMENT_RETURN] = "return_id",
                                      [DOCUMENT_SUPPLY] = "supply_id",
                                      [DOCUMENT_TRANSFER] = "transfer_id"};
    event_text(events, ids[effect->kind], &effect->id);
    if (effect->order_id.len) {
        event_text(events, "order_id", &effect->order_id);
    }
    if (effect->kind == DOCUMENT_RETURN) {
        document_node(events, "node", effect->at_node);
    } else {
        document_node(events, effect->kind == DOCUMENT_SUPPLY ? "node" : "from", effect->node);
        document_node(events, "to", effect->to);
    }
    if (effect->eta_ms) {
        event_int(events, "eta", (int64_t)effect->eta_ms);
    }
    if (effect->is_cancelled) {
        event_bool(events, "cancelled", true);
    }
    event_int(events, "as_of", (int64_t)effect->at_ms);
    put_document_lines(events, effect);
}

static bool document_is_sound(const struct events *events, const struct effect_document *effect)
{
    const struct tables *tables = &events->service->tables;
    const uint16_t nodes[] = {effect->node, effect->to, effect->at_node};
    bool is_sound = effect->kind >= DOCUMENT_RETURN && effect->kind <= DOCUMENT_TRANSFER;
    for (int i = 0; i < 3; i++) {
        is_sound = is_sound && (nodes[i] == NODE_NONE || nodes[i] < tables->network.count);
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        is_sound = is_sound && effect->lines[i].item < tables->catalogue.count;
    }
    return is_sound;
}

static enum event document_type(const struct effect_document *effect)
{
    if (effect->kind == DOCUMENT_RETURN) {
        return effect->at_node != NODE_NONE ? EVENT_RETURN_RECEIVED
               : effect->is_cancelled       ? EVENT_RETURN_EXPIRED
                                            : EVENT_RETURN_CREATED;
    }
    return effect->kind == DOCUMENT_SUPPLY ? EVENT_SUPPLY_CHANGED : EVENT_TRANSFER_CHANGED;
}

static enum err of_document(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_document effect;
    const enum err err =
        effect_document_decode(bytes, size, events->service->tables.scratch, &effect);
    if (err != ERR_OK || !document_is_sound(events, &effect)) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, document_type(&effect))) {
        document_put(events, &effect);
        event_end(events);
    }
    return ERR_OK;
}

/* -- strategies -- */

static enum err of_strategy(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct effect_strategy effect;
    const enum err err = effect_strategy_decode(bytes, size, &effect);
    if (err == ERR_OK && event_begin(events, EVENT_STRATEGY_CHANGED)) {
        const struct effect_text name = {effect.strategy.name, effect.strategy.name_len};
        event_string(events, "what", "version");
        event_text(events, "strategy", &name);
        event_int(events, "version", effect.strategy.version);
        event_string(events, "mode", strategy_mode_text((enum strategy_mode)effect.strategy.mode));
        event_end(events);
    }
    return err;
}

static void choice_scopes(struct events *events, const struct effect_choice *effect)
{
    struct writer *writer = &events->writer;
    event_name(events, "scopes");
    writer_array(writer, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct strategy_choice *own = &effect->choices[i];
        const bool has_service = own->service != STRATEGY_ANY_SERVICE;
        writer_map(writer, (uint32_t)has_service + (own->channel_len > 0));
        if (has_service) {
            put_string(writer, "service", service_text((enum service)own->service));
        }
        if (own->channel_len > 0) {
            put_text(writer, "channel", own->channel, own->channel_len);
        }
    }
}

static enum err of_choice(struct events *events, const uint8_t *bytes, uint32_t size)
{
    struct strategy_choice choices[EFFECT_CHOICES_MAX];
    struct effect_choice effect;
    const struct strategies *strategies = &events->service->tables.strategies;
    const enum err err = effect_choice_decode(bytes, size, choices, &effect);
    if (err != ERR_OK || effect.strategy > strategies->count) {
        return ERR_DAMAGED;
    }
    if (event_begin(events, EVENT_STRATEGY_CHANGED)) {
        const struct strategy *own = strategies_at(strategies, effect.strategy);
        const struct effect_text name = {own ? own->name : "nearest",
                                         own ? own->name_len : sizeof "nearest" - 1};
        event_string(events, "what", "active");
        event_text(events, "strategy", &name);
        event_int(events, "version", own ? own->version : 0);
        choice_scopes(events, &effect);
        event_end(events);
    }
    return ERR_OK;
}

/* -- by type -- */

static events_teller *const tellers[256] = {
    [EFFECT_NODE] = of_node,
    [EFFECT_ITEM] = of_item,
    [EFFECT_STOCK] = of_stock,
    [EFFECT_POLICY] = of_policy,
    [EFFECT_ORDER] = events_order,
    [EFFECT_CANCEL] = events_cancel,
    [EFFECT_FULFIL] = events_fulfil,
    [EFFECT_REPLAN] = events_replan,
    [EFFECT_REPLAN_KITS] = events_replan_kits,
    [EFFECT_RESERVE] = events_reserve,
    [EFFECT_RESERVE_END] = events_reserve_end,
    [EFFECT_RESERVE_TAKE] = events_reserve_take,
    [EFFECT_DOCUMENT] = of_document,
    [EFFECT_HOURS] = of_hours,
    [EFFECT_CAPACITY] = of_capacity,
    [EFFECT_STRATEGY] = of_strategy,
    [EFFECT_CHOICE] = of_choice,
    [EFFECT_SHORT] = of_short,
};

enum err events_of_record(struct events *events, uint8_t type, const uint8_t *bytes, uint32_t size)
{
    events->n = 0;
    return tellers[type] ? tellers[type](events, bytes, size) : ERR_OK;
}
