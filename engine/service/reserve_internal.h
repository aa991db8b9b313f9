/* What the files about reservations share with the rest of the service. */
#ifndef SERVICE_RESERVE_INTERNAL_H
#define SERVICE_RESERVE_INTERNAL_H

#include "ask.h"
#include "effect_reserve.h"

/* -- reserve_use.c -- */

/* Find what the order's reservation_id names: ask->reservation, if it holds, and what the answer
 * tells. False: answered, it is unknown or another order has it. */
bool reserve_for_order(struct service_core *service, struct call *call, struct ask *ask);

/* lend_function of what a reservation holds; what: its slab_ref. */
void reserve_lend(struct service_core *service, const void *what, bool is_lent);

/* Decide with what ask->reservation holds counted as free: at the nodes that hold it, where it
 * has a service or the client named them and they can do it; else anywhere. */
void reserve_decide(struct service_core *service, struct ask *ask, struct route_answer *answer);

/* Log and apply the end of one. There is room for a record of EFFECT_SMALL_MAX. */
void reserve_end_log(struct service_core *service, slab_ref ref, enum reservation_state state);

/* Break what is to be broken, some hundred pieces of it. True: there is more. */
bool reserve_breaks(struct service_core *service);

/* Let those leave whose end is longer ago than order_window. True: there may be more. */
bool reserve_retention(struct service_core *service);

/* Units that the reservation holds of the item at the node. */
uint32_t reserve_held(const struct service_core *service, slab_ref ref, uint32_t item,
                      uint16_t node);

/* -- handle_reserve.c -- */

/* The reservation by its id, or 0: answered. */
slab_ref need_reservation(struct service_core *service, struct call *call, struct text id);

/* It does not hold any more: refused with its state. */
void reserve_refuse_state(struct service_core *service, struct call *call, slab_ref ref);

#endif
