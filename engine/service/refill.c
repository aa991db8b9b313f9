/* Sources for what orders are owed, once there is stock: longest owed first, item by item, a few
 * orders after every request, so that new stock goes to those who wait and not to whoever comes
 * next. An order gets of all its owed lines what there is, unless others wait longer for it. */
#include "replan_internal.h"

enum {
    TRIES = 8,         /* orders tried in one slice */
    STEPS = 20000,     /* search steps of a slice, after which it ends early */
    FAILURES_MAX = 512 /* orders that an item's stock does not help, one behind the other: the
                          rest is tried when there is more of it */
};

/* Whether an older entry of the item has not been tried since stock of it grew. */
static bool is_ahead(const struct service_core *service, uint32_t index)
{
    const struct owed_entry *entry = owed_at(&service->tables.owed, index);
    const struct item *item = &service->tables.catalogue.items[entry->item];
    return item->owed_todo == 0 || item->owed_first == index;
}

/* Whether any units of the item are promised to nobody anywhere. */
static bool has_free(const struct service_core *service, uint32_t item)
{
    struct row *row = service->tables.catalogue.items[item].row;
    bool has = false;
    if (row && row->kind == ROW_BITMAP) {
        for (uint32_t word = 0; word < row->words; word++) {
            has = has || row_maybe(row)[word];
        }
        return has;
    }
    for (uint32_t i = 0; row && i < row->count; i++) {
        cell_word word = row_word(row, i);
        has = has || (int64_t)cell_on_hand(word) > cell_reserved(word);
    }
    return has;
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
}

enum tried { TRIED_FILLED, TRIED_NOTHING, TRIED_NO_ROOM };

static enum tried fill(struct service_core *service, uint32_t index)
{
    const struct owed_entry *entry = owed_at(&service->tables.owed, index);
    struct replan *replan = replan_begin(service, entry->order, CAUSE_STOCK);
    struct replan_where where = replan_where_of(replan);
    where.allow_partial = true;
    want(service, replan, index);
    if (!replan_decide(service, replan, &where)) {
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
    if (service->is_draining) {
        return false;
    }
    uint32_t steps = 0;
    for (uint32_t tries = 0; tries < TRIES && steps < STEPS; tries++) {
        uint32_t index = owed_next(owed, &service->tables.catalogue);
        if (index == OWED_NONE) {
            return false;
        }
        if (!has_free(service, owed_at(owed, index)->item)) {
            owed_item_over(owed);
            continue;
        }
        enum tried tried = fill(service, index);
        steps += service->replan->answer.steps;
        service->refill_failures = tried == TRIED_FILLED ? 0 : service->refill_failures + 1;
        if (tried == TRIED_NO_ROOM) {
            owed_again(owed, index);
            return true;
        }
        if (service->refill_failures >= FAILURES_MAX) {
            service->refill_failures = 0;
            owed_item_over(owed);
        }
    }
    return owed_has_todo(owed);
}
