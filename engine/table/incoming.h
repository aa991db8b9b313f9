/* What is on its way, by item and time: the lines of supplies and transfers that are not received
 * yet. Derived from the documents, so neither logged nor in the digest.
 *
 * Engine loop only; memory grows with the documents, which are bounded. */
#ifndef TABLE_INCOMING_H
#define TABLE_INCOMING_H

#include <stdint.h>

#include "err.h"
#include "slab.h"

struct incoming_entry {
    uint64_t eta_ms;
    uint32_t item;
    slab_ref document;
    uint32_t line;
    uint32_t next, prev; /* in its bucket, earliest first; 0 = end. next also links free ones */
    uint16_t node;       /* where it will be */
};

struct incoming {
    struct incoming_entry *entries; /* from 1; owned */
    uint32_t room, used, free_head, live;
    uint32_t *heads; /* INCOMING_BUCKETS; owned */
};

enum { INCOMING_BUCKETS = 1 << 16 };

ERR_MUST_USE enum err incoming_init(struct incoming *incoming);
void incoming_close(struct incoming *incoming);
uint64_t incoming_bytes(const struct incoming *incoming);

/* Enter a line; *index_out names the entry. Errors: ERR_NOMEM, nothing changed. */
ERR_MUST_USE enum err incoming_add(struct incoming *incoming, const struct incoming_entry *entry,
                                   uint32_t *index_out);
void incoming_remove(struct incoming *incoming, uint32_t index);

/* The entries of an item, earliest first: begin with 0, until 0 comes. */
uint32_t incoming_next(const struct incoming *incoming, uint32_t item, uint32_t index);

#endif
