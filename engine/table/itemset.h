/* A sorted set of item handles: the items that have a cell at one node. Groups of 65,536
 * handles, each a sorted array of u16 while small, else a bitmap (the idea of Roaring, reduced
 * to what is needed: about 1.3 bytes an item at 10 % density, 2 at 1 %). Engine loop only. */
#ifndef TABLE_ITEMSET_H
#define TABLE_ITEMSET_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct itemset_group;

struct itemset {
    struct itemset_group *groups; /* by handle / 65,536 */
    uint32_t group_count;
    uint32_t count;
};

void itemset_close(struct itemset *set); /* an all-zero set is empty and valid */

/* Add item. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err itemset_add(struct itemset *set, uint32_t item);
bool itemset_has(const struct itemset *set, uint32_t item);

/* Smallest item at or above from, or UINT32_MAX. */
uint32_t itemset_next(const struct itemset *set, uint32_t from);

#endif
