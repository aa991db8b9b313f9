/* node.put, node.status, node.get, node.list. A put is merged into the node as it is: fields
 * that do not come stay, nil sets the default back, lists and maps are replaced whole. */
#include <math.h>
#include <string.h>

#include "content_internal.h"
#include "flags_internal.h"
#include "node_hours_internal.h"
#include "short.h"

enum {
    CAPABILITIES_ALL = (1 << CAPABILITY_COUNT) - 1,
    SAFETY_MAX = 1000000,
    PRIORITY_MAX = 1000000,
    CENTS_MAX = 100000000,
    HOURS_MAX = 8760,
    NAME_MAX_BYTES = 127
};

/* Half the circumference: a reach beyond it would say nothing. */
static const double KM_MAX = 20038;

static const char *const put_fields[] = {
    "node",     "type",   "lat",      "lon",    "name",           "country",      "postcode",
    "services", "status", "priority", "max_km", "handling_cents", "safety_stock", "serves",
    "bars",     "collect_hours", HOURS_FIELD_NAMES, "key"};
enum {
    F_NODE, F_TYPE, F_LAT, F_LON, F_NAME, F_COUNTRY, F_POSTCODE,
    F_SERVICES, F_STATUS, F_PRIORITY, F_MAX_KM, F_CENTS, F_SAFETY, F_SERVES,
    F_BARS, F_HOURS, F_TIMES, F_KEY = F_TIMES + HOURS_FIELDS, F_COUNT
};
_Static_assert(sizeof put_fields / sizeof put_fields[0] == F_COUNT, "one name a field");

/* A put as it came: only the fields that are in map count. */
struct node_ask {
    struct text node, key;
    struct reader_map map;
    uint64_t nil; /* bit per field that came as nil */
    struct node_config config;
    struct flag_words bars;
    struct hours_ask times;
    struct area serves[NODE_AREAS_MAX];
};

/* -- reading -- */

static uint8_t read_services(struct reader *reader)
{
    struct reader_array array;
    uint8_t bits = 0;
    reader_array_begin(reader, &array, CAPABILITY_COUNT);
    while (reader_array_next(reader, &array)) {
        int word = reader_word(reader, &names_capabilities);
        bits |= (uint8_t)(word < 0 ? 0 : 1 << word);
    }
    return bits;
}

static void no_reach(struct node_config *config)
{
    for (int i = 0; i < SERVICE_COUNT; i++) {
        config->max_m[i] = UINT32_MAX;
    }
}

static void read_max_km(struct reader *reader, struct node_config *config)
{
    struct reader_map map;
    no_reach(config);
    reader_map_begin(reader, &map, names_services.texts, names_services.count);
    for (int service; (service = reader_map_next(reader, &map)) >= 0;) {
        double km = reader_float(reader, 0.001, KM_MAX);
        config->max_m[service] = reader_is_ok(reader) ? (uint32_t)llround(km * 1000) : 0;
    }
}

static void read_postcode(struct reader *reader, char out[POSTCODE_MAX + 1])
{
    struct text text = reader_text(reader, 1, 40);
    if (reader_is_ok(reader) && !postcode_normalise(text.at, text.len, out)) {
        reader_fail(reader, "must have 1 to %d letters and digits", POSTCODE_MAX);
    }
}

static void read_name(struct reader *reader, char out[NAME_MAX_BYTES + 1])
{
    struct text text = reader_text(reader, 0, NAME_MAX_BYTES);
    memcpy(out, text.at, text.len);
}

static void read_place(struct reader *reader, struct node_ask *ask, int field)
{
    switch (field) {
    case F_LAT:
        ask->config.lat = reader_float(reader, -90, 90);
        break;
    case F_LON:
        ask->config.lon = reader_float(reader, -180, 180);
        break;
    case F_NAME:
        read_name(reader, ask->config.name);
        break;
    case F_COUNTRY:
        read_country(reader, ask->config.country);
        break;
    default:
        read_postcode(reader, ask->config.postcode);
    }
}

static void read_rules(struct reader *reader, struct node_ask *ask, int field)
{
    struct node_config *config = &ask->config;
    switch (field) {
    case F_PRIORITY:
        config->priority = (int32_t)reader_int(reader, -PRIORITY_MAX, PRIORITY_MAX);
        break;
    case F_MAX_KM:
        read_max_km(reader, config);
        break;
    case F_CENTS:
        config->handling_cents = (uint32_t)reader_int(reader, 0, CENTS_MAX);
        break;
    case F_SAFETY:
        config->safety_stock = (int32_t)reader_int(reader, 0, SAFETY_MAX);
        break;
    case F_SERVES:
        config->serves_count = read_areas(reader, ask->serves, NODE_AREAS_MAX);
        break;
    case F_BARS:
        flag_words_read(reader, &ask->bars);
        break;
    default:
        config->collect_hours = (uint32_t)reader_int(reader, 0, HOURS_MAX);
    }
}

static void read_field(struct service_core *service, struct reader *reader, struct node_ask *ask,
                       int field)
{
    int word;
    if (field >= F_TIMES && field < F_KEY) {
        hours_ask_read(service, reader, &ask->times, (enum hours_field)(field - F_TIMES));
        return;
    }
    switch (field) {
    case F_NODE:
        ask->node = reader_text(reader, 1, ID_MAX);
        break;
    case F_KEY:
        ask->key = reader_text(reader, 1, ID_MAX);
        break;
    case F_TYPE:
        word = reader_word(reader, &names_node_types);
        ask->config.type = word < 0 ? NODE_STORE : (enum node_type)word;
        break;
    case F_SERVICES:
        ask->config.services = read_services(reader);
        break;
    case F_STATUS:
        word = reader_word(reader, &names_node_statuses);
        ask->config.status = word < 0 ? NODE_ACTIVE : (enum node_status)word;
        break;
    case F_LAT:
    case F_LON:
    case F_NAME:
    case F_COUNTRY:
    case F_POSTCODE:
        read_place(reader, ask, field);
        break;
    default:
        read_rules(reader, ask, field);
    }
}

static bool is_required(int field)
{
    return field <= F_LON || field == F_KEY;
}

static void put_read(struct service_core *service, struct reader *reader, struct node_ask *ask)
{
    memset(ask, 0, offsetof(struct node_ask, times));
    hours_ask_begin(&ask->times);
    reader_params(reader, &ask->map, put_fields, F_COUNT);
    for (int field; (field = reader_map_next(reader, &ask->map)) >= 0;) {
        if (!is_required(field) && reader_nil(reader)) {
            ask->nil |= (uint64_t)1 << field;
        } else {
            read_field(service, reader, ask, field);
        }
    }
    reader_require(reader, &ask->map, F_NODE);
    ask->times.seen = (uint32_t)(ask->map.seen >> F_TIMES) & ((1u << HOURS_FIELDS) - 1);
    ask->times.nil = (uint32_t)(ask->nil >> F_TIMES) & ((1u << HOURS_FIELDS) - 1);
}

static uint64_t put_content(const struct node_ask *ask)
{
    const struct node_config *c = &ask->config;
    struct content content;
    content_begin(&content, METHOD_NODE_PUT);
    content_text(&content, ask->node.at, ask->node.len);
    content_int(&content, (int64_t)(ask->map.seen & ~((uint64_t)1 << F_KEY)));
    content_int(&content, (int64_t)ask->nil);
    content_int(&content, c->type);
    content_text(&content, (const char *)&c->lat, sizeof c->lat);
    content_text(&content, (const char *)&c->lon, sizeof c->lon);
    content_text(&content, c->name, sizeof c->name);
    content_text(&content, c->country, sizeof c->country);
    content_text(&content, c->postcode, sizeof c->postcode);
    content_int(&content, c->services);
    content_int(&content, c->status);
    content_int(&content, c->priority);
    content_text(&content, (const char *)c->max_m, sizeof c->max_m);
    content_int(&content, c->handling_cents);
    content_int(&content, c->safety_stock);
    content_text(&content, (const char *)ask->serves, c->serves_count * sizeof ask->serves[0]);
    flag_words_content(&ask->bars, &content);
    content_int(&content, c->collect_hours);
    hours_ask_content(&ask->times, &content);
    return content.hash;
}

/* -- merging -- */

static uint8_t services_of(enum node_type type)
{
    if (type == NODE_STORE) {
        return CAPABILITIES_ALL & ~(1 << CAPABILITY_SAME_DAY);
    }
    return type == NODE_WAREHOUSE ? 1 << CAPABILITY_SHIP | 1 << CAPABILITY_RETURN
                                  : 1 << CAPABILITY_SHIP;
}

/* The ask's value of a field that came, its default where it came as nil. */
static void merge_field(const struct service_core *service, const struct node_ask *ask, int field,
                        struct node_config *to)
{
    const struct node_config *from = &ask->config;
    bool is_nil = ask->nil >> field & 1;
    switch (field) {
    case F_TYPE:
        to->type = from->type;
        break;
    case F_LAT:
        to->lat = from->lat;
        break;
    case F_LON:
        to->lon = from->lon;
        break;
    case F_NAME:
        memcpy(to->name, from->name, sizeof to->name);
        break;
    case F_COUNTRY:
        memcpy(to->country, is_nil ? service->options.country : from->country,
               sizeof to->country);
        break;
    case F_POSTCODE:
        memcpy(to->postcode, from->postcode, sizeof to->postcode);
        break;
    case F_SERVICES:
        to->services = is_nil ? services_of(to->type) : from->services;
        break;
    case F_STATUS:
        to->status = from->status;
        to->status_services = from->status == NODE_ACTIVE ? 0 : CAPABILITIES_ALL;
        to->status_until = 0;
        break;
    case F_PRIORITY:
        to->priority = from->priority;
        break;
    case F_MAX_KM:
        memcpy(to->max_m, from->max_m, sizeof to->max_m);
        if (is_nil) {
            no_reach(to);
        }
        break;
    case F_CENTS:
        to->handling_cents = from->handling_cents;
        break;
    case F_SAFETY:
        to->safety_stock = from->safety_stock;
        break;
    case F_HOURS:
        to->collect_hours = from->collect_hours;
        break;
    default: /* serves and bars are the caller's: they are more than a field */
        break;
    }
}

static void merge(const struct service_core *service, struct node_ask *ask,
                  const struct node *before, struct node_config *to)
{
    if (before) {
        *to = before->config;
    } else {
        memset(to, 0, sizeof *to);
        no_reach(to);
        memcpy(to->country, service->options.country, sizeof to->country);
        to->services = services_of(ask->config.type);
    }
    for (int field = F_TYPE; field < F_TIMES; field++) {
        if (reader_map_has(&ask->map, (uint32_t)field)) {
            merge_field(service, ask, field, to);
        }
    }
    if (reader_map_has(&ask->map, F_SERVES)) {
        to->serves = ask->serves;
        to->serves_count = ask->config.serves_count;
    }
}

/* -- node.put -- */

static void answer_put(struct service_core *service, struct call *call, struct text node,
                       bool is_created, bool is_duplicate)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + is_duplicate);
    put_text(writer, "node", node.at, node.len);
    put_bool(writer, "created", is_created);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static void node_log(struct service_core *service, struct effect_node *effect)
{
    effect->counts_closing = tables_counts_closing(&service->tables, effect);
    uint8_t *bytes = log_begin(service, effect_node_size(effect));
    uint64_t lsn = log_end(service, EFFECT_NODE, effect_node_encode(bytes, effect));
    must_apply(tables_apply_node(&service->tables, lsn, service->now_ms, effect), "node");
}

/* What a new node must name, and room for it. */
static bool may_create(struct service_core *service, struct call *call,
                       const struct node_ask *ask)
{
    for (uint32_t field = F_TYPE; field <= F_LON; field++) {
        if (!reader_map_has(&ask->map, field)) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "%s: missing, and %.*s is a new node", put_fields[field],
                        (int)ask->node.len, ask->node.at);
            return false;
        }
    }
    if (service->tables.network.count >= NODE_MAX) {
        reply_error(service, call, CODE_TABLE_FULL, "node: %d nodes are the most there can be",
                    NODE_MAX);
        return false;
    }
    return true;
}

enum {
    AREA_STEPS = 8,
    AREAS_AT_A_TIME = 128,
    ENTRY_STEPS = 32, /* each lands on a page that nobody touched before */
    ENTRIES_AT_A_TIME = 64
};

/* The loop may stop between pieces of what a thousand new areas take: the record is applied in one
 * go, but then finds all of it made. Out of memory is left for it to find. False: answered, there
 * are too many areas. */
static bool areas_ready(struct service_core *service, struct call *call,
                        const struct node_config *config, uint16_t handle)
{
    struct network *network = &service->tables.network;
    const struct geo_point point = geo_point(config->lat, config->lon);
    const struct grown_rules more = {.node_areas = config->serves_count};
    if (!rules_room(service, call, &more)) {
        return false;
    }
    if (!network_areas_fit(network, config->serves, config->serves_count)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "serves: %d different areas are the most there can be", AREAS_MAX);
        return false;
    }
    while (!network_areas_grow(network, config->serves_count, ENTRIES_AT_A_TIME)) {
        route_work(service->route, ENTRIES_AT_A_TIME * ENTRY_STEPS);
    }
    for (uint32_t i = 0; i < config->serves_count; i += AREAS_AT_A_TIME) {
        const uint32_t left = config->serves_count - i;
        const uint32_t count = left < AREAS_AT_A_TIME ? left : AREAS_AT_A_TIME;
        if (!network_areas_ready(network, handle, &point, config->serves + i, count)) {
            return true;
        }
        route_work(service->route, count * AREA_STEPS);
    }
    return true;
}

static void put_apply(struct service_core *service, struct call *call, struct node_ask *ask,
                      struct effect_node *effect)
{
    struct tables *tables = &service->tables;
    uint16_t handle = network_find(&tables->network, ask->node.at, ask->node.len);
    bool is_new = handle == NODE_NONE;
    if ((is_new && !may_create(service, call, ask)) ||
        !flag_words_have_room(service, call, "bars", &ask->bars)) {
        return;
    }
    effect->id = (struct effect_text){ask->node.at, ask->node.len};
    merge(service, ask, is_new ? NULL : &tables->network.nodes[handle], &effect->config);
    effect->key.facts[0] = is_new;
    if (reader_map_has(&ask->map, F_SERVES) &&
        !areas_ready(service, call, &effect->config, handle)) {
        return;
    }
    uint32_t size =
        effect_node_size(effect) + flag_words_size(&ask->bars) + hours_ask_size(&ask->times);
    uint32_t records = 1 + ask->bars.count + hours_ask_records(&ask->times);
    const bool may_be_short = !is_new && effect->config.safety_stock >
                                             tables->network.nodes[handle].config.safety_stock;
    size += may_be_short ? shorts_size(SHORT_NODE_CELLS) : 0;
    const struct grown_rules more = {.capacities = ask->times.seen != 0,
                                     .exceptions = ask->times.hours.exception_count};
    if ((ask->times.seen && !rules_room(service, call, &more)) ||
        !log_room(service, call, size, records + may_be_short, WAL_CLAIM_CHANGE)) {
        return;
    }
    uint64_t bars = flag_words_intern(service, &ask->bars);
    effect->config.bars = reader_map_has(&ask->map, F_BARS) ? bars : effect->config.bars;
    node_log(service, effect);
    if (may_be_short) {
        shorts_tell_node(service, handle);
    }
    if (ask->times.seen) {
        handle = network_find(&tables->network, ask->node.at, ask->node.len);
        hours_ask_apply(service, &ask->times, handle);
    }
    answer_put(service, call, ask->node, is_new, false);
}

void handle_node_put(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct node_ask ask;
    struct effect_node effect;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    put_read(service, &reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    memset(&effect, 0, sizeof effect);
    route_work(service->route, ask.config.serves_count * AREA_STEPS);
    switch (key_look(service, call, ask.key, put_content(&ask), &effect.key, &seen)) {
    case KEY_NEW:
        put_apply(service, call, &ask, &effect);
        break;
    case KEY_SEEN:
        answer_put(service, call, ask.node, seen->facts[0] != 0, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}

/* -- node.status -- */

struct status_ask {
    struct text node, key;
    enum node_status status;
    uint8_t services;
    bool has_services;
    bool reroute;
    uint64_t until; /* 0 = for ever */
};

static void status_read(struct service_core *service, struct reader *reader,
                        struct status_ask *ask)
{
    static const char *const fields[] = {"node",  "status", "services",
                                         "until", "key",    "reroute"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->node = reader_text(reader, 1, ID_MAX);
            break;
        case 1: {
            int word = reader_word(reader, &names_node_statuses);
            ask->status = word < 0 ? NODE_ACTIVE : (enum node_status)word;
            break;
        }
        case 2:
            ask->has_services = !reader_nil(reader);
            ask->services = ask->has_services ? read_services(reader) : 0;
            break;
        case 3:
            ask->until = reader_nil(reader) ? 0 : (uint64_t)reader_int(reader, 1, INT64_MAX / 4);
            if (ask->until && ask->until <= service->now_ms) {
                reader_fail(reader, "must be later than now=%llu, in milliseconds",
                            (unsigned long long)service->now_ms);
            }
            break;
        case 4:
            ask->key = reader_text(reader, 1, ID_MAX);
            break;
        default:
            ask->reroute = reader_bool(reader);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    if (reader_is_ok(reader) && ask->reroute && ask->status == NODE_ACTIVE) {
        reader_fail(reader, "reroute: only with on_hold or closed");
    }
    if (reader_is_ok(reader) && ask->has_services && !ask->services) {
        reader_fail(reader, "services: name at least one, or leave it out for all");
    }
    if (reader_is_ok(reader) && ask->until && ask->status == NODE_ACTIVE) {
        reader_fail(reader, "until: only with on_hold or closed, active has no end");
    }
}

/* Fulfilments that are open there stay there: nothing moves until there is a reroute. */
static void answer_status(struct service_core *service, struct call *call, uint16_t handle,
                          bool is_duplicate)
{
    const struct node *node = &service->tables.network.nodes[handle];
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6u + is_duplicate);
    put_text(writer, "node", node->id, node->id_len);
    put_string(writer, "status", node_status_text(node->config.status));
    put_int(writer, "moved", 0);
    put_int(writer, "held", 0);
    put_int(writer, "kept", service->tables.queues[handle].count);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* active for some services takes these out of what is on hold; else the new status replaces
 * the old one. */
static void status_set(const struct status_ask *ask, struct node_config *config)
{
    uint8_t services = ask->has_services ? ask->services : CAPABILITIES_ALL;
    if (ask->status == NODE_ACTIVE) {
        config->status_services &= (uint8_t)~services;
        if (config->status == NODE_ACTIVE || !config->status_services) {
            config->status = NODE_ACTIVE;
            config->status_services = 0;
            config->status_until = 0;
        }
        return;
    }
    config->status = ask->status;
    config->status_services = services;
    config->status_until = ask->until;
}

static bool is_same_status(const struct node_config *a, const struct node_config *b)
{
    return a->status == b->status && a->status_services == b->status_services &&
           a->status_until == b->status_until;
}

/* A repeat moves what is left as well: a crash may have come between. */
static void status_answer(struct service_core *service, struct call *call, uint16_t handle,
                          const struct status_ask *ask, bool is_duplicate)
{
    if (ask->reroute) {
        node_reroute(service, call, handle, is_duplicate);
    } else {
        answer_status(service, call, handle, is_duplicate);
    }
}

static void status_apply(struct service_core *service, struct call *call, uint16_t handle,
                         const struct status_ask *ask, struct effect_node *effect)
{
    const struct node *node = &service->tables.network.nodes[handle];
    effect->id = (struct effect_text){node->id, node->id_len};
    effect->config = node->config;
    status_set(ask, &effect->config);
    bool is_there = is_same_status(&effect->config, &node->config);
    if (!is_there || effect->key.is_set) {
        if (!log_room(service, call, effect_node_size(effect), 1, WAL_CLAIM_CHANGE)) {
            return;
        }
        node_log(service, effect);
    }
    status_answer(service, call, handle, ask, is_there);
}

void handle_node_status(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct status_ask ask;
    struct effect_node effect;
    struct content content;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    status_read(service, &reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t handle = need_node(service, call, "node", ask.node);
    if (handle == NODE_NONE) {
        return;
    }
    content_begin(&content, METHOD_NODE_STATUS);
    content_int(&content, handle);
    content_int(&content, ask.status);
    content_int(&content, ask.has_services ? ask.services : CAPABILITIES_ALL);
    content_int(&content, (int64_t)ask.until);
    if (ask.reroute) { /* contents of older keys stay what they were */
        content_int(&content, 1);
    }
    memset(&effect, 0, sizeof effect);
    switch (key_look(service, call, ask.key, content.hash, &effect.key, &seen)) {
    case KEY_NEW:
        status_apply(service, call, handle, &ask, &effect);
        break;
    case KEY_SEEN:
        status_answer(service, call, handle, &ask, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}
