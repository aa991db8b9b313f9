/* node.get and node.list: nodes as they were put. */
#include <string.h>

#include "flags_internal.h"
#include "node_hours_internal.h"
#include "service_internal.h"

enum { PAGE_BYTES = 1 << 20 /* a page of nodes with long lists ends early */ };

static void put_services(struct writer *writer, const char *name, uint8_t bits)
{
    writer_string(writer, name);
    writer_array(writer, (uint32_t)__builtin_popcount(bits));
    for (int i = 0; i < CAPABILITY_COUNT; i++) {
        if (bits >> i & 1) {
            writer_string(writer, capability_text((enum capability)i));
        }
    }
}

static void put_reach(struct writer *writer, const struct node_config *config)
{
    uint32_t count = 0;
    writer_str(writer, "max_km");
    uint32_t mark = writer_open(writer);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (config->max_m[i] != UINT32_MAX) {
            put_km(writer, service_text((enum service)i), config->max_m[i]);
            count++;
        }
    }
    writer_map_close(writer, mark, count);
}

/* Fields that are there only when they say something; how many. */
static uint32_t put_sparse(struct service_core *service, struct writer *writer,
                           const struct node_config *config)
{
    uint32_t count = 0;
    if (config->name[0]) {
        put_string(writer, "name", config->name);
        count++;
    }
    if (config->country[0]) {
        put_string(writer, "country", config->country);
        count++;
    }
    if (config->postcode[0]) {
        put_string(writer, "postcode", config->postcode);
        count++;
    }
    if (config->status != NODE_ACTIVE) {
        put_services(writer, "status_services", config->status_services);
        count++;
    }
    if (config->status_until) {
        put_int(writer, "until", (int64_t)config->status_until);
        count++;
    }
    if (config->serves_count) {
        put_areas(writer, "serves", config->serves, config->serves_count);
        count++;
    }
    if (config->bars) {
        put_flags(service, writer, "bars", config->bars);
        count++;
    }
    return count;
}

static uint32_t put_node(struct service_core *service, struct writer *writer, uint16_t handle)
{
    const struct node *node = &service->tables.network.nodes[handle];
    const struct node_config *config = &node->config;
    put_text(writer, "node", node->id, node->id_len);
    put_string(writer, "type", node_type_text(config->type));
    put_float(writer, "lat", config->lat);
    put_float(writer, "lon", config->lon);
    put_services(writer, "services", config->services);
    put_string(writer, "status", node_status_text(config->status));
    put_int(writer, "priority", config->priority);
    put_reach(writer, config);
    put_int(writer, "handling_cents", config->handling_cents);
    put_int(writer, "safety_stock", config->safety_stock);
    put_int(writer, "collect_hours", config->collect_hours);
    put_int(writer, "open", service->tables.queues[handle].count);
    put_float(writer, "acceptance", tables_acceptance(&service->tables, handle));
    return 13 + put_sparse(service, writer, config) + put_hours(service, writer, handle);
}

void handle_node_get(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"node"};
    struct reader reader;
    struct reader_map map;
    struct text node = {"", 0};
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 1);
    while (reader_map_next(&reader, &map) >= 0) {
        node = reader_text(&reader, 1, ID_MAX);
    }
    reader_require(&reader, &map, 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t handle = need_node(service, call, "node", node);
    if (handle == NODE_NONE) {
        return;
    }
    struct writer *writer = reply_begin(service, call);
    uint32_t mark = writer_open(writer);
    uint32_t count = put_node(service, writer, handle);
    put_lsn(service, writer);
    writer_map_close(writer, mark, count + 1);
    reply_send(service, call);
}

static void answer_list(struct service_core *service, struct call *call, uint32_t from,
                        uint32_t limit)
{
    const struct network *network = &service->tables.network;
    struct writer *writer = reply_begin(service, call);
    uint32_t whole = writer_open(writer);
    uint32_t count = 0;
    writer_str(writer, "nodes");
    uint32_t mark = writer_open(writer);
    for (; from < network->count && count < limit && writer_size(writer) < PAGE_BYTES; from++) {
        uint32_t entry = writer_open(writer);
        writer_map_close(writer, entry, put_node(service, writer, (uint16_t)from));
        count++;
    }
    writer_array_close(writer, mark, count);
    bool has_next = from < network->count;
    if (has_next) {
        const struct node *last = &network->nodes[from - 1];
        put_text(writer, "next", last->id, last->id_len);
    }
    put_lsn(service, writer);
    writer_map_close(writer, whole, has_next ? 3 : 2);
    reply_send(service, call);
}

void handle_node_list(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"after", "limit"};
    struct reader reader;
    struct reader_map map;
    struct text after = {"", 0};
    uint32_t limit = PAGE_DEFAULT;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 2);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        if (field == 0) {
            after = reader_text(&reader, 1, ID_MAX);
        } else {
            limit = (uint32_t)reader_int(&reader, 1, PAGE_MAX);
        }
    }
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint32_t from = 0;
    if (after.len) {
        uint16_t handle = need_node(service, call, "after", after);
        if (handle == NODE_NONE) {
            return;
        }
        from = handle + 1u;
    }
    answer_list(service, call, from, limit);
}
