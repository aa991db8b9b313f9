/* Cursors over the orders in memory; see walk_internal.h. */
#include "walk_internal.h"

#include <inttypes.h>
#include <stdio.h>

#include "prefetch.h"

/* Decimal digits at *at up to stop, which is stepped over. */
static bool read_number(struct text *text, char stop, uint64_t *value_out)
{
    uint64_t value = 0;
    uint32_t i = 0;
    for (; i < text->len && text->at[i] >= '0' && text->at[i] <= '9' && i < 19; i++) {
        value = value * 10 + (uint64_t)(text->at[i] - '0');
    }
    if (i == 0 || i == text->len || text->at[i] != stop) {
        return false;
    }
    *text = (struct text){text->at + i + 1, text->len - i - 1};
    *value_out = value;
    return true;
}

static slab_ref find(const struct service_core *service, struct text id)
{
    const struct orders *orders = &service->tables.orders;
    return orders_find(orders, orders_hash(orders, id.at, id.len), id.at, id.len);
}

bool walk_begin(struct service_core *service, struct call *call, struct text after,
                struct walk *walk)
{
    const struct orders *orders = &service->tables.orders;
    uint64_t part = 0;
    *walk = (struct walk){.at = orders->oldest};
    if (after.len == 0) {
        return true;
    }
    if (!read_number(&after, '.', &walk->floor_lsn) || !read_number(&after, ':', &part) ||
        part > WALK_WHOLE || after.len == 0 || after.len > ID_MAX) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "after: must be the `next` of the page before, as it came");
        return false;
    }
    walk->floor_part = (uint32_t)part;
    slab_ref found = find(service, after);
    /* An order above the floor is another one under an id that was used before. */
    if (found && order_at(orders, found)->lsn <= walk->floor_lsn) {
        walk->at = found;
    }
    return true;
}

struct order *walk_next(struct service_core *service, struct walk *walk, uint32_t *part_out)
{
    const struct orders *orders = &service->tables.orders;
    while (walk->at && walk->steps < WORK_STEPS) {
        struct order *order = order_at(orders, walk->at);
        if (order->newer) {
            prefetch_read(order_at(orders, order->newer));
        }
        walk->last = walk->at;
        walk->at = order->newer;
        walk->steps++;
        bool is_floor = order->lsn == walk->floor_lsn;
        if (order->lsn > walk->floor_lsn || (is_floor && walk->floor_part < order->part_count)) {
            *part_out = is_floor ? walk->floor_part : 0;
            return order;
        }
    }
    return NULL;
}

void walk_told(struct walk *walk, const struct order *order, uint32_t parts, uint32_t steps)
{
    walk->floor_lsn = order->lsn;
    walk->floor_part = parts;
    walk->steps += steps;
}

void walk_put_next(const struct service_core *service, struct writer *writer,
                   const struct walk *walk)
{
    CHECK(walk->last);
    const struct order *order = order_at(&service->tables.orders, walk->last);
    char text[WALK_CURSOR_MAX];
    int len = snprintf(text, sizeof text, "%" PRIu64 ".%u:%.*s", walk->floor_lsn,
                       walk->floor_part, (int)order->id_len, order_id(order));
    CHECK(len > 0);
    CHECK(len < (int)sizeof text);
    put_text(writer, "next", text, (uint32_t)len);
}
