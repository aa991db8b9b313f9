/* A free list per size; the sum of all buffers has a limit. */
#include "net_buffer.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

void net_pool_init(struct net_pool *pool, uint64_t bytes_max, uint64_t pooled_max)
{
    *pool = (struct net_pool){.bytes_max = bytes_max, .pooled_max = pooled_max};
}

static void *pool_pop(struct net_pool *pool, uint32_t bits)
{
    void *block = pool->free[bits];
    if (block) {
        memcpy(&pool->free[bits], block, sizeof(void *));
        pool->bytes_pooled -= (uint64_t)1 << bits;
    }
    return block;
}

static void pool_trim(struct net_pool *pool, uint64_t pooled_max)
{
    for (uint32_t bits = NET_BUFFER_BITS_MAX; bits >= NET_BUFFER_BITS_MIN; bits--) {
        while (pool->bytes_pooled > pooled_max && pool->free[bits]) {
            free(pool_pop(pool, bits));
            pool->bytes_held -= (uint64_t)1 << bits;
        }
    }
}

void net_pool_close(struct net_pool *pool)
{
    pool_trim(pool, 0);
    CHECK(pool->bytes_held == 0);
}

static uint32_t bits_for(uint32_t size)
{
    if (size <= 1u << NET_BUFFER_BITS_MIN) {
        return NET_BUFFER_BITS_MIN;
    }
    return 32 - (uint32_t)__builtin_clz(size - 1);
}

bool net_buffer_take(struct net_pool *pool, uint32_t size, struct net_buffer *out)
{
    CHECK(size <= 1u << NET_BUFFER_BITS_MAX);
    const uint32_t bits = bits_for(size);
    const uint64_t cap = (uint64_t)1 << bits;
    void *block = pool_pop(pool, bits);
    if (!block) {
        if (pool->bytes_held + cap > pool->bytes_max) {
            pool_trim(pool, 0);
        }
        if (pool->bytes_held + cap > pool->bytes_max || !(block = malloc(cap))) {
            return false;
        }
        pool->bytes_held += cap;
    }
    *out = (struct net_buffer){.at = block, .cap = (uint32_t)cap};
    return true;
}

void net_buffer_give(struct net_pool *pool, struct net_buffer *buffer)
{
    if (!buffer->at) {
        return;
    }
    const uint32_t bits = bits_for(buffer->cap);
    CHECK(buffer->cap == 1u << bits);
    if (pool->bytes_pooled + buffer->cap > pool->pooled_max) {
        free(buffer->at);
        pool->bytes_held -= buffer->cap;
    } else {
        memcpy(buffer->at, &pool->free[bits], sizeof(void *));
        pool->free[bits] = buffer->at;
        pool->bytes_pooled += buffer->cap;
    }
    *buffer = (struct net_buffer){0};
}

bool net_buffer_grow(struct net_pool *pool, struct net_buffer *buffer, uint32_t start, uint32_t end,
                     uint32_t size)
{
    CHECK(start <= end);
    CHECK(end <= buffer->cap);
    CHECK(end - start <= size);
    if (buffer->at && buffer->cap >= size) {
        memmove(buffer->at, buffer->at + start, end - start);
        return true;
    }
    struct net_buffer bigger;
    if (!net_buffer_take(pool, size, &bigger)) {
        return false;
    }
    if (end > start) {
        memcpy(bigger.at, buffer->at + start, end - start);
    }
    net_buffer_give(pool, buffer);
    *buffer = bigger;
    return true;
}
