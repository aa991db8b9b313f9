/* The holds on each cell, newest first: whose the reserved units are (a share of an order, a line
 * of a reservation or of a transfer). A
 * chain per held cell, found by a hash over (item, node); nothing where nothing is held.
 *
 * Engine loop only. Capacity is set at start; holds_take says when it is reached. */
#ifndef TABLE_HOLD_H
#define TABLE_HOLD_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define HOLD_NONE 0u /* no hold: indices start at 1 */

/* Who holds. */
enum hold_kind { HOLD_ORDER, HOLD_RESERVATION, HOLD_DOCUMENT };

enum { HOLD_SHARE_MAX = (1 << 14) - 1 };

struct hold {
    uint32_t item;
    uint16_t node;
    uint16_t share : 14; /* of the order; of others the line */
    uint16_t kind : 2;   /* enum hold_kind */
    uint32_t order;      /* slab_ref of the order, reservation or document */
    uint32_t older; /* next in the cell's chain */
    uint32_t newer; /* HOLD_NONE = head of the chain */
};

struct holds {
    struct hold *pool; /* 1 to max */
    uint32_t max;
    uint32_t used; /* indices ever handed out */
    uint32_t live;
    uint32_t free_head;
    struct hold_slot *slots; /* open addressing: cell -> newest hold */
    uint64_t mask;
};

ERR_MUST_USE enum err holds_init(struct holds *holds, uint32_t max);
void holds_close(struct holds *holds);

/* Bytes reserved for max holds; and those in use, hash slots included. */
uint64_t holds_memory(uint32_t max);
uint64_t holds_bytes(const struct holds *holds);

/* Whether count more fit. */
bool holds_have_room(const struct holds *holds, uint32_t count);

void holds_prefetch(const struct holds *holds, uint32_t item, uint16_t node);

/* The cell's newest hold, which a new one is chained to; the slot must be near. */
void holds_prefetch_newest(const struct holds *holds, uint32_t item, uint16_t node);

/* The neighbours of a hold in its chain, which its removal writes to. */
void holds_prefetch_links(const struct holds *holds, uint32_t index);

/* Put a hold in front of the cell's chain. There must be room. */
uint32_t holds_add(struct holds *holds, uint32_t item, uint16_t node, uint32_t order,
                   uint16_t share);
/* The same for a reservation or a document, of which line is a line. */
uint32_t holds_add_other(struct holds *holds, uint32_t item, uint16_t node, enum hold_kind kind,
                         uint32_t owner, uint16_t line);
void holds_remove(struct holds *holds, uint32_t index);
/* Whoever holds has moved to another block. */
void holds_owner_set(struct holds *holds, uint32_t index, uint32_t owner);

/* Newest hold on the cell, or HOLD_NONE; go on with ->older. */
uint32_t holds_newest(const struct holds *holds, uint32_t item, uint16_t node);

static inline const struct hold *holds_at(const struct holds *holds, uint32_t index)
{
    return &holds->pool[index];
}

#endif
