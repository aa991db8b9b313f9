/* Sources for what orders are owed, once there is stock: longest owed first, item by item, before
 * any later request sees it, so that new stock goes to those who wait and not to whoever comes
 * next. An order gets of all its owed lines what there is, unless others wait longer for it.
 *
 * Only those are tried whom a node with free units may help (route/waiting.c), so that nearly
 * every try ends with a record: who is shut out by place, reach, capacity or a fence of his
 * strategy is passed by, thousands in one go. Those that find nothing all the same (a fence of cost
 * or of minutes, free units at more nodes than are told apart) are few at a time: the rest goes on
 * after the next request. */
#include "replan_internal.h"
#include "waiting.h"

enum {
    VAIN_MAX = 8,     /* tries in vain in one go */
    STEPS = 20000,    /* search steps of those, after which it ends early */
    FILL_STEPS = 200, /* of deciding, that a try takes beside its search */
    LOOK_STEPS = 4,   /* that a look at a class takes for each node */
    LOOKS = 4096      /* at classes and entries, after which it ends for now */
};

/* Whether an older entry of the item has not been tried since stock of it grew. */
static bool is_ahead(const struct service_core *service, uint32_t index)
{
    const struct owed_entry *entry = owed_at(&service->tables.owed, index);
    const struct item *item = &service->tables.catalogue.items[entry->item];
    return !owed_is_raised(&service->tables.owed, item) || item->owed_first == index;
}

/* -- which classes may be helped -- */

static uint32_t holders(void *owner, uint32_t item, uint16_t nodes[OWED_NODES_MAX])
{
    struct service_core *service = owner;
    uint32_t steps = 1;
    const uint32_t count = route_holders(&service->tables.view, item, nodes, &steps);
    route_work(service->route, steps);
    return count;
}

static bool holds(void *owner, uint32_t item, uint16_t node)
{
    struct service_core *service = owner;
    route_work(service->route, 1);
    return route_holds(&service->tables.view, item, node);
}

static bool may_help(void *owner, const struct owed_class *class, const uint16_t *nodes,
                     uint32_t count)
{
    struct service_core *service = owner;
    const struct owed *owed = &service->tables.owed;
    struct order *order = order_at(&service->tables.orders, owed_at(owed, class->first)->order);
    route_work(service->route, LOOK_STEPS * count);
    return route_may_help(&service->tables.view, owed, class, order, nodes, count);
}

static bool may_take(void *owner, uint32_t entry, const uint16_t *nodes, uint32_t count)
{
    struct service_core *service = owner;
    const struct owed *owed = &service->tables.owed;
    struct order *order = order_at(&service->tables.orders, owed_at(owed, entry)->order);
    const struct strategy *strategy =
        strategies_at(&service->tables.strategies, order->strategy);
    route_work(service->route, LOOK_STEPS * count);
    return route_may_take(&service->tables.view, strategy, owed, entry, order, nodes, count);
}

/* -- a try -- */

/* A kit is wanted whole, as far as it is owed. */
static void want_kits_whole(struct replan *replan)
{
    uint32_t line = 0;
    while (line < replan->order->line_count) {
        const uint32_t end = line + line_run(replan->order, line);
        bool is_whole = true;
        for (uint32_t i = line; i < end; i++) {
            is_whole = is_whole && (replan->wanted[i] > 0 || replan->owed_index[i] == OWED_NONE);
        }
        for (; line < end; line++) {
            replan->wanted[line] = is_whole ? replan->wanted[line] : 0;
        }
    }
}

static void want(const struct service_core *service, struct replan *replan, uint32_t index)
{
    const struct owed *owed = &service->tables.owed;
    for (uint32_t i = replan->order->owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->next_of_order) {
        const struct owed_entry *entry = owed_at(owed, i);
        if (i == index || is_ahead(service, i)) {
            replan->wanted[entry->line] = entry->qty;
        }
    }
    want_kits_whole(replan);
}

enum tried { TRIED_FILLED, TRIED_NOTHING, TRIED_NO_ROOM };

static enum tried fill(struct service_core *service, uint32_t index)
{
    const struct owed_entry *entry = owed_at(&service->tables.owed, index);
    struct replan *replan = replan_begin(service, entry->order, CAUSE_STOCK);
    struct replan_where where = replan_where_of(replan);
    where.allow_partial = true;
    want(service, replan, index);
    if (!replan_decide_soon(service, replan, &where, 0) || replan->effect.share_count == 0) {
        return TRIED_NOTHING;
    }
    replan_pay(service, replan);
    if (!replan_has_room(service, NULL, replan)) {
        return TRIED_NO_ROOM;
    }
    replan_take(service, replan);
    return TRIED_FILLED;
}

bool refill_run(struct service_core *service)
{
    struct owed *owed = &service->tables.owed;
    const struct owed_judge judge = {service, holders, holds, may_help, may_take};
    uint32_t in_vain = 0;
    uint32_t steps = 0;
    if (service->is_draining) {
        return false;
    }
    while (in_vain < VAIN_MAX && steps < STEPS) {
        const uint32_t index = owed_next(owed, &service->tables.catalogue, &judge, LOOKS);
        if (index == OWED_NONE) {
            return owed_has_todo(owed);
        }
        const enum tried tried = fill(service, index);
        if (tried == TRIED_NO_ROOM) {
            owed_again(owed, index);
            return true;
        }
        if (tried == TRIED_FILLED) {
            owed_served(owed);
        } else {
            in_vain++;
            steps += service->replan->answer.steps;
        }
        route_work(service->route, FILL_STEPS + service->replan->order->line_count);
    }
    return owed_has_todo(owed);
}
