/* Encoders and decoders of the log's records. Each pair reads top to bottom in the same order. */
#include "effect.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

struct effect_scratch {
    struct area areas[NODE_AREAS_MAX];
    struct effect_place places[EFFECT_PLACES_MAX];
    struct effect_stock_row rows[EFFECT_STOCK_MAX];
    struct effect_line lines[EFFECT_LINES_MAX];
    struct effect_part parts[EFFECT_PARTS_MAX];
    struct effect_share shares[EFFECT_SHARES_MAX];
    struct effect_quantity quantities[EFFECT_SHARES_MAX];
};

enum err effect_scratch_new(struct effect_scratch **out)
{
    *out = malloc(sizeof **out);
    return *out ? ERR_OK : ERR_NOMEM;
}

void effect_scratch_free(struct effect_scratch *scratch)
{
    free(scratch);
}

/* -- writing -- */

static uint8_t *put_int(uint8_t *at, uint64_t value)
{
    while (value >= 0x80) {
        *at++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *at++ = (uint8_t)value;
    return at;
}

static uint8_t *put_signed(uint8_t *at, int64_t value)
{
    return put_int(at, (uint64_t)value << 1 ^ (uint64_t)(value >> 63));
}

static uint8_t *put_bytes(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

static uint8_t *put_float(uint8_t *at, double value)
{
    return put_bytes(at, &value, sizeof value);
}

static uint8_t *put_text(uint8_t *at, const char *text, uint32_t len)
{
    at = put_int(at, len);
    return put_bytes(at, text, len);
}

static uint8_t *put_key(uint8_t *at, const struct effect_key *key)
{
    *at++ = key->is_set;
    if (key->is_set) {
        at = put_bytes(at, &key->key, sizeof key->key);
        at = put_bytes(at, &key->content, sizeof key->content);
        for (int i = 0; i < KEY_FACTS_MAX; i++) {
            at = put_signed(at, key->facts[i]);
        }
    }
    return at;
}

static uint8_t *put_areas(uint8_t *at, const struct area *areas, uint32_t count)
{
    at = put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        *at++ = areas[i].is_out;
        at = put_text(at, areas[i].text, areas[i].len);
    }
    return at;
}

/* -- reading: sticky, so that a decoder asks once at its end -- */

struct source {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

static uint64_t get_int(struct source *source)
{
    uint64_t value = 0;
    for (uint32_t shift = 0; shift < 64; shift += 7) {
        if (source->at == source->end) {
            source->is_bad = true;
            return 0;
        }
        uint8_t byte = *source->at++;
        value |= (uint64_t)(byte & 0x7f) << shift;
        if (!(byte & 0x80)) {
            return value;
        }
    }
    source->is_bad = true;
    return 0;
}

/* An integer that must be at most max. */
static uint64_t get_max(struct source *source, uint64_t max)
{
    uint64_t value = get_int(source);
    if (value > max) {
        source->is_bad = true;
        return 0;
    }
    return value;
}

static int64_t get_signed(struct source *source)
{
    uint64_t value = get_int(source);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

static void get_bytes(struct source *source, void *out, size_t size)
{
    if ((size_t)(source->end - source->at) < size) {
        source->is_bad = true;
        memset(out, 0, size);
        return;
    }
    memcpy(out, source->at, size);
    source->at += size;
}

static uint8_t get_byte(struct source *source)
{
    uint8_t byte;
    get_bytes(source, &byte, 1);
    return byte;
}

static double get_float(struct source *source)
{
    double value;
    get_bytes(source, &value, sizeof value);
    return value;
}

static struct effect_text get_text(struct source *source, uint32_t max)
{
    uint32_t len = (uint32_t)get_max(source, max);
    struct effect_text text = {(const char *)source->at, len};
    if ((size_t)(source->end - source->at) < len) {
        source->is_bad = true;
        text.len = 0;
        return text;
    }
    source->at += len;
    return text;
}

/* Text into a buffer of max + 1 bytes, with NUL. */
static void get_string(struct source *source, char *out, uint32_t max)
{
    struct effect_text text = get_text(source, max);
    memcpy(out, text.at, text.len);
    out[text.len] = '\0';
}

static void get_key(struct source *source, struct effect_key *key)
{
    memset(key, 0, sizeof *key);
    key->is_set = get_byte(source) != 0;
    if (key->is_set) {
        get_bytes(source, &key->key, sizeof key->key);
        get_bytes(source, &key->content, sizeof key->content);
        for (int i = 0; i < KEY_FACTS_MAX; i++) {
            key->facts[i] = get_signed(source);
        }
    }
}

static uint32_t get_areas(struct source *source, struct area *areas, uint32_t max)
{
    uint32_t count = (uint32_t)get_max(source, max);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        memset(&areas[i], 0, sizeof areas[i]);
        areas[i].is_out = get_byte(source) != 0;
        struct effect_text text = get_text(source, AREA_TEXT_MAX);
        memcpy(areas[i].text, text.at, text.len);
        areas[i].len = (uint8_t)text.len;
    }
    return count;
}

static enum err finish(const struct source *source)
{
    return source->is_bad || source->at != source->end ? ERR_DAMAGED : ERR_OK;
}

/* -- flag -- */

uint32_t effect_flag_encode(uint8_t *out, const char *name, uint32_t len)
{
    return (uint32_t)(put_text(out, name, len) - out);
}

enum err effect_flag_decode(const uint8_t *bytes, uint32_t size, struct effect_text *out)
{
    struct source source = {bytes, bytes + size, false};
    *out = get_text(&source, ID_MAX);
    return finish(&source);
}

/* -- node -- */

uint32_t effect_node_size(const struct effect_node *effect)
{
    return 600 + effect->config.serves_count * (uint32_t)sizeof(struct area);
}

uint32_t effect_node_encode(uint8_t *out, const struct effect_node *effect)
{
    const struct node_config *config = &effect->config;
    uint8_t *at = put_text(out, effect->id.at, effect->id.len);
    *at++ = (uint8_t)config->type;
    at = put_float(at, config->lat);
    at = put_float(at, config->lon);
    at = put_text(at, config->name, (uint32_t)strlen(config->name));
    at = put_text(at, config->country, (uint32_t)strlen(config->country));
    at = put_text(at, config->postcode, (uint32_t)strlen(config->postcode));
    *at++ = config->services;
    *at++ = (uint8_t)config->status;
    *at++ = config->status_services;
    at = put_int(at, config->status_until);
    at = put_signed(at, config->priority);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        at = put_int(at, config->max_m[i]);
    }
    at = put_int(at, config->handling_cents);
    at = put_signed(at, config->safety_stock);
    at = put_int(at, config->bars);
    at = put_int(at, config->collect_hours);
    at = put_areas(at, config->serves, config->serves_count);
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_node_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                            struct effect_node *out)
{
    struct source source = {bytes, bytes + size, false};
    struct node_config *config = &out->config;
    memset(out, 0, sizeof *out);
    out->id = get_text(&source, ID_MAX);
    config->type = (enum node_type)get_max(&source, NODE_TYPE_COUNT - 1);
    config->lat = get_float(&source);
    config->lon = get_float(&source);
    get_string(&source, config->name, sizeof config->name - 1);
    get_string(&source, config->country, sizeof config->country - 1);
    get_string(&source, config->postcode, sizeof config->postcode - 1);
    config->services = get_byte(&source);
    config->status = (enum node_status)get_max(&source, NODE_STATUS_COUNT - 1);
    config->status_services = get_byte(&source);
    config->status_until = get_int(&source);
    config->priority = (int32_t)get_signed(&source);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        config->max_m[i] = (uint32_t)get_max(&source, UINT32_MAX);
    }
    config->handling_cents = (uint32_t)get_max(&source, UINT32_MAX);
    config->safety_stock = (int32_t)get_signed(&source);
    config->bars = get_int(&source);
    config->collect_hours = (uint32_t)get_max(&source, UINT32_MAX);
    config->serves_count = get_areas(&source, scratch->areas, NODE_AREAS_MAX);
    config->serves = scratch->areas;
    get_key(&source, &out->key);
    return finish(&source);
}

/* -- item -- */

uint32_t effect_item_size(const struct effect_item *effect)
{
    return 256 + effect->not_to_count * (uint32_t)sizeof(struct area);
}

uint32_t effect_item_encode(uint8_t *out, const struct effect_item *effect)
{
    uint8_t *at = put_text(out, effect->id.at, effect->id.len);
    at = put_int(at, effect->weight_g);
    at = put_int(at, effect->flags);
    at = put_areas(at, effect->not_to, effect->not_to_count);
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_item_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                            struct effect_item *out)
{
    struct source source = {bytes, bytes + size, false};
    out->id = get_text(&source, ID_MAX);
    out->weight_g = (uint32_t)get_max(&source, UINT32_MAX);
    out->flags = get_int(&source);
    out->not_to_count = get_areas(&source, scratch->areas, NODE_AREAS_MAX);
    out->not_to = scratch->areas;
    get_key(&source, &out->key);
    return finish(&source);
}

/* -- places -- */

uint32_t effect_places_size(const struct effect_places *effect)
{
    return 16 + effect->count * 34;
}

uint32_t effect_places_encode(uint8_t *out, const struct effect_places *effect)
{
    CHECK(effect->count <= EFFECT_PLACES_MAX);
    uint8_t *at = put_bytes(out, effect->country, 2);
    at = put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct effect_place *row = &effect->rows[i];
        at = put_text(at, row->postcode, (uint32_t)strlen(row->postcode));
        at = put_float(at, row->lat);
        at = put_float(at, row->lon);
    }
    return (uint32_t)(at - out);
}

enum err effect_places_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_places *out)
{
    struct source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    get_bytes(&source, out->country, 2);
    out->count = (uint32_t)get_max(&source, EFFECT_PLACES_MAX);
    out->rows = scratch->places;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        struct effect_place *row = &scratch->places[i];
        get_string(&source, row->postcode, sizeof row->postcode - 1);
        row->lat = get_float(&source);
        row->lon = get_float(&source);
    }
    return finish(&source);
}

/* -- stock -- */

uint32_t effect_stock_size(const struct effect_stock *effect)
{
    return 128 + effect->count * 10;
}

uint32_t effect_stock_encode(uint8_t *out, const struct effect_stock *effect)
{
    CHECK(effect->count <= EFFECT_STOCK_MAX);
    uint8_t *at = out;
    uint32_t before = 0;
    *at++ = effect->is_count;
    at = put_int(at, effect->node);
    at = put_int(at, effect->at_ms);
    at = put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        CHECK(effect->rows[i].item >= before);
        at = put_int(at, effect->rows[i].item - before);
        at = put_signed(at, effect->rows[i].value);
        before = effect->rows[i].item;
    }
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_stock_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                             struct effect_stock *out)
{
    struct source source = {bytes, bytes + size, false};
    uint64_t before = 0;
    out->is_count = get_byte(&source) != 0;
    out->node = (uint16_t)get_max(&source, NODE_MAX - 1);
    out->at_ms = get_int(&source);
    out->count = (uint32_t)get_max(&source, EFFECT_STOCK_MAX);
    out->rows = scratch->rows;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        before += get_max(&source, UINT32_MAX);
        source.is_bad = source.is_bad || before >= UINT32_MAX;
        scratch->rows[i].item = (uint32_t)before;
        scratch->rows[i].value = (int32_t)get_signed(&source);
    }
    get_key(&source, &out->key);
    return finish(&source);
}

/* -- policy -- */

uint32_t effect_policy_encode(uint8_t *out, const struct effect_policy *effect)
{
    uint8_t *at = put_int(out, effect->item);
    at = put_int(at, effect->node);
    *at++ = (uint8_t)((effect->has_safety ? 1 : 0) | (effect->is_unlisted ? 2 : 0));
    at = put_signed(at, effect->safety_stock);
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_policy_decode(const uint8_t *bytes, uint32_t size, struct effect_policy *out)
{
    struct source source = {bytes, bytes + size, false};
    out->item = (uint32_t)get_max(&source, UINT32_MAX);
    out->node = (uint16_t)get_max(&source, NODE_MAX - 1);
    uint8_t bits = get_byte(&source);
    out->has_safety = bits & 1;
    out->is_unlisted = (bits & 2) != 0;
    out->safety_stock = (int32_t)get_signed(&source);
    get_key(&source, &out->key);
    return finish(&source);
}

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
    at = put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        at = put_int(at, line->item);
        at = put_int(at, line->qty);
        if (!(bits & BIT_PLAIN)) {
            at = put_int(at, line->unfilled);
            at = put_text(at, line->line.at, line->line.len);
            *at++ = line->service;
            at = put_int(at, line->node);
        }
    }
    return at;
}

static uint8_t *put_parts(uint8_t *at, const struct effect_order *effect, uint8_t bits)
{
    if (!(bits & BIT_WHOLE)) {
        at = put_int(at, effect->splits);
        at = put_int(at, effect->part_count);
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const struct effect_part *part = &effect->parts[i];
        at = put_int(at, part->node);
        *at++ = (uint8_t)(part->way << 4 | part->service);
        at = put_int(at, part->metres);
        at = put_int(at, part->cost_cents);
    }
    if (bits & BIT_WHOLE) {
        return at;
    }
    at = put_int(at, effect->share_count);
    for (uint32_t i = 0; i < effect->share_count; i++) {
        at = put_int(at, effect->shares[i].part);
        at = put_int(at, effect->shares[i].line);
        at = put_int(at, effect->shares[i].qty);
    }
    return at;
}

uint32_t effect_order_encode(uint8_t *out, const struct effect_order *effect)
{
    uint8_t bits = order_bits(effect);
    uint8_t *at = put_text(out, effect->id.at, effect->id.len);
    *at++ = bits;
    *at++ = (uint8_t)(effect->status << 4 | effect->service);
    *at++ = effect->reason;
    at = put_bytes(at, &effect->content, sizeof effect->content);
    if (bits & BIT_DEST) {
        at = put_float(at, effect->lat);
        at = put_float(at, effect->lon);
    }
    if (bits & BIT_PLACE) {
        at = put_text(at, effect->country, (uint32_t)strlen(effect->country));
        at = put_text(at, effect->postcode.at, effect->postcode.len);
    }
    if (bits & BIT_LIMITS) {
        at = put_int(at, effect->max_splits);
        at = put_int(at, effect->max_m);
    }
    at = put_text(at, effect->ref.at, effect->ref.len);
    at = put_lines(at, effect, bits);
    at = put_parts(at, effect, bits);
    return (uint32_t)(at - out);
}

static void get_lines(struct source *source, struct effect_order *out, uint8_t bits,
                      struct effect_line *lines)
{
    out->line_count = (uint32_t)get_max(source, EFFECT_LINES_MAX);
    out->lines = lines;
    for (uint32_t i = 0; i < out->line_count && !source->is_bad; i++) {
        struct effect_line *line = &lines[i];
        memset(line, 0, sizeof *line);
        line->item = (uint32_t)get_max(source, UINT32_MAX);
        line->qty = (uint32_t)get_max(source, UINT32_MAX);
        line->service = out->service;
        line->node = NODE_NONE;
        if (!(bits & BIT_PLAIN)) {
            line->unfilled = (uint32_t)get_max(source, line->qty);
            line->line = get_text(source, ID_MAX);
            line->service = (uint8_t)get_max(source, SERVICE_COUNT - 1);
            line->node = (uint16_t)get_max(source, NODE_NONE);
        }
    }
}

static void get_parts(struct source *source, struct effect_order *out, uint8_t bits,
                      struct effect_scratch *scratch)
{
    bool is_one = (bits & BIT_WHOLE) != 0;
    out->splits = is_one ? 0 : (uint32_t)get_max(source, EFFECT_PARTS_MAX);
    out->part_count = is_one ? 1 : (uint32_t)get_max(source, EFFECT_PARTS_MAX);
    for (uint32_t i = 0; i < out->part_count && !source->is_bad; i++) {
        struct effect_part *part = &scratch->parts[i];
        part->node = (uint16_t)get_max(source, NODE_MAX - 1);
        uint8_t how = get_byte(source);
        part->way = how >> 4;
        part->service = how & 15;
        part->metres = (uint32_t)get_max(source, UINT32_MAX);
        part->cost_cents = (uint32_t)get_max(source, UINT32_MAX);
        source->is_bad = source->is_bad || part->way >= WAY_COUNT || part->service >= SERVICE_COUNT;
    }
    out->share_count = is_one ? out->line_count : (uint32_t)get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < out->share_count && !source->is_bad; i++) {
        struct effect_share *share = &scratch->shares[i];
        if (is_one) {
            *share = (struct effect_share){0, i, out->lines[i].qty};
            continue;
        }
        share->part = (uint32_t)get_max(source, out->part_count ? out->part_count - 1 : 0);
        share->line = (uint32_t)get_max(source, out->line_count ? out->line_count - 1 : 0);
        share->qty = (uint32_t)get_max(source, UINT32_MAX);
    }
    out->parts = scratch->parts;
    out->shares = scratch->shares;
}

enum err effect_order_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                             struct effect_order *out)
{
    struct source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    out->id = get_text(&source, ID_MAX);
    uint8_t bits = get_byte(&source);
    uint8_t how = get_byte(&source);
    out->reason = get_byte(&source);
    out->status = how >> 4;
    out->service = how & 15;
    out->is_optimal = (bits & BIT_OPTIMAL) != 0;
    out->has_dest = (bits & BIT_DEST) != 0;
    out->is_po_box = (bits & BIT_PO_BOX) != 0;
    out->allow_partial = (bits & BIT_PARTIAL) != 0;
    get_bytes(&source, &out->content, sizeof out->content);
    if (out->has_dest) {
        out->lat = get_float(&source);
        out->lon = get_float(&source);
    }
    if (bits & BIT_PLACE) {
        get_string(&source, out->country, sizeof out->country - 1);
        out->postcode = get_text(&source, ID_MAX);
    }
    out->max_splits = (bits & BIT_LIMITS) ? (uint32_t)get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->max_m = (bits & BIT_LIMITS) ? (uint32_t)get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->ref = get_text(&source, 127);
    get_lines(&source, out, bits, scratch->lines);
    get_parts(&source, out, bits, scratch);
    for (uint32_t i = 0; i < out->part_count && !source.is_bad; i++) {
        out->total_m += out->parts[i].metres;
    }
    if (out->service >= SERVICE_COUNT || out->status >= ORDER_STATUS_COUNT) {
        return ERR_DAMAGED;
    }
    return finish(&source);
}

/* -- cancel, fulfil -- */

static uint8_t *put_quantities(uint8_t *at, const struct effect_quantity *shares, uint32_t count)
{
    CHECK(count <= EFFECT_SHARES_MAX);
    at = put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_int(at, shares[i].share);
        at = put_int(at, shares[i].qty);
    }
    return at;
}

static uint32_t get_quantities(struct source *source, struct effect_quantity *shares)
{
    uint32_t count = (uint32_t)get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        shares[i].share = (uint32_t)get_max(source, EFFECT_SHARES_MAX - 1);
        shares[i].qty = (uint32_t)get_max(source, UINT32_MAX);
    }
    return count;
}

uint32_t effect_cancel_size(const struct effect_cancel *effect)
{
    return 192 + effect->count * 10;
}

uint32_t effect_cancel_encode(uint8_t *out, const struct effect_cancel *effect)
{
    uint8_t *at = put_text(out, effect->id.at, effect->id.len);
    at = put_quantities(at, effect->shares, effect->count);
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_cancel_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_cancel *out)
{
    struct source source = {bytes, bytes + size, false};
    out->id = get_text(&source, ID_MAX);
    out->count = get_quantities(&source, scratch->quantities);
    out->shares = scratch->quantities;
    get_key(&source, &out->key);
    return finish(&source);
}

uint32_t effect_fulfil_size(const struct effect_fulfil *effect)
{
    return 384 + effect->count * 10; /* id, tracking and key at their longest */
}

uint32_t effect_fulfil_encode(uint8_t *out, const struct effect_fulfil *effect)
{
    uint8_t *at = put_text(out, effect->id.at, effect->id.len);
    at = put_int(at, effect->part);
    *at++ = effect->state;
    at = put_int(at, effect->at_ms);
    at = put_int(at, effect->collect_by);
    at = put_text(at, effect->tracking.at, effect->tracking.len);
    at = put_quantities(at, effect->shares, effect->count);
    at = put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_fulfil_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_fulfil *out)
{
    struct source source = {bytes, bytes + size, false};
    out->id = get_text(&source, ID_MAX);
    out->part = (uint32_t)get_max(&source, EFFECT_PARTS_MAX - 1);
    out->state = (uint8_t)get_max(&source, STATE_COUNT - 1);
    out->at_ms = get_int(&source);
    out->collect_by = get_int(&source);
    out->tracking = get_text(&source, 127);
    out->count = get_quantities(&source, scratch->quantities);
    out->shares = scratch->quantities;
    get_key(&source, &out->key);
    return finish(&source);
}

/* -- drop -- */

uint32_t effect_drop_encode(uint8_t *out, const struct effect_drop *effect)
{
    return (uint32_t)(put_int(put_int(out, effect->orders), effect->keys) - out);
}

enum err effect_drop_decode(const uint8_t *bytes, uint32_t size, struct effect_drop *out)
{
    struct source source = {bytes, bytes + size, false};
    out->orders = get_int(&source);
    out->keys = get_int(&source);
    return finish(&source);
}
