/* Memory of the tables whose size no count bounds: rows of stock with the lists of items per node,
 * and rules (areas, lanes, roads, places, kits, overrides, quotas, capacity, hours; and what
 * supplies announce). Each of the two has a setting in bytes, which is in the sum that is printed
 * at start; whoever is about to make them grow asks first what they would take, so that a limit is
 * an ordinary answer.
 *
 * The thread that owns the tables. */
#ifndef TABLE_GROWN_H
#define TABLE_GROWN_H

#include <stdint.h>

#include "tables.h"

/* What is about to come, at most. */
struct grown_rules {
    uint32_t places;    /* postcodes */
    uint32_t lanes;     /* rows of carriers */
    uint32_t roads;     /* rows of travel times */
    uint32_t overrides; /* cells with a policy */
    uint32_t quotas;
    uint32_t kit_parts; /* components of kits */
    uint32_t item_areas; /* of an item, where it may not go */
    uint32_t node_areas; /* of a node, which it serves */
    uint32_t capacities; /* nodes with meters */
    uint32_t exceptions; /* days with hours of their own */
    uint32_t incoming;   /* lines of supplies and transfers */
};

/* Bytes that the rules take when so much more has come, tables that double by then counted with
 * what they were. All zeros: now. O(1). */
uint64_t grown_rules(const struct tables *tables, const struct grown_rules *more);

/* Bytes of rows of stock and lists of items when so many more cells have come. O(1). */
uint64_t grown_stock(const struct tables *tables, uint64_t cells);

#endif
