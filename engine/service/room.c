/* Whether stock and rules may grow within their memory, loads that are under way counted. */
#include "service_internal.h"

static void rules_add(struct grown_rules *sum, const struct grown_rules *more)
{
    sum->places += more->places;
    sum->lanes += more->lanes;
    sum->roads += more->roads;
    sum->overrides += more->overrides;
    sum->quotas += more->quotas;
    sum->kit_parts += more->kit_parts;
    sum->item_areas += more->item_areas;
    sum->node_areas += more->node_areas;
    sum->capacities += more->capacities;
    sum->exceptions += more->exceptions;
    sum->incoming += more->incoming;
}

bool rules_room(struct service_core *service, struct call *call, const struct grown_rules *more)
{
    struct grown_rules sum = *more;
    const uint64_t limit = service->options.tables.rules_memory;
    for (const struct job *job = service->jobs; job; job = job->next) {
        rules_add(&sum, &job->rules_coming);
    }
    if (limit == 0 || grown_rules(&service->tables, &sum) <= limit) {
        return true;
    }
    reply_error(service, call, CODE_TABLE_FULL,
                "setting=rules_memory: %llu bytes of places, areas, lanes, roads, kits, overrides "
                "and other rules are the most: raise it, or take some away",
                (unsigned long long)limit);
    return false;
}

bool stock_room(struct service_core *service, struct call *call, uint64_t cells)
{
    const uint64_t limit = service->options.tables.stock_memory;
    for (const struct job *job = service->jobs; job; job = job->next) {
        cells += job->cells_coming;
    }
    if (limit == 0 || cells == 0 || grown_stock(&service->tables, cells) <= limit) {
        return true;
    }
    reply_error(service, call, CODE_TABLE_FULL,
                "setting=stock_memory: %llu bytes of stocked cells are the most: raise it",
                (unsigned long long)limit);
    return false;
}

bool stock_room_cell(struct service_core *service, struct call *call, uint32_t item, uint16_t node)
{
    const struct cell cell = tables_cell(&service->tables, item, node);
    return stock_room(service, call, cell.index < 0);
}
