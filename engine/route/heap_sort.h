/* Sorting in place without memory of its own (the C library's qsort may allocate). */
#ifndef ROUTE_HEAP_SORT_H
#define ROUTE_HEAP_SORT_H

#include <stdbool.h>
#include <stdint.h>

/* is_less and swap get the array's owner and two places in it. */
struct heap_order {
    bool (*is_less)(const void *owner, uint32_t a, uint32_t b);
    void (*swap)(void *owner, uint32_t a, uint32_t b);
};

/* Sort count places from first on, the least first. Not stable. */
void heap_sort(void *owner, const struct heap_order *order, uint32_t first, uint32_t count);

#endif
