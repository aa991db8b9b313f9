/* Big memory: address space reserved once, huge pages where the system has them, so that the
 * large tables neither move nor page-fault on the order path. */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

enum mem_pages {
    MEM_PAGES_AUTO, /* transparent huge pages where they can be had */
    MEM_PAGES_SMALL /* the fallback, also forced by a test */
};

/* Choose for all later mem_reserve calls. Before any table is made. */
void mem_pages_set(enum mem_pages pages);

/* Whether transparent huge pages are to be had and wanted: named in the ready line. */
bool mem_pages_huge(void);

/* Reserve size bytes (rounded up to 2 MiB) of zeroed memory, committed on first touch. Kept
 * out of core dumps and of forked children. The caller ends it with mem_release(p, size). */
ERR_MUST_USE enum err mem_reserve(size_t size, void **out);
void mem_release(void *memory, size_t size);

/* Bytes that mem_reserve takes for size. */
size_t mem_size(size_t size);

/* Touch size bytes so that later writes do not fault: a first touch of a huge page clears 2 MiB,
 * about 150 us, and a hash table is touched at random, so that each of its pages would cost some
 * request that much. For hash tables; what fills up in order is left to fault as it grows. */
void mem_populate(void *memory, size_t size);

#endif
