/* Effects on orders: routed, cancelled, moved along their life. */
#include <string.h>

#include "apply_order_internal.h"
#include "apply_timing_internal.h"
#include "check.h"

/* Bytes of the rules, 0 where nothing was asked that later decisions keep to. */
static size_t rules_size(const struct effect_order *effect)
{
    uint32_t nodes = effect->include_count + effect->exclude_count;
    bool has_rules = nodes || effect->max_splits != UINT32_MAX || effect->max_m != UINT32_MAX ||
                     effect->required_by_ms || effect->deliver_after_ms;
    return has_rules ? sizeof(struct order_rules) + nodes * sizeof(uint16_t) : 0;
}

/* Bytes of the body's texts, the rules at their end on a word. */
static size_t texts_size(const struct effect_order *effect)
{
    size_t texts = effect->postcode.len + effect->ref.len + effect->channel.len;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        texts += effect->lines[i].line.len;
        texts += effect->lines[i].kit.item ? sizeof(struct order_kit) : 0;
    }
    size_t rules = rules_size(effect);
    return rules ? (texts + 3) / 4 * 4 + rules : texts;
}

static size_t body_size(const struct effect_order *effect)
{
    return order_body_size(effect->part_count, effect->share_count, effect->line_count) +
           texts_size(effect);
}

size_t tables_order_size(const struct effect_order *effect)
{
    return order_head_size(effect->id.len) + body_size(effect);
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
    tables->eased = tables->batch;
}

/* -- routed -- */

uint32_t order_text_put(struct order *order, uint32_t at, const struct effect_text *text)
{
    if (text->len > 0) {
        memcpy(order_body(order) + at, text->at, text->len);
    }
    return at + text->len;
}

static uint32_t lines_fill(struct order *order, const struct effect_order *effect, uint32_t at)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *from = &effect->lines[i];
        uint8_t kit = from->kit.item ? ORDER_LINE_KIT : 0;
        order_lines(order)[i] = (struct order_line){
            from->item, from->qty, from->unfilled, at, (uint8_t)(from->line.len | kit),
            from->service, from->node};
        at = order_text_put(order, at, &from->line);
        if (kit) {
            memcpy(order_body(order) + at, &from->kit, sizeof from->kit);
            at += (uint32_t)sizeof from->kit;
        }
    }
    return at;
}

static void time_put(uint32_t words[2], uint64_t ms)
{
    words[0] = (uint32_t)ms;
    words[1] = (uint32_t)(ms >> 32);
}

static void rules_fill(struct order *order, const struct effect_order *effect, uint32_t at)
{
    if (rules_size(effect) == 0) {
        return;
    }
    order->rules_at = (at + 3) / 4 * 4;
    struct order_rules *rules = (struct order_rules *)(void *)(order_body(order) + order->rules_at);
    rules->max_splits = effect->max_splits;
    rules->max_m = effect->max_m;
    time_put(rules->required_by, effect->required_by_ms);
    time_put(rules->deliver_after, effect->deliver_after_ms);
    rules->include_count = (uint16_t)effect->include_count;
    rules->exclude_count = (uint16_t)effect->exclude_count;
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->include_count; i++) {
        rules->nodes[count++] = effect->include[i];
    }
    for (uint32_t i = 0; i < effect->exclude_count; i++) {
        rules->nodes[count++] = effect->exclude[i];
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
    order->status = effect->status == ORDER_BACKORDERED ? ORDER_ROUTED : effect->status;
    order->service = effect->service;
    order->has_dest = effect->has_dest;
    order->is_optimal = effect->is_optimal;
    order->is_po_box = effect->is_po_box;
    order->is_backorder = effect->is_backorder;
    order->strategy = effect->strategy;
    order->sold_at = effect->sold_at ? (uint16_t)(effect->sold_at - 1) : NODE_NONE;
    order->body_at = (int64_t)order_head_size(effect->id.len);
    order->body_size = (uint32_t)body_size(effect);
    order->id_len = (uint8_t)effect->id.len;
    order->ref_len = (uint8_t)effect->ref.len;
    order->postcode_len = (uint8_t)effect->postcode.len;
    order->channel_len = (uint8_t)effect->channel.len;
    memcpy(order->country, effect->country, sizeof order->country);
}

static void texts_fill(struct order *order, const struct effect_order *effect)
{
    memcpy(order + 1, effect->id.at, effect->id.len);
    uint32_t at =
        (uint32_t)order_body_size(order->part_count, order->share_count, order->line_count);
    order->postcode_at = at;
    at = order_text_put(order, at, &effect->postcode);
    order->ref_at = at;
    at = order_text_put(order, at, &effect->ref);
    at = order_text_put(order, at, &effect->channel);
    at = lines_fill(order, effect, at);
    rules_fill(order, effect, at);
}

uint16_t order_part_goes_to(struct order *order, const struct order_part *part)
{
    bool is_sent = part->way == WAY_SHIP_TO_STORE && part->share_count > 0;
    return is_sent ? order_lines(order)[order_shares(order)[part->share_first].line].node
                   : NODE_NONE;
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
        part->dates = from->dates;
        part->share_first = (uint16_t)share;
        while (share < effect->share_count && effect->shares[share].part == i) {
            share++;
        }
        part->share_count = (uint16_t)(share - part->share_first);
        part->to = order_part_goes_to(order, part);
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
        shares_fill(order, effect);
        parts_fill(order, effect);
    }
    return ref;
}

/* Units that the order takes at a cell, or gives back unshipped, count against its channel's quota
 * there. */
static void order_quota_move(struct tables *tables, struct order *order, uint32_t item,
                             uint16_t node, int64_t units)
{
    if (order->channel_len && tables->policies.quotas.count > 0) {
        uint64_t channel = quota_channel(order_channel(order), order->channel_len);
        quota_move(tables, item, node, channel, order->lsn, units);
    }
}

void order_share_hold(struct tables *tables, struct order *order, slab_ref ref, uint32_t index)
{
    struct order_share *share = &order_shares(order)[index];
    uint32_t item = order_lines(order)[share->line].item;
    uint16_t node = order_parts(order)[share->part].node;
    cell_move(tables, item, node, share->qty, 0, 0);
    order_quota_move(tables, order, item, node, share->qty);
    share->hold = holds_add(&tables->holds, item, node, ref, (uint16_t)index);
}

/* Units that the customer has carried out: gone from the stock, never held. A count of this very
 * moment was made before. */
static enum err share_carry_out(struct tables *tables, struct order *order, uint32_t index)
{
    struct order_share *share = &order_shares(order)[index];
    uint32_t item = order_lines(order)[share->line].item;
    uint16_t node = order_parts(order)[share->part].node;
    struct cell cell;
    enum err err = cell_need(tables, item, node, &cell);
    if (err != ERR_OK) {
        return err;
    }
    uint64_t counted = tables_counted_at(&cell);
    uint64_t at_ms = counted > order->created_ms ? counted + 1 : order->created_ms + 1;
    cell_move(tables, item, node, 0, -(int64_t)share->qty, at_ms);
    for (int step = 0; step < STEP_COUNT; step++) {
        share->reached[step] = share->qty;
    }
    return ERR_OK;
}

static enum err shares_hold(struct tables *tables, slab_ref ref, const struct effect_order *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < effect->share_count && err == ERR_OK; i++) {
        if (effect->parts[effect->shares[i].part].way == WAY_CARRY_OUT) {
            err = share_carry_out(tables, order, i);
        } else {
            order_share_hold(tables, order, ref, i);
        }
    }
    return err;
}

/* What is owed from the start: the customer waits for it. */
static void lines_owe(struct tables *tables, slab_ref ref, const struct effect_order *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    for (uint32_t i = 0; i < effect->line_count && effect->is_backorder; i++) {
        const struct owed_entry what = {.lsn = order->lsn,
                                        .item = effect->lines[i].item,
                                        .qty = effect->owed[i],
                                        .line = (uint16_t)i,
                                        .status = ORDER_BACKORDERED,
                                        .reason = REASON_INSUFFICIENT_STOCK};
        owed_set(&tables->owed, &tables->catalogue, &tables->digest, order, ref, &what);
    }
    owed_file(&tables->owed, &tables->catalogue, order);
}

void order_part_await(struct tables *tables, slab_ref ref, uint16_t index, uint64_t now_ms)
{
    struct order_part *part = &order_parts(order_at(&tables->orders, ref))[index];
    uint64_t minutes = tables->timing.terms[part->node].accept_min;
    part->accept_by_s = minutes ? (uint32_t)((now_ms + minutes * 60000 + 999) / 1000) : 0;
    part_closing_set(tables, order_at(&tables->orders, ref), index, now_ms);
    part_timer(tables, ref, index);
}

enum err tables_apply_order(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_order *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = order_enter(tables, effect, lsn, now_ms);
    if (!ref) {
        return ERR_FULL;
    }
    bool has_carry_out = false;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        queue_append(tables, ref, (uint16_t)i);
        has_carry_out = has_carry_out || effect->parts[i].way == WAY_CARRY_OUT;
    }
    enum err err = shares_hold(tables, ref, effect);
    if (err != ERR_OK) {
        return err;
    }
    for (uint32_t i = 0; i < effect->part_count && tables->timing.accepts > 0; i++) {
        order_part_await(tables, ref, (uint16_t)i, now_ms);
    }
    capacity_take(tables, order_at(&tables->orders, ref), 0);
    lines_owe(tables, ref, effect);
    order_digest(order_at(&tables->orders, ref), &tables->digest, true);
    if (has_carry_out) {
        order_settle(tables, ref, now_ms);
    }
    return ERR_OK;
}

/* -- changes of an order -- */

/* Note in the history; a full table only costs the note. */
void order_note(struct tables *tables, struct order *order, const struct order_entry *entry)
{
    if (!order_history_add(&tables->orders, order, entry)) {
        check_note("history of an order not kept: no room", entry->lsn, 0);
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

void order_share_leave(struct tables *tables, struct order *order, uint32_t index, uint32_t units,
                       uint32_t *end)
{
    struct order_share *share = &order_shares(order)[index];
    *end += units;
    for (int step = 0; step < STEP_COUNT; step++) {
        uint32_t active = share_active(share);
        share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
    }
    uint32_t item = order_lines(order)[share->line].item;
    uint16_t node = order_parts(order)[share->part].node;
    cell_move(tables, item, node, -(int64_t)units, 0, 0);
    order_quota_move(tables, order, item, node, -(int64_t)units);
    hold_settle(tables, order, index);
    if (end != &share->no_show) {
        capacity_leave(tables, order, share->part, units);
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

void order_settle(struct tables *tables, slab_ref ref, uint64_t now_ms)
{
    struct order *order = order_at(&tables->orders, ref);
    bool is_open = order->owed_first != OWED_NONE;
    for (uint32_t i = 0; i < order->part_count; i++) {
        struct order_part *part = &order_parts(order)[i];
        bool is_held = part_held(order, part) > 0;
        is_open = is_open || is_held || part_awaits(order, i);
        if (part->is_listed && !is_held) {
            queue_remove(tables, part);
        }
        part_timer(tables, ref, (uint16_t)i);
    }
    if (!is_open && order->done_ms == 0) {
        orders_done(&tables->orders, ref, now_ms);
    }
}

slab_ref order_of(const struct tables *tables, const struct effect_text *id)
{
    uint64_t hash = orders_hash(&tables->orders, id->at, id->len);
    return orders_find(&tables->orders, hash, id->at, id->len);
}

bool order_shares_cancel(struct tables *tables, struct order *order, uint64_t lsn, uint64_t at_ms,
                         const struct effect_quantity *list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = list[i].share;
        if (index >= order->share_count || list[i].qty > order_share_held(order, index)) {
            return false;
        }
        struct order_share *share = &order_shares(order)[index];
        order_share_leave(tables, order, index, list[i].qty, &share->cancelled);
        order_note(tables, order,
                   &(struct order_entry){at_ms, lsn, list[i].qty, share->part, share->line,
                                         ORDER_EVENT_CANCELLED, STATE_CANCELLED});
    }
    return true;
}

/* Units that were owed are not wanted any more. */
static bool owed_cancel(struct tables *tables, slab_ref ref, uint64_t lsn, uint64_t now_ms,
                        const struct effect_quantity *line)
{
    struct order *order = order_at(&tables->orders, ref);
    uint32_t index = owed_find(&tables->owed, order, line->share);
    if (index == OWED_NONE || owed_at(&tables->owed, index)->qty < line->qty) {
        return false;
    }
    struct owed_entry what = *owed_at(&tables->owed, index);
    what.qty -= line->qty;
    owed_set(&tables->owed, &tables->catalogue, &tables->digest, order, ref, &what);
    order_note(tables, order,
               &(struct order_entry){now_ms, lsn, line->qty, ORDER_NO_PART,
                                     (uint16_t)line->share, ORDER_EVENT_CANCELLED,
                                     STATE_CANCELLED});
    return true;
}

/* All that a cancellation changes of an order's rows. */
static void shares_digest(struct tables *tables, struct order *order, bool is_add)
{
    for (uint32_t i = 0; i < order->share_count; i++) {
        order_digest_share(order, i, &tables->digest, is_add);
    }
}

enum err tables_apply_cancel(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_cancel *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = effect->order ? effect->order : order_of(tables, &effect->id);
    if (!ref) {
        return ERR_DAMAGED;
    }
    struct order *order = order_at(&tables->orders, ref);
    shares_digest(tables, order, false);
    bool is_sound = order_shares_cancel(tables, order, lsn, now_ms, effect->shares, effect->count);
    for (uint32_t i = 0; i < effect->owed_count && is_sound; i++) {
        is_sound = owed_cancel(tables, ref, lsn, now_ms, &effect->owed[i]);
    }
    owed_file(&tables->owed, &tables->catalogue, order);
    shares_digest(tables, order, true);
    order_settle(tables, ref, now_ms);
    key_remember(tables, lsn, now_ms, &effect->key);
    return is_sound ? ERR_OK : ERR_DAMAGED;
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
        order_quota_move(tables, order, order_lines(order)[share->line].item, part->node, units);
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
    uint32_t held = share_held(share, (enum way)part->way);
    share->no_show += units;
    for (int step = 0; step < STEP_COUNT; step++) {
        uint32_t active = share_active(share);
        share->reached[step] = share->reached[step] < active ? share->reached[step] : active;
    }
    held -= share_held(share, (enum way)part->way); /* nothing where it was shipped to a store */
    if (held > 0) {
        cell_move(tables, order_lines(order)[share->line].item, part->node, -(int64_t)held, 0, 0);
        order_quota_move(tables, order, order_lines(order)[share->line].item, part->node,
                         -(int64_t)held);
    }
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
                       order_shares(order)[share].qty - order_shares(order)[share].cancelled -
                           order_shares(order)[share].moved;
    }
    return is_sound;
}

/* The node took on a fulfilment: its first unit goes on from open. */
static void accepted(struct tables *tables, struct order *order, uint32_t index)
{
    if (part_state(order, index) == STATE_OPEN) {
        uint16_t node = order_parts(order)[index].node;
        uint32_t rate = tables->declines[node];
        declines_set(tables, node, rate - (rate + DECLINE_WEIGHT - 1) / DECLINE_WEIGHT);
    }
}

/* One share of the update, with its rows in the digest; the units that moved. */
static uint32_t share_update(struct tables *tables, struct order *order,
                             const struct effect_fulfil *effect, uint32_t i, int step)
{
    uint32_t index = effect->shares[i].share;
    uint32_t total = effect->shares[i].qty;
    struct order_share *share = &order_shares(order)[index];
    order_digest_share(order, index, &tables->digest, false);
    uint32_t units = step >= 0 ? step_reach(tables, order, share, step, total, effect->at_ms)
                               : no_show(tables, order, share, total);
    hold_settle(tables, order, index);
    order_digest_share(order, index, &tables->digest, true);
    return units;
}

/* What an update tells of the part itself; most tell nothing. */
static void part_update(struct tables *tables, struct order *order, uint64_t now_ms,
                        const struct effect_fulfil *effect)
{
    struct order_part *part = &order_parts(order)[effect->part];
    bool is_arrived = part->is_arrived ||
                      (part->way == WAY_SHIP_TO_STORE && effect->state == STATE_READY);
    bool is_awaited = part->is_awaited || effect->is_awaited;
    if (!effect->collect_by && is_arrived == part->is_arrived && is_awaited == part->is_awaited) {
        return;
    }
    order_digest_part(order, effect->part, &tables->digest, false);
    if (effect->collect_by || is_arrived != part->is_arrived) {
        part->collect_by = effect->collect_by; /* when it had to come says nothing any more */
    }
    part->is_arrived = is_arrived;
    part->is_awaited = is_awaited;
    if (effect->collect_by) {
        part_closing_set(tables, order, effect->part, now_ms);
    }
    order_digest_part(order, effect->part, &tables->digest, true);
}

enum err tables_apply_fulfil(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_fulfil *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = effect->order ? effect->order : order_of(tables, &effect->id);
    struct order *order = ref ? order_at(&tables->orders, ref) : NULL;
    if (!order || !fulfil_is_sound(order, effect)) {
        return ERR_DAMAGED;
    }
    struct order_part *part = &order_parts(order)[effect->part];
    int step = state_step((enum state)effect->state, (enum way)part->way);
    uint32_t units = 0;
    if (step >= 0 && tables->declines[part->node] > 0) {
        accepted(tables, order, effect->part);
    }
    for (uint32_t i = 0; i < effect->count; i++) {
        units += share_update(tables, order, effect, i, step);
    }
    part_update(tables, order, now_ms, effect);
    tracking_set(tables, part, &effect->tracking);
    order_note(tables, order,
               &(struct order_entry){effect->at_ms, lsn, units, (uint16_t)effect->part, 0,
                                     ORDER_EVENT_STATE, effect->state});
    order_settle(tables, ref, now_ms);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}
