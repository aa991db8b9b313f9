/* A helper thread that touches big memory ahead of its use, so that the owner's first writes do
 * not fault: a fresh huge page costs its first writer 100 us and more, on a virtual machine
 * several times that, and milliseconds where the system must first make room for one. One owner
 * thread; nothing waits for the helper. */
#ifndef BASE_WARM_H
#define BASE_WARM_H

#include <stdint.h>

#include "err.h"

enum { WARM_REGIONS_MAX = 16 };

struct warm;

/* Memory (from mem_reserve) that is used from its beginning on. */
struct warm_region {
    void *memory;
    uint64_t size;  /* bytes */
    uint64_t ahead; /* to be warm beyond what is used */
    uint64_t warm;  /* is so far already: warm_now */
};

/* Warm count regions, which are copied. Errors: ERR_NOMEM; ERR_SYS: no thread to be had; then
 * pages fault as they are used. */
ERR_MUST_USE enum err warm_start(const struct warm_region *regions, uint32_t count,
                                 struct warm **out);

/* The owner has used the first used bytes of a region: keep what is ahead of them warm. Cheap: a
 * compare, and a wake-up every few MiB. warm may be NULL. */
void warm_note(struct warm *warm, uint32_t region, uint64_t used);

/* Ends the thread; before the memory is released. NULL is fine. */
void warm_stop(struct warm *warm);

/* Touch size bytes now, whatever they hold; the system may be unable to. memory: at a page. */
void warm_now(void *memory, uint64_t size);

/* Touch the program itself: the code and data of the executable and of its libraries, so that the
 * first request of a kind does not wait for pages of code that no request ran before. */
void warm_program(void);

#endif
