/* Encoder and decoder of the record of an order's change after its routing. */
#include <string.h>

#include "check.h"
#include "effect_bytes_internal.h"
#include "row.h"
#include "strategy.h"
#include "told.h"

enum {
    BIT_PART = 1,
    BIT_PLACE = 2,
    BIT_DEST = 4,
    BIT_ENGINE = 8,
    BIT_PO_BOX = 16,
    BIT_PUT_OFF = 32,
    BIT_STRATEGY = 64, /* behind the key: the strategy */
    BIT_BLOCK = 128    /* behind that: until when the node is shut out */
};

static uint32_t told_size(const struct effect_replan *effect)
{
    return TOLD_FIXED_MAX + (effect->move_count + effect->cancel_count) * TOLD_UNIT_MAX +
           (effect->share_count + effect->owed_count) * TOLD_LINE_MAX +
           effect->late_count * TOLD_LATE_MAX;
}

uint32_t effect_replan_size(const struct effect_replan *effect)
{
    return 512 + (effect->move_count + effect->cancel_count) * 10 +
           (effect->count_count + effect->missing_count) * 10 + effect->line_count * 110 +
           effect->part_count * 44 + effect->share_count * 16 + effect->owed_count * 12 +
           (effect->row ? told_size(effect) : 0);
}

static uint8_t *put_rows(uint8_t *at, const struct effect_stock_row *rows, uint32_t count)
{
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = bytes_put_int(at, rows[i].item);
        at = bytes_put_signed(at, rows[i].value);
    }
    return at;
}

static uint8_t *put_lines(uint8_t *at, const struct effect_replan *effect)
{
    at = bytes_put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        at = bytes_put_int(at, effect->lines[i].index);
        at = line_put(at, &effect->lines[i].line);
    }
    return at;
}

static bool has_kits(const struct effect_replan *effect)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        if (effect->lines[i].line.kit.item) {
            return true;
        }
    }
    return false;
}

uint8_t effect_replan_type(const struct effect_replan *effect)
{
    return has_kits(effect) ? EFFECT_REPLAN_KITS : EFFECT_REPLAN;
}

/* Of each line in turn: 0, or the kit + 1, units in one, its index minus the first component's. */
static uint8_t *put_kits(uint8_t *at, const struct effect_replan *effect)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct order_kit *kit = &effect->lines[i].line.kit;
        at = bytes_put_int(at, kit->item);
        if (kit->item) {
            at = bytes_put_int(at, kit->per);
            at = bytes_put_int(at, effect->lines[i].index - kit->first);
        }
    }
    return at;
}

static uint8_t *put_owed(uint8_t *at, const struct effect_replan *effect)
{
    at = bytes_put_int(at, effect->owed_count);
    for (uint32_t i = 0; i < effect->owed_count; i++) {
        at = bytes_put_int(at, effect->owed[i].line);
        at = bytes_put_int(at, effect->owed[i].qty);
        *at++ = effect->owed[i].status;
        *at++ = effect->owed[i].reason;
    }
    return at;
}

uint32_t effect_replan_encode(uint8_t *out, const struct effect_replan *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    *at++ = effect->cause;
    *at++ = effect->decline;
    *at++ = (uint8_t)((effect->has_part ? BIT_PART : 0) | (effect->has_place ? BIT_PLACE : 0) |
                      (effect->has_dest ? BIT_DEST : 0) |
                      (effect->is_by_engine ? BIT_ENGINE : 0) |
                      (effect->is_po_box ? BIT_PO_BOX : 0) |
                      (effect->is_put_off ? BIT_PUT_OFF : 0) |
                      (effect->has_strategy ? BIT_STRATEGY : 0) |
                      (effect->block_until_ms ? BIT_BLOCK : 0));
    *at++ = effect->service;
    at = bytes_put_int(at, effect->at_ms);
    if (effect->has_part) {
        at = bytes_put_int(at, effect->part);
    }
    if (effect->has_dest) {
        at = bytes_put_float(at, effect->lat);
        at = bytes_put_float(at, effect->lon);
    }
    if (effect->has_place) {
        at = place_put(at, effect->country, &effect->postcode);
    }
    at = quantities_put(at, effect->moves, effect->move_count);
    at = quantities_put(at, effect->cancels, effect->cancel_count);
    at = put_rows(at, effect->counts, effect->count_count);
    at = put_rows(at, effect->missing, effect->missing_count);
    at = put_lines(at, effect);
    at = has_kits(effect) ? put_kits(at, effect) : at;
    at = parts_put(at, effect->parts, effect->part_count);
    at = shares_put(at, effect->shares, effect->share_count);
    at = put_owed(at, effect);
    at = bytes_put_key(at, &effect->key);
    at = effect->has_strategy ? bytes_put_int(at, effect->strategy) : at;
    at = effect->block_until_ms ? bytes_put_int(at, effect->block_until_ms) : at;
    if (effect->row || parts_have_dates(effect->parts, effect->part_count)) {
        at = dates_put(at, effect->parts, effect->part_count);
    }
    at = effect->row ? told_put_replan(at, effect) : at;
    return (uint32_t)(at - out);
}

static uint32_t get_rows(struct bytes_source *source, struct effect_stock_row *rows)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_STOCK_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        rows[i].item = (uint32_t)bytes_get_max(source, UINT32_MAX);
        int64_t value = bytes_get_signed(source);
        source->is_bad = source->is_bad || value < -CELL_ON_HAND_MAX || value > CELL_ON_HAND_MAX;
        rows[i].value = (int32_t)value;
    }
    return count;
}

static uint32_t get_lines(struct bytes_source *source, struct effect_replan_line *lines)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        lines[i].index = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX - 1);
        line_get(source, &lines[i].line);
    }
    return count;
}

static void get_kits(struct bytes_source *source, struct effect_replan_line *lines, uint32_t count)
{
    bool has_any = false;
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        struct order_kit *kit = &lines[i].line.kit;
        kit->item = (uint32_t)bytes_get_max(source, UINT32_MAX);
        if (kit->item) {
            kit->per = (uint32_t)bytes_get_max(source, KIT_UNITS_MAX);
            const uint32_t behind = (uint32_t)bytes_get_max(source, KIT_PARTS_MAX - 1);
            has_any = true;
            source->is_bad = source->is_bad || kit->per == 0 || behind > lines[i].index ||
                             lines[i].line.line.len == 0;
            kit->first = source->is_bad ? 0 : lines[i].index - behind;
        }
    }
    source->is_bad = source->is_bad || !has_any;
}

static uint32_t get_owed(struct bytes_source *source, struct effect_owed *owed)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        owed[i].line = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX - 1);
        owed[i].qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
        owed[i].status = bytes_get_byte(source);
        owed[i].reason = bytes_get_byte(source);
        bool is_known = owed[i].status == ORDER_HELD || owed[i].status == ORDER_BACKORDERED;
        source->is_bad = source->is_bad || !is_known || owed[i].reason >= REASON_COUNT;
    }
    return count;
}

static void get_head(struct bytes_source *source, struct effect_replan *out)
{
    out->id = bytes_get_text(source, ID_MAX);
    out->cause = bytes_get_byte(source);
    out->decline = bytes_get_byte(source);
    uint8_t bits = bytes_get_byte(source);
    out->has_part = (bits & BIT_PART) != 0;
    out->has_place = (bits & BIT_PLACE) != 0;
    out->has_dest = (bits & BIT_DEST) != 0;
    out->is_by_engine = (bits & BIT_ENGINE) != 0;
    out->is_po_box = (bits & BIT_PO_BOX) != 0;
    out->is_put_off = (bits & BIT_PUT_OFF) != 0;
    out->has_strategy = (bits & BIT_STRATEGY) != 0;
    out->block_until_ms = (bits & BIT_BLOCK) != 0; /* its value follows the key */
    out->service = bytes_get_byte(source);
    out->at_ms = bytes_get_int(source);
    out->part = out->has_part ? (uint32_t)bytes_get_max(source, UINT16_MAX - 1) : 0;
    source->is_bad = source->is_bad || out->cause >= CAUSE_COUNT ||
                     out->decline >= DECLINE_COUNT || out->service >= SERVICE_COUNT;
}

enum err effect_replan_decode(uint8_t type, const uint8_t *bytes, uint32_t size,
                              struct effect_scratch *scratch, struct effect_replan *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    get_head(&source, out);
    if (out->has_dest) {
        out->lat = bytes_get_degrees(&source, 90.0);
        out->lon = bytes_get_degrees(&source, 180.0);
    }
    if (out->has_place) {
        place_get(&source, out->country, &out->postcode);
    }
    out->move_count = quantities_get(&source, scratch->quantities);
    out->moves = scratch->quantities;
    out->cancel_count = quantities_get(&source, scratch->more);
    out->cancels = scratch->more;
    out->count_count = get_rows(&source, scratch->rows);
    out->counts = scratch->rows;
    out->missing_count = get_rows(&source, scratch->more_rows);
    out->missing = scratch->more_rows;
    out->line_count = get_lines(&source, scratch->replan_lines);
    out->lines = scratch->replan_lines;
    if (type == EFFECT_REPLAN_KITS) {
        get_kits(&source, scratch->replan_lines, out->line_count);
    }
    out->part_count = parts_get(&source, scratch->parts, EFFECT_PARTS_MAX);
    out->parts = scratch->parts;
    out->share_count = shares_get(&source, scratch->shares,
                                  out->part_count ? out->part_count - 1 : 0, EFFECT_LINES_MAX - 1);
    out->shares = scratch->shares;
    out->owed_count = get_owed(&source, scratch->owed);
    out->owed = scratch->owed;
    bytes_get_key(&source, &out->key);
    if (out->has_strategy) {
        out->strategy = (uint16_t)bytes_get_max(&source, STRATEGY_VERSIONS_MAX);
    }
    out->block_until_ms = out->block_until_ms ? bytes_get_int(&source) : 0;
    if (!source.is_bad && source.at < source.end) {
        dates_get(&source, scratch->parts, out->part_count);
    }
    out->told = bytes_get_rest(&source);
    return bytes_finish(&source);
}
