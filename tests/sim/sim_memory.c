/* Memory of the simulation. A process of it lives for milliseconds, in tables made for a network of
 * 65,535 nodes of which it has a dozen: what is asked for as zeros is taken as it is touched, not
 * filled at once, and comes again from where the process before it had it. What that one touched is
 * filled with zeros in place, which is cheaper than to give the page back and to fault it in again;
 * every few seeds all goes back. Sanitizers want to see the real thing: there none of this holds
 * but that nothing is populated ahead. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sysinfo.h>

#include "check.h"
#include "hist.h"
#include "mem.h"
#include "sim.h"
#include "warm.h"

enum {
    LARGE = 1 << 20,      /* from here on malloc takes of the pool */
    ZEROED = 32 << 10,    /* and calloc from here on */
    PAGE = 4096,
    LOOK_PAGES = 4096,    /* looked at by one mincore */
    CLASSES = 256         /* sizes that the engine asks for */
};

static const size_t HUGE = (size_t)2 << 20;
static const int RESERVED = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE; /* mem.c asks so */
static const int STACK = MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_STACK; /* fiber.c */

int __real_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice);
void *__real_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *memory, size_t size);
int __wrap_munmap(void *memory, size_t size);
void __real_explicit_bzero(void *memory, size_t size);
void __wrap_explicit_bzero(void *memory, size_t size);
enum err __wrap_warm_start(const struct warm_region *regions, uint32_t count, struct warm **out);
void __real_hist_init(struct hist *hist);
void __wrap_hist_init(struct hist *hist);
void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __real_free(void *memory);
void __wrap_free(void *memory);
void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);

/* A block has a page before it: */
struct pool_head {
    struct pool_class *own; /* NULL: no head */
    struct pool_head *next; /* while it is free: all zeros then; at a higher address */
};

/* Blocks of one size. flags: of the mmap that wanted it, 0 = none did. */
struct pool_class {
    size_t size;
    int flags;
    struct pool_head *free;
};

static struct pool_class classes[CLASSES];
static uint8_t *pool, *pool_next, *pool_end;
static bool is_kept; /* pages in use are told by mincore: nothing is swapped out */

/* mem.c populates its tables by it. */
int __wrap_madvise(void *memory, size_t size, int advice)
{
    (void)memory;
    (void)size;
    (void)advice;
    return 0;
}

/* Nor does anybody take pages for it ahead, in threads of their own. */
enum err __wrap_warm_start(const struct warm_region *regions, uint32_t count, struct warm **out)
{
    (void)regions;
    (void)count;
    *out = NULL;
    return ERR_OK;
}

void sim_memory_start(void)
{
#ifdef SIM_HAS_POOL
    struct sysinfo machine;
    const int told = sysinfo(&machine);
    CHECK(told == 0);
    is_kept = machine.totalswap == 0;
    const int is_set = mallopt(M_MMAP_THRESHOLD, 32 << 20) && /* glibc takes no more */
                       mallopt(M_TRIM_THRESHOLD, 1 << 30) && mallopt(M_TOP_PAD, 64 << 20);
    CHECK(is_set);
    mem_pages_set(MEM_PAGES_SMALL);
    const size_t size = (size_t)16 << 30; /* addresses, not memory */
    void *memory = __real_mmap(NULL, size, PROT_READ | PROT_WRITE, RESERVED, -1, 0);
    CHECK(memory != MAP_FAILED);
    pool = pool_next = memory;
    pool_end = pool + size;
#endif
}

/* -- blocks -- */

static struct pool_class *class_of(size_t size, int flags)
{
    for (uint32_t i = 0; i < CLASSES; i++) {
        struct pool_class *own = &classes[i];
        if (own->size == 0) {
            *own = (struct pool_class){.size = size, .flags = flags};
        }
        if (own->size == size && own->flags == flags) {
            return own;
        }
    }
    return NULL;
}

/* Tables lie as mem.c wants them: at huge pages. */
static uint8_t *carve(struct pool_class *own)
{
    const size_t align = own->flags == RESERVED ? HUGE : PAGE;
    const uintptr_t from = (uintptr_t)pool_next + PAGE;
    uint8_t *block = pool_next + (((from + align - 1) & ~(align - 1)) - (uintptr_t)pool_next);
    if (block >= pool_end || (size_t)(pool_end - block) < own->size) {
        return NULL;
    }
    ((struct pool_head *)(void *)(block - PAGE))->own = own;
    pool_next = block + own->size;
    return block;
}

static void *take(size_t size, int flags)
{
    struct pool_class *own = class_of((size + PAGE - 1) & ~(size_t)(PAGE - 1), flags);
    struct pool_head *head = own ? own->free : NULL;
    if (head) {
        own->free = head->next;
        return (uint8_t *)head + PAGE;
    }
    return own ? carve(own) : NULL;
}

static void drop(uint8_t *block, size_t size)
{
    const int done = __real_madvise(block, size, MADV_DONTNEED);
    CHECK(done == 0);
}

/* A page that was only read: to write zeros there would be a fault. */
static bool is_zero(const uint8_t *page)
{
    static const uint8_t zeros[PAGE];
    return memcmp(page, zeros, PAGE) == 0;
}

static void pages_clear(uint8_t *at, uint32_t pages)
{
    static unsigned char is_there[LOOK_PAGES];
    const int done = mincore(at, (size_t)pages * PAGE, is_there);
    CHECK(done == 0);
    const unsigned char *next = is_there;
    const unsigned char *end = is_there + pages;
    while ((next = memchr(next, 1, (size_t)(end - next)))) {
        uint8_t *page = at + (size_t)(next - is_there) * PAGE;
        if (!is_zero(page)) {
            memset(page, 0, PAGE);
        }
        next++;
    }
}

static void clear(uint8_t *block, size_t size)
{
    for (size_t at = 0; at < size; at += (size_t)LOOK_PAGES * PAGE) {
        const size_t left = (size - at) / PAGE;
        pages_clear(block + at, left < LOOK_PAGES ? (uint32_t)left : LOOK_PAGES);
    }
}

/* Free blocks are in order, so that a table mostly gets the block that it had in the process
 * before: the pages that it touches are in use there. The first page of a stack cannot be touched:
 * fiber.c has seen to it, and will again. */
static void give(struct pool_head *head)
{
    uint8_t *block = (uint8_t *)head + PAGE;
    if (is_kept) {
        clear(block, head->own->size);
    } else {
        drop(block, head->own->size);
    }
    struct pool_head **at = &head->own->free;
    while (*at && *at < head) {
        at = &(*at)->next;
    }
    head->next = *at;
    *at = head;
}

/* The block that begins there, or NULL. */
static struct pool_head *head_of(void *memory)
{
    uint8_t *at = memory;
    return pool && at > pool && at < pool_end ? (struct pool_head *)(void *)(at - PAGE) : NULL;
}

void sim_memory_drop(void)
{
    for (uint32_t i = 0; i < CLASSES; i++) {
        for (struct pool_head *head = classes[i].free; head; head = head->next) {
            drop((uint8_t *)head + PAGE, classes[i].size);
        }
    }
}

/* -- calls -- */

void *__wrap_malloc(size_t size)
{
    void *block = pool && size >= LARGE ? take(size, 0) : NULL;
    return block ? block : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    const bool is_large = pool && size > 0 && count <= SIZE_MAX / size && count * size >= ZEROED;
    void *block = is_large ? take(count * size, 0) : NULL;
    return block ? block : __real_calloc(count, size);
}

void *__wrap_mmap(void *at, size_t size, int protection, int flags, int fd, off_t offset)
{
    const bool is_ours = pool && (flags == RESERVED || flags == STACK);
    void *block = is_ours ? take(size, flags) : NULL;
    return block ? block : __real_mmap(at, size, protection, flags, fd, offset);
}

/* mem.c gives back the end of what it asked for at once, untouched: there is no head before it. */
int __wrap_munmap(void *memory, size_t size)
{
    struct pool_head *head = head_of(memory);
    if (!head) {
        return __real_munmap(memory, size);
    }
    if (head->own) {
        give(head);
    }
    return 0;
}

/* Only what was just taken is filled so: it is zeros. Likewise below. */
void __wrap_explicit_bzero(void *memory, size_t size)
{
    if (!head_of(memory)) {
        __real_explicit_bzero(memory, size);
    }
}

void __wrap_free(void *memory)
{
    struct pool_head *head = head_of(memory);
    if (head) {
        give(head);
    } else {
        __real_free(memory);
    }
}

void __wrap_hist_init(struct hist *hist)
{
    if (pool && (uint8_t *)hist > pool && (uint8_t *)hist < pool_end) {
        hist->min = UINT64_MAX;
    } else {
        __real_hist_init(hist);
    }
}

void *__wrap_realloc(void *memory, size_t size)
{
    const struct pool_head *head = head_of(memory);
    if (!head) {
        return __real_realloc(memory, size);
    }
    void *moved = malloc(size);
    CHECK(moved != NULL);
    memcpy(moved, memory, size < head->own->size ? size : head->own->size);
    __wrap_free(memory);
    return moved;
}
