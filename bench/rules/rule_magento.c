/* Magento Inventory's distance-based source selection: sources by distance, and for each item one
 * source after the other gives what it has until the quantity is there. What is not to be had is
 * reported as not shippable. */
#include "rules.h"

void rule_magento(const struct rule_basket *basket, struct rule_plan *plan)
{
    for (uint32_t line = 0; line < basket->lines; line++) {
        uint32_t left = basket->qty[line];
        for (uint32_t rank = 0; rank < basket->sources && left > 0; rank++) {
            uint32_t source = basket->by_metres[rank];
            int32_t units = rule_units(basket, line, source);
            if (units > 0) {
                left -= (uint32_t)units < left ? (uint32_t)units : left;
                plan->is_used[source] = true;
            }
        }
        plan->unfilled += left;
    }
}
