/* Encoders and decoders of the records of time and promises. Each pair reads top to bottom in the
 * same order. */
#include "effect_timing.h"

#include "check.h"
#include "effect_bytes_internal.h"

/* -- hours -- */

uint32_t effect_hours_size(const struct effect_hours *effect)
{
    return 512 + effect->hours.exception_count * (8 + HOURS_SPANS_MAX * 4);
}

static uint8_t *put_day(uint8_t *at, const struct hours_day *day)
{
    at = bytes_put_int(at, day->count);
    for (uint32_t i = 0; i < day->count; i++) {
        at = bytes_put_int(at, day->spans[i].from);
        at = bytes_put_int(at, day->spans[i].to);
    }
    return at;
}

static void get_day(struct bytes_source *source, struct hours_day *day)
{
    uint32_t before = 0;
    memset(day, 0, sizeof *day);
    day->count = (uint16_t)bytes_get_max(source, HOURS_SPANS_MAX);
    for (uint32_t i = 0; i < day->count && !source->is_bad; i++) {
        uint32_t from = (uint32_t)bytes_get_max(source, HOURS_DAY_MIN);
        uint32_t to = (uint32_t)bytes_get_max(source, HOURS_DAY_MIN);
        source->is_bad = source->is_bad || from < before || to <= from;
        day->spans[i] = (struct hours_span){(uint16_t)from, (uint16_t)to};
        before = to;
    }
}

static uint8_t *put_calendar(uint8_t *at, const struct node_hours *hours)
{
    for (int i = 0; i < 7 && hours->has_week; i++) {
        at = put_day(at, &hours->week[i]);
    }
    at = bytes_put_int(at, hours->exception_count);
    for (uint32_t i = 0; i < hours->exception_count; i++) {
        at = bytes_put_signed(at, hours->exceptions[i].day);
        at = put_day(at, &hours->exceptions[i].hours);
    }
    return at;
}

static void get_calendar(struct bytes_source *source, struct effect_hours_scratch *scratch,
                         struct node_hours *hours)
{
    for (int i = 0; i < 7 && hours->has_week; i++) {
        get_day(source, &hours->week[i]);
    }
    hours->exception_count = (uint32_t)bytes_get_max(source, HOURS_EXCEPTIONS_MAX);
    hours->exceptions = scratch->exceptions;
    for (uint32_t i = 0; i < hours->exception_count && !source->is_bad; i++) {
        struct hours_exception *own = &scratch->exceptions[i];
        int64_t day = bytes_get_signed(source);
        source->is_bad =
            source->is_bad || day < INT32_MIN || day > INT32_MAX || (i > 0 && day <= own[-1].day);
        own->day = (int32_t)day;
        get_day(source, &own->hours);
    }
}

/* Services are counted: one that came later has no entry in an older record. */
static uint8_t *put_services(uint8_t *at, const struct node_hours *hours)
{
    at = bytes_put_int(at, SERVICE_COUNT);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        uint16_t cutoff = hours->cutoff[i];
        at = bytes_put_int(at, cutoff == MINUTE_NONE ? 0 : cutoff + 1u);
        at = bytes_put_int(at, hours->processing_min[i]);
    }
    return at;
}

static void get_services(struct bytes_source *source, struct node_hours *hours)
{
    uint32_t count = (uint32_t)bytes_get_max(source, SERVICE_COUNT);
    for (uint32_t i = 0; i < count && !source->is_bad; i++) {
        uint32_t cutoff = (uint32_t)bytes_get_max(source, HOURS_DAY_MIN + 1);
        hours->cutoff[i] = cutoff ? (uint16_t)(cutoff - 1) : MINUTE_NONE;
        hours->processing_min[i] = (uint32_t)bytes_get_max(source, PROCESSING_MAX_MIN);
    }
}

uint32_t effect_hours_encode(uint8_t *out, const struct effect_hours *effect)
{
    const struct node_hours *hours = &effect->hours;
    uint8_t *at = bytes_put_int(out, effect->node);
    at = bytes_put_int(at, effect->has_declines ? effect->declines + 1 : 0);
    at = bytes_put_int(at, effect->terms.accept_min);
    at = bytes_put_int(at, effect->terms.stock_max_age_min);
    *at++ = effect->has_hours;
    if (effect->has_hours) {
        at = bytes_put_text(at, hours->tz, (uint32_t)strlen(hours->tz));
        at = put_services(at, hours);
        *at++ = (uint8_t)((hours->has_calendar ? 1 : 0) | (hours->has_week ? 2 : 0));
        at = hours->has_calendar ? put_calendar(at, hours) : at;
    }
    return (uint32_t)(at - out);
}

enum err effect_hours_decode(const uint8_t *bytes, uint32_t size,
                             struct effect_hours_scratch *scratch, struct effect_hours *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    hours_default(&out->hours);
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    uint32_t declines = (uint32_t)bytes_get_max(&source, 1000001);
    out->has_declines = declines > 0;
    out->declines = declines ? declines - 1 : 0;
    out->terms.accept_min = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->terms.stock_max_age_min = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    out->has_hours = bytes_get_byte(&source) != 0;
    if (out->has_hours) {
        bytes_get_string(&source, out->hours.tz, TZ_NAME_MAX);
        get_services(&source, &out->hours);
        uint8_t bits = bytes_get_byte(&source);
        out->hours.has_calendar = bits & 1;
        out->hours.has_week = (bits & 2) != 0;
        if (out->hours.has_calendar) {
            get_calendar(&source, scratch, &out->hours);
        }
    }
    return bytes_finish(&source);
}

/* -- capacity -- */

enum { RULE_REMOVED = 1, RULE_EXCEPTION = 2 };

uint32_t effect_capacity_encode(uint8_t *out, const struct effect_capacity *effect)
{
    CHECK(effect->count <= EFFECT_RULES_MAX);
    uint8_t *at = bytes_put_int(out, effect->node);
    *at++ = effect->is_whole;
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct capacity_rule *rule = &effect->rules[i];
        *at++ = (uint8_t)(rule->kind | rule->per << 4);
        *at++ = rule->service;
        *at++ = (uint8_t)((rule->is_removed ? RULE_REMOVED : 0) |
                          (rule->is_exception ? RULE_EXCEPTION : 0));
        at = bytes_put_int(at, rule->limit);
        if (rule->is_exception) {
            at = bytes_put_int(at, rule->from);
            at = bytes_put_int(at, rule->to);
        }
    }
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

static void get_rule(struct bytes_source *source, struct capacity_rule *rule)
{
    uint8_t what = bytes_get_byte(source);
    memset(rule, 0, sizeof *rule);
    rule->kind = what & 15;
    rule->per = what >> 4;
    rule->service = bytes_get_byte(source);
    uint8_t bits = bytes_get_byte(source);
    rule->is_removed = bits & RULE_REMOVED;
    rule->is_exception = (bits & RULE_EXCEPTION) != 0;
    rule->limit = (uint32_t)bytes_get_max(source, UINT32_MAX);
    if (rule->is_exception) {
        rule->from = (uint32_t)bytes_get_max(source, UINT32_MAX);
        rule->to = (uint32_t)bytes_get_max(source, UINT32_MAX);
    }
    bool is_service = rule->service < SERVICE_COUNT || rule->service == CAPACITY_ANY_SERVICE;
    source->is_bad =
        source->is_bad || rule->kind > CAPACITY_UNITS || rule->per > CAPACITY_DAY || !is_service;
}

enum err effect_capacity_decode(const uint8_t *bytes, uint32_t size, struct effect_capacity *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    out->node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
    out->is_whole = bytes_get_byte(&source) != 0;
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_RULES_MAX);
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        get_rule(&source, &out->rules[i]);
    }
    bytes_get_key(&source, &out->key);
    return bytes_finish(&source);
}

/* -- carriers and roads -- */

static uint8_t *put_area(uint8_t *at, const struct area_name *name)
{
    return bytes_put_text(at, name->text, name->len);
}

static void get_area(struct bytes_source *source, struct area_name *name)
{
    struct effect_text text = bytes_get_text(source, AREA_NAME_SIZE - 1);
    memset(name, 0, sizeof *name);
    memcpy(name->text, text.at, text.len);
    name->len = (uint8_t)text.len;
    source->is_bad = source->is_bad || text.len < 2;
}

uint32_t effect_lanes_size(const struct effect_lanes *effect)
{
    return 96 + effect->count * (2 * AREA_NAME_SIZE + 20);
}

uint32_t effect_lanes_encode(uint8_t *out, const struct effect_lanes *effect)
{
    CHECK(effect->count <= EFFECT_LANES_MAX);
    uint8_t *at = bytes_put_text(out, effect->carrier, effect->carrier_len);
    *at++ = effect->is_replace;
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct carrier_row *row = &effect->rows[i];
        *at++ = row->service;
        at = put_area(at, &row->origin);
        at = put_area(at, &row->dest);
        at = bytes_put_int(at, row->business_days);
        at = bytes_put_int(at, row->cents);
        at = bytes_put_int(at, row->cents_per_kg);
    }
    return (uint32_t)(at - out);
}

enum err effect_lanes_decode(const uint8_t *bytes, uint32_t size, struct carrier_row *rows,
                             struct effect_lanes *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    struct effect_text name = bytes_get_text(&source, CARRIER_NAME_MAX);
    memcpy(out->carrier, name.at, name.len);
    out->carrier_len = name.len;
    out->is_replace = bytes_get_byte(&source) != 0;
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_LANES_MAX);
    out->rows = rows;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        struct carrier_row *row = &rows[i];
        row->service = bytes_get_byte(&source);
        get_area(&source, &row->origin);
        get_area(&source, &row->dest);
        row->business_days = (uint32_t)bytes_get_max(&source, CARRIER_DAYS_MAX);
        row->cents = (uint32_t)bytes_get_max(&source, UINT32_MAX);
        row->cents_per_kg = (uint32_t)bytes_get_max(&source, UINT32_MAX);
        source.is_bad = source.is_bad || row->service >= SERVICE_COUNT;
    }
    source.is_bad = source.is_bad || name.len == 0;
    return bytes_finish(&source);
}

uint32_t effect_roads_size(const struct effect_roads *effect)
{
    return 16 + effect->count * (AREA_NAME_SIZE + 14);
}

uint32_t effect_roads_encode(uint8_t *out, const struct effect_roads *effect)
{
    CHECK(effect->count <= EFFECT_ROADS_MAX);
    uint8_t *at = out;
    *at++ = effect->is_replace;
    at = bytes_put_int(at, effect->count);
    for (uint32_t i = 0; i < effect->count; i++) {
        at = bytes_put_int(at, effect->rows[i].node);
        at = put_area(at, &effect->rows[i].area);
        at = bytes_put_int(at, effect->rows[i].metres);
        at = bytes_put_int(at, effect->rows[i].minutes);
    }
    return (uint32_t)(at - out);
}

enum err effect_roads_decode(const uint8_t *bytes, uint32_t size, struct travel_row *rows,
                             struct effect_roads *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    out->is_replace = bytes_get_byte(&source) != 0;
    out->count = (uint32_t)bytes_get_max(&source, EFFECT_ROADS_MAX);
    out->rows = rows;
    for (uint32_t i = 0; i < out->count && !source.is_bad; i++) {
        rows[i].node = (uint16_t)bytes_get_max(&source, NODE_MAX - 1);
        get_area(&source, &rows[i].area);
        rows[i].metres = (uint32_t)bytes_get_max(&source, UINT32_MAX);
        rows[i].minutes = (uint32_t)bytes_get_max(&source, UINT32_MAX);
    }
    return bytes_finish(&source);
}
