/* Closed time of nodes, and the deadlines that stand still by it. */
#include "closing.h"

#include "apply_internal.h"
#include "image_internal.h"

enum { WAKE_AT_ONCE = 32 };

/* Whom a deadline is about: the store that has a parcel for its customer, else the part's node. */
struct keeper {
    uint16_t node;
    enum capability capability;
};

static struct keeper keeper_of(struct order *order, uint32_t index)
{
    const struct order_part *part = &order_parts(order)[index];
    const bool is_at_store = part->is_arrived || (part->is_awaited && part->collect_by);
    if (part->way == WAY_SHIP_TO_STORE && is_at_store) { /* or due there */
        return (struct keeper){part_to(order, index), CAPABILITY_PICKUP};
    }
    return (struct keeper){part->node, service_capability((enum service)part->service)};
}

static uint32_t seconds_up(uint64_t since_ms, uint64_t now_ms)
{
    return since_ms && now_ms > since_ms ? (uint32_t)((now_ms - since_ms + 999) / 1000) : 0;
}

static uint32_t closed_s(const struct tables *tables, const struct keeper *keeper, uint64_t now_ms)
{
    const struct closing *own = &tables->closings[keeper->node];
    return own->total_s[keeper->capability] +
           seconds_up(own->since_ms[keeper->capability], now_ms);
}

/* -- counting -- */

static bool is_closed(const struct node_config *config, uint32_t capability)
{
    return config->status == NODE_CLOSED && (config->status_services >> capability & 1);
}

bool tables_counts_closing(const struct tables *tables, const struct effect_node *effect)
{
    uint16_t handle = network_find(&tables->network, effect->id.at, effect->id.len);
    return effect->config.status == NODE_CLOSED ||
           (handle != NODE_NONE &&
            tables->network.nodes[handle].config.status == NODE_CLOSED);
}

void closing_digest(struct tables *tables, uint16_t handle, bool is_add)
{
    const struct closing *own = &tables->closings[handle];
    for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
        uint64_t who = (uint64_t)handle << 8 | i;
        if (own->since_ms[i] == 0 && own->total_s[i] == 0) {
            continue;
        }
        if (is_add) {
            digest_add_words(&tables->digest, TAG_CLOSING, who, own->since_ms[i], own->total_s[i]);
        } else {
            digest_take_words(&tables->digest, TAG_CLOSING, who, own->since_ms[i],
                              own->total_s[i]);
        }
    }
}

void closing_change(struct tables *tables, uint16_t handle, const struct node_config *before,
                    uint64_t now_ms)
{
    struct closing *own = &tables->closings[handle];
    const struct node_config *after = &tables->network.nodes[handle].config;
    closing_digest(tables, handle, false);
    for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
        bool was_closed = is_closed(before, i);
        if (was_closed && !is_closed(after, i)) {
            own->total_s[i] += seconds_up(own->since_ms[i], now_ms);
            own->since_ms[i] = 0;
        } else if (!was_closed && is_closed(after, i)) {
            own->since_ms[i] = now_ms;
        }
    }
    closing_digest(tables, handle, true);
    wheel_parked_move(&tables->wheel, &tables->restings[handle].parked,
                      &tables->restings[handle].woken);
    node_timer(tables, handle);
}

/* -- deadlines -- */

void part_closing_set(struct tables *tables, struct order *order, uint32_t index, uint64_t now_ms)
{
    const struct keeper keeper = keeper_of(order, index);
    order_parts(order)[index].closed_s = closed_s(tables, &keeper, now_ms);
}

uint64_t part_moved_ms(const struct tables *tables, struct order *order, uint32_t index)
{
    const struct keeper keeper = keeper_of(order, index);
    const uint32_t total = tables->closings[keeper.node].total_s[keeper.capability];
    const uint32_t before = order_parts(order)[index].closed_s;
    return total > before ? (uint64_t)(total - before) * 1000 : 0;
}

uint64_t tables_collect_by(const struct tables *tables, struct order *order, uint32_t index,
                           uint64_t now_ms)
{
    const struct order_part *part = &order_parts(order)[index];
    const struct keeper keeper = keeper_of(order, index);
    bool is_waiting = part->collect_by && part_due(order, index) == part->collect_by;
    uint32_t now_s = is_waiting ? closed_s(tables, &keeper, now_ms) : 0;
    return part->collect_by + (now_s > part->closed_s ? (uint64_t)(now_s - part->closed_s) * 1000
                                                      : 0);
}

uint64_t tables_part_due_ms(const struct tables *tables, struct order *order, uint32_t index,
                            uint64_t now_ms)
{
    uint64_t collect_by = tables_collect_by(tables, order, index, now_ms);
    uint32_t ship_by_min = order_parts(order)[index].dates.ship_by_min;
    return collect_by ? collect_by : ship_by_min * DATE_MINUTE_MS;
}

bool tables_part_rest(struct tables *tables, slab_ref ref, uint16_t index, uint64_t due_ms)
{
    struct order *order = order_at(&tables->orders, ref);
    const struct keeper keeper = keeper_of(order, index);
    if (!tables->closings[keeper.node].since_ms[keeper.capability]) {
        bool is_later = part_due(order, index) + part_moved_ms(tables, order, index) > due_ms;
        if (is_later) {
            part_timer(tables, ref, index);
        }
        return is_later;
    }
    wheel_park(&tables->wheel, &order_parts(order)[index].timer,
               &tables->restings[keeper.node].parked);
    return true;
}

bool tables_parts_wake(struct tables *tables, uint16_t node)
{
    uint32_t *woken = &tables->restings[node].woken;
    const struct wheel_timer *timer;
    if (!*woken) {
        return false;
    }
    for (uint32_t i = 0; i < WAKE_AT_ONCE && (timer = wheel_parked(&tables->wheel, woken)); i++) {
        part_timer(tables, timer->ref, timer->part);
    }
    (void)wheel_parked(&tables->wheel, woken);
    node_timer(tables, node);
    return true;
}

/* -- in a snapshot: node, then for each capability since, total -- */

void save_closings(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t node = 0; node < tables->network.count; node++) {
        const struct closing *own = &tables->closings[node];
        uint64_t any = 0;
        for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
            any |= own->since_ms[i] | own->total_s[i];
        }
        if (!any) {
            continue;
        }
        uint8_t *at = image_begin(sink, 5 + CAPABILITY_COUNT * 15);
        at = bytes_put_int(at, node);
        for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
            at = bytes_put_int(at, own->since_ms[i]);
            at = bytes_put_int(at, own->total_s[i]);
        }
        image_end(sink, at);
    }
}

void load_closings(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t node = (uint32_t)bytes_get_max(&fields, NODE_MAX - 1);
        struct closing own;
        for (uint32_t i = 0; i < CAPABILITY_COUNT; i++) {
            own.since_ms[i] = bytes_get_int(&fields);
            own.total_s[i] = (uint32_t)bytes_get_max(&fields, UINT32_MAX);
        }
        if (image_fields_end(source, &fields, "closings") && node < tables->network.count) {
            tables->closings[node] = own;
            closing_digest(tables, (uint16_t)node, true);
        } else {
            image_bad(source, ERR_DAMAGED, "closings of a node that is not there");
        }
    }
}
