/* What is free at a cell that has an override. */
#include "stock.h"

int32_t stock_safety(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word)
{
    const struct policy *policy =
        cell_has_override(word) ? policies_find(view->policies, item, node) : NULL;
    return policy && policy->has_safety ? policy->safety_stock
                                        : view->network->hot[node].safety_stock;
}

int64_t stock_ats(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word)
{
    return (int64_t)cell_on_hand(word) - cell_reserved(word) -
           stock_safety(view, item, node, word);
}

uint32_t stock_free_override(const struct stock_view *view, uint32_t item, uint16_t node,
                             cell_word word)
{
    const struct policy *policy = policies_find(view->policies, item, node);
    if (policy && policy->is_unlisted) {
        return 0;
    }
    int64_t ats = stock_ats(view, item, node, word);
    return ats > 0 ? (uint32_t)ats : 0;
}
