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

static const struct policy *policy_of(const struct stock_view *view, uint32_t item, uint16_t node,
                                      cell_word word)
{
    return cell_has_override(word) ? policies_find(view->policies, item, node) : NULL;
}

int64_t stock_ats_seen(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word)
{
    const struct policy *policy = policy_of(view, item, node, word);
    int64_t ats = stock_ats(view, item, node, word);
    if (!policy || policy->quotas == QUOTA_NONE || ats <= 0) {
        return ats;
    }
    uint64_t kept = quotas_fenced(&view->policies->quotas, policy->quotas, view->channel);
    int64_t own = policy->lent < ats ? policy->lent : ats;
    return kept < (uint64_t)(ats - own) ? ats - (int64_t)kept : own;
}

uint32_t stock_unfenced(const struct stock_view *view, uint32_t item, uint16_t node, cell_word word)
{
    const struct policy *policy = policy_of(view, item, node, word);
    int64_t ats = stock_ats(view, item, node, word);
    return ats > 0 && !(policy && policy->is_unlisted) ? (uint32_t)ats : 0;
}

uint32_t stock_free_override(const struct stock_view *view, uint32_t item, uint16_t node,
                             cell_word word)
{
    const struct policy *policy = policies_find(view->policies, item, node);
    if (policy && policy->is_unlisted) {
        return 0;
    }
    int64_t ats = stock_ats_seen(view, item, node, word);
    return ats > 0 ? (uint32_t)ats : 0;
}
