/* A process of the simulation lives for milliseconds: its tables take their pages as they are
 * touched, not all at once (mem.c asks for that by madvise). */
#include <stddef.h>

int __wrap_madvise(void *memory, size_t size, int advice);

int __wrap_madvise(void *memory, size_t size, int advice)
{
    (void)memory;
    (void)size;
    (void)advice;
    return 0;
}
