/* Kits in requests: a line that asks for a kit becomes a line for each component, all with its name
 * and of one number for the router. */
#include <string.h>

#include "ask.h"
#include "decimal.h"

static bool has_kit(const struct service_core *service, const struct ask *ask)
{
    const struct item *items = service->tables.catalogue.items;
    for (uint32_t i = 0; i < ask->line_count; i++) {
        if (items[ask->route_lines[i].item].is_kit) {
            return true;
        }
    }
    return false;
}

/* The line under its name, which no longer follows from its place. */
static void line_copy(struct asks *asks, const struct ask *ask, uint32_t from, uint32_t to)
{
    struct ask_line *line = &asks->kit_lines[to];
    *line = ask->lines[from];
    line->kit = (struct order_kit){0, 0, to};
    asks->kit_route_lines[to] = ask->route_lines[from];
    asks->kit_route_lines[to].kit = 0;
    if (line->line.len == 0) {
        line->line = (struct text){line->scratch, decimal_put(line->scratch, from + 1)};
    }
}

/* False: answered. */
static bool line_apart(struct service_core *service, struct call *call, const struct ask *ask,
                       uint32_t from, uint32_t *count)
{
    const struct catalogue *catalogue = &service->tables.catalogue;
    const struct route_line *asked = &ask->route_lines[from];
    const struct kit *kit = kits_find(&service->tables.kits, asked->item);
    uint32_t first = *count;
    for (uint32_t k = 0; k < kit->count; k++) {
        uint64_t qty = (uint64_t)asked->qty * kit->parts[k].qty;
        const struct item *item = &catalogue->items[kit->parts[k].item];
        if (qty > QTY_MAX || *count == ASK_LINES_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u]: with the components of kits an order has at most %d lines of "
                        "at most %d units", from, ASK_LINES_MAX, QTY_MAX);
            return false;
        }
        line_copy(service->asks, ask, from, *count);
        struct ask_line *line = &service->asks->kit_lines[*count];
        line->item = (struct text){item->id, item->id_len};
        line->kit = (struct order_kit){asked->item + 1, kit->parts[k].qty, first};
        struct route_line *own = &service->asks->kit_route_lines[(*count)++];
        own->item = kit->parts[k].item;
        own->qty = (uint32_t)qty;
        own->kit = (uint16_t)(first + 1);
    }
    return true;
}

bool kits_apart(struct service_core *service, struct call *call, struct ask *ask)
{
    struct asks *asks = service->asks;
    uint32_t count = 0;
    if (service->tables.kits.count == 0 || !has_kit(service, ask)) {
        return true;
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        if (service->tables.catalogue.items[ask->route_lines[i].item].is_kit) {
            if (!line_apart(service, call, ask, i, &count)) {
                return false;
            }
        } else if (count == ASK_LINES_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines: with the components of kits at most %d lines", ASK_LINES_MAX);
            return false;
        } else {
            line_copy(asks, ask, i, count++);
        }
    }
    ask->has_kits = true;
    ask->lines = asks->kit_lines;
    ask->route_lines = asks->kit_route_lines;
    ask->line_count = count;
    return true;
}

bool refuse_kit(struct service_core *service, struct call *call, const char *field, uint32_t item)
{
    const struct item *own = &service->tables.catalogue.items[item];
    if (own->is_kit) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s: %.*s is a kit, which has no stock of its own: name its components", field,
                    (int)own->id_len, own->id);
    }
    return own->is_kit;
}

void put_kit(const struct service_core *service, struct writer *writer, const struct order_kit *kit)
{
    if (kit->item) {
        const struct item *item = &service->tables.catalogue.items[kit->item - 1];
        put_text(writer, "kit", item->id, item->id_len);
    }
}
