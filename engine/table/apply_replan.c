/* The effect of an order's change after its routing: units leave, cells of a node that said no
 * are corrected, lines change, new fulfilments take stock, what has no source is owed. */
#include <string.h>

#include "apply_order_internal.h"
#include "apply_strategy_internal.h"
#include "apply_timing_internal.h"
#include "check.h"

enum { MILLION = 1000000 };

double tables_acceptance(const struct tables *tables, uint16_t node)
{
    return (double)(MILLION - tables->declines[node]) / MILLION;
}

void tables_lend(struct tables *tables, uint32_t item, uint16_t node, int32_t units)
{
    struct cell cell = tables_cell(tables, item, node);
    CHECK(cell.index >= 0);
    cell_word word = tables_word(&cell);
    CHECK(cell_reserved(word) >= units);
    if (units > 0) {
        row_change_begin(cell.row);
    }
    row_word_set(cell.row, cell.slot, (uint32_t)cell.index,
                 cell_make(cell_on_hand(word), cell_reserved(word) - units,
                           cell_has_override(word)));
    policies_lend(&tables->policies, item, node, units);
    if (units < 0) {
        row_change_end(cell.row);
    }
}

void tables_lend_gone(struct tables *tables, uint32_t item, uint16_t node, int32_t units)
{
    struct cell cell = tables_cell(tables, item, node);
    CHECK(cell.index >= 0);
    cell_word word = tables_word(&cell);
    if (units > 0) {
        row_change_begin(cell.row);
    }
    row_word_set(cell.row, cell.slot, (uint32_t)cell.index,
                 cell_make(cell_on_hand(word) + units, cell_reserved(word),
                           cell_has_override(word)));
    if (units < 0) {
        row_change_end(cell.row);
    }
}

/* -- whether it fits -- */

/* Components are new lines, and so is the first one of their kit line. */
static bool kit_is_sound(const struct tables *tables, const struct order *order,
                         const struct effect_replan_line *line)
{
    const struct order_kit *kit = &line->line.kit;
    return kit->item == 0 ||
           (kit->item <= tables->catalogue.count && kit->first >= order->line_count &&
            kit->first <= line->index && line->line.line.len > 0);
}

static bool lines_are_sound(const struct tables *tables, struct order *order,
                            const struct effect_replan *effect)
{
    uint32_t count = order->line_count;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_replan_line *line = &effect->lines[i];
        bool is_new = line->index == count;
        bool is_known = line->line.item < tables->catalogue.count &&
                        (line->line.node == NODE_NONE || line->line.node < tables->network.count);
        if (line->index > count || !is_known || !kit_is_sound(tables, order, line) ||
            (!is_new && order_lines(order)[line->index].item != line->line.item)) {
            return false;
        }
        count += is_new;
    }
    return count <= EFFECT_LINES_MAX;
}

static uint32_t lines_new(const struct order *order, const struct effect_replan *effect)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        count += effect->lines[i].index >= order->line_count;
    }
    return count;
}

static bool rows_are_sound(const struct tables *tables, const struct effect_replan *effect,
                           const struct effect_stock_row *rows, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!effect->has_part || rows[i].item >= tables->catalogue.count) {
            return false;
        }
    }
    return true;
}

/* Item of a line as it will be. */
static uint32_t item_of(struct order *order, const struct effect_replan *effect, uint32_t line)
{
    if (line < order->line_count) {
        return order_lines(order)[line].item;
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        if (effect->lines[i].index == line) {
            return effect->lines[i].line.item;
        }
    }
    return ITEM_NONE;
}

static bool parts_are_sound(const struct tables *tables, struct order *order,
                            const struct effect_replan *effect)
{
    bool is_sound = order->part_count + effect->part_count <= EFFECT_PARTS_MAX &&
                    order->share_count + effect->share_count <= EFFECT_SHARES_MAX;
    for (uint32_t i = 0; i < effect->part_count && is_sound; i++) {
        is_sound = effect->parts[i].node < tables->network.count;
    }
    for (uint32_t i = 0; i < effect->share_count && is_sound; i++) {
        const struct effect_share *share = &effect->shares[i];
        uint32_t item = item_of(order, effect, share->line);
        is_sound = share->part < effect->part_count && item != ITEM_NONE &&
                   (i == 0 || share->part >= effect->shares[i - 1].part);
        if (is_sound) {
            uint16_t node = effect->parts[share->part].node;
            is_sound = tables_cell(tables, item, node).index >= 0;
        }
    }
    return is_sound;
}

static bool owed_is_sound(struct order *order, const struct effect_replan *effect)
{
    bool is_sound = true;
    for (uint32_t i = 0; i < effect->owed_count && is_sound; i++) {
        is_sound = item_of(order, effect, effect->owed[i].line) != ITEM_NONE;
    }
    return is_sound;
}

static bool is_sound(const struct tables *tables, struct order *order,
                     const struct effect_replan *effect)
{
    return (!effect->has_part || effect->part < order->part_count) &&
           (!effect->block_until_ms || effect->has_part) &&
           effect->strategy <= tables->strategies.count &&
           (!effect->is_put_off || effect->has_part) &&
           lines_are_sound(tables, order, effect) &&
           rows_are_sound(tables, effect, effect->counts, effect->count_count) &&
           rows_are_sound(tables, effect, effect->missing, effect->missing_count) &&
           parts_are_sound(tables, order, effect) && owed_is_sound(order, effect);
}

uint32_t tables_replan_text(const struct effect_replan *effect)
{
    uint32_t text = effect->has_place ? effect->postcode.len : 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i].line;
        text += line->line.len + (line->kit.item ? (uint32_t)sizeof line->kit : 0);
    }
    return text;
}

bool tables_replan_owed_fits(const struct tables *tables, const struct order *order,
                             const struct effect_replan *effect)
{
    uint32_t fresh = 0;
    if (owed_has_room(&tables->owed, effect->owed_count)) {
        return true;
    }
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        const struct effect_owed *owed = &effect->owed[i];
        fresh += owed->qty > 0 && owed_find(&tables->owed, order, owed->line) == OWED_NONE;
    }
    return owed_has_room(&tables->owed, fresh);
}

static bool has_room(const struct tables *tables, const struct order *order,
                     const struct effect_replan *effect)
{
    return holds_have_room(&tables->holds, effect->share_count) &&
           tables_replan_owed_fits(tables, order, effect) &&
           orders_have_growth(&tables->orders, order, effect->part_count, effect->share_count,
                              lines_new(order, effect), tables_replan_text(effect));
}

/* -- what leaves -- */

static bool units_move(struct tables *tables, struct order *order, uint64_t lsn,
                       const struct effect_replan *effect)
{
    for (uint32_t i = 0; i < effect->move_count; i++) {
        uint32_t index = effect->moves[i].share;
        uint32_t units = effect->moves[i].qty;
        if (index >= order->share_count || units > order_share_held(order, index)) {
            return false;
        }
        struct order_share *share = &order_shares(order)[index];
        bool is_rejected = effect->has_part && share->part == effect->part;
        order_share_leave(tables, order, index, units, &share->moved);
        order_note(tables, order,
                   &(struct order_entry){effect->at_ms, lsn, units, share->part, share->line,
                                         is_rejected ? ORDER_EVENT_REJECTED : ORDER_EVENT_MOVED,
                                         effect->decline});
    }
    return true;
}

static enum err cells_correct(struct tables *tables, uint16_t node,
                              const struct effect_replan *effect)
{
    struct cell cell;
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < effect->count_count && err == ERR_OK; i++) {
        const struct effect_stock_row *row = &effect->counts[i];
        err = cell_need(tables, row->item, node, &cell);
        if (err == ERR_OK) {
            cell_count(tables, row->item, node, &cell, row->value, effect->at_ms);
        }
    }
    for (uint32_t i = 0; i < effect->missing_count && err == ERR_OK; i++) {
        const struct effect_stock_row *row = &effect->missing[i];
        err = cell_need(tables, row->item, node, &cell);
        if (err == ERR_OK) {
            cell_move(tables, row->item, node, 0, row->value, effect->at_ms);
        }
    }
    return err;
}

/* -- what comes -- */

static uint32_t line_set(struct order *order, const struct effect_replan_line *from, uint32_t text)
{
    struct order_line *line = &order_lines(order)[from->index];
    uint32_t at = line->text;
    uint8_t len = line->text_len;
    if (from->line.line.len) {
        at = text;
        len = (uint8_t)from->line.line.len;
        text = order_text_put(order, text, &from->line.line);
    }
    if (from->line.kit.item) {
        len |= ORDER_LINE_KIT;
        memcpy(order_body(order) + text, &from->line.kit, sizeof from->line.kit);
        text += (uint32_t)sizeof from->line.kit;
        order->has_more_kits = true;
    }
    *line = (struct order_line){from->line.item, from->line.qty, from->line.unfilled, at, len,
                                from->line.service, from->line.node};
    return text;
}

static void place_set(struct order *order, const struct effect_replan *effect, uint32_t text)
{
    order->has_dest = effect->has_dest;
    order->is_po_box = effect->is_po_box;
    order->lat = effect->lat;
    order->lon = effect->lon;
    memcpy(order->country, effect->country, sizeof order->country);
    order->postcode_at = text;
    order->postcode_len = (uint8_t)effect->postcode.len;
    order_text_put(order, text, &effect->postcode);
}

static void parts_add(struct tables *tables, slab_ref ref, uint32_t first_part,
                      uint32_t first_share, const struct effect_replan *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    uint32_t share = 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const struct effect_part *from = &effect->parts[i];
        struct order_part *part = &order_parts(order)[first_part + i];
        *part = (struct order_part){.node = from->node,
                                    .way = from->way,
                                    .service = from->service,
                                    .metres = from->metres,
                                    .cost_cents = from->cost_cents,
                                    .dates = from->dates,
                                    .share_first = (uint16_t)(first_share + share)};
        for (; share < effect->share_count && effect->shares[share].part == i; share++) {
            struct order_share *own = &order_shares(order)[first_share + share];
            own->part = (uint16_t)(first_part + i);
            own->line = (uint16_t)effect->shares[share].line;
            own->qty = effect->shares[share].qty;
            order_share_hold(tables, order, ref, first_share + share);
        }
        part->share_count = (uint16_t)(first_share + share - part->share_first);
        part->to = order_part_goes_to(order, part);
        queue_append(tables, ref, (uint16_t)(first_part + i));
        order_part_await(tables, ref, (uint16_t)(first_part + i), tables->time_ms);
    }
}

static bool grow(struct tables *tables, slab_ref ref, const struct effect_replan *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    uint32_t first_part = order->part_count;
    uint32_t first_share = order->share_count;
    uint32_t lines = lines_new(order, effect);
    uint32_t size = tables_replan_text(effect);
    uint32_t text;
    if (effect->part_count + lines + size == 0) {
        text = 0;
    } else if (!order_grow(&tables->orders, order, effect->part_count, effect->share_count, lines,
                           size, &text)) {
        return false;
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        text = line_set(order, &effect->lines[i], text);
    }
    order->is_changed = order->is_changed || effect->line_count > 0 || effect->has_place ||
                        effect->service != order->service;
    order->service = effect->service;
    if (effect->has_place) {
        place_set(order, effect, text);
    }
    parts_add(tables, ref, first_part, first_share, effect);
    capacity_take(tables, order_at(&tables->orders, ref), first_part);
    return true;
}

static void owe(struct tables *tables, slab_ref ref, uint64_t lsn,
                const struct effect_replan *effect)
{
    struct order *order = order_at(&tables->orders, ref);
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        const struct effect_owed *from = &effect->owed[i];
        const struct owed_entry what = {.lsn = lsn,
                                        .item = order_lines(order)[from->line].item,
                                        .qty = from->qty,
                                        .line = (uint16_t)from->line,
                                        .status = from->status,
                                        .reason = from->reason};
        owed_set(&tables->owed, &tables->catalogue, &tables->digest, order, ref, &what);
    }
}

/* What was asked is another: what has no source yet may have one now. */
static void owed_raise_order(struct tables *tables, const struct order *order)
{
    for (uint32_t i = order->owed_first; i != OWED_NONE;
         i = owed_at(&tables->owed, i)->next_of_order) {
        uint32_t item = owed_at(&tables->owed, i)->item;
        owed_raise(&tables->owed, &tables->catalogue.items[item], item, NODE_NONE, true);
    }
}

/* -- notes -- */

static void note(struct tables *tables, struct order *order, uint64_t lsn,
                 const struct effect_replan *effect, enum order_event event, uint32_t part,
                 uint32_t line, uint32_t qty, uint8_t state)
{
    order_note(tables, order,
               &(struct order_entry){effect->at_ms, lsn, qty, (uint16_t)part, (uint16_t)line,
                                     (uint8_t)event, state});
}

static void notes(struct tables *tables, struct order *order, uint64_t lsn,
                  const struct effect_replan *effect)
{
    if (effect->has_place) {
        note(tables, order, lsn, effect, ORDER_EVENT_CHANGED, ORDER_NO_PART, ORDER_NO_PART, 0, 0);
    }
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_replan_line *line = &effect->lines[i];
        note(tables, order, lsn, effect, ORDER_EVENT_CHANGED, ORDER_NO_PART, line->index,
             line->line.qty, 0);
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        uint32_t index = order->part_count - effect->part_count + i;
        const struct order_part *part = &order_parts(order)[index];
        uint32_t qty = 0;
        for (uint32_t k = 0; k < part->share_count; k++) {
            qty += order_shares(order)[part->share_first + k].qty;
        }
        note(tables, order, lsn, effect, ORDER_EVENT_CREATED, index, 0, qty, effect->cause);
    }
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        const struct effect_owed *owed = &effect->owed[i];
        if (owed->qty > 0 && effect->cause != CAUSE_STOCK) {
            note(tables, order, lsn, effect, ORDER_EVENT_OWED, ORDER_NO_PART, owed->line,
                 owed->qty, owed->reason);
        }
    }
}

/* -- the effect -- */

/* The node said no: it is shut out of the order, its rate of declines rises, and for a while it
 * gets no new orders, if that is the order's strategy. */
static void decline(struct tables *tables, struct order *order, uint32_t index,
                    uint64_t block_until_ms)
{
    struct order_part *part = &order_parts(order)[index];
    uint32_t rate = tables->declines[part->node];
    part->is_rejected = true;
    order->rejects = (uint8_t)(order->rejects + (order->rejects < UINT8_MAX));
    declines_set(tables, part->node, rate + (MILLION - rate) / DECLINE_WEIGHT);
    if (block_until_ms > tables->timing.blocked_ms[part->node]) {
        block_set(tables, part->node, block_until_ms);
    }
}

enum err tables_apply_replan(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_replan *effect)
{
    applied(tables, lsn, now_ms);
    slab_ref ref = order_of(tables, &effect->id);
    struct order *order = ref ? order_at(&tables->orders, ref) : NULL;
    if (!order || order->done_ms || !is_sound(tables, order, effect)) {
        return ERR_DAMAGED;
    }
    if (!has_room(tables, order, effect)) {
        return ERR_FULL;
    }
    order_digest(order, &tables->digest, false);
    if (!units_move(tables, order, lsn, effect) ||
        !order_shares_cancel(tables, order, lsn, effect->at_ms, effect->cancels,
                             effect->cancel_count)) {
        return ERR_DAMAGED;
    }
    if (effect->is_put_off) {
        order_part_await(tables, ref, (uint16_t)effect->part, now_ms);
    } else if (effect->has_part) {
        decline(tables, order, effect->part, effect->block_until_ms);
        enum err err = cells_correct(tables, order_parts(order)[effect->part].node, effect);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (!grow(tables, ref, effect)) {
        return ERR_FULL;
    }
    order->strategy = effect->has_strategy ? effect->strategy : order->strategy;
    owe(tables, ref, lsn, effect);
    owed_file(&tables->owed, &tables->catalogue, order);
    if (effect->has_place || effect->line_count > 0) {
        owed_raise_order(tables, order);
    }
    notes(tables, order, lsn, effect);
    order_digest(order, &tables->digest, true);
    order_settle(tables, ref, now_ms);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}
