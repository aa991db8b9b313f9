/* Sections of time and promises: hours and terms of nodes, capacity, carriers' rows and roads. */
#include "apply_timing_internal.h"
#include "image_internal.h"

enum { METER_SIZE_MAX = 64 + CAPACITY_EXCEPTIONS_MAX * 15 + CAPACITY_SLOTS * 10 };

/* -- hours: a record each, of nodes that have some -- */

void save_hours(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->network.count; i++) {
        const struct node_hours *hours = schedules_hours(&tables->timing.schedules, (uint16_t)i);
        struct effect_hours effect = {.node = (uint16_t)i, .terms = tables->timing.terms[i]};
        bool has_terms = effect.terms.accept_min || effect.terms.stock_max_age_min;
        if (!hours && !has_terms) {
            continue;
        }
        if (hours) {
            effect.has_hours = true;
            effect.hours = *hours;
        }
        uint8_t *at = image_begin(sink, effect_hours_size(&effect));
        image_end(sink, at + effect_hours_encode(at, &effect));
    }
}

void load_hours(struct tables *tables, struct image_source *source)
{
    struct effect_hours_scratch scratch;
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_hours effect;
        enum err err = effect_hours_decode(bytes, size, &scratch, &effect);
        err = err == ERR_OK ? hours_enter(tables, &effect, 0) : err;
        if (err != ERR_OK) {
            image_bad(source, err, "hours of a node");
        }
    }
}

/* -- capacity: a record a node: node, count, meters -- */

static uint8_t *put_meter(uint8_t *at, const struct capacity_meter *meter)
{
    *at++ = (uint8_t)(meter->kind | meter->per << 4);
    *at++ = meter->service;
    at = bytes_put_int(at, meter->limit);
    at = bytes_put_int(at, meter->since_lsn);
    at = bytes_put_int(at, meter->exception_count);
    for (uint32_t i = 0; i < meter->exception_count; i++) {
        at = bytes_put_int(at, meter->exceptions[i].from);
        at = bytes_put_int(at, meter->exceptions[i].to);
        at = bytes_put_int(at, meter->exceptions[i].limit);
    }
    at = bytes_put_int(at, meter->slot_count);
    for (uint32_t i = 0; i < meter->slot_count; i++) {
        at = bytes_put_int(at, meter->slots[i].at);
        at = bytes_put_int(at, meter->slots[i].used);
    }
    return at;
}

void save_capacity(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->network.count; i++) {
        const struct capacity_node *own = tables->timing.capacity.nodes[i];
        if (!own) {
            continue;
        }
        uint8_t *at = image_begin(sink, 16 + CAPACITY_METERS_MAX * METER_SIZE_MAX);
        at = bytes_put_int(at, i);
        at = bytes_put_int(at, own->count);
        for (uint32_t k = 0; k < own->count; k++) {
            at = put_meter(at, &own->meters[k]);
        }
        image_end(sink, at);
    }
}

static void get_lists(struct bytes_source *fields, struct capacity_meter *meter)
{
    meter->exception_count = (uint8_t)bytes_get_max(fields, CAPACITY_EXCEPTIONS_MAX);
    for (uint32_t i = 0; i < meter->exception_count; i++) {
        meter->exceptions[i].from = (uint32_t)bytes_get_max(fields, UINT32_MAX);
        meter->exceptions[i].to = (uint32_t)bytes_get_max(fields, UINT32_MAX);
        meter->exceptions[i].limit = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    }
    meter->slot_count = (uint32_t)bytes_get_max(fields, CAPACITY_SLOTS);
    for (uint32_t i = 0; i < meter->slot_count; i++) {
        meter->slots[i].at = (uint32_t)bytes_get_max(fields, UINT32_MAX);
        meter->slots[i].used = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    }
}

static enum err load_meter(struct tables *tables, uint16_t node, struct bytes_source *fields)
{
    struct capacity_meter *meter;
    uint8_t what = bytes_get_byte(fields);
    struct capacity_rule rule = {.kind = what & 15, .per = what >> 4};
    rule.service = bytes_get_byte(fields);
    uint32_t limit = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    uint64_t since_lsn = bytes_get_int(fields);
    bool is_sound = rule.kind <= CAPACITY_UNITS && rule.per <= CAPACITY_DAY && !fields->is_bad;
    enum err err = is_sound
                       ? capacity_need(&tables->timing.capacity, node, &rule, since_lsn, &meter)
                       : ERR_DAMAGED;
    if (err == ERR_OK) {
        meter->limit = limit;
        get_lists(fields, meter);
        meter_digest(tables, node, meter, true);
    }
    return err;
}

void load_capacity(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t node = (uint32_t)bytes_get_int(&fields);
        uint32_t count = (uint32_t)bytes_get_max(&fields, CAPACITY_METERS_MAX);
        enum err err = node < tables->network.count ? ERR_OK : ERR_DAMAGED;
        for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
            err = load_meter(tables, (uint16_t)node, &fields);
        }
        if (err != ERR_OK) {
            image_bad(source, err, "capacity of a node");
        } else {
            image_fields_end(source, &fields, "capacity");
        }
    }
}

/* -- lanes: as the effects that load them -- */

struct lane_saver {
    const struct tables *tables;
    struct image_sink *sink;
    uint32_t carrier;
    struct effect_lanes effect;
    struct carrier_row rows[EFFECT_LANES_MAX];
};

static void lanes_flush(struct lane_saver *saver)
{
    if (saver->effect.count > 0) {
        uint8_t *at = image_begin(saver->sink, effect_lanes_size(&saver->effect));
        image_end(saver->sink, at + effect_lanes_encode(at, &saver->effect));
        saver->effect.count = 0;
    }
}

static void lane_save(void *owner, const struct lane *lane, enum service service, uint32_t dest)
{
    struct lane_saver *saver = owner;
    const struct area_names *areas = &saver->tables->timing.carriers.areas;
    if (lane->carrier != saver->carrier) {
        return;
    }
    if (saver->effect.count == EFFECT_LANES_MAX) {
        lanes_flush(saver);
    }
    saver->rows[saver->effect.count++] = (struct carrier_row){.service = (uint8_t)service,
                                                              .origin = areas->all[lane->origin],
                                                              .dest = areas->all[dest],
                                                              .business_days = lane->business_days,
                                                              .cents = lane->cents,
                                                              .cents_per_kg = lane->cents_per_kg};
}

void save_lanes(const struct tables *tables, struct image_sink *sink)
{
    struct lane_saver saver = {.tables = tables, .sink = sink};
    for (uint32_t i = 0; i < CARRIERS_MAX; i++) {
        const struct carrier *own = &tables->timing.carriers.all[i];
        if (own->name_len == 0 || own->is_gone) {
            continue;
        }
        saver.carrier = i;
        memcpy(saver.effect.carrier, own->name, sizeof own->name);
        saver.effect.carrier_len = own->name_len;
        saver.effect.rows = saver.rows;
        carriers_each(&tables->timing.carriers, lane_save, &saver);
        lanes_flush(&saver);
    }
}

void load_lanes(struct tables *tables, struct image_source *source)
{
    struct carrier_row rows[EFFECT_LANES_MAX];
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_lanes effect;
        enum err err = effect_lanes_decode(bytes, size, rows, &effect);
        err = err == ERR_OK ? lanes_enter(tables, &effect) : err;
        if (err != ERR_OK) {
            image_bad(source, err, "rows of a carrier");
        }
    }
}

/* -- roads: as the effects that load them -- */

void save_roads(const struct tables *tables, struct image_sink *sink)
{
    const struct travels *travels = &tables->timing.travels;
    struct travel_row rows[EFFECT_ROADS_MAX];
    struct effect_roads effect = {.rows = rows};
    for (uint64_t i = 0; travels->roads && i <= travels->mask; i++) {
        const struct road *road = &travels->roads[i];
        if (road->key && road->epoch == travels->epoch) {
            rows[effect.count++] =
                (struct travel_row){.node = (uint16_t)((road->key - 1) >> 32),
                                    .area = travels->areas.all[(uint32_t)(road->key - 1)],
                                    .metres = road->metres,
                                    .minutes = road->minutes};
        }
        if (effect.count == EFFECT_ROADS_MAX || (i == travels->mask && effect.count > 0)) {
            uint8_t *at = image_begin(sink, effect_roads_size(&effect));
            image_end(sink, at + effect_roads_encode(at, &effect));
            effect.count = 0;
        }
    }
}

void load_roads(struct tables *tables, struct image_source *source)
{
    struct travel_row rows[EFFECT_ROADS_MAX];
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_roads effect;
        enum err err = effect_roads_decode(bytes, size, rows, &effect);
        err = err == ERR_OK ? roads_enter(tables, &effect) : err;
        if (err != ERR_OK) {
            image_bad(source, err, "roads");
        }
    }
}
