/* Staging of requests that touch one order in memory: fulfil.update, order.cancel, order.get.
 * Prefetches only; nothing that is found here is relied on. */
#ifndef SERVICE_TOUCH_H
#define SERVICE_TOUCH_H

#include "service_internal.h"

enum { TOUCH_SHARES = 4 };

struct touch {
    uint64_t hash; /* of the order's id; 0 = nothing to stage */
    slab_ref ref;  /* the likely order, 0 = none */
    uint32_t count;
    uint32_t items[TOUCH_SHARES];
    uint16_t nodes[TOUCH_SHARES];
    uint32_t holds[TOUCH_SHARES];
};

/* The id at the front of the params, if the first field is an order's or a fulfilment's: its hash
 * is kept in the call too. */
void touch_begin(struct service_core *service, struct call *call, struct touch *touch);

/* One step after the other over all touches of a sub-batch. */
void touch_slot(struct service_core *service, struct touch *touch);
void touch_block(struct service_core *service, struct touch *touch);
void touch_shares(struct service_core *service, struct touch *touch);
void touch_rows(struct service_core *service, struct touch *touch);
void touch_places(struct service_core *service, struct touch *touch);
void touch_cells(struct service_core *service, struct touch *touch);

/* All of a long order's, before a change of it that would wait for each of them; a turn may be
 * suspended meanwhile, so nothing was changed and no room asked for before. */
enum { TOUCH_LONG = 32 }; /* shares of an order that is one */
void touch_order(struct service_core *service, struct order *order);

#endif
