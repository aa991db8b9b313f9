/* Blocks of a few sizes in one big reserved region, named by 32-bit references: what orders
 * are kept in. No malloc, no free to the system: a freed block serves the next of its size.
 *
 * One owner thread. A reference is the block's offset in units of 64 bytes; 0 is no block. */
#ifndef TABLE_SLAB_H
#define TABLE_SLAB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { SLAB_UNIT = 64, SLAB_CLASSES = 56, SLAB_SIZE_MAX = 1 << 20 };

typedef uint32_t slab_ref;

struct slab {
    char *base;
    uint64_t size;      /* bytes reserved */
    uint64_t used;      /* bytes ever handed out */
    uint64_t live;      /* bytes in blocks in use */
    slab_ref free_head[SLAB_CLASSES];
};

/* size: bytes, at most 2^38. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err slab_init(struct slab *slab, uint64_t size);
void slab_close(struct slab *slab);

/* A block of at least size bytes (at most SLAB_SIZE_MAX), or 0: the region is used up. Its
 * content is not cleared. */
slab_ref slab_take(struct slab *slab, size_t size);
void slab_give(struct slab *slab, slab_ref ref, size_t size);

/* Bytes that a block of size really has. */
size_t slab_usable(size_t size);

static inline void *slab_at(const struct slab *slab, slab_ref ref)
{
    return slab->base + (uint64_t)ref * SLAB_UNIT;
}

#endif
