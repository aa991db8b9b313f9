/* Pieces of answers: a fulfilment as order.get, order.route and fulfil.list show it. */
#include <string.h>

#include "decimal.h"
#include "service_internal.h"

uint32_t fulfilment_text(const struct order *order, uint32_t part, char *out)
{
    memcpy(out, order_id(order), order->id_len);
    out[order->id_len] = '/';
    return order->id_len + 1 + decimal_put(out + order->id_len + 1, part + 1);
}

static void put_share(struct service_core *service, struct writer *writer, struct order *order,
                      const struct order_share *share)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(order, share->line, scratch, &len);
    const struct item *item =
        &service->tables.catalogue.items[order_lines(order)[share->line].item];
    enum way way = (enum way)order_parts(order)[share->part].way;
    struct order_kit kit = line_kit(order, share->line);
    writer_map(writer, 4u + (kit.item != 0));
    put_text(writer, "line", name, len);
    put_kit(service, writer, &kit);
    put_text(writer, "item", item->id, item->id_len);
    put_int(writer, "qty", share->qty);
    put_int(writer, "open", share_held(share, way));
}

static void put_tracking(struct service_core *service, struct writer *writer,
                         const struct order_part *part)
{
    if (part->tracking) {
        const uint8_t *block = slab_at(&service->tables.orders.slab, part->tracking);
        put_text(writer, "tracking", (const char *)block + 1, block[0]);
    }
}

static void put_due(struct writer *writer, const char *name, uint64_t collect_by)
{
    writer_string(writer, name);
    if (collect_by) {
        writer_uint(writer, collect_by);
    } else {
        writer_nil(writer);
    }
}

uint32_t part_dates_fields(const struct order_dates *dates)
{
    return dates->ship_by_min ? 3u : 0;
}

void put_part_dates(struct writer *writer, const struct order_dates *dates)
{
    if (dates->ship_by_min) {
        put_int(writer, "ship_by", (int64_t)(dates->ship_by_min * DATE_MINUTE_MS));
        put_int(writer, "deliver_from", (int64_t)(dates->from_min * DATE_MINUTE_MS));
        put_int(writer, "deliver_by", (int64_t)(dates->by_min * DATE_MINUTE_MS));
    }
}

void put_fulfilment(struct service_core *service, struct writer *writer, struct order *order,
                    uint32_t part, bool with_order)
{
    const struct order_part *own = &order_parts(order)[part];
    const struct node *node = &service->tables.network.nodes[own->node];
    char id[ID_MAX + 8];
    bool has_time = !with_order && own->collect_by;
    uint16_t to = part_to(order, part);
    writer_map(writer, 8u + 2u * with_order + (own->tracking != 0) + has_time + (to != NODE_NONE) +
                           part_dates_fields(&own->dates));
    put_text(writer, "fulfilment", id, fulfilment_text(order, part, id));
    if (with_order) {
        put_text(writer, "order_id", order_id(order), order->id_len);
        put_due(writer, "due",
                tables_part_due_ms(&service->tables, order, part, service->now_ms));
    }
    put_text(writer, "node", node->id, node->id_len);
    if (to != NODE_NONE) {
        put_text(writer, "to", service->tables.network.nodes[to].id,
                 service->tables.network.nodes[to].id_len);
    }
    put_string(writer, "service", service_text((enum service)own->service));
    put_string(writer, "method", way_text((enum way)own->way));
    put_string(writer, "state", state_text(part_state(order, part)));
    put_km(writer, "km", own->metres);
    put_int(writer, "cost_cents", own->cost_cents);
    put_part_dates(writer, &own->dates);
    put_tracking(service, writer, own);
    if (has_time) {
        put_due(writer, part_is_under_way(own) ? "arrive_by" : "collect_by",
                tables_collect_by(&service->tables, order, part, service->now_ms));
    }
    writer_str(writer, "lines");
    writer_array(writer, own->share_count);
    for (uint32_t i = 0; i < own->share_count; i++) {
        put_share(service, writer, order, &order_shares(order)[own->share_first + i]);
    }
}
