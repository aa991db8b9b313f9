/* Buffers of power-of-two sizes with a bounded pool, for one thread. */
#ifndef NET_BUFFER_H
#define NET_BUFFER_H

#include <stdbool.h>
#include <stdint.h>

enum { NET_BUFFER_BITS_MIN = 9, NET_BUFFER_BITS_MAX = 31 };

/* Owned by whoever holds it; at is NULL when there is none. */
struct net_buffer {
    uint8_t *at;
    uint32_t cap; /* bytes, a power of two */
};

/* Free buffers by size. Owned by a net. */
struct net_pool {
    void *free[NET_BUFFER_BITS_MAX + 1]; /* chained through their first word */
    uint64_t bytes_held;                 /* handed out and pooled */
    uint64_t bytes_pooled;
    uint64_t bytes_max;  /* limit of bytes_held */
    uint64_t pooled_max; /* above it a returned buffer goes back to the allocator */
};

void net_pool_init(struct net_pool *pool, uint64_t bytes_max, uint64_t pooled_max);
void net_pool_close(struct net_pool *pool);

/* A buffer of at least size bytes. False: limit or memory is exhausted, out unchanged. */
bool net_buffer_take(struct net_pool *pool, uint32_t size, struct net_buffer *out);

/* Give it back; buffer becomes empty. An empty one is fine. */
void net_buffer_give(struct net_pool *pool, struct net_buffer *buffer);

/* Make room for at least size bytes, keeping the bytes [start, end), which move to the front.
 * False: buffer unchanged. */
bool net_buffer_grow(struct net_pool *pool, struct net_buffer *buffer, uint32_t start, uint32_t end,
                     uint32_t size);

#endif
