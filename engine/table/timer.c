/* Timers of rows: each change of a row that has a deadline sets its timer again. */
#include "apply_internal.h"

void node_timer(struct tables *tables, uint16_t handle)
{
    uint64_t until = tables->network.nodes[handle].config.status_until;
    if (tables->restings[handle].woken) {
        until = tables->time_ms; /* at once */
    }
    wheel_set(&tables->wheel, &tables->node_timers[handle], until ? until : WHEEL_NEVER,
              tables->time_ms, WHEEL_NODE, handle, 0);
}

/* What lies at the store that it was sent to is in no list and holds nothing, so that the wheel has
 * places for so many of them by themselves. */
static uint64_t store_due(struct tables *tables, struct order *order, uint16_t index)
{
    struct order_part *part = &order_parts(order)[index];
    uint64_t due_ms = part->way == WAY_SHIP_TO_STORE ? part_due(order, index) : WHEEL_NEVER;
    bool is_waiting = due_ms != WHEEL_NEVER;
    if (is_waiting && !part->is_waiting && tables->waiting == TABLES_WAITING_MAX) {
        return WHEEL_NEVER;
    }
    tables->waiting += (uint32_t)is_waiting - (uint32_t)part->is_waiting;
    part->is_waiting = is_waiting;
    return due_ms;
}

void part_timer(struct tables *tables, slab_ref ref, uint16_t index)
{
    struct order *order = order_at(&tables->orders, ref);
    struct order_part *part = &order_parts(order)[index];
    uint64_t due_ms = part->is_listed ? part_due(order, index) : store_due(tables, order, index);
    due_ms += due_ms == WHEEL_NEVER ? 0 : part_moved_ms(tables, order, index);
    wheel_set(&tables->wheel, &part->timer, due_ms, tables->time_ms, WHEEL_PART, ref, index);
}

void reservation_timer(struct tables *tables, slab_ref ref)
{
    struct reservation *own = reservation_at(&tables->reserves, ref);
    uint64_t due_ms = reservation_is_live(own) ? own->expires_ms : WHEEL_NEVER;
    wheel_set(&tables->wheel, &own->timer, due_ms, tables->time_ms, WHEEL_RESERVATION, ref, 0);
}

static void node_parts_timers(struct tables *tables, uint32_t node)
{
    const struct node_queue *queue = &tables->queues[node];
    slab_ref ref = queue->first_order;
    uint16_t index = queue->first_part;
    while (ref) {
        const struct order_part *part = &order_parts(order_at(&tables->orders, ref))[index];
        slab_ref next = part->next_order;
        uint16_t next_index = part->next_part;
        part_timer(tables, ref, index);
        ref = next;
        index = next_index;
    }
}

/* What lies at the store that it was sent to is in no node's list. */
static void store_timers(struct tables *tables)
{
    for (slab_ref ref = tables->orders.oldest; ref;) {
        struct order *order = order_at(&tables->orders, ref);
        for (uint32_t i = 0; i < order->part_count; i++) {
            const struct order_part *part = &order_parts(order)[i];
            if (part->way == WAY_SHIP_TO_STORE && !part->is_listed) {
                part_timer(tables, ref, (uint16_t)i);
            }
        }
        ref = order->newer;
    }
}

void parts_timers_drop(struct tables *tables, slab_ref ref)
{
    struct order *order = order_at(&tables->orders, ref);
    for (uint32_t i = 0; i < order->part_count; i++) {
        struct order_part *part = &order_parts(order)[i];
        if (part->is_waiting) {
            tables->waiting--;
            wheel_set(&tables->wheel, &part->timer, WHEEL_NEVER, tables->time_ms, WHEEL_PART, ref,
                      (uint16_t)i);
        }
    }
}

void timers_rebuild(struct tables *tables)
{
    for (uint32_t node = 0; node < tables->network.count; node++) {
        node_timer(tables, (uint16_t)node);
        node_parts_timers(tables, node);
    }
    if (tables->has_arrived) {
        store_timers(tables);
    }
    for (slab_ref ref = tables->reserves.oldest; ref;) {
        reservation_timer(tables, ref);
        ref = reservation_at(&tables->reserves, ref)->newer;
    }
    reserves_sweep(&tables->reserves);
}
