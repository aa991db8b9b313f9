/* Effects on orders: routed, cancelled, moved along their life. */
#include <string.h>

#include "apply_internal.h"
#include "check.h"

size_t tables_order_size(const struct effect_order *effect)
{
    size_t texts = effect->id.len + effect->postcode.len + effect->ref.len;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        texts += effect->lines[i].line.len;
    }
    return order_size(effect->part_count, effect->share_count, effect->line_count) + texts;
}

/* -- the node's list of open fulfilments -- */

static struct order_part *part_at(struct tables *tables, uint32_t order, uint16_t part)
{
    return &order_parts(order_at(&tables->orders, order))[part];
}

void queue_append(struct tables *tables, slab_ref ref, uint16_t index)
{
    struct order_part *part = part_at(tables, ref, index);
    struct node_queue *queue = &tables->queues[part->node];
    part->is_listed = true;
    part->prev_order = queue->last_order;
    part->prev_part = queue->last_part;
    part->next_order = 0;
    if (queue->last_order) {
        struct order_part *last = part_at(tables, queue->last_order, queue->last_part);
        last->next_order = ref;
        last->next_part = index;
    } else {
        queue->first_order = ref;
        queue->first_part = index;
    }
    queue->last_order = ref;
    queue->last_part = index;
    queue->count++;
}

static void queue_remove(struct tables *tables, struct order_part *part)
{
    struct node_queue *queue = &tables->queues[part->node];
    if (part->prev_order) {
        struct order_part *prev = part_at(tables, part->prev_order, part->prev_part);
        prev->next_order = part->next_order;
        prev->next_part = part->next_part;
    } else {
        queue->first_order = part->next_order;
        queue->first_part = part->next_part;
    }
    if (part->next_order) {
        struct order_part *next = part_at(tables, part->next_order, part->next_part);
        next->prev_order = part->prev_order;
        next->prev_part = part->prev_part;
    } else {
        queue->last_order = part->prev_order;
        queue->last_part = part->prev_part;
    }
    part->is_listed = false;
    queue->count--;
}

/* -- routed -- */

static uint32_t text_put(struct order *order, uint32_t at, const struct effect_text *text)
{
    if (text->len > 0) {
        memcpy((char *)order + at, text->at, text->len);
    }
    return at + text->len;
}

static void lines_fill(struct order *order, const struct effect_order *effect, uint32_t at)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *from = &effect->lines[i];
        order_lines(order)[i] = (struct order_line){
            from->item, from->qty, from->unfilled, at, (uint8_t)from->line.len, from->service,
            from->node};
        at = text_put(order, at, &from->line);
    }
}

static void head_fill(struct order *order, const struct effect_order *effect, uint64_t lsn,
                      uint64_t now_ms)
{
    order->content = effect->content;
    order->lsn = lsn;
    order->created_ms = now_ms;
    order->total_m = effect->total_m;
    order->lat = effect->lat;
    order->lon = effect->lon;
    order->line_count = (uint16_t)effect->line_count;
    order->part_count = (uint16_t)effect->part_count;
    order->share_count = (uint16_t)effect->share_count;
    order->splits = (uint16_t)effect->splits;
    order->status = effect->status;
    order->service = effect->service;
    order->has_dest = effect->has_dest;
    order->is_optimal = effect->is_optimal;
    order->id_len = (uint8_t)effect->id.len;
    order->ref_len = (uint8_t)effect->ref.len;
    order->postcode_len = (uint8_t)effect->postcode.len;
    memcpy(order->country, effect->country, sizeof order->country);
}

static void texts_fill(struct order *order, const struct effect_order *effect)
{
    uint32_t at = (uint32_t)order_size(order->part_count, order->share_count, order->line_count);
    order->id_at = at;
    at = text_put(order, at, &effect->id);
    order->postcode_at = at;
    at = text_put(order, at, &effect->postcode);
    order->ref_at = at;
    at = text_put(order, at, &effect->ref);
    lines_fill(order, effect, at);
}

static void parts_fill(struct order *order, const struct effect_order *effect)
{
    uint32_t share = 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        struct order_part *part = &order_parts(order)[i];
        const struct effect_part *from = &effect->parts[i];
        part->node = from->node;
        part->way = from->way;
        part->service = from->service;
        part->metres = from->metres;
        part->cost_cents = from->cost_cents;
        part->share_first = share;
        while (share < effect->share_count && effect->shares[share].part == i) {
            share++;
        }
        part->share_count = share - part->share_first;
    }
}

static void shares_fill(struct order *order, const struct effect_order *effect)
{
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const struct effect_share *from = &effect->shares[i];
        struct order_share *share = &order_shares(order)[i];
        share->part = (uint16_t)from->part;
        share->line = (uint16_t)from->line;
        share->qty = from->qty;
    }
}

slab_ref order_enter(struct tables *tables, const struct effect_order *effect, uint64_t lsn,
                     uint64_t now_ms)
{
    slab_ref ref = orders_add(&tables->orders, effect->id_hash, tables_order_size(effect));
    if (ref) {
        struct order *order = order_at(&tables->orders, ref);
        head_fill(order, effect, lsn, now_ms);
        texts_fill(order, effect);
        parts_fill(order, effect);
        shares_fill(order, effect);
    }
    return ref;
}

static void shares_hold(struct tables *tables, slab_ref ref, const struct effect_order *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const struct effect_share *from = &effect->shares[i];
        uint32_t item = effect->lines[from->line].item;
        uint16_t node = effect->parts[from->part].node;
        cell_move(tables, item, node, from->qty, 0, 0);
        order_shares(order)[i].hold =
            holds_add(&tables->holds, item, node, ref, (uint16_t)i);
    }
}

enum err tables_apply_order(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_order *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = order_enter(tables, effect, lsn, now_ms);
    if (!ref) {
        return ERR_FULL;
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        queue_append(tables, ref, (uint16_t)i);
    }
    shares_hold(tables, ref, effect);
    order_digest(order_at(&tables->orders, ref), &tables->digest, true);
    return ERR_OK;
}

/* -- changes of an order -- */

/* Note in the history; a full table only costs the note. */
static void history(struct tables *tables, struct order *order, uint64_t now_ms, uint64_t lsn,
                    enum order_event event, uint32_t part, uint32_t line, enum state state,
                    uint32_t qty)
{
    struct order_entry entry = {now_ms, lsn, qty, (uint16_t)part, (uint16_t)line, (uint8_t)event,
                                (uint8_t)state};
    if (!order_history_add(&tables->orders, order, &entry)) {
        check_note("history of an order not kept: no room", lsn, 0);
    }
}

/* After units of a share left: the hold goes with the last of them. */
static void hold_settle(struct tables *tables, struct order *order, uint32_t index)
{
    struct order_share *share = &order_shares(order)[index];
    const struct order_part *part = &order_parts(order)[share->part];
    if (share->hold != HOLD_NONE && share_held(share, (enum way)part->way) == 0) {
        holds_remove(&tables->holds, share->hold);
        share->hold = HOLD_NONE;
    }
}

static uint32_t part_held(struct order *order, const struct order_part *part)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < part->share_count; i++) {
        held += share_held(&order_shares(order)[part->share_first + i], (enum way)part->way);
    }
    return held;
}

/* Lists that follow from what is still held. */
static void lists_settle(struct tables *tables, slab_ref ref, uint64_t now_ms)
{
    struct order *order = order_at(&tables->orders, ref);
    bool is_open = false;
    for (uint32_t i = 0; i < order->part_count; i++) {
        struct order_part *part = &order_parts(order)[i];
        bool is_held = part_held(order, part) > 0;
        is_open = is_open || is_held;
        if (part->is_listed && !is_held) {
            queue_remove(tables, part);
        }
    }
    if (!is_open && order->done_ms == 0) {
        orders_done(&tables->orders, ref, now_ms);
    }
}

static slab_ref order_of(struct tables *tables, const struct effect_text *id)
{
    uint64_t hash = orders_hash(&tables->orders, id->at, id->len);
    return orders_find(&tables->orders, hash, id->at, id->len);
}

enum err tables_apply_cancel(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_cancel *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = order_of(tables, &effect->id);
    if (!ref) {
        return ERR_DAMAGED;
    }
    struct order *order = order_at(&tables->orders, ref);
    order_digest(order, &tables->digest, false);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct effect_quantity *from = &effect->shares[i];
        if (from->share >= order->share_count) {
            return ERR_DAMAGED;
        }
        struct order_share *share = &order_shares(order)[from->share];
        const struct order_part *part = &order_parts(order)[share->part];
        if (from->qty > share_held(share, (enum way)part->way)) {
            return ERR_DAMAGED;
        }
        share->cancelled += from->qty;
        for (int step = 0; step < STEP_COUNT; step++) {
            uint32_t active = share_active(share);
            share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
        }
        cell_move(tables, order_lines(order)[share->line].item, part->node, -(int64_t)from->qty, 0,
                  0);
        hold_settle(tables, order, from->share);
        history(tables, order, now_ms, lsn, ORDER_EVENT_CANCELLED, share->part, share->line,
                STATE_CANCELLED, from->qty);
    }
    order_digest(order, &tables->digest, true);
    lists_settle(tables, ref, now_ms);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

/* Units that turn from a no-show into collected are held again for a moment: no hold is made
 * for them, the cell's reserved rises and falls within this effect. */
static void no_show_undo(struct tables *tables, struct order *order, struct order_share *share,
                         uint32_t total)
{
    uint32_t active = share_active(share);
    if (total > active) {
        uint32_t units = total - active;
        const struct order_part *part = &order_parts(order)[share->part];
        share->no_show -= units;
        cell_move(tables, order_lines(order)[share->line].item, part->node, units, 0, 0);
    }
}

static uint32_t step_reach(struct tables *tables, struct order *order, struct order_share *share,
                           int step, uint32_t total, uint64_t at_ms)
{
    const struct order_part *part = &order_parts(order)[share->part];
    no_show_undo(tables, order, share, total);
    uint32_t held = share_held(share, (enum way)part->way);
    uint32_t before = share->reached[step];
    for (int i = 0; i <= step; i++) {
        share->reached[i] = share->reached[i] > total ? share->reached[i] : total;
    }
    int64_t gone = (int64_t)held - share_held(share, (enum way)part->way);
    if (gone > 0) {
        cell_move(tables, order_lines(order)[share->line].item, part->node, -gone, -gone, at_ms);
    }
    return share->reached[step] - before;
}

static uint32_t no_show(struct tables *tables, struct order *order, struct order_share *share,
                        uint32_t total)
{
    const struct order_part *part = &order_parts(order)[share->part];
    uint32_t units = total > share->no_show ? total - share->no_show : 0;
    share->no_show += units;
    for (int step = 0; step < STEP_COUNT; step++) {
        uint32_t active = share_active(share);
        share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
    }
    cell_move(tables, order_lines(order)[share->line].item, part->node, -(int64_t)units, 0, 0);
    return units;
}

void tracking_set(struct tables *tables, struct order_part *part, const struct effect_text *text)
{
    if (text->len == 0) {
        return;
    }
    if (!part->tracking) {
        part->tracking = slab_take(&tables->orders.slab, 256);
    }
    if (part->tracking) {
        uint8_t *block = slab_at(&tables->orders.slab, part->tracking);
        block[0] = (uint8_t)text->len;
        memcpy(block + 1, text->at, text->len);
    }
}

static bool fulfil_is_sound(struct order *order, const struct effect_fulfil *effect)
{
    if (effect->part >= order->part_count) {
        return false;
    }
    const struct order_part *part = &order_parts(order)[effect->part];
    int step = state_step((enum state)effect->state, (enum way)part->way);
    bool is_sound = step >= 0 || effect->state == STATE_NO_SHOW;
    for (uint32_t i = 0; i < effect->count && is_sound; i++) {
        uint32_t share = effect->shares[i].share;
        is_sound = share < order->share_count && order_shares(order)[share].part == effect->part &&
                   effect->shares[i].qty <=
                       order_shares(order)[share].qty - order_shares(order)[share].cancelled;
    }
    return is_sound;
}

enum err tables_apply_fulfil(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_fulfil *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = order_of(tables, &effect->id);
    struct order *order = ref ? order_at(&tables->orders, ref) : NULL;
    if (!order || !fulfil_is_sound(order, effect)) {
        return ERR_DAMAGED;
    }
    struct order_part *part = &order_parts(order)[effect->part];
    int step = state_step((enum state)effect->state, (enum way)part->way);
    uint32_t units = 0;
    order_digest(order, &tables->digest, false);
    for (uint32_t i = 0; i < effect->count; i++) {
        struct order_share *share = &order_shares(order)[effect->shares[i].share];
        uint32_t total = effect->shares[i].qty;
        units += step >= 0 ? step_reach(tables, order, share, step, total, effect->at_ms)
                           : no_show(tables, order, share, total);
        hold_settle(tables, order, effect->shares[i].share);
    }
    part->collect_by = effect->collect_by ? effect->collect_by : part->collect_by;
    tracking_set(tables, part, &effect->tracking);
    order_digest(order, &tables->digest, true);
    history(tables, order, effect->at_ms, lsn, ORDER_EVENT_STATE, effect->part, 0,
            (enum state)effect->state, units);
    lists_settle(tables, ref, now_ms);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}
