/* Bring a cache line near before it is used. A hint only: any address will do, NULL too.
 *
 * The empty asm is what makes it last. A function that only prefetches has no effect that gcc 12
 * knows of: where it sees the whole of it, with link-time optimization in other files too, it takes
 * it for a pure one and drops the calls. */
#ifndef BASE_PREFETCH_H
#define BASE_PREFETCH_H

#define PREFETCH_INLINE static inline __attribute__((always_inline))

PREFETCH_INLINE void prefetch_read(const void *at)
{
    __builtin_prefetch(at);
    __asm__ volatile("");
}

/* The same of a line that will be written to. */
PREFETCH_INLINE void prefetch_write(const void *at)
{
    __builtin_prefetch(at, 1);
    __asm__ volatile("");
}

#endif
