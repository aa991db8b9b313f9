/* What falls due by time alone, and its records: one handler a kind of timer. A handler logs and
 * applies an effect after which the timer is gone or due later. */
#include "reserve_internal.h"

/* One event that was due at due_ms. False: the log has no room. *steps is lowered by its work. */
typedef bool due_handler(struct service_core *service, const struct wheel_timer *timer,
                         uint64_t due_ms, uint32_t *steps);

static void spend(uint32_t *steps, uint32_t work)
{
    *steps -= work < *steps ? work : *steps;
}

/* A node's status that was set until now: active again. */
static bool node_due(struct service_core *service, const struct wheel_timer *timer,
                     uint64_t due_ms, uint32_t *steps)
{
    const struct node *node = &service->tables.network.nodes[timer->ref];
    struct effect_node effect = {{node->id, node->id_len}, node->config, {0}, false};
    (void)due_ms;
    effect.config.status = NODE_ACTIVE;
    effect.config.status_services = 0;
    effect.config.status_until = 0;
    effect.counts_closing = tables_counts_closing(&service->tables, &effect);
    uint32_t size = effect_node_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_NODE, effect_node_encode(bytes, &effect));
    must_apply(tables_apply_node(&service->tables, lsn, service->now_ms, &effect), "node");
    spend(steps, 10);
    return true;
}

/* What was ready and not fetched by collect_by, or did not come to its store in time: the hold is
 * released, if there is one still. */
static bool no_show(struct service_core *service, slab_ref ref, uint32_t index, uint64_t due_ms,
                    uint32_t *steps)
{
    struct effect_quantity moved[EFFECT_LINES_MAX];
    struct order *order = order_at(&service->tables.orders, ref);
    const struct order_part *part = &order_parts(order)[index];
    struct effect_fulfil effect = {.id = {order_id(order), order->id_len},
                                   .row = order,
                                   .part = index,
                                   .state = STATE_NO_SHOW,
                                   .at_ms = due_ms,
                                   .shares = moved};
    for (uint32_t i = part->share_first; i < part->share_first + part->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        uint32_t left = part->way == WAY_SHIP_TO_STORE ? share_unfetched(share)
                                                       : share_held(share, (enum way)part->way);
        if (left > 0) {
            moved[effect.count++] = (struct effect_quantity){i, share->no_show + left};
        }
    }
    uint32_t size = effect_fulfil_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    spend(steps, 2 + effect.count);
    fulfil_log(service, &effect);
    return true;
}

/* A fulfilment's earliest deadline (part_due); which of them it is, its row says. */
static bool part_is_due(struct service_core *service, const struct wheel_timer *timer,
                        uint64_t due_ms, uint32_t *steps)
{
    struct order *order = order_at(&service->tables.orders, timer->ref);
    if (part_is_untouched(order, timer->part) && order_parts(order)[timer->part].accept_by_s) {
        spend(steps, 100);
        return reject_silent(service, timer->ref, timer->part);
    }
    return no_show(service, timer->ref, timer->part, due_ms, steps);
}

/* Its time to live is over: what it holds is free. */
static bool reservation_is_due(struct service_core *service, const struct wheel_timer *timer,
                               uint64_t due_ms, uint32_t *steps)
{
    (void)due_ms;
    if (wal_room(service->wal, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    spend(steps, 1u + reservation_at(&service->tables.reserves, timer->ref)->piece_count);
    reserve_end_log(service, timer->ref, RESERVATION_EXPIRED);
    return true;
}

static due_handler *const handlers[WHEEL_KINDS] = {
    [WHEEL_NODE] = node_due,
    [WHEEL_PART] = part_is_due,
    [WHEEL_RESERVATION] = reservation_is_due,
};

/* A deadline that stands still is set aside until its node is open; then it moves on. No record: it
 * follows from the tables. */
static bool rests(struct service_core *service, const struct wheel_timer *timer, uint64_t due_ms,
                  uint32_t *steps)
{
    bool is_done =
        (timer->kind == WHEEL_PART &&
         tables_part_rest(&service->tables, timer->ref, timer->part, due_ms)) ||
        (timer->kind == WHEEL_NODE && tables_parts_wake(&service->tables, (uint16_t)timer->ref));
    spend(steps, is_done ? 10 : 0);
    return is_done;
}

bool due_fire(struct service_core *service, uint64_t due_ms, uint32_t *steps)
{
    const struct wheel_timer *timer;
    while ((timer = wheel_first(&service->tables.wheel, due_ms))) {
        const struct wheel_timer own = *timer; /* the handler's effect ends or moves it */
        uint64_t before = lsn_begun(service);
        if (*steps > 0 && rests(service, &own, due_ms, steps)) {
            continue;
        }
        if (*steps == 0 || !handlers[own.kind](service, &own, due_ms, steps)) {
            return false;
        }
        CHECK(lsn_begun(service) > before);
    }
    return true;
}
