/* Whose units a movement of stock takes (adjust_hold.c). */
#ifndef SERVICE_ADJUST_HOLD_INTERNAL_H
#define SERVICE_ADJUST_HOLD_INTERNAL_H

#include "reserve_internal.h"

struct adjust_hold {
    slab_ref order; /* of the fulfilment, 0 = none */
    uint32_t part;
    slab_ref reservation; /* 0 = none */
};

/* Find what is named; at most one of them is. False: answered, it is unknown. */
bool adjust_hold_find(struct service_core *service, struct call *call, struct text fulfilment,
                      struct text reservation_id, struct adjust_hold *out);

/* Units of the item that it holds at the node and that a movement of delta takes. */
uint32_t adjust_hold_units(const struct service_core *service, const struct adjust_hold *hold,
                           uint32_t item, uint16_t node, int64_t delta);

/* Bytes of its record at most. */
uint32_t adjust_hold_size(const struct service_core *service, const struct adjust_hold *hold);

/* Log and apply that they left at at_ms. There is room. Gives the units by which on_hand fell with
 * the hold: a fulfilment's do, those of a reservation are for the movement to take. */
int64_t adjust_hold_take(struct service_core *service, const struct adjust_hold *hold,
                         uint32_t item, uint16_t node, uint32_t units, uint64_t at_ms);

#endif
