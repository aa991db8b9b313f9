/* Sparse overrides of cells: safety stock, listing and quotas by (item, node). Only cells whose
 * word has CELL_OVERRIDE are looked up here. Engine loop only. */
#ifndef TABLE_POLICY_H
#define TABLE_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "quota.h"

struct policy {
    bool has_safety;  /* safety_stock overrides the node's default */
    bool is_unlisted; /* never a candidate */
    int32_t safety_stock;
    uint32_t quotas; /* first of the cell's chain, QUOTA_NONE = none */
    uint32_t lent;   /* units of the cell that are lent (tables_lend): quotas do not keep them */
};

struct policies {
    struct policy_slot *slots; /* open addressing, power of two, grows */
    uint64_t mask;
    uint64_t count;
    struct quotas quotas;
};

void policies_init(struct policies *policies);
void policies_close(struct policies *policies);

/* Note that units of the cell are lent from now on; below 0: no more. */
void policies_lend(struct policies *policies, uint32_t item, uint16_t node, int64_t units);

/* Bytes of the table, without quotas, while so many more overrides are set. */
uint64_t policies_peak_bytes(const struct policies *policies, uint64_t more);

/* The override of a cell, or NULL. Valid until the next policies_set. */
const struct policy *policies_find(const struct policies *policies, uint32_t item, uint16_t node);

/* Set (or, with an all-zero policy, take out) an override. Its chain of quotas is the caller's to
 * drop. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err policies_set(struct policies *policies, uint32_t item, uint16_t node,
                                   const struct policy *policy);

#endif
