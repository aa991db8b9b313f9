/* stock.adjust that names whose the units are that leave: their hold falls with them. Units of a
 * fulfilment are thereby shipped or collected. */
#include "adjust_hold_internal.h"

#include <string.h>

static uint32_t part_units(const struct service_core *service, const struct adjust_hold *hold,
                           uint32_t item, uint16_t node)
{
    struct order *order = order_at(&service->tables.orders, hold->order);
    const struct order_part *part = &order_parts(order)[hold->part];
    uint32_t units = 0;
    for (uint32_t i = 0; i < part->share_count && part->node == node; i++) {
        const struct order_share *share = &order_shares(order)[part->share_first + i];
        bool is_here = order_lines(order)[share->line].item == item &&
                       !line_kit(order, share->line).item; /* kits leave whole */
        units += is_here ? share_held(share, (enum way)part->way) : 0;
    }
    return units;
}

bool adjust_hold_find(struct service_core *service, struct call *call, struct text fulfilment,
                      struct text reservation_id, struct adjust_hold *out)
{
    *out = (struct adjust_hold){0};
    if (fulfilment.len) {
        return need_fulfilment(service, call, fulfilment, &out->order, &out->part);
    }
    if (reservation_id.len) {
        out->reservation = need_reservation(service, call, reservation_id);
        return out->reservation != 0;
    }
    return true;
}

uint32_t adjust_hold_units(const struct service_core *service, const struct adjust_hold *hold,
                           uint32_t item, uint16_t node, int64_t delta)
{
    uint32_t held = 0;
    if (hold->order) {
        held = part_units(service, hold, item, node);
    } else if (hold->reservation) {
        held = reserve_held(service, hold->reservation, item, node);
    }
    return delta >= 0 ? 0 : -delta < held ? (uint32_t)-delta : held;
}

uint32_t adjust_hold_size(const struct service_core *service, const struct adjust_hold *hold)
{
    if (!hold->order) {
        return EFFECT_SMALL_MAX;
    }
    struct order *order = order_at(&service->tables.orders, hold->order);
    const struct effect_fulfil most = {.row = order,
                                       .count = order_parts(order)[hold->part].share_count};
    return effect_fulfil_size(&most);
}

static void reservation_take(struct service_core *service, const struct adjust_hold *hold,
                             uint32_t item, uint16_t node, uint32_t units)
{
    const struct reservation *own = reservation_at(&service->tables.reserves, hold->reservation);
    const struct effect_reserve_take effect = {
        .item = item, .node = node, .units = units, .id = {reservation_id(own), own->id_len}};
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn =
        log_end(service, EFFECT_RESERVE_TAKE, effect_reserve_take_encode(bytes, &effect));
    must_apply(tables_apply_reserve_take(&service->tables, lsn, service->now_ms, &effect),
               "reserve_take");
}

static void part_take(struct service_core *service, const struct adjust_hold *hold, uint32_t item,
                      uint32_t units, uint64_t at_ms)
{
    struct effect_quantity moved[EFFECT_LINES_MAX];
    struct order *order = order_at(&service->tables.orders, hold->order);
    const struct order_part *part = &order_parts(order)[hold->part];
    enum way way = (enum way)part->way;
    bool is_pickup = way == WAY_PICKUP || state_step(STATE_SHIPPED, way) < 0;
    enum state state = is_pickup ? STATE_COLLECTED : STATE_SHIPPED;
    struct effect_fulfil effect = {.id = {order_id(order), order->id_len},
                                   .row = order,
                                   .part = hold->part,
                                   .state = (uint8_t)state,
                                   .at_ms = at_ms,
                                   .is_awaited = way == WAY_SHIP_TO_STORE,
                                   .shares = moved};
    for (uint32_t i = 0; i < part->share_count && units > 0; i++) {
        uint32_t index = part->share_first + i;
        const struct order_share *share = &order_shares(order)[index];
        uint32_t held = share_held(share, way);
        if (order_lines(order)[share->line].item != item || held == 0 ||
            line_kit(order, share->line).item) {
            continue;
        }
        uint32_t gone = held < units ? held : units;
        moved[effect.count++] =
            (struct effect_quantity){index, share->reached[state_step(state, way)] + gone};
        units -= gone;
    }
    if (effect.is_awaited && order->done_ms == 0) {
        effect.collect_by = fulfil_arrive_by(service, order, hold->part, at_ms);
    }
    fulfil_log(service, &effect);
}

int64_t adjust_hold_take(struct service_core *service, const struct adjust_hold *hold,
                         uint32_t item, uint16_t node, uint32_t units, uint64_t at_ms)
{
    if (units == 0) {
        return 0;
    }
    if (hold->order) {
        part_take(service, hold, item, units, at_ms);
        return units;
    }
    reservation_take(service, hold, item, node, units);
    return 0;
}
