/* Walks over the orders in memory, a page at a time: cursors that survive restart and eviction.
 *
 * A cursor is "LSN.N:ORDER": all orders up to LSN were told (of the one at LSN its first N
 * fulfilments), and ORDER is the last one that was looked at. It is still in memory as a rule:
 * the walk goes on behind it. If not, the walk goes on from the oldest, over what was told. */
#ifndef SERVICE_WALK_INTERNAL_H
#define SERVICE_WALK_INTERNAL_H

#include "service_internal.h"

#define WALK_WHOLE UINT32_MAX /* more parts than any order has */

enum { WALK_CURSOR_MAX = ID_MAX + 40 };

struct walk {
    uint64_t floor_lsn;  /* orders before it were told */
    uint32_t floor_part; /* of the order at floor_lsn: parts told; WALK_WHOLE = all */
    slab_ref at;         /* to be looked at next; 0 = the end */
    slab_ref last;       /* looked at last; 0 = none */
    uint32_t steps;      /* work done */
};

/* Begin at the oldest order, or behind the cursor. False: it is none; the call is answered. */
bool walk_begin(struct service_core *service, struct call *call, struct text after,
                struct walk *walk);

/* The next order that was not told whole, or NULL: the end, or work enough (walk->steps). Parts
 * below *part_out were told. */
struct order *walk_next(struct service_core *service, struct walk *walk, uint32_t *part_out);

/* Note that parts of the order given last were told, and what that cost. */
void walk_told(struct walk *walk, const struct order *order, uint32_t parts, uint32_t steps);

/* Put `next` for the page after this one. */
void walk_put_next(const struct service_core *service, struct writer *writer,
                   const struct walk *walk);

#endif
