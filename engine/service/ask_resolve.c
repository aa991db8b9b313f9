/* The names in an order.route, found: items, nodes, channel, place. */
#include "ask.h"
#include "place_internal.h"

bool ask_find_place(const struct service_core *service, struct ask *ask)
{
    if (ask->has_lat) {
        ask->point = geo_point(ask->lat, ask->lon);
        ask->has_point = true;
    } else if (ask->postcode[0]) {
        ask->has_point = gazetteer_find(&service->tables.gazetteer, ask->country, ask->postcode,
                                        &ask->point);
        return ask->has_point;
    }
    return true;
}

static uint16_t node_find(const struct service_core *service, struct text node)
{
    return network_find(&service->tables.network, node.at, node.len);
}

bool ask_find_item(struct service_core *service, struct ask *ask, uint32_t i)
{
    const struct ask_line *line = &ask->lines[i];
    struct route_line *own = &ask->route_lines[i];
    if (own->item == ITEM_NONE) {
        own->item = catalogue_find(&service->tables.catalogue, line->item_hash, line->item.at,
                                   line->item.len);
    }
    return own->item != ITEM_NONE;
}

static bool node_resolve(struct service_core *service, struct ask *ask, uint32_t i)
{
    struct text node = ask_fixed_node(ask, i);
    if (node.len) {
        ask->route_lines[i].node = node_find(service, node);
        return ask->route_lines[i].node != NODE_NONE;
    }
    return true;
}

static uint32_t nodes_resolve(struct service_core *service, struct text raw, uint32_t count,
                              uint16_t *nodes, struct text *unknown)
{
    struct reader reader;
    struct reader_array array;
    if (count == 0) {
        return 0;
    }
    reader_init(&reader, (const uint8_t *)raw.at, raw.len);
    reader_array_begin(&reader, &array, LIST_MAX);
    for (uint32_t i = 0; reader_array_next(&reader, &array); i++) {
        struct text node = reader_text(&reader, 1, ID_MAX);
        nodes[i] = node_find(service, node);
        if (nodes[i] == NODE_NONE) {
            *unknown = node;
        }
    }
    return count;
}

bool ask_resolve(struct service_core *service, struct call *call, struct ask *ask)
{
    struct asks *asks = service->asks;
    struct text unknown = {NULL, 0};
    for (uint32_t i = 0; i < ask->line_count; i++) {
        if (!ask_find_item(service, ask, i)) {
            reply_error(service, call, CODE_UNKNOWN_ITEM,
                        "lines[%u].item: \"%.*s\" is not known: item.put it first", i,
                        (int)ask->lines[i].item.len, ask->lines[i].item.at);
            return false;
        }
        if (!node_resolve(service, ask, i)) {
            struct text node = ask_fixed_node(ask, i);
            reply_error(service, call, CODE_UNKNOWN_NODE,
                        "lines[%u]: node \"%.*s\" is not known: node.put it first", i,
                        (int)node.len, node.at);
            return false;
        }
    }
    ask->channel_hash = channel_find(service, ask->channel);
    ask->sold_node = NODE_NONE;
    if (ask->sold_at.len) {
        ask->sold_node = node_find(service, ask->sold_at);
        unknown = ask->sold_node == NODE_NONE ? ask->sold_at : unknown;
    }
    nodes_resolve(service, ask->include_raw, ask->include_count, asks->include, &unknown);
    nodes_resolve(service, ask->exclude_raw, ask->exclude_count, asks->exclude, &unknown);
    if (unknown.len) {
        reply_error(service, call, CODE_UNKNOWN_NODE,
                    "sold_at, include_nodes or exclude_nodes: \"%.*s\" is not known",
                    (int)unknown.len, unknown.at);
        return false;
    }
    if (!kits_apart(service, call, ask)) {
        return false;
    }
    if (!ask_find_place(service, ask)) {
        place_unknown(service, call, "dest", ask->country, ask->postcode);
        return false;
    }
    return true;
}
