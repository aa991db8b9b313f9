/* Promises that a change of an order does not keep: told to readers of events, by the change's own
 * record (told.h). The units that leave a fulfilment are held against what takes their place; units
 * that were owed, against the fulfilment that they left when they came to be owed. What was never
 * promised (ordered with backorder, or wanted more of later) cannot be late. */
#include "replan_internal.h"

#include <string.h>

static uint32_t later_of(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

/* When the last of the new units of each line comes; 0: none do. */
static void dates_fill(struct replan *replan)
{
    memset(replan->line_by, 0, replan->line_count * sizeof replan->line_by[0]);
    for (uint32_t i = 0; i < replan->effect.share_count; i++) {
        const struct effect_share *share = &replan->shares[i];
        uint32_t *by_min = &replan->line_by[share->line];
        *by_min = later_of(*by_min, replan->parts[share->part].dates.by_min);
    }
}

/* Lines of which more is owed than before. */
static void unsourced_fill(const struct service_core *service, struct replan *replan)
{
    memset(replan->is_unsourced, 0, replan->line_count * sizeof replan->is_unsourced[0]);
    for (uint32_t i = 0; i < replan->effect.owed_count; i++) {
        const struct effect_owed *owed = &replan->owed[i];
        replan->is_unsourced[owed->line] = owed->qty > replan_owed(service, replan, owed->line);
    }
}

/* What the part promised for the line now comes by by_min, and what has no source later still. */
static void note(struct replan *replan, uint32_t part, uint32_t line)
{
    const uint32_t was_min = order_parts(replan->order)[part].dates.by_min;
    const uint32_t by_min = replan->line_by[line];
    const bool has_owed = replan->is_unsourced[line] || by_min == 0;
    if (was_min == 0 || !(has_owed || by_min > was_min)) {
        return;
    }
    if (replan->late_of[part] == 0) {
        replan->lates[replan->effect.late_count++] = (struct effect_late){.part = part};
        replan->late_of[part] = (uint16_t)replan->effect.late_count;
    }
    struct effect_late *late = &replan->lates[replan->late_of[part] - 1];
    late->by_min = later_of(late->by_min, by_min);
    late->has_owed = late->has_owed || has_owed;
}

static void moved_note(struct replan *replan)
{
    for (uint32_t i = 0; i < replan->effect.move_count; i++) {
        const struct order_share *share = &order_shares(replan->order)[replan->moves[i].share];
        replan->is_moved[share->line] = true;
        note(replan, share->part, share->line);
    }
}

/* Lines that were owed and get some now. */
static uint32_t paid_fill(struct replan *replan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < replan->order->line_count; i++) {
        replan->is_paid[i] = replan->owed_index[i] != OWED_NONE && replan->line_by[i] > 0 &&
                             !replan->is_moved[i];
        replan->owed_lsn[i] = 0;
        count += replan->is_paid[i];
    }
    return count;
}

/* Back through the history to where each came to be owed: the fulfilment that it left then. */
static void paid_note(const struct service_core *service, struct replan *replan, uint32_t count)
{
    struct order *order = replan->order;
    const struct order_entry *entries =
        order->history ? slab_at(&service->tables.orders.slab, order->history) : NULL;
    for (uint32_t i = order->history_count; i > 0 && count > 0; i--) {
        const struct order_entry *entry = &entries[i - 1];
        const bool is_left =
            entry->event == ORDER_EVENT_REJECTED || entry->event == ORDER_EVENT_MOVED;
        if (entry->line >= order->line_count || !replan->is_paid[entry->line]) {
            continue;
        }
        if (entry->event == ORDER_EVENT_OWED) {
            replan->owed_lsn[entry->line] = entry->lsn;
        } else if (is_left && replan->owed_lsn[entry->line] == entry->lsn) {
            note(replan, entry->part, entry->line);
            replan->is_paid[entry->line] = false;
            count--;
        }
    }
}

void replan_note_late(const struct service_core *service, struct replan *replan)
{
    replan->effect.late_count = 0;
    replan->effect.lates = replan->lates;
    memset(replan->late_of, 0, replan->order->part_count * sizeof replan->late_of[0]);
    memset(replan->is_moved, 0, replan->line_count * sizeof replan->is_moved[0]);
    dates_fill(replan);
    unsourced_fill(service, replan);
    moved_note(replan);
    paid_note(service, replan, paid_fill(replan));
}
