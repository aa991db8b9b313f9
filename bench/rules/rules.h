/* Published decision rules of order management systems, as baselines of quality.
 *
 * A rule sees one basket, where it goes, and what every source holds; it says how many units of
 * each line leave from where. Stock is not taken: every basket meets the same. */
#ifndef BENCH_RULES_RULES_H
#define BENCH_RULES_RULES_H

#include <stdbool.h>
#include <stdint.h>

enum { RULE_LINES_MAX = 1200 };

struct rule_basket {
    uint32_t lines; /* each item once */
    const uint32_t *item, *qty;
    uint32_t sources;
    const uint32_t *by_metres; /* sources from the nearest on */
    const uint32_t *by_id;     /* as they were set up: warehouses, then stores */
    const int32_t *units;      /* [item * sources + source] */
};

/* Filled by the rule; cleared before. */
struct rule_plan {
    bool *is_used;     /* [source]: a shipment leaves from it */
    uint64_t unfilled; /* units */
    bool is_refused;   /* the rule places nothing of such an order */
};

typedef void rule(const struct rule_basket *basket, struct rule_plan *plan);

rule rule_magento;       /* distance SSA */
rule rule_solidus;       /* SimpleCoordinator, DefaultFirst */
rule rule_spree;         /* Coordinator, Prioritizer */
rule rule_saleor_order;  /* by sort order */
rule rule_saleor_high;   /* by highest stock */

static inline int32_t rule_units(const struct rule_basket *basket, uint32_t line, uint32_t source)
{
    return basket->units[(uint64_t)basket->item[line] * basket->sources + source];
}

#endif
