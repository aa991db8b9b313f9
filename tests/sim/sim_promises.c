/* Which promises the events of one change must tell as broken, by the contract's page, from its
 * other events alone. All of it is held against what was told when the next change begins. */
#include <string.h>

#include "check.h"
#include "sim_ledger.h"

void promises_begin(struct ledger *ledger, uint64_t lsn)
{
    promises_settle(ledger);
    ledger->change.lsn = lsn;
}

/* The first word of the change about its order. */
static struct ledger_change *change_of(struct ledger *ledger, struct ledger_order *order)
{
    struct ledger_change *change = &ledger->change;
    if (!change->order) {
        change->order = order;
        memcpy(change->owed_before, order->owed, sizeof order->owed);
    }
    CHECK(change->order == order);
    return change;
}

void promises_routed(struct ledger *ledger, struct ledger_order *order)
{
    memset(order->left, 0, sizeof order->left);
    change_of(ledger, order)->is_routing = true;
}

void promises_comes(struct ledger *ledger, struct ledger_order *order, uint32_t line, int64_t by)
{
    struct ledger_change *change = change_of(ledger, order);
    change->comes[line] = change->comes[line] > by ? change->comes[line] : by;
    change->has_new[line] = true;
}

void promises_left(struct ledger *ledger, struct ledger_order *order, uint32_t part, uint32_t line)
{
    struct ledger_change *change = change_of(ledger, order);
    CHECK(change->lost_count < LEDGER_SHARES);
    change->lost[change->lost_count++] = (struct ledger_lost){part, line};
    change->is_lost[line] = true;
}

void promises_owed(struct ledger *ledger, struct ledger_order *order, uint32_t line)
{
    change_of(ledger, order)->is_owed[line] = true;
}

void promises_told(struct ledger *ledger, struct ledger_order *order, uint32_t part,
                   struct ledger_broken broken)
{
    struct ledger_change *change = change_of(ledger, order);
    CHECK(part < order->part_count);
    CHECK(!change->told[part].is_there);
    broken.is_there = true;
    change->told[part] = broken;
}

/* The line's new date against what the part promised. */
static void hold_against(struct ledger_change *change, uint32_t part, uint32_t line)
{
    const struct ledger_order *order = change->order;
    const int64_t was = order->parts[part].deliver_by;
    const int64_t comes = change->comes[line];
    const bool is_owed = comes == 0 || order->owed[line] > change->owed_before[line];
    struct ledger_broken *broken = &change->found[part];
    if (was == 0 || !(is_owed || comes > was)) {
        return;
    }
    broken->is_there = true;
    broken->was = was;
    broken->by = broken->by > comes ? broken->by : comes;
    broken->is_owed = broken->is_owed || is_owed;
}

static void changes_hold(struct ledger_change *change)
{
    struct ledger_order *order = change->order;
    for (uint32_t i = 0; i < change->lost_count; i++) {
        hold_against(change, change->lost[i].part, change->lost[i].line);
    }
    for (uint32_t i = 0; i < order->line_count && !change->is_routing; i++) {
        if (change->has_new[i] && !change->is_lost[i] && change->owed_before[i] > 0 &&
            order->left[i] > 0) {
            hold_against(change, order->left[i] - 1, i);
        }
    }
    for (uint32_t i = 0; i < change->lost_count; i++) {
        const struct ledger_lost *lost = &change->lost[i];
        if (change->is_owed[lost->line] && order->owed[lost->line] > 0) {
            order->left[lost->line] = lost->part + 1;
        }
    }
}

void promises_settle(struct ledger *ledger)
{
    struct ledger_change *change = &ledger->change;
    if (!change->order) {
        return;
    }
    changes_hold(change);
    for (uint32_t i = 0; i < change->order->part_count; i++) {
        const struct ledger_broken *told = &change->told[i];
        const struct ledger_broken *found = &change->found[i];
        CHECK(told->is_there == found->is_there);
        CHECK(told->was == found->was);
        CHECK(told->by == found->by);
        CHECK(told->is_owed == found->is_owed);
        ledger->broken_promises += told->is_there;
    }
    memset(change, 0, sizeof *change);
}
