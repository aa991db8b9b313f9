/* Solidus's SimpleCoordinator: locations in the order of its sorter (DefaultFirst: the default
 * one, then as they were set up), and the allocator OnHandFirst gives each location in turn all
 * that is still wanted and that it has on hand, over all variants at once. */
#include <string.h>

#include "rules.h"

static bool take(const struct rule_basket *basket, uint32_t source, uint32_t *left)
{
    bool is_taken = false;
    for (uint32_t line = 0; line < basket->lines; line++) {
        int32_t units = rule_units(basket, line, source);
        if (units > 0 && left[line] > 0) {
            left[line] -= (uint32_t)units < left[line] ? (uint32_t)units : left[line];
            is_taken = true;
        }
    }
    return is_taken;
}

void rule_solidus(const struct rule_basket *basket, struct rule_plan *plan)
{
    static uint32_t left[RULE_LINES_MAX];
    memcpy(left, basket->qty, basket->lines * sizeof *left);
    for (uint32_t rank = 0; rank < basket->sources; rank++) {
        uint32_t source = basket->by_id[rank];
        plan->is_used[source] = take(basket, source, left);
    }
    for (uint32_t line = 0; line < basket->lines; line++) {
        plan->unfilled += left[line];
    }
}
