/* Spree's Coordinator: every location packs all that it has of the order; the Prioritizer then goes
 * through the packages as they were built and leaves each unit in the first one that has it on
 * hand; empty packages are dropped. Weights and shipping categories, by which Spree splits further,
 * are not in the data. Where the default location stands first this equals Solidus's result. */
#include "rules.h"

/* Packages that hold the line, in order; the first ones keep it. */
static uint32_t keep_first(const struct rule_basket *basket, struct rule_plan *plan, uint32_t line)
{
    uint32_t needed = basket->qty[line];
    for (uint32_t rank = 0; rank < basket->sources; rank++) {
        uint32_t source = basket->by_id[rank];
        int32_t units = rule_units(basket, line, source);
        uint32_t packed = units <= 0                              ? 0
                          : (uint32_t)units < basket->qty[line] ? (uint32_t)units
                                                                  : basket->qty[line];
        uint32_t kept = packed < needed ? packed : needed;
        needed -= kept;
        plan->is_used[source] = plan->is_used[source] || kept > 0;
    }
    return needed;
}

void rule_spree(const struct rule_basket *basket, struct rule_plan *plan)
{
    for (uint32_t line = 0; line < basket->lines; line++) {
        plan->unfilled += keep_first(basket, plan, line);
    }
}
