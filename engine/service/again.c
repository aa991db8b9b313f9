/* An order decided again: the request out of what the order remembers. */
#include "again_internal.h"

#include <string.h>

static uint32_t units_of(const struct again *again, uint32_t index)
{
    const struct order_share *share = &order_shares(again->order)[index];
    return again->is_held ? order_share_held(again->order, index)
                          : share->qty - share->cancelled - share->no_show - share->moved;
}

bool again_has(const struct again *again, uint32_t part)
{
    const struct order_part *own = &order_parts(again->order)[part];
    for (uint32_t i = 0; i < own->share_count; i++) {
        if (units_of(again, own->share_first + i) > 0) {
            return own->way != WAY_CARRY_OUT;
        }
    }
    return false;
}

static uint32_t lines_fill(struct order *order, struct again *again)
{
    uint32_t wanted[EFFECT_LINES_MAX];
    uint32_t count = 0;
    memset(wanted, 0, order->line_count * sizeof wanted[0]);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        wanted[share->line] += units_of(again, i);
    }
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order_lines(order)[i];
        struct order_kit kit = line_kit(order, i);
        if (wanted[i] > 0 && line->service != SERVICE_CARRY_OUT) {
            again->lines[count++] = (struct route_line){.item = line->item,
                                                        .qty = wanted[i],
                                                        .service = (enum service)line->service,
                                                        .node = line->node,
                                                        .kit = kit.item ? (uint16_t)(kit.first + 1)
                                                                        : 0};
        }
    }
    return count;
}

static void place_fill(const struct service_core *service, struct order *order,
                       struct again *again)
{
    struct route_request *request = &again->request;
    memset(again->country, 0, sizeof again->country);
    memset(again->postcode, 0, sizeof again->postcode);
    memcpy(again->country, order->country, sizeof order->country);
    memcpy(again->postcode, order_postcode(order), order->postcode_len);
    request->country = again->country;
    request->postcode = again->postcode;
    request->is_po_box = order->is_po_box;
    if (order->has_dest) {
        request->dest = geo_point(order->lat, order->lon);
        request->has_dest = true;
    } else if (order->postcode_len > 0) {
        request->has_dest = gazetteer_find(&service->tables.gazetteer, again->country,
                                           again->postcode, &request->dest);
    }
}

uint64_t again_time(const struct service_core *service, uint64_t created_ms, uint64_t then_ms)
{
    const uint64_t ahead_ms = then_ms > created_ms ? then_ms - created_ms : 0;
    return then_ms ? service->now_ms + ahead_ms : 0;
}

static void rules_fill(const struct service_core *service, struct order *order,
                       struct again *again)
{
    struct route_request *request = &again->request;
    const struct order_rules *rules = order_rules(order);
    request->max_splits = rules ? rules->max_splits : ROUTE_NO_LIMIT;
    request->max_m = rules ? rules->max_m : ROUTE_NO_LIMIT;
    if (rules) {
        request->required_by_ms =
            again_time(service, order->created_ms, order_time(rules->required_by));
        request->deliver_after_ms =
            again_time(service, order->created_ms, order_time(rules->deliver_after));
        request->include = rules->nodes;
        request->include_count = rules->include_count;
        request->exclude = rules->nodes + rules->include_count;
        request->exclude_count = rules->exclude_count;
    }
    for (uint32_t i = 0; i < order->part_count; i++) {
        const struct order_part *part = &order_parts(order)[i];
        if (part->is_rejected) {
            again->rejected[request->rejected_count++] = part->node;
        }
    }
    request->rejected = again->rejected;
}

bool again_begin(const struct service_core *service, struct order *order, bool is_held,
                 struct again *again)
{
    again->order = order;
    again->is_held = is_held;
    again->request = (struct route_request){.lines = again->lines};
    again->request.line_count = lines_fill(order, again);
    again->request.strategy = strategies_at(&service->tables.strategies, order->strategy);
    again->request.channel =
        channel_find(service, (struct text){order_channel(order), order->channel_len});
    place_fill(service, order, again);
    rules_fill(service, order, again);
    return again->request.line_count > 0;
}

void again_exclude_chosen(struct again *again)
{
    struct route_request *request = &again->request;
    uint32_t count = request->exclude_count;
    if (count > 0) {
        memcpy(again->exclude, request->exclude, count * sizeof again->exclude[0]);
    }
    for (uint32_t i = 0; i < again->order->part_count; i++) {
        if (again_has(again, i)) {
            again->exclude[count++] = order_parts(again->order)[i].node;
        }
    }
    request->exclude = again->exclude;
    request->exclude_count = count;
}

/* Units that it holds count as free where they are, for the decision only. */
static void lend(struct service_core *service, const void *what, bool is_lent)
{
    struct order *order = ((const struct again *)what)->order;
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        int32_t held = (int32_t)order_share_held(order, i);
        if (held > 0) {
            tables_lend(&service->tables, order_lines(order)[share->line].item,
                        order_parts(order)[share->part].node, is_lent ? held : -held);
        }
    }
}

void again_decide(struct service_core *service, struct again *again, struct route_answer *answer)
{
    lend_begin(service, lend, again);
    route_decide(service->route, &service->tables.view, &again->request, answer);
    lend_end(service);
}

void again_why(struct service_core *service, struct again *again, uint16_t node,
               route_why_visit *visit, void *owner)
{
    struct route_answer answer;
    lend_begin(service, lend, again);
    route_why(service->route, &service->tables.view, &again->request, node, visit, owner,
              &answer);
    lend_end(service);
}
