/* What the files that apply and save time and promises share with the others of the folder. */
#ifndef TABLE_APPLY_TIMING_INTERNAL_H
#define TABLE_APPLY_TIMING_INTERNAL_H

#include <string.h>

#include "apply_internal.h"
#include "effect_timing.h"

/* A fulfilment as capacity counts it. */
struct capacity_part {
    uint16_t node;
    enum service service;
    uint32_t slot;  /* local hour noted when it was routed; 0: not counted */
    uint64_t lsn;   /* of the record that routed it */
    int64_t units;  /* more; negative: given back */
    int64_t orders; /* 1, or -1 when none of its units is left, else 0 */
};

/* Count it in the meters of its node. */
void capacity_part_count(struct tables *tables, const struct capacity_part *part);

/* The order's parts from first on were routed: they are counted. */
void capacity_take(struct tables *tables, struct order *order, uint32_t first);

/* Units of the part were cancelled or moved elsewhere, which its shares tell already: they are
 * given back. What is shipped, collected or never collected stays counted. */
void capacity_leave(struct tables *tables, struct order *order, uint32_t part, uint32_t units);

void meter_digest(struct tables *tables, uint16_t node, struct capacity_meter *meter,
                  bool is_add);

ERR_MUST_USE enum err hours_enter(struct tables *tables, const struct effect_hours *effect,
                                  uint64_t now_ms);
ERR_MUST_USE enum err lanes_enter(struct tables *tables, const struct effect_lanes *effect);
ERR_MUST_USE enum err roads_enter(struct tables *tables, const struct effect_roads *effect);

typedef enum err replay_function(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                                 const uint8_t *bytes, uint32_t size);
replay_function replay_hours, replay_capacity, replay_lanes, replay_roads;

#endif
