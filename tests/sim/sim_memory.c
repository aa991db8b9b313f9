/* Memory of the simulation. A process of it lives for milliseconds, in tables made for a network of
 * 65,535 nodes of which it has a dozen: what is asked for as zeros is taken as it is touched, not
 * filled at once, and comes again from where the process before it had it. Sanitizers want to see
 * the real thing: there only the first holds. */
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "check.h"
#include "hist.h"
#include "sim.h"
#include "warm.h"

enum {
    LARGE = 1 << 20, /* from here on it is dearer to fill with zeros than to touch again */
    CLASSES = 64        /* sizes that the engine asks for */
};

static const size_t PAGE = 4096;

int __real_madvise(void *memory, size_t size, int advice);
int __wrap_madvise(void *memory, size_t size, int advice);
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
    struct pool_class *own;
    struct pool_head *next; /* while it is free: all zeros then */
};

/* Blocks of one size. */
struct pool_class {
    size_t size;
    struct pool_head *free;
};

static struct pool_class classes[CLASSES];
static uint8_t *pool, *pool_next, *pool_end;

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
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 64 << 20);
    const size_t size = (size_t)8 << 30; /* addresses, not memory */
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(memory != MAP_FAILED);
    pool = pool_next = memory;
    pool_end = pool + size;
#endif
}

static struct pool_class *class_of(size_t size)
{
    for (uint32_t i = 0; i < CLASSES; i++) {
        if (classes[i].size == 0 || classes[i].size == size) {
            classes[i].size = size;
            return &classes[i];
        }
    }
    return NULL;
}

static void *take(struct pool_class *own)
{
    struct pool_head *head = own->free;
    if (head) {
        own->free = head->next;
        return (uint8_t *)head + PAGE;
    }
    if ((size_t)(pool_end - pool_next) < PAGE + own->size) {
        return NULL;
    }
    head = (struct pool_head *)(void *)pool_next;
    head->own = own;
    pool_next += PAGE + own->size;
    return (uint8_t *)head + PAGE;
}

static void *take_large(size_t size)
{
    struct pool_class *own = class_of((size + PAGE - 1) & ~(PAGE - 1));
    return own ? take(own) : NULL;
}

void *__wrap_malloc(size_t size)
{
    void *block = pool && size >= LARGE ? take_large(size) : NULL;
    return block ? block : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    const bool is_large = pool && size > 0 && count <= SIZE_MAX / size && count * size >= LARGE;
    void *block = is_large ? take_large(count * size) : NULL;
    return block ? block : __real_calloc(count, size);
}

/* NULL: not of the pool. */
static struct pool_head *head_of(void *memory)
{
    uint8_t *at = memory;
    return pool && at > pool && at < pool_end ? (struct pool_head *)(void *)(at - PAGE) : NULL;
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
    if (!head) {
        __real_free(memory);
        return;
    }
    const int done = __real_madvise(memory, head->own->size, MADV_DONTNEED);
    CHECK(done == 0);
    head->next = head->own->free;
    head->own->free = head;
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
