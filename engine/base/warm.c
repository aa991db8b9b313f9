/* The helper sleeps in read(2) on an eventfd; what it is to reach is one atomic number. */
#include "warm.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "thread.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before it the helper does nothing */
#endif

#define WARM_CHUNK ((uint64_t)8 << 20) /* asked for at a time */
#define WARM_PIECE ((uint64_t)2 << 20) /* populated at a time: a huge page */

struct warm {
    /* -- set at start, read by both -- */
    char *memory;
    uint64_t size;
    uint64_t ahead;
    int wake;
    pthread_t thread;
    /* -- written by the owner, read by the helper: how far to go; UINT64_MAX = end -- */
    _Atomic uint64_t wanted;
    /* -- owner -- */
    uint64_t asked;
    /* -- helper -- */
    uint64_t reached;
};

/* One piece at a time, so that the map's lock is never held for long: who maps, the engine's
 * malloc too, waits for it. */
static bool populate_piece(struct warm *warm)
{
    uint64_t left = warm->size - warm->reached;
    uint64_t size = left < WARM_PIECE ? left : WARM_PIECE;
    bool is_ok = madvise(warm->memory + warm->reached, size, MADV_POPULATE_WRITE) == 0;
    warm->reached += size;
    return is_ok;
}

static void *run(void *owner)
{
    struct warm *warm = owner;
    bool is_able = true;
    for (;;) {
        uint64_t wakes;
        if (read(warm->wake, &wakes, sizeof wakes) < 0 && errno != EINTR) {
            return NULL;
        }
        /* Pairs with the release in warm_note and warm_stop; only the number matters. */
        uint64_t wanted = atomic_load_explicit(&warm->wanted, memory_order_acquire);
        while (is_able && wanted != UINT64_MAX && warm->reached < wanted &&
               warm->reached < warm->size) {
            is_able = populate_piece(warm);
            wanted = atomic_load_explicit(&warm->wanted, memory_order_acquire);
        }
        if (wanted == UINT64_MAX) {
            return NULL;
        }
    }
}

static void ask(struct warm *warm, uint64_t wanted)
{
    uint64_t one = 1;
    atomic_store_explicit(&warm->wanted, wanted, memory_order_release);
    if (write(warm->wake, &one, sizeof one) < 0) {
        return; /* the counter is full: it is awake anyway */
    }
}

/* Signals are the loop's business: the thread is born with all of them blocked. */
enum err warm_start(void *memory, uint64_t size, uint64_t ahead, struct warm **out)
{
    struct warm *warm = calloc(1, sizeof *warm);
    *out = NULL;
    if (!warm) {
        return ERR_NOMEM;
    }
    warm->memory = memory;
    warm->size = size;
    warm->ahead = ahead;
    warm->wake = eventfd(0, EFD_CLOEXEC);
    if (warm->wake < 0 ||
        thread_start(&warm->thread, NULL, "shelf-warm", run, warm) != ERR_OK) {
        if (warm->wake >= 0) {
            close(warm->wake);
        }
        free(warm);
        return ERR_SYS;
    }
    *out = warm;
    return ERR_OK;
}

void warm_note(struct warm *warm, uint64_t used)
{
    if (warm && used + warm->ahead >= warm->asked + WARM_CHUNK) {
        warm->asked = used + warm->ahead;
        ask(warm, warm->asked);
    }
}

void warm_stop(struct warm *warm)
{
    if (!warm) {
        return;
    }
    ask(warm, UINT64_MAX);
    pthread_join(warm->thread, NULL);
    close(warm->wake);
    free(warm);
}
