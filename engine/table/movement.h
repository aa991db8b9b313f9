/* The latest movements of each cell: what a count that was taken in the past needs to be
 * brought up to date. A bounded ring with a chain per cell, newest first; when it wraps,
 * counts older than the youngest lost movement are stale. Engine loop only. */
#ifndef TABLE_MOVEMENT_H
#define TABLE_MOVEMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct movement {
    uint64_t number; /* counts from 1 */
    uint64_t at_ms;  /* when it happened */
    uint64_t at_max; /* latest at_ms of it and all older ones of the cell: where a sum may stop */
    uint64_t older;  /* number of the cell's movement before it, 0 = none */
    uint32_t item;
    int32_t delta;
    uint16_t node;
};

struct movements {
    struct movement *ring;
    uint32_t max;
    uint64_t next;    /* number of the next one, from 1 */
    uint64_t lost_ms; /* latest at_ms of any that was overwritten */
    uint64_t latest_ms; /* latest at_ms of any that was added */
    struct movement_slot *slots; /* cell -> newest number */
    uint64_t mask;
};

ERR_MUST_USE enum err movements_init(struct movements *movements, uint32_t max);
void movements_close(struct movements *movements);

/* Bytes reserved for max movements; how many are remembered; and the bytes in use, hash slots
 * included. */
uint64_t movements_memory(uint32_t max);
uint64_t movements_count(const struct movements *movements);
uint64_t movements_bytes(const struct movements *movements);

void movements_prefetch(const struct movements *movements, uint32_t item, uint16_t node);

/* Remember; overwrites the oldest when full, which is then handed out (false: none was). */
bool movements_add(struct movements *movements, uint32_t item, uint16_t node, int32_t delta,
                   uint64_t at_ms, struct movement *lost_out);

/* Sum of the cell's movements later than after_ms. Only right where after_ms >= lost_ms. */
int64_t movements_sum(const struct movements *movements, uint32_t item, uint16_t node,
                      uint64_t after_ms);

/* The latest time of any of the cell's movements that are remembered; 0 = there is none. */
uint64_t movements_latest(const struct movements *movements, uint32_t item, uint16_t node);

#endif
