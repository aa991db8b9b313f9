/* Kits: items that are made up of others and have no stock of their own.
 *
 * The table holds what a kit is made of now. An order keeps what it was made of when it was
 * ordered: each component is a line of the order by itself, all of them under the name of the
 * line that was asked for (order_kit in order.h).
 *
 * Engine loop only. Grows with the kits, which are bounded. */
#ifndef TABLE_KIT_H
#define TABLE_KIT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

enum {
    KIT_PARTS_MAX = 20,     /* components of a kit */
    KIT_UNITS_MAX = 1000,   /* units of one component in a kit */
    KITS_MAX = 100000
};

struct kit_part {
    uint32_t item;
    uint32_t qty; /* units in one kit */
};

struct kit { /* an item that is a kit, or a component of some */
    uint32_t item; /* + 1, 0 = an empty place */
    uint32_t count; /* components, 0 = it is no kit */
    uint32_t uses;  /* kits that it is a component of */
    struct kit_part *parts; /* owned */
};

struct kits {
    struct kit *slots; /* open addressing, power of two, grows */
    uint64_t mask;
    uint32_t used;  /* places */
    uint32_t count; /* kits */
};

void kits_init(struct kits *kits);
void kits_close(struct kits *kits);

/* What is known of the item, or NULL. Valid until the next kits_set. */
const struct kit *kits_find(const struct kits *kits, uint32_t item);

/* The item is made of these from now on; count 0 = it is no kit. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err kits_set(struct kits *kits, uint32_t item, const struct kit_part *parts,
                               uint32_t count);

#endif
