/* How long nodes were closed. Deadlines of fulfilments (accept_min, collect_by) stand still while
 * their node is closed for what they are about: a deadline moves on by the closed time since it was
 * set, in whole seconds that were begun.
 *
 * Closed time is logged state, counted by the records of nodes. A part notes what it was when its
 * deadline was set. A deadline whose moment comes while its node is closed is set aside, without a
 * timer, and set again when the node opens: that much follows from the tables alone. */
#ifndef TABLE_CLOSING_H
#define TABLE_CLOSING_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"
#include "slab.h"

struct tables;
struct order;
struct effect_node;

struct closing { /* of a node, by capability */
    uint64_t since_ms[CAPABILITY_COUNT]; /* closed since then, 0 = it is not */
    uint32_t total_s[CAPABILITY_COUNT];  /* by all closings that are over */
};

struct resting { /* lists of timers set aside (wheel.h) */
    uint32_t parked; /* parts of the node, closed for them */
    uint32_t woken;  /* it opened: they are to be set again, or parked */
};

/* Whether the record of a node is to count closings: it is closed, or was. */
bool tables_counts_closing(const struct tables *tables, const struct effect_node *effect);

/* The part's collect_by as it stands at now_ms, 0 = none: while it waits to be fetched moved on by
 * what its node has been closed since, the closing that goes on included. */
uint64_t tables_collect_by(const struct tables *tables, struct order *order, uint32_t index,
                           uint64_t now_ms);

/* When the part is due: its collect_by once it is ready, before that when it was promised to be
 * ready; 0 = never told. */
uint64_t tables_part_due_ms(const struct tables *tables, struct order *order, uint32_t index,
                            uint64_t now_ms);

/* The part's timer came at due_ms. Where the node is closed that its deadline is about it is set
 * aside, where closings moved the deadline it is set again. False: it is due. */
bool tables_part_rest(struct tables *tables, slab_ref ref, uint16_t index, uint64_t due_ms);

/* Some of the node's timers that were woken are set again. False: there are none. */
bool tables_parts_wake(struct tables *tables, uint16_t node);

#endif
