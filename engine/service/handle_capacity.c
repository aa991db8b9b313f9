/* capacity.set and capacity.get: how much a node takes on. */
#include <string.h>

#include "node_hours_internal.h"

struct capacity_ask {
    struct text node, key;
    struct capacity_rule rule;
    uint64_t from_ms, to_ms; /* 0 = absent */
};

static void set_read(struct reader *reader, struct capacity_ask *ask)
{
    static const char *const fields[] = {"node", RULE_FIELD_NAMES, "from", "to", "key"};
    enum { NODE, RULE, FROM = RULE + RULE_FIELDS, TO, KEY, COUNT };
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    rule_begin(&ask->rule);
    reader_params(reader, &map, fields, COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case NODE:
            ask->node = reader_text(reader, 1, ID_MAX);
            break;
        case FROM:
            ask->from_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
            break;
        case TO:
            ask->to_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
            break;
        case KEY:
            ask->key = reader_text(reader, 1, ID_MAX);
            break;
        default:
            rule_read(reader, &ask->rule, (enum rule_field)(field - RULE));
        }
    }
    reader_require(reader, &map, NODE);
    reader_require(reader, &map, RULE + RULE_KIND);
    reader_require(reader, &map, RULE + RULE_PER);
    reader_require(reader, &map, RULE + RULE_LIMIT);
    if (reader_is_ok(reader) && (ask->from_ms == 0) != (ask->to_ms == 0)) {
        reader_fail(reader, "from and to belong together");
    } else if (reader_is_ok(reader) && ask->from_ms && ask->to_ms <= ask->from_ms) {
        reader_fail(reader, "to: must be later than from");
    }
}

/* Local hours of the node that the time from from to to touches. */
static void exception_set(const struct service_core *service, struct capacity_ask *ask,
                          uint16_t node)
{
    const struct zone *zone = schedule_of(&service->tables.timing.schedules, node)->zone;
    if (ask->from_ms) {
        ask->rule.is_exception = true;
        ask->rule.from = hours_local_hour(zone, ask->from_ms);
        ask->rule.to = hours_local_hour(zone, ask->to_ms - 1) + 1;
    }
}

static void put_use(struct writer *writer, const struct capacity_meter *meter, uint32_t hour)
{
    uint32_t limit = capacity_limit(meter, hour);
    if (limit == CAPACITY_NO_LIMIT) {
        writer_str(writer, "limit");
        writer_nil(writer);
        writer_str(writer, "free");
        writer_nil(writer);
    } else {
        put_int(writer, "limit", limit);
        put_int(writer, "free", capacity_free(meter, hour));
    }
    put_int(writer, "used", capacity_used(meter, hour));
}

/* The local hour of the node that holds the moment. */
static uint32_t hour_at(const struct service_core *service, uint16_t node, uint64_t moment_ms)
{
    return hours_local_hour(schedule_of(&service->tables.timing.schedules, node)->zone, moment_ms);
}

static void answer_set(struct service_core *service, struct call *call, uint16_t node,
                       const struct capacity_ask *ask, bool is_duplicate)
{
    const struct capacity_rule *rule = &ask->rule;
    const struct capacity_meter *meter =
        capacity_find(&service->tables.timing.capacity, node, rule->kind, rule->per, rule->service);
    uint64_t at_ms = ask->from_ms ? ask->from_ms : service->now_ms;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 1u + (meter ? 3u : 0) + is_duplicate);
    if (meter) {
        put_use(writer, meter, hour_at(service, node, at_ms));
    }
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static bool has_room(struct service_core *service, struct call *call, uint16_t node,
                     const struct capacity_rule *rule)
{
    const struct capacity *capacity = &service->tables.timing.capacity;
    const struct capacity_node *own = capacity->nodes[node];
    bool is_new = !capacity_find(capacity, node, rule->kind, rule->per, rule->service);
    if (is_new && !rule->is_removed && own && own->count == CAPACITY_METERS_MAX) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "capacity: %d limits of a node are the most there can be", CAPACITY_METERS_MAX);
        return false;
    }
    const struct grown_rules more = {.capacities = !own};
    return rules_room(service, call, &more) &&
           log_room(service, call, EFFECT_CAPACITY_SIZE_MAX, 1, WAL_CLAIM_CHANGE);
}

static void set_apply(struct service_core *service, struct call *call, uint16_t node,
                      const struct capacity_ask *ask, struct effect_capacity *effect)
{
    if (!has_room(service, call, node, &ask->rule)) {
        return;
    }
    effect->node = node;
    effect->count = 1;
    effect->rules[0] = ask->rule;
    uint8_t *bytes = log_begin(service, EFFECT_CAPACITY_SIZE_MAX);
    uint64_t lsn = log_end(service, EFFECT_CAPACITY, effect_capacity_encode(bytes, effect));
    must_apply(tables_apply_capacity(&service->tables, lsn, service->now_ms, effect), "capacity");
    answer_set(service, call, node, ask, false);
}

static uint64_t set_content(const struct capacity_ask *ask, uint16_t node)
{
    struct content content;
    content_begin(&content, METHOD_CAPACITY_SET);
    content_int(&content, node);
    content_int(&content, ask->rule.kind << 16 | ask->rule.per << 8 | ask->rule.service);
    content_int(&content, ask->rule.is_removed ? -1 : (int64_t)ask->rule.limit);
    content_int(&content, (int64_t)ask->from_ms);
    content_int(&content, (int64_t)ask->to_ms);
    return content.hash;
}

void handle_capacity_set(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct capacity_ask ask;
    struct effect_capacity effect;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    set_read(&reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t node = need_node(service, call, "node", ask.node);
    if (node == NODE_NONE) {
        return;
    }
    exception_set(service, &ask, node);
    memset(&effect, 0, sizeof effect);
    switch (key_look(service, call, ask.key, set_content(&ask, node), &effect.key, &seen)) {
    case KEY_NEW:
        set_apply(service, call, node, &ask, &effect);
        break;
    case KEY_SEEN:
        answer_set(service, call, node, &ask, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}

/* -- capacity.get -- */

struct get_ask {
    struct text node;
    int kind, per, service; /* -1 = all */
    uint64_t from_ms;       /* 0 = now */
};

static void get_read(struct reader *reader, struct get_ask *ask)
{
    static const char *const fields[] = {"node", "kind", "per", "service", "from"};
    struct reader_map map;
    *ask = (struct get_ask){.node = {"", 0}, .kind = -1, .per = -1, .service = -1};
    reader_params(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->node = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            ask->kind = reader_word(reader, &names_capacity_kinds);
            break;
        case 2:
            ask->per = reader_word(reader, &names_capacity_pers);
            break;
        case 3:
            ask->service = reader_word(reader, &names_services);
            break;
        default:
            ask->from_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
        }
    }
    reader_require(reader, &map, 0);
}

static bool is_asked(const struct get_ask *ask, const struct capacity_meter *meter)
{
    return (ask->kind < 0 || meter->kind == ask->kind) &&
           (ask->per < 0 || meter->per == ask->per) &&
           (ask->service < 0 || meter->service == ask->service);
}

void handle_capacity_get(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct get_ask ask;
    reader_init(&reader, call->params, call->params_size);
    get_read(&reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t node = need_node(service, call, "node", ask.node);
    if (node == NODE_NONE) {
        return;
    }
    const struct capacity_node *own = service->tables.timing.capacity.nodes[node];
    uint32_t hour = hour_at(service, node, ask.from_ms ? ask.from_ms : service->now_ms);
    struct writer *writer = reply_begin(service, call);
    uint32_t count = 0;
    writer_map(writer, 2);
    writer_str(writer, "capacity");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; own && i < own->count; i++) {
        const struct capacity_meter *meter = &own->meters[i];
        if (is_asked(&ask, meter)) {
            writer_map(writer, meter->service == CAPACITY_ANY_SERVICE ? 5 : 6);
            put_meter_name(writer, meter);
            put_use(writer, meter, hour);
            count++;
        }
    }
    writer_array_close(writer, mark, count);
    put_lsn(service, writer);
    reply_send(service, call);
}
