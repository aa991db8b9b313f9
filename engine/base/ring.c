/* Positions count bytes since the beginning and never wrap; a record is 8 bytes of size, then its
 * bytes, rounded up to 8. The size SKIP says that the rest up to the ring's end is unused. */
#include "ring.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

enum { HEAD = 8 };

static const uint64_t SKIP = UINT64_MAX;

enum err ring_init(struct ring *ring, uint64_t size)
{
    CHECK(size >= 64);
    CHECK((size & (size - 1)) == 0);
    memset(ring, 0, sizeof *ring);
    ring->bytes = aligned_alloc(64, size);
    ring->size = size;
    return ring->bytes ? ERR_OK : ERR_NOMEM;
}

void ring_close(struct ring *ring)
{
    free(ring->bytes);
    memset(ring, 0, sizeof *ring);
}

static uint64_t *word_at(const struct ring *ring, uint64_t at)
{
    return (uint64_t *)(void *)(ring->bytes + (at & (ring->size - 1)));
}

static uint64_t need_of(uint32_t size)
{
    return HEAD + ((uint64_t)size + 7) / 8 * 8;
}

/* Bytes to skip so that need bytes are in one piece. */
static uint64_t skip_of(const struct ring *ring, uint64_t need)
{
    uint64_t left = ring->size - (ring->at & (ring->size - 1));
    return left < need ? left : 0;
}

bool ring_has_room(struct ring *ring, uint32_t size)
{
    uint64_t need = need_of(size);
    CHECK(need <= ring->size / 2);
    uint64_t end = ring->at + skip_of(ring, need) + need;
    if (end - ring->tail_seen > ring->size) {
        ring->tail_seen = __atomic_load_n(&ring->tail, __ATOMIC_SEQ_CST);
    }
    return end - ring->tail_seen <= ring->size;
}

void *ring_reserve(struct ring *ring, uint32_t size)
{
    if (!ring_has_room(ring, size)) {
        return NULL;
    }
    uint64_t skip = skip_of(ring, need_of(size));
    if (skip) {
        *word_at(ring, ring->at) = SKIP;
    }
    ring->reserved = ring->at + skip;
    return word_at(ring, ring->reserved) + 1;
}

void ring_commit(struct ring *ring, uint32_t size)
{
    *word_at(ring, ring->reserved) = size;
    ring->at = ring->reserved + need_of(size);
}

bool ring_publish(struct ring *ring)
{
    if (ring->head == ring->at) {
        return false;
    }
    __atomic_store_n(&ring->head, ring->at, __ATOMIC_SEQ_CST);
    return true;
}

const void *ring_next(const struct ring *ring, uint64_t *at, uint32_t *size_out)
{
    if (*at == __atomic_load_n(&ring->head, __ATOMIC_SEQ_CST)) {
        return NULL;
    }
    if (*word_at(ring, *at) == SKIP) {
        *at += ring->size - (*at & (ring->size - 1));
    }
    const uint64_t *word = word_at(ring, *at);
    *size_out = (uint32_t)*word;
    *at += need_of(*size_out);
    return word + 1;
}

void ring_release(struct ring *ring, uint64_t at)
{
    __atomic_store_n(&ring->tail, at, __ATOMIC_SEQ_CST);
}
