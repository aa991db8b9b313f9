/* Records from one thread to one other, in order, without a lock: a ring of bytes.
 *
 * A record is contiguous: what does not fit before the end of the ring goes to its beginning. The
 * consumer reads records in place and releases them when it is done with them, so a batch may be
 * looked at as a whole. Nobody waits: a full ring is told, and who wants to be woken says so by
 * other means after it looked again (the two positions are stored and loaded seq_cst, so that
 * "I wait" and "there is room" cannot miss each other).
 *
 * Field            written by   read by
 * head             producer     consumer    records before it may be read
 * tail             consumer     producer    bytes before it may be written again
 * at, tail_seen    producer     producer
 * bytes            producer up to head, consumer before tail
 */
#ifndef BASE_RING_H
#define BASE_RING_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct ring {
    uint8_t *bytes;
    uint64_t size;
    uint64_t at;        /* end of what is written, published or not */
    uint64_t tail_seen; /* no later than tail */
    uint64_t reserved;  /* begin of the open record */
    _Alignas(64) uint64_t head;
    _Alignas(64) uint64_t tail;
};

/* size: a power of two. A record has at most half of it, less 8. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err ring_init(struct ring *ring, uint64_t size);
void ring_close(struct ring *ring);

/* -- the producer's thread -- */

/* Whether a record of size bytes has room now. */
bool ring_has_room(struct ring *ring, uint32_t size);

/* Room for a record of at most size bytes, aligned to 8; NULL: full. One at a time. */
void *ring_reserve(struct ring *ring, uint32_t size);

/* The record has so many bytes. The consumer sees it after the next ring_publish. */
void ring_commit(struct ring *ring, uint32_t size);

/* True: there was something new. */
bool ring_publish(struct ring *ring);

/* -- the consumer's thread -- */

/* The record at *at, and *at moves behind it; NULL: there is none. Begin with ring_tail. */
const void *ring_next(const struct ring *ring, uint64_t *at, uint32_t *size_out);

static inline uint64_t ring_tail(const struct ring *ring)
{
    return ring->tail;
}

/* All records before at are done with. */
void ring_release(struct ring *ring, uint64_t at);

#endif
