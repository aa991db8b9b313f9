/* When what is missing now may be there: what is on its way, after all that others wait for. */
#include "service_internal.h"

enum { WAITING_MAX = 200 }; /* entries looked at: behind more nobody is told a time */

/* Units of the item that are owed before and with a line of the order (with none: before qty new
 * ones). False: too many wait. */
static bool units_before(const struct service_core *service, uint32_t item, slab_ref order,
                         uint32_t line, uint64_t *units)
{
    const struct owed *owed = &service->tables.owed;
    uint32_t steps = 0;
    for (uint32_t i = service->tables.catalogue.items[item].owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->behind) {
        const struct owed_entry *entry = owed_at(owed, i);
        if (steps++ == WAITING_MAX) {
            return false;
        }
        *units += entry->qty;
        if (order && entry->order == order && entry->line == line) {
            return true;
        }
    }
    return true;
}

uint64_t available_at(const struct service_core *service, uint32_t item, uint16_t node,
                      uint64_t qty)
{
    uint64_t units = qty;
    if (service->tables.incoming.live == 0 || !units_before(service, item, 0, 0, &units)) {
        return 0;
    }
    uint64_t at_ms = tables_expected(&service->tables, item, node, units);
    return at_ms && at_ms < service->now_ms ? service->now_ms : at_ms;
}

uint64_t available_at_owed(const struct service_core *service, slab_ref order, uint32_t line)
{
    uint64_t units = 0;
    const struct order_line *own = &order_lines(order_at(&service->tables.orders, order))[line];
    if (service->tables.incoming.live == 0 ||
        !units_before(service, own->item, order, line, &units)) {
        return 0;
    }
    uint64_t at_ms = tables_expected(&service->tables, own->item, own->node, units);
    return at_ms && at_ms < service->now_ms ? service->now_ms : at_ms;
}
