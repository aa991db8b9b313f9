/* The engine and the floor: the contract, by MessagePack-RPC. */
#include <string.h>

#include "big_endian.h"
#include "frame.h"
#include "load_answer.h"
#include "peer_proto.h"
#include "writer.h"
#include "zip3.h"

static uint32_t hello(const struct peer_world *world, uint8_t *out)
{
    struct writer writer;
    (void)world;
    writer_init(&writer, out, PEER_REQUEST_MAX);
    writer_request(&writer, 0, "hello");
    writer_map(&writer, 0);
    return writer_size(&writer);
}

static int32_t welcome(const uint8_t *bytes, uint32_t size)
{
    static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    struct frame_scan scan;
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, bytes, size, &limits);
    return state == FRAME_MORE ? 0 : state == FRAME_DONE ? (int32_t)scan.pos : -1;
}

static void item_write(struct writer *writer, uint32_t item)
{
    char id[PEER_ITEM_SIZE];
    peer_world_item(item, id);
    writer_str(writer, "item");
    writer_text(writer, id, sizeof id);
}

static void dest_write(struct writer *writer, uint32_t area)
{
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, zip3_rows[area].lat);
    writer_str(writer, "lon");
    writer_float(writer, zip3_rows[area].lon);
}

static void route_write(const struct peer_world *world, const struct peer_order *order,
                        struct writer *writer)
{
    char id[PEER_ID_SIZE];
    peer_world_id(world, order->number, id);
    writer_map(writer, 4);
    writer_str(writer, "order_id");
    writer_text(writer, id, sizeof id);
    writer_str(writer, "lines");
    writer_array(writer, order->count);
    for (uint32_t i = 0; i < order->count; i++) {
        writer_map(writer, 2);
        item_write(writer, order->item[i]);
        writer_str(writer, "qty");
        writer_uint(writer, 1);
    }
    writer_str(writer, "service");
    writer_str(writer, "standard");
    dest_write(writer, order->area);
}

static void find_write(const struct peer_order *order, struct writer *writer)
{
    writer_map(writer, 4);
    writer_str(writer, "items");
    writer_array(writer, order->count);
    for (uint32_t i = 0; i < order->count; i++) {
        writer_map(writer, 1);
        item_write(writer, order->item[i]);
    }
    dest_write(writer, order->area);
    writer_str(writer, "service");
    writer_str(writer, "standard");
    writer_str(writer, "k");
    writer_uint(writer, 3);
}

static void get_write(const struct peer_world *world, const struct peer_order *order,
                      struct writer *writer)
{
    const struct id_name *node = &world->network.ids.names[order->node[0]];
    writer_map(writer, 2);
    item_write(writer, order->item[0]);
    writer_str(writer, "node");
    writer_text(writer, node->at, node->size);
}

static uint32_t request(const struct peer_world *world, enum peer_job job,
                        const struct peer_order *order, uint32_t slot, uint8_t *out)
{
    static const char *const methods[] = {
        [PEER_ROUTE] = "order.route", [PEER_GET] = "stock.get", [PEER_FIND] = "stock.find"};
    struct writer writer;
    writer_init(&writer, out, PEER_REQUEST_MAX);
    writer_request(&writer, slot, methods[job]);
    if (job == PEER_GET) {
        get_write(world, order, &writer);
    } else if (job == PEER_FIND) {
        find_write(order, &writer);
    } else {
        route_write(world, order, &writer);
    }
    return writer_size(&writer);
}

/* Whether the result is that of order.route: its first or second key says so. */
static bool is_order(struct cursor result)
{
    for (uint32_t left = cursor_map(&result); left > 0 && !result.is_bad; left--) {
        struct span key = cursor_text(&result);
        if (span_is(key, "order_id")) {
            return true;
        }
        cursor_skip(&result);
    }
    return false;
}

static void facts_take(struct peer_answer *out, const struct route_answer *route)
{
    uint32_t pos = 0;
    out->is_known = route->is_duplicate;
    out->parts = facts_fulfilments(route->words);
    for (uint32_t left = facts_fulfilments(route->words); left > 0; left--) {
        struct fulfilment part = facts_next(route->words, &pos);
        for (uint32_t i = 0; part.lines && i < part.count; i++) {
            uint32_t line = part.lines[i] >> FACTS_QTY_BITS;
            out->node[line & 1] = (uint16_t)part.node;
        }
        if (!part.lines) {
            out->node[0] = out->node[1] = (uint16_t)part.node;
        }
    }
}

static int32_t reply(const struct peer_world *world, const uint8_t *bytes, uint32_t size,
                     struct peer_answer *out)
{
    static struct route_answer route;
    struct answer answer;
    int32_t whole = welcome(bytes, size);
    if (whole <= 0) {
        return whole;
    }
    if (!answer_read(&answer, bytes, (uint32_t)whole)) {
        return -1;
    }
    out->slot = answer.msgid;
    if (answer.is_error) {
        out->outcome = PEER_FAILED;
    } else if (!is_order(answer.result)) {
        out->outcome = PEER_READ;
    } else if (!answer_read_route(&route, &answer.result, &world->network.ids)) {
        return -1;
    } else if (!route.is_promised) {
        out->outcome = PEER_REFUSED;
    } else {
        out->outcome = PEER_TAKEN;
        facts_take(out, &route);
    }
    return whole;
}

const struct peer_proto peer_rpc = {"rpc", hello, welcome, request, NULL, reply};
