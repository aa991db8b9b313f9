/* A helper thread that touches big memory ahead of its use, so that the owner's first writes do
 * not fault: a fresh huge page costs its first writer 100 us and more, on a virtual machine
 * several times that. One owner thread; nothing waits for the helper. */
#ifndef BASE_WARM_H
#define BASE_WARM_H

#include <stdint.h>

#include "err.h"

struct warm;

/* Warm memory of size bytes (from mem_reserve), up to ahead bytes beyond what is used. Errors:
 * ERR_SYS: no thread to be had; then pages fault as they are used. */
ERR_MUST_USE enum err warm_start(void *memory, uint64_t size, uint64_t ahead, struct warm **out);

/* The owner has used the first used bytes: keep what is ahead of them warm. Cheap: a compare, and
 * a wake-up every few MiB. warm may be NULL. */
void warm_note(struct warm *warm, uint64_t used);

/* Ends the thread; before the memory is released. NULL is fine. */
void warm_stop(struct warm *warm);

#endif
