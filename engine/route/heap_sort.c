/* Heap sort over places: n log n in the worst case, no recursion, no allocation. */
#include "heap_sort.h"

static void sink(void *owner, const struct heap_order *order, uint32_t first, uint32_t at,
                 uint32_t count)
{
    for (uint32_t child = 2 * at + 1; child < count; child = 2 * at + 1) {
        if (child + 1 < count && order->is_less(owner, first + child, first + child + 1)) {
            child++;
        }
        if (!order->is_less(owner, first + at, first + child)) {
            return;
        }
        order->swap(owner, first + at, first + child);
        at = child;
    }
}

void heap_sort(void *owner, const struct heap_order *order, uint32_t first, uint32_t count)
{
    for (uint32_t i = count / 2; i > 0; i--) {
        sink(owner, order, first, i - 1, count);
    }
    for (uint32_t left = count; left > 1; left--) {
        order->swap(owner, first, first + left - 1);
        sink(owner, order, first, 0, left - 1);
    }
}
