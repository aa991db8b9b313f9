/* hello: who speaks, what it can do, and where its limits are. */
#include <stdio.h>

#include "load_internal.h"
#include "service_internal.h"

enum { HELLO_CLIENT_MAX = 63, DEPTH_TOLD = 16, LINES_TOLD = 1000 };

/* Largest work of a call: rows, orders or search steps before the loop does other work. */
static const uint32_t work_of[METHOD_COUNT] = {
    [METHOD_HELLO] = 1,
    [METHOD_STATS] = NODE_MAX,
    [METHOD_NODE_PUT] = NODE_AREAS_MAX,
    [METHOD_NODE_STATUS] = 1,
    [METHOD_NODE_GET] = NODE_AREAS_MAX,
    [METHOD_NODE_LIST] = PAGE_MAX,
    [METHOD_ITEM_PUT] = ITEM_AREAS_MAX,
    [METHOD_ITEM_GET] = ITEM_AREAS_MAX,
    [METHOD_PLACE_LOAD] = SLICE_ROWS,
    [METHOD_STOCK_ADJUST] = 1,
    [METHOD_STOCK_SET] = 1,
    [METHOD_STOCK_LOAD] = SLICE_ROWS,
    [METHOD_STOCK_POLICY] = 1,
    [METHOD_STOCK_GET] = LIST_MAX,
    [METHOD_STOCK_LIST] = WORK_STEPS,
    [METHOD_STOCK_FIND] = NODE_MAX,
    [METHOD_ORDER_GET] = EFFECT_SHARES_MAX,
    [METHOD_ORDER_LIST] = WORK_STEPS,
    [METHOD_ORDER_CANCEL] = EFFECT_SHARES_MAX,
    [METHOD_FULFIL_UPDATE] = EFFECT_SHARES_MAX,
    [METHOD_FULFIL_LIST] = WORK_STEPS,
    [METHOD_PROMISE_QUOTE] = NODE_MAX,
    [METHOD_CAPACITY_SET] = 1,
    [METHOD_CAPACITY_GET] = CAPACITY_METERS_MAX,
    [METHOD_CARRIER_LOAD] = SLICE_ROWS,
    [METHOD_TRAVEL_LOAD] = SLICE_ROWS,
    [METHOD_FULFIL_REJECT] = EFFECT_SHARES_MAX,
    [METHOD_ORDER_REROUTE] = EFFECT_SHARES_MAX,
    [METHOD_ORDER_MODIFY] = EFFECT_SHARES_MAX,
    [METHOD_CLOCK_SET] = WORK_STEPS,
    [METHOD_STRATEGY_PUT] = STRATEGY_TERMS_MAX + STRATEGY_FENCES_MAX,
    [METHOD_STRATEGY_ACTIVATE] = STRATEGY_CHOICES_MAX,
    [METHOD_STRATEGY_LIST] = STRATEGY_VERSIONS_MAX,
    [METHOD_STRATEGY_TRY] = NODE_MAX,
    [METHOD_EXPLAIN_GET] = NODE_MAX,
    [METHOD_EXPLAIN_WHY_NOT] = NODE_MAX,
    [METHOD_RETURN_QUOTE] = NODE_MAX,
    [METHOD_RETURN_CREATE] = DOCUMENT_LINES_MAX,
    [METHOD_RETURN_RECEIVE] = DOCUMENT_LINES_MAX,
    [METHOD_SUPPLY_PUT] = 1,
    [METHOD_SUPPLY_RECEIVE] = 1,
    [METHOD_SUPPLY_CANCEL] = 1,
    [METHOD_TRANSFER_CREATE] = DOCUMENT_LINES_MAX,
    [METHOD_TRANSFER_SHIP] = DOCUMENT_LINES_MAX,
    [METHOD_TRANSFER_RECEIVE] = DOCUMENT_LINES_MAX,
    [METHOD_TRANSFER_CANCEL] = DOCUMENT_LINES_MAX,
    [METHOD_SNAPSHOT] = 1,
    [METHOD_EVENTS_READ] = PAGE_MAX,
    [METHOD_RESERVE_UPDATE] = EFFECT_SHARES_MAX,
    [METHOD_RESERVE_RELEASE] = EFFECT_SHARES_MAX,
    [METHOD_RESERVE_GET] = EFFECT_SHARES_MAX,
};

static bool decode(struct reader *reader, const struct call *call)
{
    static const char *const fields[] = {"client", "protocol"};
    struct reader_map map;
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            reader_text(reader, 0, HELLO_CLIENT_MAX);
        } else {
            reader_int(reader, 1, 1);
        }
    }
    return reader_is_ok(reader);
}

static void put_methods(struct writer *writer)
{
    writer_str(writer, "methods");
    writer_array(writer, METHOD_COUNT);
    for (int i = 0; i < METHOD_COUNT; i++) {
        writer_string(writer, method_text((enum method)i));
    }
}

/* Request fields that came after the first version. */
static void put_features(struct writer *writer)
{
    static const char *const features[] = {
        "order.route.reservation_id", "order.route.backorder",   "order.route.required_by",
        "order.route.deliver_after",  "node.put.tz",             "node.put.calendar",
        "node.put.cutoff",            "node.put.processing_min", "node.put.capacity",
        "node.put.acceptance",        "node.put.accept_min",     "node.put.stock_max_age_min",
        "stock.adjust.reservation_id", "stock.adjust.fulfilment",
        "stock.policy.quotas",         "item.put.components"};
    uint32_t count = sizeof features / sizeof features[0];
    writer_str(writer, "features");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_string(writer, features[i]);
    }
}

static void put_limits(const struct service_core *service, struct writer *writer)
{
    const struct service_options *options = &service->options;
    const struct {
        const char *name;
        uint64_t value;
    } limits[] = {
        {"frame_size", options->frame_size_max},
        {"depth", DEPTH_TOLD},
        {"lines", LINES_TOLD},
        {"load_rows", LOAD_ROWS_MAX},
        {"list", LIST_MAX},
        {"page", PAGE_MAX},
        {"page_default", PAGE_DEFAULT},
        {"reply_size", REPLY_SIZE_MAX},
        {"qty", QTY_MAX},
        {"nodes", NODE_MAX},
        {"areas", AREAS_MAX},
        {"items", options->tables.items_max},
        {"orders", options->tables.orders_max},
        {"orders_memory", options->tables.orders_memory},
        {"stock_memory", options->tables.stock_memory},
        {"rules_memory", options->tables.rules_memory},
        {"loads_memory", options->loads_memory},
        {"order_window_ms", options->order_window_ms},
        {"keys", options->tables.keys_max},
        {"key_window_ms", options->key_window_ms},
        {"movements", options->tables.movements_max},
        {"carrier_rows", CARRIER_ROWS_MAX},
        {"travel_rows", TRAVEL_ROWS_MAX},
        {"documents", options->tables.documents_max},
        {"count_window_ms", options->count_window_ms},
        {"return_window_ms", options->return_window_ms},
        {"holds", options->tables.holds_max},
        {"owed", options->tables.owed_max},
        {"quotas", QUOTAS_EACH_MAX},
        {"quota_channels", QUOTA_CHANNELS_MAX},
        {"reservations", options->tables.reservations_max},
        {"reserve_ttl_ms", RESERVE_TTL_MAX},
        {"rejects", options->rejects_max},
        {"strategies", STRATEGY_VERSIONS_MAX},
        {"strategy_names", STRATEGY_NAMES_MAX},
        {"strategy_choices", STRATEGY_CHOICES_MAX},
        {"event_readers", FEED_READERS_MAX},
        {"event_readers_each", FEED_READERS_EACH},
        {"read_loops", service->glance_count},
        {"conns", options->conns_max},
        {"inflight", options->inflight_max},
        {"max_delay_ms", options->max_delay_ms},
        {"search_steps", route_steps_max(service->route)},
        {"search_steps_few", route_steps_few(service->route)},
        {"slice_steps", options->slice_steps},
    };
    uint32_t count = sizeof limits / sizeof limits[0];
    writer_str(writer, "limits");
    writer_map(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_int(writer, limits[i].name, (int64_t)limits[i].value);
    }
}

/* Methods that decide sources; they are suspended after a slice. */
static bool is_search(enum method method)
{
    static const bool searches[METHOD_COUNT] = {
        [METHOD_ORDER_ROUTE] = true,    [METHOD_RESERVE_CREATE] = true,
        [METHOD_RESERVE_UPDATE] = true, [METHOD_ORDER_MODIFY] = true,
        [METHOD_ORDER_REROUTE] = true,  [METHOD_FULFIL_REJECT] = true,
        [METHOD_PROMISE_QUOTE] = true,  [METHOD_EXPLAIN_GET] = true,
        [METHOD_EXPLAIN_WHY_NOT] = true, [METHOD_STRATEGY_TRY] = true,
    };
    return searches[method];
}

static uint32_t search_work(const struct service_core *service)
{
    const uint32_t slice = service->options.slice_steps;
    const uint32_t most = route_steps_few(service->route);
    return slice && slice < most ? slice : most;
}

static void put_work(const struct service_core *service, struct writer *writer)
{
    writer_str(writer, "work");
    writer_map(writer, METHOD_COUNT);
    for (int i = 0; i < METHOD_COUNT; i++) {
        uint32_t work = is_search((enum method)i) ? search_work(service) : work_of[i];
        put_int(writer, method_text((enum method)i), work);
    }
}

void log_id_text(const struct service_core *service, char out[LOG_ID_SIZE])
{
    const struct wal_identity *identity = wal_identity(service->wal);
    for (size_t i = 0; i < sizeof identity->uuid; i++) {
        snprintf(out + 2 * i, 3, "%02x", identity->uuid[i]);
    }
}

static void put_log_id(const struct service_core *service, struct writer *writer)
{
    char text[LOG_ID_SIZE];
    log_id_text(service, text);
    put_string(writer, "log_id", text);
}

void handle_hello(struct service_core *service, struct call *call)
{
    struct reader reader;
    if (!decode(&reader, call)) {
        reply_invalid(service, call, &reader);
        return;
    }
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 12);
    put_string(writer, "server", "nearshelf");
    put_string(writer, "version", NEARSHELF_VERSION);
    put_int(writer, "protocol", 1);
    put_methods(writer);
    put_features(writer);
    put_limits(service, writer);
    put_work(service, writer);
    put_string(writer, "currency", service->options.currency);
    put_log_id(service, writer);
    put_string(writer, "role", "primary");
    put_int(writer, "now", (int64_t)service->now_ms);
    put_lsn(service, writer);
    reply_send(service, call);
}
