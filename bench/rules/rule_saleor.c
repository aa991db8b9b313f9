/* Saleor's allocation strategies: for each line the stocks of the channel's warehouses, by the
 * warehouses' sort order or by the highest stock, give what they have until the quantity is there.
 * A line that cannot be filled refuses the whole order (InsufficientStock). */
#include "rules.h"

static bool is_short(const struct rule_basket *basket, uint32_t line)
{
    uint64_t sum = 0;
    for (uint32_t source = 0; source < basket->sources; source++) {
        int32_t units = rule_units(basket, line, source);
        sum += units > 0 ? (uint32_t)units : 0;
    }
    return sum < basket->qty[line];
}

static bool refuses(const struct rule_basket *basket, struct rule_plan *plan)
{
    for (uint32_t line = 0; line < basket->lines && !plan->is_refused; line++) {
        plan->is_refused = is_short(basket, line);
    }
    for (uint32_t line = 0; line < basket->lines && plan->is_refused; line++) {
        plan->unfilled += basket->qty[line];
    }
    return plan->is_refused;
}

void rule_saleor_order(const struct rule_basket *basket, struct rule_plan *plan)
{
    bool is_refused = refuses(basket, plan);
    for (uint32_t line = 0; line < basket->lines && !is_refused; line++) {
        uint32_t left = basket->qty[line];
        for (uint32_t rank = 0; left > 0; rank++) {
            int32_t units = rule_units(basket, line, basket->by_id[rank]);
            if (units > 0) {
                left -= (uint32_t)units < left ? (uint32_t)units : left;
                plan->is_used[basket->by_id[rank]] = true;
            }
        }
    }
}

/* The highest stock below what was used last, ties by set-up order; it has at least one unit. */
static uint32_t next_highest(const struct rule_basket *basket, uint32_t line, int32_t below,
                             uint32_t after)
{
    uint32_t best = UINT32_MAX;
    int32_t most = 0;
    for (uint32_t source = 0; source < basket->sources; source++) {
        int32_t units = rule_units(basket, line, source);
        bool is_next = units < below || (units == below && source > after);
        if (is_next && units > most) {
            most = units;
            best = source;
        }
    }
    return best;
}

void rule_saleor_high(const struct rule_basket *basket, struct rule_plan *plan)
{
    bool is_refused = refuses(basket, plan);
    for (uint32_t line = 0; line < basket->lines && !is_refused; line++) {
        uint32_t left = basket->qty[line];
        int32_t below = INT32_MAX;
        uint32_t source = 0;
        while (left > 0) {
            source = next_highest(basket, line, below, source);
            below = rule_units(basket, line, source);
            left -= (uint32_t)below < left ? (uint32_t)below : left;
            plan->is_used[source] = true;
        }
    }
}
