/* Encoders and decoders of the records of reservations. */
#include "effect_reserve.h"

#include "check.h"
#include "effect_bytes_internal.h"
#include "told.h"

enum {
    BIT_NEW = 1, BIT_LINES = 2, BIT_DEST = 4, BIT_PO_BOX = 8, BIT_PARTIAL = 16, BIT_REQUIRED = 32
};

uint32_t effect_reserve_size(const struct effect_reserve *effect)
{
    return 384 + effect->line_count * 88 + effect->piece_count * 16;
}

static uint8_t *put_place(uint8_t *at, const struct effect_reserve *effect)
{
    at = bytes_put_bytes(at, &effect->content, sizeof effect->content);
    *at++ = effect->service;
    at = bytes_put_int(at, effect->pickup_node);
    if (effect->has_dest) {
        at = bytes_put_float(at, effect->lat);
        at = bytes_put_float(at, effect->lon);
    }
    at = place_put(at, effect->country, &effect->postcode);
    return effect->required_by_ms ? bytes_put_int(at, effect->required_by_ms) : at;
}

static uint8_t *put_lines(uint8_t *at, const struct effect_reserve *effect)
{
    CHECK(effect->line_count <= EFFECT_LINES_MAX);
    CHECK(effect->piece_count <= EFFECT_SHARES_MAX);
    at = bytes_put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        at = bytes_put_int(at, line->item);
        at = bytes_put_int(at, line->qty);
        at = bytes_put_text(at, line->line.at, line->line.len);
        at = bytes_put_int(at, line->node);
    }
    at = bytes_put_int(at, effect->piece_count);
    for (uint32_t i = 0; i < effect->piece_count; i++) {
        at = bytes_put_int(at, effect->pieces[i].line);
        at = bytes_put_int(at, effect->pieces[i].node);
        at = bytes_put_int(at, effect->pieces[i].qty);
    }
    return at;
}

uint32_t effect_reserve_encode(uint8_t *out, const struct effect_reserve *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    *at++ = (uint8_t)((effect->is_new ? BIT_NEW : 0) | (effect->has_lines ? BIT_LINES : 0) |
                      (effect->has_dest ? BIT_DEST : 0) | (effect->is_po_box ? BIT_PO_BOX : 0) |
                      (effect->allow_partial ? BIT_PARTIAL : 0) |
                      (effect->required_by_ms ? BIT_REQUIRED : 0));
    at = bytes_put_int(at, effect->expires_ms);
    if (effect->is_new) {
        at = put_place(at, effect);
    }
    if (effect->has_lines) {
        at = put_lines(at, effect);
    }
    at = bytes_put_key(at, &effect->key);
    if (effect->channel) {
        at = bytes_put_bytes(at, &effect->channel, sizeof effect->channel);
    }
    return (uint32_t)(at - out);
}

static void get_place(struct bytes_source *source, struct effect_reserve *out, uint8_t bits)
{
    bytes_get_bytes(source, &out->content, sizeof out->content);
    out->service = bytes_get_byte(source);
    out->pickup_node = (uint16_t)bytes_get_max(source, NODE_NONE);
    if (out->has_dest) {
        out->lat = bytes_get_degrees(source, 90.0);
        out->lon = bytes_get_degrees(source, 180.0);
    }
    place_get(source, out->country, &out->postcode);
    out->required_by_ms = bits & BIT_REQUIRED ? bytes_get_int(source) : 0;
}

static void get_lines(struct bytes_source *source, struct effect_reserve *out,
                      struct effect_scratch *scratch)
{
    out->line_count = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX);
    for (uint32_t i = 0; i < out->line_count && !source->is_bad; i++) {
        struct effect_line *line = &scratch->lines[i];
        *line = (struct effect_line){.item = (uint32_t)bytes_get_max(source, UINT32_MAX)};
        line->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
        line->line = bytes_get_text(source, ID_MAX);
        line->node = (uint16_t)bytes_get_max(source, NODE_NONE);
    }
    out->piece_count = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < out->piece_count && !source->is_bad; i++) {
        struct effect_piece *piece = &scratch->pieces[i];
        piece->line = (uint32_t)bytes_get_max(source, out->line_count ? out->line_count - 1 : 0);
        piece->node = (uint16_t)bytes_get_max(source, NODE_MAX - 1);
        piece->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    out->lines = scratch->lines;
    out->pieces = scratch->pieces;
}

enum err effect_reserve_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                               struct effect_reserve *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    *out = (struct effect_reserve){.id = bytes_get_text(&source, ID_MAX)};
    uint8_t bits = bytes_get_byte(&source);
    out->is_new = (bits & BIT_NEW) != 0;
    out->has_lines = (bits & BIT_LINES) != 0;
    out->has_dest = (bits & BIT_DEST) != 0;
    out->is_po_box = (bits & BIT_PO_BOX) != 0;
    out->allow_partial = (bits & BIT_PARTIAL) != 0;
    out->expires_ms = bytes_get_int(&source);
    if (out->is_new) {
        get_place(&source, out, bits);
    }
    if (out->has_lines) {
        get_lines(&source, out, scratch);
    }
    bytes_get_key(&source, &out->key);
    if (!source.is_bad && source.at < source.end) { /* older records have none */
        bytes_get_bytes(&source, &out->channel, sizeof out->channel);
    }
    if (out->id.len == 0 || (out->is_new && !out->has_lines) ||
        (out->has_lines && out->line_count == 0)) {
        return ERR_DAMAGED;
    }
    return bytes_finish(&source);
}

/* -- the others -- */

uint32_t effect_reserve_end_encode(uint8_t *out, const struct effect_reserve_end *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    *at++ = effect->state;
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_reserve_end_decode(const uint8_t *bytes, uint32_t size,
                                   struct effect_reserve_end *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->state = (uint8_t)bytes_get_max(&source, RESERVATION_STATE_COUNT - 1);
    bytes_get_key(&source, &out->key);
    return bytes_finish(&source);
}

uint32_t effect_reserve_take_size(const struct effect_reserve_take *effect)
{
    return EFFECT_SMALL_MAX + effect->broken_count * TOLD_BROKEN_MAX;
}

uint32_t effect_reserve_take_encode(uint8_t *out, const struct effect_reserve_take *effect)
{
    uint8_t *at = bytes_put_int(out, effect->item);
    at = bytes_put_int(at, effect->node);
    at = bytes_put_int(at, effect->units);
    at = bytes_put_text(at, effect->id.at, effect->id.len);
    at = effect->broken_count > 0 ? told_put_broken(at, effect) : at;
    return (uint32_t)(at - out);
}

enum err effect_reserve_take_decode(const uint8_t *bytes, uint32_t size,
                                    struct effect_reserve_take *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->item = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    out->units = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->id = bytes_get_text(&source, ID_MAX);
    out->broken_count = 0;
    out->broken = NULL;
    out->told = bytes_get_rest(&source);
    return bytes_finish(&source);
}

uint32_t effect_reserve_drop_encode(uint8_t *out, uint64_t count)
{
    return (uint32_t)(bytes_put_int(out, count) - out);
}

enum err effect_reserve_drop_decode(const uint8_t *bytes, uint32_t size, uint64_t *count_out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    *count_out = bytes_get_int(&source);
    return bytes_finish(&source);
}
