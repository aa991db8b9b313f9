/* Encoders and decoders of the log's records but those of orders, which are in effect_order.c.
 * Each pair reads top to bottom in the same order. */
#include "effect.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "effect_bytes_internal.h"

enum err effect_scratch_new(struct effect_scratch **out)
{
    *out = malloc(sizeof **out);
    return *out ? ERR_OK : ERR_NOMEM;
}

uint64_t effect_scratch_memory(void)
{
    return sizeof(struct effect_scratch);
}

void effect_scratch_free(struct effect_scratch *scratch)
{
    free(scratch);
}

/* -- areas -- */

static uint8_t *put_areas(uint8_t *at, const struct area *areas, uint32_t count)
{
    at = bytes_put_int(at, count);
    for (uint32_t i = 0; i < count; i++) {
        *at++ = areas[i].is_out;
        at = bytes_put_text(at, areas[i].text, areas[i].len);
    }
    return at;
}

static uint32_t get_areas(struct bytes_source *source, struct area *areas, uint32_t max)
{
    uint32_t count = (uint32_t)bytes_get_max(source, max);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        memset(&areas[i], 0, sizeof areas[i]);
        areas[i].is_out = bytes_get_byte(source) != 0;
        struct effect_text text = bytes_get_text(source, AREA_TEXT_MAX);
        memcpy(areas[i].text, text.at, text.len);
        areas[i].len = (uint8_t)text.len;
    }
    return count;
}

/* Below zero it would make free what is not there; the hint of a row counts on it. */
static int32_t get_safety(struct bytes_source *source)
{
    int64_t value = bytes_get_signed(source);
    source->is_bad = source->is_bad || value < 0 || value > INT32_MAX;
    return source->is_bad ? 0 : (int32_t)value;
}

/* -- flag -- */

uint32_t effect_flag_encode(uint8_t *out, const char *name, uint32_t len)
{
    return (uint32_t)(bytes_put_text(out, name, len) - out);
}

enum err effect_flag_decode(const uint8_t *bytes, uint32_t size, struct effect_text *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    *out = bytes_get_text(&source, ID_MAX);
    return bytes_finish(&source);
}

/* -- node -- */

/* Services of the first version of the record; the reach of later ones follows the key, with
 * their count, where one is set: so a record written before there was a service is still read, and
 * a node that makes no use of it keeps its digest. */
static const int node_services_first = SERVICE_PICKUP + 1;

enum { NODE_COUNTS_CLOSING = 64 }; /* beside the count, which may be 0 then */

static uint8_t *put_later(uint8_t *at, const struct effect_node *effect)
{
    const struct node_config *config = &effect->config;
    const uint64_t bits = effect->counts_closing ? NODE_COUNTS_CLOSING : 0;
    int last = (int)SERVICE_COUNT - 1;
    while (last >= node_services_first && config->max_m[last] == UINT32_MAX) {
        last--;
    }
    if (last >= node_services_first || bits) {
        at = bytes_put_int(at, bits | (uint64_t)(last + 1 - node_services_first));
    }
    for (int i = node_services_first; i <= last; i++) {
        at = bytes_put_int(at, config->max_m[i]);
    }
    return at;
}

static void get_later(struct bytes_source *source, struct effect_node *out)
{
    struct node_config *config = &out->config;
    bool is_told = !source->is_bad && source->at < source->end;
    uint64_t later = (uint64_t)((int)SERVICE_COUNT - node_services_first);
    uint64_t told = is_told ? bytes_get_max(source, later | NODE_COUNTS_CLOSING) : 0;
    int count = (int)(told & ~(uint64_t)NODE_COUNTS_CLOSING);
    out->counts_closing = (told & NODE_COUNTS_CLOSING) != 0;
    source->is_bad = source->is_bad || (is_told && told == 0) || (uint64_t)count > later;
    for (int i = node_services_first; i < SERVICE_COUNT; i++) {
        bool is_there = i - node_services_first < count;
        config->max_m[i] = is_there ? (uint32_t)bytes_get_max(source, UINT32_MAX) : UINT32_MAX;
    }
}

uint32_t effect_node_size(const struct effect_node *effect)
{
    return 600 + effect->config.serves_count * (uint32_t)sizeof(struct area);
}

uint32_t effect_node_encode(uint8_t *out, const struct effect_node *effect)
{
    const struct node_config *config = &effect->config;
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    *at++ = (uint8_t)config->type;
    at = bytes_put_float(at, config->lat);
    at = bytes_put_float(at, config->lon);
    at = bytes_put_text(at, config->name, (uint32_t)strlen(config->name));
    at = bytes_put_text(at, config->country, (uint32_t)strlen(config->country));
    at = bytes_put_text(at, config->postcode, (uint32_t)strlen(config->postcode));
    *at++ = config->services;
    *at++ = (uint8_t)config->status;
    *at++ = config->status_services;
    at = bytes_put_int(at, config->status_until);
    at = bytes_put_signed(at, config->priority);
    for (int i = 0; i < node_services_first; i++) {
        at = bytes_put_int(at, config->max_m[i]);
    }
    at = bytes_put_int(at, config->handling_cents);
    at = bytes_put_signed(at, config->safety_stock);
    at = bytes_put_int(at, config->bars);
    at = bytes_put_int(at, config->collect_hours);
    at = put_areas(at, config->serves, config->serves_count);
    at = bytes_put_key(at, &effect->key);
    at = put_later(at, effect);
    return (uint32_t)(at - out);
}

enum err effect_node_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                            struct effect_node *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    struct node_config *config = &out->config;
    memset(out, 0, sizeof *out);
    out->id = bytes_get_text(&source, ID_MAX);
    config->type = (enum node_type)bytes_get_max(&source, NODE_TYPE_COUNT - 1);
    config->lat = bytes_get_degrees(&source, 90.0);
    config->lon = bytes_get_degrees(&source, 180.0);
    bytes_get_string(&source, config->name, sizeof config->name - 1);
    bytes_get_string(&source, config->country, sizeof config->country - 1);
    bytes_get_string(&source, config->postcode, sizeof config->postcode - 1);
    config->services = bytes_get_byte(&source);
    config->status = (enum node_status)bytes_get_max(&source, NODE_STATUS_COUNT - 1);
    config->status_services = bytes_get_byte(&source);
    config->status_until = bytes_get_int(&source);
    config->priority = (int32_t)bytes_get_signed(&source);
    for (int i = 0; i < node_services_first; i++) {
        config->max_m[i] = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    }
    config->handling_cents = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    config->safety_stock = get_safety(&source);
    config->bars = bytes_get_int(&source);
    config->collect_hours = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    config->serves_count = get_areas(&source, scratch->areas, NODE_AREAS_MAX);
    config->serves = scratch->areas;
    bytes_get_key(&source, &out->key);
    get_later(&source, out);
    return bytes_finish(&source);
}

/* -- item -- */

uint32_t effect_item_size(const struct effect_item *effect)
{
    return 256 + effect->not_to_count * (uint32_t)sizeof(struct area) + effect->part_count * 8;
}

uint32_t effect_item_encode(uint8_t *out, const struct effect_item *effect)
{
    uint8_t *at = bytes_put_text(out, effect->id.at, effect->id.len);
    at = bytes_put_int(at, effect->weight_g);
    at = bytes_put_int(at, effect->flags);
    at = put_areas(at, effect->not_to, effect->not_to_count);
    at = bytes_put_key(at, &effect->key);
    if (effect->part_count > 0) {
        at = bytes_put_int(at, effect->part_count);
    }
    for (uint32_t i = 0; i < effect->part_count; i++) {
        at = bytes_put_int(at, effect->parts[i].item);
        at = bytes_put_int(at, effect->parts[i].qty);
    }
    return (uint32_t)(at - out);
}

/* Behind the key, where the item is a kit. */
static void get_components(struct bytes_source *source, struct effect_item *out)
{
    out->part_count = 0;
    if (source->is_bad || source->at == source->end) {
        return;
    }
    out->part_count = (uint32_t)bytes_get_max(source, KIT_PARTS_MAX);
    for (uint32_t i = 0; i < out->part_count && !source->is_bad; i++) {
        out->parts[i].item = (uint32_t)bytes_get_max(source, UINT32_MAX);
        out->parts[i].qty = (uint32_t)bytes_get_max(source, KIT_UNITS_MAX);
        source->is_bad = source->is_bad || out->parts[i].qty == 0;
    }
}

enum err effect_item_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                            struct effect_item *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->id = bytes_get_text(&source, ID_MAX);
    out->weight_g = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->flags = bytes_get_int(&source);
    out->not_to_count = get_areas(&source, scratch->areas, NODE_AREAS_MAX);
    out->not_to = scratch->areas;
    bytes_get_key(&source, &out->key);
    get_components(&source, out);
    return bytes_finish(&source);
}

/* -- places -- */

uint32_t effect_places_size(const struct effect_places *effect)
{
    return 16 + effect->count * 34;
}

uint32_t effect_places_encode(uint8_t *out, const struct effect_places *effect)
{
    CHECK(effect->count <= EFFECT_PLACES_MAX);
    uint8_t *at = bytes_put_bytes(out, effect->country, 2);
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct effect_place *row = &effect->rows[i];
        at = bytes_put_text(at, row->postcode, (uint32_t)strlen(row->postcode));
        at = bytes_put_float(at, row->lat);
        at = bytes_put_float(at, row->lon);
    }
    return (uint32_t)(at - out);
}

enum err effect_places_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                              struct effect_places *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    bytes_get_bytes(&source, out->country, 2);
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_PLACES_MAX);
    out->rows = scratch->places;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        struct effect_place *row = &scratch->places[i];
        bytes_get_string(&source, row->postcode, sizeof row->postcode - 1);
        row->lat = bytes_get_degrees(&source, 90.0);
        row->lon = bytes_get_degrees(&source, 180.0);
    }
    return bytes_finish(&source);
}

/* -- stock -- */

uint32_t effect_stock_size(const struct effect_stock *effect)
{
    return 128 + effect->count * 10 + effect->span_count * 10;
}

/* They came later than the other fields: a tail where there are some. */
static uint8_t *put_spans(uint8_t *at, const struct effect_stock *effect)
{
    uint32_t before = 0;
    CHECK(effect->span_count <= EFFECT_STOCK_MAX);
    CHECK(effect->is_count || effect->span_count == 0);
    if (effect->span_count > 0) {
        at = bytes_put_int(at, effect->span_count);
    }
    for (uint32_t i = 0; i < effect->span_count; i++) {
        const struct effect_span *span = &effect->spans[i];
        CHECK(i == 0 || span->first > before);
        CHECK(span->last >= span->first);
        at = bytes_put_int(at, span->first - before);
        at = bytes_put_int(at, span->last - span->first);
        before = span->last;
    }
    return at;
}

static void get_spans(struct bytes_source *source, struct effect_span *spans,
                      struct effect_stock *out)
{
    uint64_t before = 0;
    out->spans = spans;
    out->span_count = 0;
    if (source->at == source->end) {
        return;
    }
    out->span_count = (uint32_t)bytes_get_max(source, EFFECT_STOCK_MAX);
    source->is_bad = source->is_bad || !out->is_count || out->span_count == 0;
    for (uint32_t i = 0; i < out->span_count && !source->is_bad; i++) {
        const uint64_t first = before + bytes_get_max(source, UINT32_MAX);
        const uint64_t last = first + bytes_get_max(source, UINT32_MAX);
        source->is_bad = source->is_bad || last >= UINT32_MAX || (i > 0 && first == before);
        spans[i] = (struct effect_span){(uint32_t)first, (uint32_t)last};
        before = last;
    }
}

uint32_t effect_stock_encode(uint8_t *out, const struct effect_stock *effect)
{
    CHECK(effect->count <= EFFECT_STOCK_MAX);
    uint8_t *at = out;
    uint32_t before = 0;
    *at++ = effect->is_count;
    at = bytes_put_int(at, effect->node);
    at = bytes_put_int(at, effect->at_ms);
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        CHECK(effect->rows[i].item >= before);
        at = bytes_put_int(at, effect->rows[i].item - before);
        at = bytes_put_signed(at, effect->rows[i].value);
        before = effect->rows[i].item;
    }
    at = bytes_put_key(at, &effect->key);
    at = put_spans(at, effect);
    return (uint32_t)(at - out);
}

enum err effect_stock_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                             struct effect_stock *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    uint64_t before = 0;
    out->is_count = bytes_get_byte(&source) != 0;
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    out->at_ms = bytes_get_int(&source);
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_STOCK_MAX);
    out->rows = scratch->rows;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        before += bytes_get_max(&source, UINT32_MAX);
        source.is_bad = source.is_bad || before >= UINT32_MAX;
        scratch->rows[i].item = (uint32_t)before;
        scratch->rows[i].value = (int32_t)bytes_get_signed(&source);
    }
    bytes_get_key(&source, &out->key);
    get_spans(&source, scratch->spans, out);
    return bytes_finish(&source);
}

/* -- policy -- */

uint32_t effect_policy_size(const struct effect_policy *effect)
{
    return EFFECT_SMALL_MAX + effect->quota_count * (ID_MAX + 8);
}

static uint8_t *put_quotas(uint8_t *at, const struct effect_policy *effect)
{
    at = bytes_put_int(at, effect->quota_count);
    for (uint32_t i = 0; i < effect->quota_count; i++) {
        at = bytes_put_text(at, effect->quotas[i].channel.at, effect->quotas[i].channel.len);
        at = bytes_put_int(at, effect->quotas[i].qty);
    }
    return at;
}

uint32_t effect_policy_encode(uint8_t *out, const struct effect_policy *effect)
{
    uint8_t *at = bytes_put_int(out, effect->item);
    at = bytes_put_int(at, effect->node);
    *at++ = (uint8_t)((effect->has_safety ? 1 : 0) | (effect->is_unlisted ? 2 : 0));
    at = bytes_put_signed(at, effect->safety_stock);
    at = bytes_put_key(at, &effect->key);
    at = effect->has_quotas ? put_quotas(at, effect) : at;
    return (uint32_t)(at - out);
}

static void get_quotas(struct bytes_source *source, struct effect_policy *out)
{
    out->quota_count = (uint32_t)bytes_get_max(source, QUOTAS_EACH_MAX);
    for (uint32_t i = 0; i < out->quota_count && !source->is_bad; i++) {
        out->quotas[i].channel = bytes_get_text(source, ID_MAX);
        out->quotas[i].qty = (uint32_t)bytes_get_max(source, UINT32_MAX);
        source->is_bad = source->is_bad || out->quotas[i].channel.len == 0;
    }
}

enum err effect_policy_decode(const uint8_t *bytes, uint32_t size, struct effect_policy *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->item = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    uint8_t bits = bytes_get_byte(&source);
    out->has_safety = bits & 1;
    out->is_unlisted = (bits & 2) != 0;
    out->safety_stock = get_safety(&source);
    bytes_get_key(&source, &out->key);
    out->has_quotas = !source.is_bad && source.at < source.end; /* older records have none */
    out->quota_count = 0;
    if (out->has_quotas) {
        get_quotas(&source, out);
    }
    return bytes_finish(&source);
}

/* -- drop -- */

uint32_t effect_drop_encode(uint8_t *out, const struct effect_drop *effect)
{
    uint8_t *at = bytes_put_int(bytes_put_int(out, effect->orders), effect->keys);
    if (effect->documents > 0) {
        at = bytes_put_int(at, effect->documents);
    }
    return (uint32_t)(at - out);
}

enum err effect_drop_decode(const uint8_t *bytes, uint32_t size, struct effect_drop *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->orders = bytes_get_int(&source);
    out->keys = bytes_get_int(&source);
    out->documents = !source.is_bad && source.at < source.end ? bytes_get_int(&source) : 0;
    return bytes_finish(&source);
}

/* -- time -- */

uint32_t effect_time_encode(uint8_t *out, uint64_t time_ms)
{
    return (uint32_t)(bytes_put_int(out, time_ms) - out);
}

enum err effect_time_decode(const uint8_t *bytes, uint32_t size, uint64_t *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    *out = bytes_get_int(&source);
    return bytes_finish(&source);
}
