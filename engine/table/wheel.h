/* When things fall due: a timing wheel over engine time in milliseconds. It holds what is derived
 * from the tables (a reservation's expiry, a fulfilment's collect_by, the end of a node's status),
 * so it is in no record, no snapshot and no digest: whoever changes a deadline, live or in replay,
 * sets or clears the timer of its row.
 *
 * Four levels of 8192 slots, 1 ms, 4.1 s, 4.7 h and 2.2 years wide. A slot is 4096 of those below
 * it, and a ring twice as long as that, so that the next slot of a level can be handed down a few
 * timers at a time before its time has come: no moment has to move a whole slot at once.
 *
 * A timer is set, cleared and found due in constant time. Things that are due at the same
 * millisecond come in the order in which their timers were set, unless they were handed down.
 *
 * Engine loop only. Capacity is set at start. */
#ifndef TABLE_WHEEL_H
#define TABLE_WHEEL_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* What a timer belongs to; ref and part say which. Each has a handler in service/due.c. */
enum wheel_kind {
    WHEEL_NODE,        /* ref: node handle. Its status ends */
    WHEEL_PART,        /* ref: slab_ref of the order, part: index. A deadline of a fulfilment */
    WHEEL_RESERVATION, /* ref: reservation. It expires */
    WHEEL_KINDS
};

#define WHEEL_NONE 0u        /* no timer */
#define WHEEL_NEVER UINT64_MAX /* no deadline */

struct wheel_timer {
    uint64_t due_ms;
    uint32_t ref;
    uint16_t part;
    uint8_t kind; /* enum wheel_kind */
    uint32_t next, prev;
};

struct wheel {
    struct wheel_timer *pool; /* the heads of all slots, then timers; 0 is the head of a slot */
    uint64_t *occupied;       /* a bit per slot */
    uint64_t at_ms;           /* no timer is due earlier */
    uint64_t soonest_ms;      /* nor before this: a bound, for sleeping */
    uint32_t max;
    uint32_t used; /* indices ever handed out, heads included */
    uint32_t live;
    uint32_t aside; /* of them: set aside, heads of their lists included */
    uint32_t free_head;
};

ERR_MUST_USE enum err wheel_init(struct wheel *wheel, uint32_t max);
void wheel_close(struct wheel *wheel);
uint64_t wheel_memory(uint32_t max);

/* Bytes of the pool, which fills from its beginning on. */
uint64_t wheel_pool_size(uint32_t max);

/* Bytes of the timers in use. */
uint64_t wheel_bytes(const struct wheel *wheel);

/* Set *timer, which is the row's own, to fall due at due_ms (earlier than now: at once), move it,
 * or with WHEEL_NEVER clear it. There is room for max timers. */
void wheel_set(struct wheel *wheel, uint32_t *timer, uint64_t due_ms, uint64_t now_ms,
               enum wheel_kind kind, uint32_t ref, uint16_t part);

/* When the earliest timer is due, if by limit_ms, else WHEEL_NEVER. *steps is lowered by each
 * timer handed down on the way; at 0 the search stops and false comes back: call again. */
bool wheel_next(struct wheel *wheel, uint64_t limit_ms, uint32_t *steps, uint64_t *due_out);

/* The first timer that is due at due_ms, as wheel_next told, or NULL. */
const struct wheel_timer *wheel_first(const struct wheel *wheel, uint64_t due_ms);

/* How many are due at due_ms, counted up to max. */
uint32_t wheel_count_at(const struct wheel *wheel, uint64_t due_ms, uint32_t max);

/* Hand down at most steps timers of the next slots, before their time. */
void wheel_prepare(struct wheel *wheel, uint32_t steps);

/* Set a timer aside, into a list of the owner's, 0 being an empty one: it is not due until it is
 * set again. A list takes the place of one timer. */
void wheel_park(struct wheel *wheel, uint32_t *timer, uint32_t *list);

/* All timers of one list to another, in constant time. */
void wheel_parked_move(struct wheel *wheel, uint32_t *from, uint32_t *to);

/* The first timer of the list, or NULL: then it has no place any more. */
const struct wheel_timer *wheel_parked(struct wheel *wheel, uint32_t *list);

/* Aborts when lists, bits and counts disagree. Slow; for tests. */
void wheel_check(const struct wheel *wheel);

#endif
