/* Encoders and decoders of the records of orders and their life. */
#include <string.h>

#include "check.h"
#include "effect_bytes_internal.h"

/* -- order -- */

enum {
    BIT_OPTIMAL = 1,
    BIT_DEST = 2,
    BIT_PO_BOX = 4,
    BIT_PARTIAL = 8,
    BIT_LIMITS = 16,   /* max_splits and max_m follow */
    BIT_PLACE = 32,    /* country and postcode follow */
    BIT_PLAIN = 64,    /* every line: default id, the order's service, no node, nothing unfilled */
    BIT_WHOLE = 128    /* one part; its shares are all lines, whole */
};

uint32_t effect_order_size(const struct effect_order *effect)
{
    return 384 + effect->line_count * 88 + effect->part_count * 24 + effect->share_count * 16;
}

static bool is_plain(const struct effect_order *effect)
{
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        if (line->line.len || line->service != effect->service || line->node != NODE_NONE ||
            line->unfilled) {
            return false;
        }
    }
    return true;
}

static bool is_whole(const struct effect_order *effect)
{
    bool is_one = effect->part_count == 1 && effect->share_count == effect->line_count;
    for (uint32_t i = 0; is_one && i < effect->share_count; i++) {
        is_one = effect->shares[i].line == i && effect->shares[i].qty == effect->lines[i].qty;
    }
    return is_one;
}

static uint8_t order_bits(const struct effect_order *effect)
{
    bool has_limits = effect->max_splits != UINT32_MAX || effect->max_m != UINT32_MAX;
    bool has_place = effect->country[0] || effect->postcode.len;
    return (uint8_t)((effect->is_optimal ? BIT_OPTIMAL : 0) | (effect->has_dest ? BIT_DEST : 0) |
                     (effect->is_po_box ? BIT_PO_BOX : 0) |
                     (effect->allow_partial ? BIT_PARTIAL : 0) | (has_limits ? BIT_LIMITS : 0) |
                     (has_place ? BIT_PLACE : 0) | (is_plain(effect) ? BIT_PLAIN : 0) |
                     (is_whole(effect) ? BIT_WHOLE : 0));
}

static uint8_t *put_lines(uint8_t *at, const struct effect_order *effect, uint8_t bits)
{
    at = bytes_put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        at = bytes_put_int(at, line->item);
        at = bytes_put_int(at, line->qty);
        if (!(bits & BIT_PLAIN)) {
            at = bytes_put_int(at, line->unfilled);
            at = bytes_put_text(at, line->line.at, line->line.len);
            *at++ = line->service;
            at = bytes_put_int(at, line->node);
        }
    }
    return at;
}

static uint8_t *put_parts(uint8_t *at, const struct effect_order *effect, uint8_t bits)
{
    if (!(bits & BIT_WHOLE)) {
        at = bytes_put_int(at, effect->splits);
        at = bytes_put_int(at, effect->part_count);
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const struct effect_part *part = &effect->parts[i];
        at = bytes_put_int(at, part->node);
        *at++ = (uint8_t)(part->way << 4 | part->service);
        at = bytes_put_int(at, part->metres);
        at = bytes_put_int(at, part->cost_cents);
    }
    if (bits & BIT_WHOLE) {
        return at;
    }
    at = bytes_put_int(at, effect->share_count);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        at = bytes_put_int(at, effect->shares[i].part);
        at = bytes_put_int(at, effect->shares[i].line);
        at = bytes_put_int(at, effect->shares[i].qty);
    }
    return at;
}

uint32_t effect_order_encode(uint8_t *out, const struct effect_order *effect)
{
    uint8_t bits = order_bits(effect);
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    *at++ = bits;
    *at++ = (uint8_t)(effect->status << 4 | effect->service);
    *at++ = effect->reason;
    at = bytes_put_bytes(at, &effect->content, sizeof effect->content);
    if (bits & BIT_DEST) {
        at = bytes_put_float(at, effect->lat);
        at = bytes_put_float(at, effect->lon);
    }
    if (bits & BIT_PLACE) {
        at = bytes_put_text(at, effect->country, (uint32_t)strlen(effect->country));
        at = bytes_put_text(at, effect->postcode.at, effect->postcode.len);
    }
    if (bits & BIT_LIMITS) {
        at = bytes_put_int(at, effect->max_splits);
        at = bytes_put_int(at, effect->max_m);
    }
    at = bytes_put_text(at, effect->ref.at, effect->ref.len);
    at = put_lines(at, effect, bits);
    at = put_parts(at, effect, bits);
    return (uint32_t)(at - out);
}

static void get_lines(struct bytes_source *source, struct effect_order *out, uint8_t bits,
                      struct effect_line *lines)
{
    out->line_count = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX);
    out->lines = lines;
    for (uint32_t i = 0; i < out->line_count && !source->is_bad; i++) {
        struct effect_line *line = &lines[i];
        memset(line, 0, sizeof *line);
        line->item = (uint32_t)bytes_get_max(source, UINT32_MAX);
        line->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
        line->service = out->service;
        line->node = NODE_NONE;
        if (!(bits & BIT_PLAIN)) {
            line->unfilled = (uint32_t)bytes_get_max(source, line->qty);
            line->line = bytes_get_text(source, ID_MAX);
            line->service = (uint8_t)bytes_get_max(source, SERVICE_COUNT - 1);
            line->node = (uint16_t)bytes_get_max(source, NODE_NONE);
        }
    }
}

static void get_parts(struct bytes_source *source, struct effect_order *out, uint8_t bits,
                      struct effect_scratch *scratch)
{
    bool is_one = (bits & BIT_WHOLE) != 0;
    out->splits = is_one ? 0 : (uint32_t)bytes_get_max(source, EFFECT_PARTS_MAX);
    out->part_count = is_one ? 1 : (uint32_t)bytes_get_max(source, EFFECT_PARTS_MAX);
    for (uint32_t i = 0; i < out->part_count && !source->is_bad; i++) {
        struct effect_part *part = &scratch->parts[i];
        part->node = (uint16_t)bytes_get_max(source, NODE_MAX - 1);
        uint8_t how = bytes_get_byte(source);
        part->way = how >> 4;
        part->service = how & 15;
        part->metres = (uint32_t)bytes_get_max(source, UINT32_MAX);
        part->cost_cents = (uint32_t)bytes_get_max(source, UINT32_MAX);
        source->is_bad = source->is_bad || part->way >= WAY_COUNT || part->service >= SERVICE_COUNT;
    }
    out->share_count =
        is_one ? out->line_count : (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < out->share_count && !source->is_bad; i++) {
        struct effect_share *share = &scratch->shares[i];
        if (is_one) {
            *share = (struct effect_share){0, i, out->lines[i].qty};
            continue;
        }
        share->part = (uint32_t)bytes_get_max(source, out->part_count ? out->part_count - 1 : 0);
        share->line = (uint32_t)bytes_get_max(source, out->line_count ? out->line_count - 1 : 0);
        share->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    out->parts = scratch->parts;
    out->shares = scratch->shares;
}

enum err effect_order_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                             struct effect_order *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    out->id = bytes_get_text(&source, ID_MAX);
    uint8_t bits = bytes_get_byte(&source);
    uint8_t how = bytes_get_byte(&source);
    out->reason = bytes_get_byte(&source);
    out->status = how >> 4;
    out->service = how & 15;
    out->is_optimal = (bits & BIT_OPTIMAL) != 0;
    out->has_dest = (bits & BIT_DEST) != 0;
    out->is_po_box = (bits & BIT_PO_BOX) != 0;
    out->allow_partial = (bits & BIT_PARTIAL) != 0;
    bytes_get_bytes(&source, &out->content, sizeof out->content);
    if (out->has_dest) {
        out->lat = bytes_get_float(&source);
        out->lon = bytes_get_float(&source);
    }
    if (bits & BIT_PLACE) {
        bytes_get_string(&source, out->country, sizeof out->country - 1);
        out->postcode = bytes_get_text(&source, ID_MAX);
    }
    bool has_limits = (bits & BIT_LIMITS) != 0;
    out->max_splits = has_limits ? (uint32_t)bytes_get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->max_m = has_limits ? (uint32_t)bytes_get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->ref = bytes_get_text(&source, 127);
    get_lines(&source, out, bits, scratch->lines);
    get_parts(&source, out, bits, scratch);
    for (uint32_t i = 0; i < out->part_count && !source.is_bad; i++) {
        out->total_m += out->parts[i].metres;
    }
    if (out->service >= SERVICE_COUNT || out->status >= ORDER_STATUS_COUNT) {
        return ERR_DAMAGED;
    }
    return bytes_finish(&source);
}

/* -- cancel, fulfil -- */

static uint8_t *put_quantities(uint8_t *at, const struct effect_quantity *shares, uint32_t count)
{
    CHECK(count <= EFFECT_SHARES_MAX);
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = bytes_put_int(at, shares[i].share);
        at = bytes_put_int(at, shares[i].qty);
    }
    return at;
}

static uint32_t get_quantities(struct bytes_source *source, struct effect_quantity *shares)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        shares[i].share = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX - 1);
        shares[i].qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    return count;
}

uint32_t effect_cancel_size(const struct effect_cancel *effect)
{
    return 192 + effect->count * 10;
}

uint32_t effect_cancel_encode(uint8_t *out, const struct effect_cancel *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    at = put_quantities(at, effect->shares, effect->count);
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_cancel_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_cancel *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->count = get_quantities(&source, scratch->quantities);
    out->shares = scratch->quantities;
    bytes_get_key(&source, &out->key);
    return bytes_finish(&source);
}

uint32_t effect_fulfil_size(const struct effect_fulfil *effect)
{
    return 384 + effect->count * 10; /* id, tracking and key at their longest */
}

uint32_t effect_fulfil_encode(uint8_t *out, const struct effect_fulfil *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    at = bytes_put_int(at, effect->part);
    *at++ = effect->state;
    at = bytes_put_int(at, effect->at_ms);
    at = bytes_put_int(at, effect->collect_by);
    at = bytes_put_text(at, effect->tracking.at, effect->tracking.len);
    at = put_quantities(at, effect->shares, effect->count);
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_fulfil_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_fulfil *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->part = (uint32_t)bytes_get_max(&source, EFFECT_PARTS_MAX - 1);
    out->state = (uint8_t)bytes_get_max(&source, STATE_COUNT - 1);
    out->at_ms = bytes_get_int(&source);
    out->collect_by = bytes_get_int(&source);
    out->tracking = bytes_get_text(&source, 127);
    out->count = get_quantities(&source, scratch->quantities);
    out->shares = scratch->quantities;
    bytes_get_key(&source, &out->key);
    return bytes_finish(&source);
}
