/* Decoding of order.route. */
#include "ask.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "decimal.h"

enum {
    F_ORDER_ID,
    F_LINES,
    F_SERVICE,
    F_DEST,
    F_PICKUP_NODE,
    F_CHANNEL,
    F_STRATEGY,
    F_MAX_SPLITS,
    F_MAX_KM,
    F_ALLOW_PARTIAL,
    F_INCLUDE,
    F_EXCLUDE,
    F_REF,
    F_EXPLAIN,
    F_DRY_RUN,
    F_BACKORDER,
    F_SOLD_AT,
    F_RESERVATION,
    F_REQUIRED_BY,
    F_DELIVER_AFTER,
    F_COUNT
};

static const char *const fields[F_COUNT] = {
    "order_id",      "lines",         "service",       "dest", "pickup_node",
    "channel",       "strategy",      "max_splits",    "max_km", "allow_partial",
    "include_nodes", "exclude_nodes", "ref",           "explain", "dry_run",
    "backorder",     "sold_at",       "reservation_id",
    "required_by",   "deliver_after",
};

enum { L_ITEM, L_QTY, L_LINE, L_SERVICE, L_PICKUP_NODE, L_NODE, L_COUNT };

static const char *const line_fields[L_COUNT] = {"item",    "qty",         "line",
                                                 "service", "pickup_node", "node"};

enum { D_LAT, D_LON, D_COUNTRY, D_POSTCODE, D_PO_BOX, D_COUNT };

static const char *const dest_fields[D_COUNT] = {"lat", "lon", "country", "postcode", "po_box"};

static const struct text no_text;

/* qty is kept in the route line, which stands beside the ask's line. */
static void read_line(struct reader *reader, struct ask_line *line, uint32_t *qty)
{
    struct reader_map map;
    line->line = line->node = line->pickup_node = line->item = no_text;
    line->service = -1;
    reader_map_begin(reader, &map, line_fields, L_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case L_ITEM:
            line->item = reader_text(reader, 1, ID_MAX);
            break;
        case L_QTY:
            *qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
            break;
        case L_LINE:
            line->line = reader_text_or_int(reader, line->scratch, 1, ID_MAX);
            break;
        case L_SERVICE:
            line->service = reader_word(reader, &names_services);
            break;
        case L_PICKUP_NODE:
            line->pickup_node = reader_text(reader, 1, ID_MAX);
            break;
        default:
            line->node = reader_text(reader, 1, ID_MAX);
            break;
        }
    }
    reader_require(reader, &map, L_ITEM);
    reader_require(reader, &map, L_QTY);
}

void ask_read_lines(struct reader *reader, struct ask *ask)
{
    struct reader_array array;
    ask->line_count = reader_array_begin(reader, &array, ASK_LINES_MAX);
    if (ask->line_count == 0) {
        reader_fail(reader, "an order has at least one line");
    }
    for (uint32_t i = 0; reader_array_next(reader, &array); i++) {
        read_line(reader, &ask->lines[i], &ask->route_lines[i].qty);
    }
}

static void read_postcode(struct reader *reader, struct ask *ask)
{
    struct text text = reader_text(reader, 1, 40);
    if (reader_is_ok(reader) && !postcode_normalise(text.at, text.len, ask->postcode)) {
        reader_fail(reader, "at most %d letters and digits", POSTCODE_MAX);
    }
}

void ask_read_dest(struct reader *reader, struct ask *ask)
{
    struct reader_map map;
    reader_map_begin(reader, &map, dest_fields, D_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case D_LAT:
            ask->lat = reader_float(reader, -90, 90);
            ask->has_lat = true;
            break;
        case D_LON:
            ask->lon = reader_float(reader, -180, 180);
            ask->has_lon = true;
            break;
        case D_COUNTRY:
            read_country(reader, ask->country);
            break;
        case D_POSTCODE:
            read_postcode(reader, ask);
            break;
        default:
            ask->is_po_box = reader_bool(reader);
            break;
        }
    }
    if (ask->has_lat != ask->has_lon) {
        reader_fail(reader, "lat and lon belong together");
    } else if (!ask->has_lat && !ask->postcode[0]) {
        reader_fail(reader, "give lat and lon, or a postcode");
    }
}

/* A list of node ids: checked here, looked up when applied. */
static uint32_t read_nodes(struct reader *reader, struct text *raw, bool may_be_empty)
{
    const uint8_t *from = reader->at;
    struct reader_array array;
    uint32_t count = reader_array_begin(reader, &array, LIST_MAX);
    if (reader_is_ok(reader) && count == 0 && !may_be_empty) {
        reader_fail(reader, "names no node: leave it out to mean all");
    }
    while (reader_array_next(reader, &array)) {
        reader_text(reader, 1, ID_MAX);
    }
    *raw = (struct text){(const char *)from, (uint32_t)(reader->at - from)};
    return count;
}

static void read_field(struct reader *reader, int field, struct ask *ask)
{
    switch (field) {
    case F_ORDER_ID:
        ask->order_id = reader_text(reader, 1, ID_MAX);
        break;
    case F_LINES:
        ask_read_lines(reader, ask);
        break;
    case F_SERVICE:
        ask->service = reader_word(reader, &names_services);
        break;
    case F_DEST:
        ask_read_dest(reader, ask);
        break;
    case F_PICKUP_NODE:
        ask->pickup_node = reader_text(reader, 1, ID_MAX);
        break;
    case F_CHANNEL:
        ask->channel = reader_text(reader, 1, ID_MAX);
        break;
    case F_STRATEGY:
        ask->strategy = reader_text(reader, 1, ID_MAX);
        break;
    case F_MAX_SPLITS:
        ask->max_splits = (uint32_t)reader_int(reader, 0, 1000000);
        break;
    case F_MAX_KM:
        ask->max_m = (uint32_t)lround(reader_float(reader, 0, 20038) * 1000);
        break;
    case F_ALLOW_PARTIAL:
        ask->allow_partial = reader_bool(reader);
        break;
    case F_INCLUDE:
        ask->include_count = read_nodes(reader, &ask->include_raw, false);
        break;
    case F_EXCLUDE:
        ask->exclude_count = read_nodes(reader, &ask->exclude_raw, true);
        break;
    case F_REF:
        ask->ref = reader_text(reader, 0, ORDER_REF_MAX);
        break;
    case F_EXPLAIN:
        ask->explain = (uint8_t)reader_int(reader, 0, 2);
        break;
    case F_BACKORDER:
        ask->backorder = reader_bool(reader);
        break;
    case F_RESERVATION:
        ask->reservation_id = reader_text(reader, 1, ID_MAX);
        break;
    case F_REQUIRED_BY:
        ask->required_by_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
        break;
    case F_DELIVER_AFTER:
        ask->deliver_after_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
        break;
    case F_DRY_RUN:
        ask->dry_run = reader_bool(reader);
        break;
    default:
        ask->sold_at = reader_text(reader, 1, ID_MAX);
        break;
    }
}

/* -- what must hold between the fields -- */

static struct text line_name(const struct ask *ask, uint32_t i, char scratch[12])
{
    if (ask->lines[i].line.len) {
        return ask->lines[i].line;
    }
    return (struct text){scratch, decimal_put(scratch, i + 1)};
}

static bool has_line_names(const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        if (ask->lines[i].line.len) {
            return true;
        }
    }
    return false;
}

/* Two lines of one name; a table of 4,096 slots for at most 1,000 lines. */
static void check_line_names(struct reader *reader, const struct ask *ask)
{
    enum { SLOTS = 4096 };
    uint16_t slots[SLOTS] = {0};
    char own[12];
    char other[12];
    for (uint32_t i = 0; i < ask->line_count; i++) {
        struct text name = line_name(ask, i, own);
        uint64_t at = hash_fixed(name.at, name.len) % SLOTS;
        for (; slots[at]; at = (at + 1) % SLOTS) {
            struct text seen = line_name(ask, slots[at] - 1u, other);
            if (seen.len == name.len && memcmp(seen.at, name.at, name.len) == 0) {
                reader_fail(reader, "lines[%u].line: \"%.*s\" is already lines[%u]: give each line "
                            "an id of its own", i, (int)name.len, name.at, slots[at] - 1u);
                return;
            }
        }
        slots[at] = (uint16_t)(i + 1);
    }
}

/* Whether the line is fetched at a node: there or sent there. */
static bool is_fetched(const struct ask *ask, uint32_t i)
{
    enum service service = ask->route_lines[i].service;
    return service_is_pickup(service) || service == SERVICE_SHIP_TO_STORE;
}

static bool same_text(struct text a, struct text b)
{
    return a.len == b.len && memcmp(a.at, b.at, a.len) == 0;
}

struct text ask_fixed_node(const struct ask *ask, uint32_t i)
{
    const struct ask_line *line = &ask->lines[i];
    if (line->node.len) {
        return line->node;
    }
    if (ask->route_lines[i].service == SERVICE_CARRY_OUT) {
        return ask->sold_at;
    }
    return line->pickup_node.len || !is_fetched(ask, i) ? line->pickup_node : ask->pickup_node;
}

/* Lines that are sent to a store, and lines that the customer carries out, name it. */
static void check_store(struct reader *reader, const struct ask *ask, uint32_t i)
{
    const struct ask_line *line = &ask->lines[i];
    enum service service = ask->route_lines[i].service;
    if (service == SERVICE_SHIP_TO_STORE && line->node.len) {
        reader_fail(reader, "lines[%u].node: what is sent to a store comes from the nearest node: "
                            "leave it out", i);
    } else if (service == SERVICE_SHIP_TO_STORE && !ask_fixed_node(ask, i).len) {
        reader_fail(reader, "pickup_node: missing, and lines[%u] is to be sent to a store", i);
    } else if (service == SERVICE_CARRY_OUT && !ask->sold_at.len) {
        reader_fail(reader, "sold_at: missing, and lines[%u] is carried out", i);
    } else if (service == SERVICE_CARRY_OUT && line->node.len &&
               !same_text(line->node, ask->sold_at)) {
        reader_fail(reader, "lines[%u].node: is not sold_at, where it is carried out", i);
    }
}

static void check_places(struct reader *reader, const struct ask *ask)
{
    bool has_dest = ask->has_lat || ask->postcode[0];
    bool has_pickup = false;
    for (uint32_t i = 0; i < ask->line_count && reader_is_ok(reader); i++) {
        const struct ask_line *line = &ask->lines[i];
        check_store(reader, ask, i);
        has_pickup = has_pickup || is_fetched(ask, i);
        if (line->pickup_node.len && !is_fetched(ask, i)) {
            reader_fail(reader, "lines[%u].pickup_node: the line's service is %s, not pickup", i,
                        service_text(ask->route_lines[i].service));
        } else if (line->pickup_node.len && line->node.len) {
            reader_fail(reader, "lines[%u]: give node or pickup_node, not both", i);
        } else if (!ask_fixed_node(ask, i).len && !has_dest && !ask->may_float) {
            reader_fail(reader, "dest: missing, and lines[%u] names neither node nor pickup_node",
                        i);
        }
    }
    if (ask->pickup_node.len && !has_pickup) {
        reader_fail(reader, "pickup_node: no line has service pickup");
    }
}

static void services_fill(struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        int own = ask->lines[i].service;
        ask->route_lines[i].service = (enum service)(own < 0 ? ask->service : own);
        ask->route_lines[i].node = NODE_NONE;
        ask->route_lines[i].item = ITEM_NONE;
        ask->route_lines[i].kit = 0;
    }
}

void ask_begin(struct service_core *service, struct ask *ask, struct ask_line *lines)
{
    memset(ask, 0, offsetof(struct ask, rank));
    ask->max_splits = ROUTE_NO_LIMIT;
    ask->max_m = ROUTE_NO_LIMIT;
    ask->lines = lines;
    ask->route_lines = service->asks->route_lines + (lines - service->asks->lines);
}

bool ask_settle(struct service_core *service, struct reader *reader, struct ask *ask)
{
    services_fill(ask);
    if (!ask->country[0] && (ask->postcode[0] || ask->has_lat)) {
        memcpy(ask->country, service->options.country, sizeof ask->country);
    }
    if (has_line_names(ask)) {
        check_line_names(reader, ask);
    }
    check_places(reader, ask);
    uint64_t latest = service->now_ms + (uint64_t)PROMISE_AFTER_DAYS_MAX * 86400000;
    if (ask->deliver_after_ms > latest) {
        reader_fail(reader, "deliver_after: at most %d days ahead", PROMISE_AFTER_DAYS_MAX);
    }
    return reader_is_ok(reader);
}

bool ask_decode(struct service_core *service, struct reader *reader, const struct call *call,
                struct ask *ask, struct ask_line *lines)
{
    struct reader_map map;
    ask_begin(service, ask, lines);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, F_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(reader, field, ask);
    }
    reader_require(reader, &map, F_ORDER_ID);
    reader_require(reader, &map, F_LINES);
    reader_require(reader, &map, F_SERVICE);
    return reader_is_ok(reader) && ask_settle(service, reader, ask);
}

/* -- content -- */

static inline uint8_t *add(uint8_t *at, const void *bytes, size_t size)
{
    if (size > 0) {
        memcpy(at, bytes, size);
    }
    return at + size;
}

/* In line: most of a request's dozen texts are empty. */
static inline uint8_t *add_text(uint8_t *at, struct text text)
{
    *at++ = (uint8_t)text.len;
    if (text.len >= 32) {
        return add(at, text.at, text.len);
    }
    if (text.len > 0) {
        writer_copy_short(at, text.at, text.len);
    }
    return at + text.len;
}

static struct text text_of(const char *string)
{
    return (struct text){string, string[0] ? (uint32_t)strlen(string) : 0};
}

static uint8_t *add_raw(uint8_t *at, struct text raw, uint32_t count)
{
    struct reader reader;
    struct reader_array array;
    at = add(at, &count, sizeof count);
    if (count == 0) {
        return at;
    }
    reader_init(&reader, (const uint8_t *)raw.at, raw.len);
    reader_array_begin(&reader, &array, LIST_MAX);
    while (reader_array_next(&reader, &array)) {
        at = add_text(at, reader_text(&reader, 1, ID_MAX));
    }
    return at;
}

/* What fixes the place of a line. */
static uint8_t *add_line_nodes(uint8_t *at, const struct ask *ask, uint32_t i)
{
    const struct ask_line *line = &ask->lines[i];
    struct text pickup = line->pickup_node.len || !is_fetched(ask, i) || line->node.len
                             ? line->pickup_node
                             : ask->pickup_node;
    at = add_text(at, line->node);
    return add_text(at, pickup);
}

static uint8_t *add_lines(uint8_t *at, const struct ask *ask)
{
    char scratch[12];
    for (uint32_t i = 0; i < ask->line_count; i++) {
        const struct ask_line *line = &ask->lines[i];
        const struct route_line *own = &ask->route_lines[i];
        at = add_text(at, line_name(ask, i, scratch));
        at = add_text(at, line->item);
        at = add(at, &own->qty, sizeof own->qty);
        *at++ = (uint8_t)own->service;
        at = add_line_nodes(at, ask, i);
    }
    return at;
}

/* Behind the place: a block of constant bytes where nothing of it was asked. */
static uint8_t *add_wishes(uint8_t *at, const struct ask *ask)
{
    at = add_text(at, ask->channel);
    at = add_text(at, ask->strategy.len ? ask->strategy : (struct text){"nearest", 7});
    at = add(at, &ask->max_splits, sizeof ask->max_splits);
    at = add(at, &ask->max_m, sizeof ask->max_m);
    at = add_raw(at, ask->include_raw, ask->include_count);
    at = add_raw(at, ask->exclude_raw, ask->exclude_count);
    return add_text(at, ask->ref);
}

uint32_t ask_canon(struct asks *asks, const struct ask *ask)
{
    uint8_t *at = add_text(asks->canon, ask->order_id);
    at = add_lines(at, ask);
    *at++ = (uint8_t)((ask->has_lat ? 1 : 0) | (ask->is_po_box ? 2 : 0) |
                      (ask->allow_partial ? 4 : 0) | (ask->backorder ? 8 : 0));
    at = add(at, &ask->lat, sizeof ask->lat);
    at = add(at, &ask->lon, sizeof ask->lon);
    at = add_text(at, text_of(ask->country));
    at = add_text(at, text_of(ask->postcode));
    at = add_wishes(at, ask);
    if (ask->reservation_id.len) { /* not where there is none: contents of old logs stay */
        *at++ = 'r';
        at = add_text(at, ask->reservation_id);
    }
    if (ask->sold_at.len) {
        at = add_text(at, ask->sold_at);
    }
    if (ask->required_by_ms || ask->deliver_after_ms) {
        at = add(at, &ask->required_by_ms, sizeof ask->required_by_ms);
        at = add(at, &ask->deliver_after_ms, sizeof ask->deliver_after_ms);
    }
    CHECK(at - asks->canon <= ASK_CANON_MAX);
    return (uint32_t)(at - asks->canon);
}

void ask_choose(const struct service_core *service, struct ask *ask)
{
    const struct strategies *strategies = &service->tables.strategies;
    ask->rule_handle = STRATEGY_NEAREST;
    ask->rule = NULL;
    if (strategies->choice_count > 0) {
        ask->rule_handle = strategies_of(strategies, (enum service)ask->service, ask->channel.at,
                                         ask->channel.len);
        ask->rule = strategies_at(strategies, ask->rule_handle);
    }
}

void ask_request(struct asks *asks, const struct ask *ask, struct route_request *request)
{
    *request = (struct route_request){
        .lines = ask->route_lines,
        .line_count = ask->line_count,
        .has_dest = ask->has_point,
        .dest = ask->point,
        .country = ask->country,
        .postcode = ask->postcode,
        .is_po_box = ask->is_po_box,
        .max_splits = ask->max_splits,
        .max_m = ask->max_m,
        .allow_partial = ask->allow_partial || ask->backorder,
        .include = asks->include,
        .include_count = ask->include_count,
        .exclude = asks->exclude,
        .exclude_count = ask->exclude_count,
        .required_by_ms = ask->required_by_ms,
        .deliver_after_ms = ask->deliver_after_ms,
        .channel = ask->channel_hash,
        .strategy = ask->rule,
        .explain = ask->explain,
    };
}

/* -- scratch -- */

/* Zeroed memory whose pages are there: else the first orders after a start would wait for them. */
static void *touched(size_t size)
{
    void *memory = malloc(size);
    if (memory) {
        explicit_bzero(memory, size);
    }
    return memory;
}

enum err asks_new(struct asks **out)
{
    struct asks *asks = touched(sizeof *asks);
    if (!asks) {
        return ERR_NOMEM;
    }
    asks->asks = touched(ASKS_ROOM * sizeof *asks->asks);
    asks->touches = touched(ASKS_ROOM * sizeof *asks->touches);
    asks->looks = touched(ASKS_ROOM * sizeof *asks->looks);
    asks->lines = touched((ASK_LINE_POOL + ASK_LINES_MAX) * sizeof *asks->lines);
    asks->route_lines = touched((ASK_LINE_POOL + ASK_LINES_MAX) * sizeof *asks->route_lines);
    asks->canon = touched(ASK_CANON_MAX);
    asks->kit_lines = touched(ASK_LINES_MAX * sizeof *asks->kit_lines);
    asks->kit_route_lines = touched(ASK_LINES_MAX * sizeof *asks->kit_route_lines);
    if (!asks->asks || !asks->touches || !asks->looks || !asks->lines || !asks->route_lines ||
        !asks->canon || !asks->kit_lines || !asks->kit_route_lines) {
        asks_free(asks);
        return ERR_NOMEM;
    }
    *out = asks;
    return ERR_OK;
}

void asks_free(struct asks *asks)
{
    if (asks) {
        free(asks->asks);
        free(asks->touches);
        free(asks->looks);
        free(asks->lines);
        free(asks->route_lines);
        free(asks->kit_lines);
        free(asks->kit_route_lines);
        free(asks->canon);
        free(asks);
    }
}
