/* Effects on hours, capacity, carriers and roads, and the counting of capacity. */
#include "apply_timing_internal.h"

#include "check.h"

/* -- hours -- */

static bool has_terms(const struct node_terms *terms)
{
    return terms->accept_min || terms->stock_max_age_min;
}

/* A node that tells nothing of this has no row. */
static void hours_digest(struct tables *tables, uint16_t node, bool is_add)
{
    const struct node_terms *terms = &tables->timing.terms[node];
    const struct node_hours *hours = schedules_hours(&tables->timing.schedules, node);
    uint64_t rest = (uint64_t)terms->accept_min << 32 ^ terms->stock_max_age_min;
    if (!hours && !has_terms(terms)) {
        return;
    }
    if (is_add) {
        digest_add_words(&tables->digest, TAG_HOURS, node, hours ? hours_hash(hours) : 0, rest);
    } else {
        digest_take_words(&tables->digest, TAG_HOURS, node, hours ? hours_hash(hours) : 0, rest);
    }
}

enum err hours_enter(struct tables *tables, const struct effect_hours *effect, uint64_t now_ms)
{
    struct timing *timing = &tables->timing;
    if (effect->node >= tables->network.count) {
        return ERR_DAMAGED;
    }
    hours_digest(tables, effect->node, false);
    timing->accepts -= timing->terms[effect->node].accept_min > 0;
    timing->accepts += effect->terms.accept_min > 0;
    timing->ages -= timing->terms[effect->node].stock_max_age_min > 0;
    timing->ages += effect->terms.stock_max_age_min > 0;
    timing->terms[effect->node] = effect->terms;
    if (effect->has_declines) {
        declines_set(tables, effect->node, effect->declines);
    }
    enum err err =
        schedules_set(&timing->schedules, effect->node, effect->has_hours ? &effect->hours : NULL);
    hours_digest(tables, effect->node, true);
    timing_node(timing, &tables->network, effect->node, now_ms);
    generation_next(tables);
    return err;
}

enum err tables_apply_hours(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_hours *effect)
{
    applied(tables, lsn, now_ms);
    return hours_enter(tables, effect, now_ms);
}

/* -- capacity -- */

static uint64_t exceptions_hash(const struct capacity_meter *meter)
{
    static const uint64_t hash_of_none = 0x2d06800538d394c2; /* of no bytes: an order has no need */
    DCHECK(hash_fixed("", 0) == hash_of_none);
    return meter->exception_count == 0
               ? hash_of_none
               : hash_fixed(meter->exceptions,
                            meter->exception_count * sizeof meter->exceptions[0]);
}

/* A row is taken out as it was put in: what its slots come to is kept. */
void meter_digest(struct tables *tables, uint16_t node, struct capacity_meter *meter, bool is_add)
{
    uint64_t name = (uint64_t)node << 32 | (uint64_t)meter->kind << 16 | (uint64_t)meter->per << 8 |
                    meter->service;
    uint64_t rules =
        exceptions_hash(meter) + ((uint64_t)meter->limit << 24) + meter->since_lsn;
    if (is_add) {
        meter->slots_hash = hash_fixed(meter->slots, meter->slot_count * sizeof meter->slots[0]);
        digest_add_words(&tables->digest, TAG_METER, name, meter->slots_hash, rules);
    } else {
        digest_take_words(&tables->digest, TAG_METER, name, meter->slots_hash, rules);
    }
}

static bool is_named(const struct effect_capacity *effect, const struct capacity_meter *meter)
{
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct capacity_rule *rule = &effect->rules[i];
        if (rule->kind == meter->kind && rule->per == meter->per &&
            rule->service == meter->service) {
            return true;
        }
    }
    return false;
}

static void meter_remove(struct tables *tables, uint16_t node, struct capacity_meter *meter)
{
    meter_digest(tables, node, meter, false);
    capacity_remove(&tables->timing.capacity, node, meter);
}

static void meters_keep(struct tables *tables, const struct effect_capacity *effect)
{
    const struct capacity_node *own = tables->timing.capacity.nodes[effect->node];
    for (uint32_t i = own ? own->count : 0; i-- > 0;) {
        struct capacity_meter *meter = &tables->timing.capacity.nodes[effect->node]->meters[i];
        if (!is_named(effect, meter)) {
            meter_remove(tables, effect->node, meter);
        }
    }
}

static enum err rule_apply(struct tables *tables, uint16_t node, const struct capacity_rule *rule,
                           uint64_t lsn)
{
    struct capacity *capacity = &tables->timing.capacity;
    struct capacity_meter *meter =
        capacity_find(capacity, node, rule->kind, rule->per, rule->service);
    if (rule->is_removed && !rule->is_exception) {
        if (meter) {
            meter_remove(tables, node, meter);
        }
        return ERR_OK;
    }
    if (meter) {
        meter_digest(tables, node, meter, false);
    } else if (!rule->is_removed) {
        enum err err = capacity_need(capacity, node, rule, lsn, &meter);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (meter) {
        capacity_rule_set(meter, rule);
        meter_digest(tables, node, meter, true);
    }
    return ERR_OK;
}

enum err tables_apply_capacity(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                               const struct effect_capacity *effect)
{
    enum err err = ERR_OK;
    applied(tables, lsn, now_ms);
    if (effect->node >= tables->network.count) {
        return ERR_DAMAGED;
    }
    if (effect->is_whole) {
        meters_keep(tables, effect);
    }
    for (uint32_t i = 0; i < effect->count && err == ERR_OK; i++) {
        err = rule_apply(tables, effect->node, &effect->rules[i], lsn);
    }
    timing_node(&tables->timing, &tables->network, effect->node, now_ms);
    generation_next(tables);
    key_remember(tables, lsn, now_ms, &effect->key);
    return err;
}

/* Count what the part takes of one meter. False: a mark of its node may be another now. */
static bool meter_count(struct tables *tables, const struct capacity_part *part,
                        struct capacity_meter *meter)
{
    const bool is_units = meter->kind == CAPACITY_UNITS;
    const uint32_t bound = is_units ? NETWORK_TIGHT_UNITS : 1;
    const bool was_far = capacity_is_far(meter, part->slot, bound);
    meter_digest(tables, part->node, meter, false);
    capacity_count(meter, part->slot, is_units ? part->units : part->orders);
    meter_digest(tables, part->node, meter, true);
    return was_far && capacity_is_far(meter, part->slot, bound);
}

void capacity_part_count(struct tables *tables, const struct capacity_part *part)
{
    bool is_far = true;
    struct timing *timing = &tables->timing;
    struct capacity_node *own = timing->capacity.nodes[part->node];
    if (!own || part->slot == 0) {
        return;
    }
    for (uint32_t i = 0; i < own->count; i++) {
        struct capacity_meter *meter = &own->meters[i];
        if (capacity_is_of(meter, part->service) && part->lsn >= meter->since_lsn) {
            is_far = meter_count(tables, part, meter) && is_far;
        }
    }
    if (!is_far) {
        timing_node(timing, &tables->network, part->node, tables->time_ms);
    }
    if (part->units < 0) {
        generation_of_node(tables, part->node);
    }
}

static struct capacity_part part_of(struct order *order, const struct order_part *part)
{
    return (struct capacity_part){.node = part->node,
                                  .service = (enum service)part->service,
                                  .slot = part->dates.slot,
                                  .lsn = order->lsn};
}

void capacity_take(struct tables *tables, struct order *order, uint32_t first)
{
    for (uint32_t i = first; i < order->part_count && tables->timing.capacity.count > 0; i++) {
        const struct order_part *part = &order_parts(order)[i];
        struct capacity_part own = part_of(order, part);
        own.lsn = tables->lsn;
        own.orders = 1;
        for (uint32_t k = 0; k < part->share_count; k++) {
            own.units += order_shares(order)[part->share_first + k].qty;
        }
        capacity_part_count(tables, &own);
    }
}

/* A part that came by a later record counts by the order's own: a meter made between the two keeps
 * what it counted of it, which errs to the full side. */
void capacity_leave(struct tables *tables, struct order *order, uint32_t index, uint32_t units)
{
    const struct order_part *part = &order_parts(order)[index];
    if (tables->timing.capacity.count == 0 || part->dates.slot == 0 || units == 0) {
        return;
    }
    struct capacity_part own = part_of(order, part);
    uint64_t left = 0;
    own.units = -(int64_t)units;
    for (uint32_t k = 0; k < part->share_count; k++) {
        const struct order_share *share = &order_shares(order)[part->share_first + k];
        left += share->qty - share->cancelled - share->moved;
    }
    own.orders = left == 0 ? -1 : 0;
    capacity_part_count(tables, &own);
}

/* -- carriers and roads -- */

/* Nodes are matched with the origins anew: once a record, not for each of its rows. */
static void origins_renew(struct tables *tables)
{
    for (uint32_t i = 0; i < tables->network.count; i++) {
        node_placed(tables, (uint16_t)i);
    }
}

enum err lanes_enter(struct tables *tables, const struct effect_lanes *effect)
{
    struct carriers *carriers = &tables->timing.carriers;
    uint32_t carrier = carriers_find(carriers, effect->carrier, effect->carrier_len);
    enum err err = ERR_OK;
    carriers->generation++;
    if (carrier < CARRIERS_MAX && effect->is_replace) {
        digest_part(&tables->digest, &carriers->all[carrier].digest);
        carriers_drop(carriers, carrier);
    }
    if (effect->count > 0) {
        err = carriers_need(carriers, effect->carrier, effect->carrier_len, &carrier);
    }
    if (err != ERR_OK || effect->count == 0) {
        return err;
    }
    bool is_new = false;
    digest_part(&tables->digest, &carriers->all[carrier].digest);
    for (uint32_t i = 0; i < effect->count && err == ERR_OK; i++) {
        uint32_t origin;
        err = carriers_set(carriers, carrier, &effect->rows[i], &origin);
        is_new = is_new || (err == ERR_OK && origin != AREA_UNKNOWN);
    }
    digest_join(&tables->digest, &carriers->all[carrier].digest);
    if (is_new) {
        origins_renew(tables);
    }
    return err;
}

enum err tables_apply_lanes(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_lanes *effect)
{
    applied(tables, lsn, now_ms);
    generation_next(tables);
    return lanes_enter(tables, effect);
}

enum err roads_enter(struct tables *tables, const struct effect_roads *effect)
{
    struct travels *travels = &tables->timing.travels;
    enum err err = ERR_OK;
    digest_part(&tables->digest, &travels->digest);
    if (effect->is_replace) {
        travels_drop(travels);
    }
    for (uint32_t i = 0; i < effect->count && err == ERR_OK; i++) {
        bool is_sound = effect->rows[i].node < tables->network.count;
        err = is_sound ? travels_set(travels, &effect->rows[i]) : ERR_DAMAGED;
    }
    digest_join(&tables->digest, &travels->digest);
    return err;
}

enum err tables_apply_roads(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_roads *effect)
{
    applied(tables, lsn, now_ms);
    generation_next(tables);
    return roads_enter(tables, effect);
}

/* -- time -- */

void tables_turn(struct tables *tables, uint64_t now_ms)
{
    if (timing_turn(&tables->timing, &tables->network, now_ms)) {
        generation_next(tables);
    }
}

void tables_zones(struct tables *tables, const struct zone_source *source)
{
    schedules_zones(&tables->timing.schedules, source);
    tables->timing.stale_ms = 0;
    generation_next(tables);
}

void node_fed(struct tables *tables, uint16_t node, uint64_t at_ms)
{
    struct timing *timing = &tables->timing;
    timing->fed_ms[node] = at_ms > timing->fed_ms[node] ? at_ms : timing->fed_ms[node];
    if (timing->terms[node].stock_max_age_min &&
        timing_node(timing, &tables->network, node, tables->time_ms)) {
        generation_of_node(tables, node);
    }
}

void node_placed(struct tables *tables, uint16_t node)
{
    const struct node_config *config = &tables->network.nodes[node].config;
    tables->timing.carriers.generation++;
    carriers_node(&tables->timing.carriers, node, config->country, config->postcode);
}

/* -- replay -- */

enum err replay_hours(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                      uint32_t size)
{
    struct effect_hours_scratch scratch;
    struct effect_hours effect;
    enum err err = effect_hours_decode(bytes, size, &scratch, &effect);
    return err == ERR_OK ? tables_apply_hours(tables, lsn, now_ms, &effect) : err;
}

enum err replay_capacity(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                         uint32_t size)
{
    struct effect_capacity effect;
    enum err err = effect_capacity_decode(bytes, size, &effect);
    return err == ERR_OK ? tables_apply_capacity(tables, lsn, now_ms, &effect) : err;
}

enum err replay_lanes(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                      uint32_t size)
{
    struct carrier_row rows[EFFECT_LANES_MAX];
    struct effect_lanes effect;
    enum err err = effect_lanes_decode(bytes, size, rows, &effect);
    return err == ERR_OK ? tables_apply_lanes(tables, lsn, now_ms, &effect) : err;
}

enum err replay_roads(struct tables *tables, uint64_t lsn, uint64_t now_ms, const uint8_t *bytes,
                      uint32_t size)
{
    struct travel_row rows[EFFECT_ROADS_MAX];
    struct effect_roads effect;
    enum err err = effect_roads_decode(bytes, size, rows, &effect);
    return err == ERR_OK ? tables_apply_roads(tables, lsn, now_ms, &effect) : err;
}
