/* What orders are owed: units of their lines that have no source. Listed in the order in which
 * they became owed, over all and by item, so that new stock goes to whoever waits longest.
 *
 * The entries are logged state: each has a digest row. What is to be tried again (the items whose
 * stock grew, a sweep over all) is derived, and after a start everything is tried once.
 *
 * Engine loop only. Capacity is set at start. */
#ifndef TABLE_OWED_H
#define TABLE_OWED_H

#include <stdbool.h>
#include <stdint.h>

#include "catalogue.h"
#include "err.h"
#include "hash.h"
#include "order.h"

#define OWED_NONE 0u /* no entry: indices start at 1 */

enum { OWED_TODO_MAX = 4096 };

struct owed_entry {
    uint64_t lsn; /* since when */
    uint32_t item;
    uint32_t qty;
    slab_ref order;
    uint32_t next_of_order;
    uint32_t older, newer;  /* of all, by coming */
    uint32_t ahead, behind; /* of the item's */
    uint16_t line;
    uint8_t status;  /* ORDER_HELD or ORDER_BACKORDERED */
    uint8_t reason;  /* enum reason: why it has no source */
};

struct owed {
    struct owed_entry *pool; /* 1 to max */
    uint32_t max;
    uint32_t used; /* indices ever handed out */
    uint32_t live;
    uint32_t free_head;
    uint32_t oldest, newest;
    uint64_t units;
    uint32_t orders_held, orders_backordered;

    /* -- to be tried again: derived -- */
    uint32_t todo[OWED_TODO_MAX]; /* items, a ring */
    uint32_t todo_first, todo_count;
    uint32_t at;    /* next entry of the item in hand, OWED_NONE = no more */
    bool is_in_hand;    /* an item was taken out of the ring */
    bool is_by_stock;   /* of the item in hand */
    uint32_t sweep; /* next entry of a walk over all, OWED_NONE = there is none */
};

ERR_MUST_USE enum err owed_init(struct owed *owed, uint32_t max);
void owed_close(struct owed *owed);

/* Bytes reserved for max entries; and those in use. */
uint64_t owed_memory(uint32_t max);
uint64_t owed_bytes(const struct owed *owed);

/* Whether count more fit. */
bool owed_has_room(const struct owed *owed, uint32_t count);

static inline struct owed_entry *owed_at(const struct owed *owed, uint32_t index)
{
    return &owed->pool[index];
}

/* The entry of a line of the order, or OWED_NONE; units owed of it. */
uint32_t owed_find(const struct owed *owed, const struct order *order, uint32_t line);
uint32_t owed_units(const struct owed *owed, const struct order *order, uint32_t line);

/* Set what is owed of a line: a new entry goes behind all others, one that is there keeps its
 * place, at qty 0 it leaves. Keeps the order's owed_status and the digest. There must be room. */
void owed_set(struct owed *owed, struct catalogue *catalogue, struct digest *digest,
              struct order *order, slab_ref ref, const struct owed_entry *what);

/* Free stock of the item grew: its entries are to be tried again. is_stock: by a report, not by
 * something given back; only then those too whose nodes said no too often. */
void owed_raise(struct owed *owed, struct item *item, uint32_t handle, bool is_stock);

/* Anything else may have changed: all entries are to be tried again, oldest first. */
void owed_raise_all(struct owed *owed);

/* Whether something is to be tried. */
static inline bool owed_has_todo(const struct owed *owed)
{
    return owed->is_in_hand || owed->todo_count > 0 || owed->sweep != OWED_NONE;
}

/* The next entry to try, or OWED_NONE: all was tried. Those whose nodes said no too often are
 * passed over unless stock of their item was reported. */
uint32_t owed_next(struct owed *owed, const struct catalogue *catalogue);

/* Try the entry that owed_next just gave once more, the next time. */
void owed_again(struct owed *owed, uint32_t index);

/* Nothing of the entry's item is free any more: what is left of the item in hand need not be
 * tried. */
void owed_item_over(struct owed *owed);

/* Check lists and counts; aborts when broken. */
void owed_check(const struct owed *owed, const struct catalogue *catalogue);

#endif
