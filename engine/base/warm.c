/* The helper sleeps in read(2) on an eventfd; how far it is to go is an atomic number a region. */
#include "warm.h"

#include <errno.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "thread.h"

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_READ 22 /* Linux 5.14; before it nothing is touched */
#define MADV_POPULATE_WRITE 23
#endif

#define WARM_CHUNK ((uint64_t)8 << 20) /* asked for at a time, at most */
#define WARM_PIECE ((uint64_t)2 << 20) /* populated at a time: a huge page */

struct region {
    /* -- set at start, read by both -- */
    char *memory;
    uint64_t size;
    uint64_t ahead;
    uint64_t chunk; /* asked for at a time */
    /* -- written by the owner, read by the helper: how far to go -- */
    _Atomic uint64_t wanted;
    /* -- owner -- */
    uint64_t asked;
    /* -- helper -- */
    uint64_t reached;
};

struct warm {
    /* -- set at start, read by both -- */
    uint32_t count;
    int wake;
    pthread_t thread;
    /* -- written by the owner, read by the helper -- */
    _Atomic bool is_ending;
    struct region regions[WARM_REGIONS_MAX];
};

/* One piece at a time, so that the map's lock is never held for long: who maps, the engine's
 * malloc too, waits for it. False: the system cannot. */
static bool populate_piece(struct region *region)
{
    uint64_t left = region->size - region->reached;
    uint64_t size = left < WARM_PIECE ? left : WARM_PIECE;
    bool is_ok = madvise(region->memory + region->reached, size, MADV_POPULATE_WRITE) == 0;
    region->reached += size;
    return is_ok;
}

/* A piece of each region that wants one. True: there may be more to do. */
static bool populate_round(struct warm *warm, bool *is_able)
{
    bool is_more = false;
    for (uint32_t i = 0; i < warm->count && *is_able; i++) {
        struct region *region = &warm->regions[i];
        /* Pairs with the release in warm_note; only the number matters. */
        const uint64_t wanted = atomic_load_explicit(&region->wanted, memory_order_acquire);
        if (region->reached < wanted && region->reached < region->size) {
            *is_able = populate_piece(region);
            is_more = true;
        }
    }
    return is_more;
}

/* Pairs with the release in warm_stop; nothing else is read behind it. */
static bool is_ending(struct warm *warm)
{
    return atomic_load_explicit(&warm->is_ending, memory_order_acquire);
}

static void *run(void *owner)
{
    struct warm *warm = owner;
    bool is_able = true;
    while (!is_ending(warm)) {
        uint64_t wakes;
        if (read(warm->wake, &wakes, sizeof wakes) < 0 && errno != EINTR) {
            return NULL;
        }
        while (!is_ending(warm) && populate_round(warm, &is_able)) {
        }
    }
    return NULL;
}

static void wake_up(struct warm *warm)
{
    uint64_t one = 1;
    if (write(warm->wake, &one, sizeof one) < 0) {
        return; /* the counter is full: it is awake anyway */
    }
}

static void region_set(struct region *region, const struct warm_region *from)
{
    region->memory = from->memory;
    region->size = from->size;
    region->ahead = from->ahead;
    region->chunk = from->ahead / 2 < WARM_CHUNK ? from->ahead / 2 : WARM_CHUNK;
    region->reached = from->warm / WARM_PIECE * WARM_PIECE;
    region->asked = from->warm;
}

enum err warm_start(const struct warm_region *regions, uint32_t count, struct warm **out)
{
    CHECK(count <= WARM_REGIONS_MAX);
    struct warm *warm = calloc(1, sizeof *warm);
    *out = NULL;
    if (!warm) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        region_set(&warm->regions[i], &regions[i]);
    }
    warm->count = count;
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

void warm_note(struct warm *warm, uint32_t region, uint64_t used)
{
    if (!warm) {
        return;
    }
    struct region *own = &warm->regions[region];
    if (used + own->ahead >= own->asked + own->chunk && own->asked < own->size) {
        own->asked = used + own->ahead;
        atomic_store_explicit(&own->wanted, own->asked, memory_order_release);
        wake_up(warm);
    }
}

void warm_stop(struct warm *warm)
{
    if (!warm) {
        return;
    }
    atomic_store_explicit(&warm->is_ending, true, memory_order_release);
    wake_up(warm);
    pthread_join(warm->thread, NULL);
    close(warm->wake);
    free(warm);
}

void warm_now(void *memory, uint64_t size)
{
    (void)!madvise(memory, size, MADV_POPULATE_WRITE); /* else it comes as it is used */
}

/* -- the program -- */

static void span_touch(uintptr_t start, uintptr_t end, int advice)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    const uintptr_t from = start & ~(page - 1);
    void *memory = (void *)from; /* an address that the loader tells as a number */
    if (start < end) {
        const size_t size = (end - from + page - 1) & ~(page - 1);
        (void)!madvise(memory, size, advice); /* else it comes as it is used */
    }
}

/* Where the part ends that the loader wrote to and then locked; 0: there is none. */
static uintptr_t locked_end(const struct dl_phdr_info *object)
{
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        if (segment->p_type == PT_GNU_RELRO) {
            return object->dlpi_addr + segment->p_vaddr + segment->p_memsz;
        }
    }
    return 0;
}

static int object_touch(struct dl_phdr_info *object, size_t size, void *owner)
{
    (void)size;
    (void)owner;
    const uintptr_t locked = locked_end(object);
    for (int i = 0; i < object->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &object->dlpi_phdr[i];
        const uintptr_t start = object->dlpi_addr + segment->p_vaddr;
        const uintptr_t end = start + segment->p_memsz;
        if (segment->p_type == PT_LOAD && segment->p_flags & PF_W) {
            span_touch(locked > start && locked <= end ? locked : start, end, MADV_POPULATE_WRITE);
        } else if (segment->p_type == PT_LOAD) {
            span_touch(start, end, MADV_POPULATE_READ);
        }
    }
    return 0;
}

void warm_program(void)
{
    (void)dl_iterate_phdr(object_touch, NULL);
}
