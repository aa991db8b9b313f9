/* Classes: 64-byte steps up to 512, then four per power of two: at most a fifth is lost. */
#include "slab.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "prefetch.h"

/* Units of class c: 1-8, then 10 12 14 16, 20 24 28 32, ... */
static uint32_t class_units(uint32_t class)
{
    if (class < 8) {
        return class + 1;
    }
    uint32_t power = (class - 8) / 4;
    return (8u << power) + ((class - 8) % 4 + 1) * (2u << power);
}

static uint32_t class_of(size_t size)
{
    uint32_t units = (uint32_t)((size + SLAB_UNIT - 1) / SLAB_UNIT);
    units = units ? units : 1;
    if (units <= 8) {
        return units - 1;
    }
    uint32_t power = 31 - (uint32_t)__builtin_clz(units - 1) - 3;
    uint32_t step = 2u << power;
    return 8 + power * 4 + (units - (8u << power) + step - 1) / step - 1;
}

_Static_assert(SLAB_CLASSES >= 52 && SLAB_SIZE_MAX == 16384 * SLAB_UNIT,
               "16,384 units are class 51");

enum err slab_init(struct slab *slab, uint64_t size)
{
    memset(slab, 0, sizeof *slab);
    void *memory;
    enum err err = mem_reserve(size, &memory);
    if (err == ERR_OK) {
        slab->base = memory;
        slab->size = size;
        slab->used = SLAB_UNIT; /* reference 0 is no block */
    }
    return err;
}

void slab_close(struct slab *slab)
{
    mem_release(slab->base, slab->size);
    memset(slab, 0, sizeof *slab);
}

size_t slab_usable(size_t size)
{
    return (size_t)class_units(class_of(size)) * SLAB_UNIT;
}

slab_ref slab_take(struct slab *slab, size_t size)
{
    uint32_t class = class_of(size);
    CHECK(class < SLAB_CLASSES);
    uint64_t bytes = (uint64_t)class_units(class) * SLAB_UNIT;
    slab_ref ref = slab->free_head[class];
    if (ref) {
        memcpy(&slab->free_head[class], slab_at(slab, ref), sizeof ref);
        prefetch_write(slab_at(slab, slab->free_head[class])); /* the next one's link */
    } else if (slab->used + bytes <= slab->size) {
        ref = (slab_ref)(slab->used / SLAB_UNIT);
        slab->used += bytes;
    } else {
        return 0;
    }
    slab->live += bytes;
    return ref;
}

void slab_give(struct slab *slab, slab_ref ref, size_t size)
{
    uint32_t class = class_of(size);
    CHECK(ref);
    CHECK(class < SLAB_CLASSES);
    memcpy(slab_at(slab, ref), &slab->free_head[class], sizeof ref);
    slab->free_head[class] = ref;
    slab->live -= (uint64_t)class_units(class) * SLAB_UNIT;
}
