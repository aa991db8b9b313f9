/* Timers of rows: each change of a row that has a deadline sets its timer again. */
#include "apply_internal.h"

void node_timer(struct tables *tables, uint16_t handle)
{
    uint64_t until = tables->network.nodes[handle].config.status_until;
    wheel_set(&tables->wheel, &tables->node_timers[handle], until ? until : WHEEL_NEVER,
              tables->time_ms, WHEEL_NODE, handle, 0);
}

void part_timer(struct tables *tables, slab_ref ref, uint16_t index)
{
    struct order *order = order_at(&tables->orders, ref);
    struct order_part *part = &order_parts(order)[index];
    uint64_t due_ms = part->is_listed ? part_due(order, index) : WHEEL_NEVER;
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

void timers_rebuild(struct tables *tables)
{
    for (uint32_t node = 0; node < tables->network.count; node++) {
        node_timer(tables, (uint16_t)node);
        node_parts_timers(tables, node);
    }
    for (slab_ref ref = tables->reserves.oldest; ref;) {
        reservation_timer(tables, ref);
        ref = reservation_at(&tables->reserves, ref)->newer;
    }
    reserves_sweep(&tables->reserves);
}
