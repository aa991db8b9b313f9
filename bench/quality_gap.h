/* A lower bound from outside for one order: linear programs that glpsol (Debian's glpk) solves. */
#ifndef BENCH_QUALITY_GAP_H
#define BENCH_QUALITY_GAP_H

#include <stdbool.h>
#include <stdint.h>

/* What nodes have of the order's items. All borrowed. */
struct quality_problem {
    uint32_t nodes;
    uint32_t items;
    const uint32_t *metres; /* by node */
    const uint32_t *demand; /* by item, at least 1 */
    const uint32_t *free;   /* by node, then item */
};

/* Whether glpsol can be run. */
bool quality_gap_can(void);

/* No plan has fewer nodes. In the working folder a file of the program is made and removed. False:
 * glpsol gave no answer. */
bool quality_gap_parts(const struct quality_problem *problem, uint32_t *parts);

/* No plan of so many nodes has fewer metres. */
bool quality_gap_metres(const struct quality_problem *problem, uint32_t parts, double *metres);

#endif
