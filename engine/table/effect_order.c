/* Encoders and decoders of the records of orders and their life. */
#include <string.h>

#include "check.h"
#include "effect_bytes_internal.h"
#include "strategy.h"
#include "told.h"

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
    return 464 + effect->line_count * 112 + effect->part_count * 44 + effect->share_count * 16 +
           (effect->include_count + effect->exclude_count) * 3;
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

uint8_t *line_put(uint8_t *at, const struct effect_line *line)
{
    at = bytes_put_int(at, line->item);
    at = bytes_put_int(at, line->qty);
    at = bytes_put_int(at, line->unfilled);
    at = bytes_put_text(at, line->line.at, line->line.len);
    *at++ = line->service;
    return bytes_put_int(at, line->node);
}

static uint8_t *put_lines(uint8_t *at, const struct effect_order *effect, uint8_t bits)
{
    at = bytes_put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *line = &effect->lines[i];
        if (bits & BIT_PLAIN) {
            at = bytes_put_int(at, line->item);
            at = bytes_put_int(at, line->qty);
        } else {
            at = line_put(at, line);
        }
    }
    return at;
}

static uint8_t *put_part(uint8_t *at, const struct effect_part *part)
{
    at = bytes_put_int(at, part->node);
    *at++ = (uint8_t)(part->way << 4 | part->service);
    at = bytes_put_int(at, part->metres);
    return bytes_put_int(at, part->cost_cents);
}

bool parts_have_dates(const struct effect_part *parts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        if (parts[i].dates.ship_by_min || parts[i].dates.slot) {
            return true;
        }
    }
    return false;
}

/* Dates rise from ship_by on. */
uint8_t *dates_put(uint8_t *at, const struct effect_part *parts, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const struct order_dates *dates = &parts[i].dates;
        at = bytes_put_int(at, dates->ship_by_min);
        at = bytes_put_int(at, dates->from_min - dates->ship_by_min);
        at = bytes_put_int(at, dates->by_min - dates->from_min);
        at = bytes_put_int(at, dates->slot);
    }
    return at;
}

void dates_get(struct bytes_source *source, struct effect_part *parts, uint32_t count)
{
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        struct order_dates *dates = &parts[i].dates;
        dates->ship_by_min = (uint32_t)bytes_get_max(source, UINT32_MAX);
        dates->from_min =
            dates->ship_by_min + (uint32_t)bytes_get_max(source, UINT32_MAX - dates->ship_by_min);
        dates->by_min =
            dates->from_min + (uint32_t)bytes_get_max(source, UINT32_MAX - dates->from_min);
        dates->slot = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
}

uint8_t *parts_put(uint8_t *at, const struct effect_part *parts, uint32_t count)
{
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = put_part(at, &parts[i]);
    }
    return at;
}

uint8_t *shares_put(uint8_t *at, const struct effect_share *shares, uint32_t count)
{
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = bytes_put_int(at, shares[i].part);
        at = bytes_put_int(at, shares[i].line);
        at = bytes_put_int(at, shares[i].qty);
    }
    return at;
}

static uint8_t *put_parts(uint8_t *at, const struct effect_order *effect, uint8_t bits)
{
    if (bits & BIT_WHOLE) {
        return put_part(at, &effect->parts[0]);
    }
    at = bytes_put_int(at, effect->splits);
    at = parts_put(at, effect->parts, effect->part_count);
    return shares_put(at, effect->shares, effect->share_count);
}

uint8_t *place_put(uint8_t *at, const char *country, const struct effect_text *postcode)
{
    at = bytes_put_text(at, country, (uint32_t)strlen(country));
    return bytes_put_text(at, postcode->at, postcode->len);
}

/* Behind the parts: fields that came later, each with its number, where they have a value. */
enum tail {
    TAIL_INCLUDE = 1,
    TAIL_EXCLUDE,
    TAIL_BACKORDER,
    TAIL_DATES,
    TAIL_ASKED,
    TAIL_SOLD_AT = 20,
    TAIL_CHANNEL = 30,
    TAIL_STRATEGY,
    TAIL_KITS
};

static uint8_t *put_nodes(uint8_t *at, enum tail tail, const uint16_t *nodes, uint32_t count)
{
    if (count > 0) {
        *at++ = (uint8_t)tail;
        at = bytes_put_int(at, count);
    }
    for (uint32_t i = 0; i < count; i++) {
        at = bytes_put_int(at, nodes[i]);
    }
    return at;
}

/* The units owed of each line. */
static uint8_t *put_backorder(uint8_t *at, const struct effect_order *effect)
{
    *at++ = TAIL_BACKORDER;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        at = bytes_put_int(at, effect->owed[i]);
    }
    return at;
}

/* Lines that are components: count, [line minus the one before, kit + 1, units in one, first]. */
static uint8_t *put_kits(uint8_t *at, const struct effect_order *effect)
{
    uint32_t count = 0;
    uint32_t before = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        count += effect->lines[i].kit.item != 0;
    }
    if (count == 0) {
        return at;
    }
    *at++ = TAIL_KITS;
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct order_kit *kit = &effect->lines[i].kit;
        if (kit->item) {
            at = bytes_put_int(at, i - before);
            at = bytes_put_int(at, kit->item);
            at = bytes_put_int(at, kit->per);
            at = bytes_put_int(at, i - kit->first);
            before = i;
        }
    }
    return at;
}

static void get_kits(struct bytes_source *source, const struct effect_order *out,
                     struct effect_line *lines)
{
    uint32_t count = (uint32_t)bytes_get_max(source, out->line_count);
    uint32_t line = 0;
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        line += (uint32_t)bytes_get_max(source, UINT16_MAX);
        struct order_kit kit = {.item = (uint32_t)bytes_get_max(source, UINT32_MAX)};
        kit.per = (uint32_t)bytes_get_max(source, KIT_UNITS_MAX);
        kit.first = line - (uint32_t)bytes_get_max(source, KIT_PARTS_MAX - 1);
        if (line >= out->line_count || kit.item == 0 || kit.per == 0 || kit.first > line ||
            lines[line].line.len == 0) {
            source->is_bad = true;
        } else {
            lines[line].kit = kit;
        }
    }
}

static uint8_t *put_tails(uint8_t *at, const struct effect_order *effect)
{
    at = put_nodes(at, TAIL_INCLUDE, effect->include, effect->include_count);
    at = put_nodes(at, TAIL_EXCLUDE, effect->exclude, effect->exclude_count);
    if (effect->sold_at) {
        *at++ = TAIL_SOLD_AT;
        at = bytes_put_int(at, effect->sold_at);
    }
    if (effect->channel.len) {
        *at++ = TAIL_CHANNEL;
        at = bytes_put_text(at, effect->channel.at, effect->channel.len);
    }
    at = put_kits(at, effect);
    at = effect->is_backorder ? put_backorder(at, effect) : at;
    if (parts_have_dates(effect->parts, effect->part_count)) {
        *at++ = TAIL_DATES;
        at = dates_put(at, effect->parts, effect->part_count);
    }
    if (effect->required_by_ms || effect->deliver_after_ms) {
        *at++ = TAIL_ASKED;
        at = bytes_put_int(at, effect->required_by_ms);
        at = bytes_put_int(at, effect->deliver_after_ms);
    }
    if (effect->strategy) {
        *at++ = TAIL_STRATEGY;
        at = bytes_put_int(at, effect->strategy);
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
        at = place_put(at, effect->country, &effect->postcode);
    }
    if (bits & BIT_LIMITS) {
        at = bytes_put_int(at, effect->max_splits);
        at = bytes_put_int(at, effect->max_m);
    }
    at = bytes_put_text(at, effect->ref.at, effect->ref.len);
    at = put_lines(at, effect, bits);
    at = put_parts(at, effect, bits);
    at = put_tails(at, effect);
    return (uint32_t)(at - out);
}

void line_get(struct bytes_source *source, struct effect_line *line)
{
    memset(line, 0, sizeof *line);
    line->item = (uint32_t)bytes_get_max(source, UINT32_MAX);
    line->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    line->unfilled = (uint32_t)bytes_get_max(source, line->qty);
    line->line = bytes_get_text(source, ID_MAX);
    line->service = (uint8_t)bytes_get_max(source, SERVICE_COUNT - 1);
    line->node = (uint16_t)bytes_get_max(source, NODE_NONE);
}

static void get_lines(struct bytes_source *source, struct effect_order *out, uint8_t bits,
                      struct effect_line *lines)
{
    out->line_count = (uint32_t)bytes_get_max(source, EFFECT_LINES_MAX);
    out->lines = lines;
    for (uint32_t i = 0; i < out->line_count && !source->is_bad; i++) {
        struct effect_line *line = &lines[i];
        if (!(bits & BIT_PLAIN)) {
            line_get(source, line);
            continue;
        }
        memset(line, 0, sizeof *line);
        line->item = (uint32_t)bytes_get_max(source, UINT32_MAX);
        line->qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
        line->service = out->service;
        line->node = NODE_NONE;
    }
}

static void get_part(struct bytes_source *source, struct effect_part *part)
{
    part->node = (uint16_t)bytes_get_max(source, NODE_MAX - 1);
    uint8_t how = bytes_get_byte(source);
    part->way = how >> 4;
    part->service = how & 15;
    part->metres = (uint32_t)bytes_get_max(source, UINT32_MAX);
    part->cost_cents = (uint32_t)bytes_get_max(source, UINT32_MAX);
    part->dates = (struct order_dates){0, 0, 0, 0};
    source->is_bad = source->is_bad || part->way >= WAY_COUNT || part->service >= SERVICE_COUNT;
}

uint32_t parts_get(struct bytes_source *source, struct effect_part *parts, uint32_t max)
{
    uint32_t count = (uint32_t)bytes_get_max(source, max);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        get_part(source, &parts[i]);
    }
    return count;
}

uint32_t shares_get(struct bytes_source *source, struct effect_share *shares, uint32_t part_max,
                    uint32_t line_max)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        shares[i].part = (uint32_t)bytes_get_max(source, part_max);
        shares[i].line = (uint32_t)bytes_get_max(source, line_max);
        shares[i].qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    return count;
}

static void get_whole(struct bytes_source *source, struct effect_order *out,
                      struct effect_scratch *scratch)
{
    out->splits = 0;
    out->part_count = 1;
    get_part(source, &scratch->parts[0]);
    out->share_count = out->line_count;
    for (uint32_t i = 0; i < out->share_count; i++) {
        scratch->shares[i] = (struct effect_share){0, i, out->lines[i].qty};
    }
}

static void get_parts(struct bytes_source *source, struct effect_order *out, uint8_t bits,
                      struct effect_scratch *scratch)
{
    out->parts = scratch->parts;
    out->shares = scratch->shares;
    if (bits & BIT_WHOLE) {
        get_whole(source, out, scratch);
        return;
    }
    out->splits = (uint32_t)bytes_get_max(source, EFFECT_PARTS_MAX);
    out->part_count = parts_get(source, scratch->parts, EFFECT_PARTS_MAX);
    out->share_count =
        shares_get(source, scratch->shares, out->part_count ? out->part_count - 1 : 0,
                   out->line_count ? out->line_count - 1 : 0);
}

void place_get(struct bytes_source *source, char country[3], struct effect_text *postcode)
{
    bytes_get_string(source, country, 2);
    *postcode = bytes_get_text(source, ID_MAX);
}

static uint32_t get_nodes(struct bytes_source *source, uint16_t *nodes)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_NODES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        nodes[i] = (uint16_t)bytes_get_max(source, NODE_MAX - 1);
    }
    return count;
}

static void get_tails(struct bytes_source *source, struct effect_order *out,
                      struct effect_scratch *scratch)
{
    out->include = scratch->include;
    out->exclude = scratch->exclude;
    while (!source->is_bad && source->at < source->end) {
        switch (bytes_get_byte(source)) {
        case TAIL_INCLUDE:
            out->include_count = get_nodes(source, scratch->include);
            break;
        case TAIL_EXCLUDE:
            out->exclude_count = get_nodes(source, scratch->exclude);
            break;
        case TAIL_BACKORDER:
            out->is_backorder = true;
            out->owed = scratch->owed_units;
            for (uint32_t i = 0; i < out->line_count; i++) {
                const struct effect_line *line = &out->lines[i];
                scratch->owed_units[i] =
                    (uint32_t)bytes_get_max(source, line->qty - line->unfilled);
            }
            break;
        case TAIL_DATES:
            dates_get(source, scratch->parts, out->part_count);
            break;
        case TAIL_SOLD_AT:
            out->sold_at = (uint16_t)bytes_get_max(source, NODE_MAX);
            break;
        case TAIL_KITS:
            get_kits(source, out, scratch->lines);
            break;
        case TAIL_CHANNEL:
            out->channel = bytes_get_text(source, ID_MAX);
            break;
        case TAIL_ASKED:
            out->required_by_ms = bytes_get_int(source);
            out->deliver_after_ms = bytes_get_int(source);
            break;
        case TAIL_STRATEGY:
            out->strategy = (uint16_t)bytes_get_max(source, STRATEGY_VERSIONS_MAX);
            break;
        default:
            source->is_bad = true;
        }
    }
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
        out->lat = bytes_get_degrees(&source, 90.0);
        out->lon = bytes_get_degrees(&source, 180.0);
    }
    if (bits & BIT_PLACE) {
        place_get(&source, out->country, &out->postcode);
    }
    bool has_limits = (bits & BIT_LIMITS) != 0;
    out->max_splits = has_limits ? (uint32_t)bytes_get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->max_m = has_limits ? (uint32_t)bytes_get_max(&source, UINT32_MAX) : UINT32_MAX;
    out->ref = bytes_get_text(&source, 127);
    get_lines(&source, out, bits, scratch->lines);
    get_parts(&source, out, bits, scratch);
    get_tails(&source, out, scratch);
    for (uint32_t i = 0; i < out->part_count && !source.is_bad; i++) {
        out->total_m += out->parts[i].metres;
    }
    if (out->service >= SERVICE_COUNT || out->status >= ORDER_STATUS_COUNT) {
        return ERR_DAMAGED;
    }
    return bytes_finish(&source);
}

bool effect_order_peek(const uint8_t *bytes, uint32_t size, bool is_order,
                       struct effect_order_peek *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->count = 0;
    if (!is_order || source.is_bad) {
        return !source.is_bad;
    }
    const uint8_t bits = bytes_get_byte(&source);
    const size_t fixed = 2 + sizeof(uint64_t) + (bits & BIT_DEST ? 2 * sizeof(double) : 0);
    if (!(bits & BIT_PLAIN) || !(bits & BIT_WHOLE) || (size_t)(source.end - source.at) < fixed) {
        return true;
    }
    source.at += fixed;
    if (bits & BIT_PLACE) {
        (void)bytes_get_text(&source, 2);
        (void)bytes_get_text(&source, ID_MAX);
    }
    if (bits & BIT_LIMITS) {
        (void)bytes_get_int(&source);
        (void)bytes_get_int(&source);
    }
    (void)bytes_get_text(&source, 127);
    const uint32_t count = (uint32_t)bytes_get_max(&source, EFFECT_LINES_MAX);
    for (uint32_t i = 0; i < count && !source.is_bad; i++) {
        const uint32_t item = (uint32_t)bytes_get_max(&source, UINT32_MAX);
        (void)bytes_get_int(&source);
        if (out->count < EFFECT_PEEK_MAX) {
            out->items[out->count++] = item;
        }
    }
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    out->count = source.is_bad ? 0 : out->count;
    return true;
}

/* -- cancel, fulfil -- */

uint8_t *quantities_put(uint8_t *at, const struct effect_quantity *list, uint32_t count)
{
    CHECK(count <= EFFECT_SHARES_MAX);
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        at = bytes_put_int(at, list[i].share);
        at = bytes_put_int(at, list[i].qty);
    }
    return at;
}

uint32_t quantities_get(struct bytes_source *source, struct effect_quantity *list)
{
    uint32_t count = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        list[i].share = (uint32_t)bytes_get_max(source, EFFECT_SHARES_MAX - 1);
        list[i].qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    return count;
}

uint32_t effect_cancel_size(const struct effect_cancel *effect)
{
    const uint32_t told = effect->row ? TOLD_FIXED_MAX + effect->count * TOLD_UNIT_MAX +
                                            effect->owed_count * TOLD_LINE_MAX
                                      : 0;
    return 192 + (effect->count + effect->owed_count) * 10 + told;
}

uint32_t effect_cancel_encode(uint8_t *out, const struct effect_cancel *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    at = quantities_put(at, effect->shares, effect->count);
    at = bytes_put_key(at, &effect->key);
    if (effect->owed_count > 0 || effect->row) {
        at = quantities_put(at, effect->owed, effect->owed_count);
    }
    at = effect->row ? told_put_cancel(at, effect) : at;
    return (uint32_t)(at - out);
}

enum err effect_cancel_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_cancel *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->order = 0;
    out->row = NULL;
    out->count = quantities_get(&source, scratch->quantities);
    out->shares = scratch->quantities;
    bytes_get_key(&source, &out->key);
    out->owed_count = source.at < source.end ? quantities_get(&source, scratch->more) : 0;
    out->owed = scratch->more;
    out->told = bytes_get_rest(&source);
    return bytes_finish(&source);
}

/* Behind the key, where there is any; the oldest records end there. */
enum { FULFIL_AWAITED = 1, FULFIL_TOLD = 2 };

uint32_t effect_fulfil_size(const struct effect_fulfil *effect)
{
    const uint32_t told = effect->row ? TOLD_FIXED_MAX + effect->count * TOLD_LINE_MAX : 0;
    return 384 + effect->count * 10 + told; /* id, tracking and key at their longest */
}

uint32_t effect_fulfil_encode(uint8_t *out, const struct effect_fulfil *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    at = bytes_put_int(at, effect->part);
    *at++ = effect->state;
    at = bytes_put_int(at, effect->at_ms);
    at = bytes_put_int(at, effect->collect_by);
    at = bytes_put_text(at, effect->tracking.at, effect->tracking.len);
    at = quantities_put(at, effect->shares, effect->count);
    at = bytes_put_key(at, &effect->key);
    if (effect->is_awaited || effect->row) {
        *at++ = (uint8_t)((effect->is_awaited ? FULFIL_AWAITED : 0) |
                          (effect->row ? FULFIL_TOLD : 0));
    }
    at = effect->row ? told_put_fulfil(at, effect) : at;
    return (uint32_t)(at - out);
}

enum err effect_fulfil_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_fulfil *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->order = 0;
    out->row = NULL;
    out->part = (uint32_t)bytes_get_max(&source, EFFECT_PARTS_MAX - 1);
    out->state = (uint8_t)bytes_get_max(&source, STATE_COUNT - 1);
    out->at_ms = bytes_get_int(&source);
    out->collect_by = bytes_get_int(&source);
    out->tracking = bytes_get_text(&source, 127);
    out->count = quantities_get(&source, scratch->quantities);
    out->shares = scratch->quantities;
    bytes_get_key(&source, &out->key);
    const bool has_bits = source.at < source.end;
    const uint8_t bits = has_bits ? bytes_get_byte(&source) : 0;
    out->is_awaited = (bits & FULFIL_AWAITED) != 0;
    out->told = bits & FULFIL_TOLD ? bytes_get_rest(&source) : (struct effect_text){"", 0};
    source.is_bad = source.is_bad || (has_bits && bits == 0) ||
                    bits > (FULFIL_AWAITED | FULFIL_TOLD) ||
                    (bits & FULFIL_TOLD && out->told.len == 0);
    return bytes_finish(&source);
}
