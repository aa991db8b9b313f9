/* mmap with madvise: 2 MiB alignment so that every page of a table can be a huge one. */
#include "mem.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#define HUGE_SIZE ((size_t)2 << 20)

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

static enum mem_pages wanted = MEM_PAGES_AUTO;

static size_t round_up(size_t size)
{
    return (size + HUGE_SIZE - 1) & ~(HUGE_SIZE - 1);
}

void mem_pages_set(enum mem_pages pages)
{
    wanted = pages;
}

bool mem_pages_huge(void)
{
    char text[64] = "";
    if (wanted != MEM_PAGES_AUTO) {
        return false;
    }
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
    if (!file) {
        return false;
    }
    size_t got = fread(text, 1, sizeof text - 1, file);
    fclose(file);
    text[got] = '\0';
    return !strstr(text, "[never]");
}

size_t mem_size(size_t size)
{
    return round_up(size ? size : 1);
}

enum err mem_reserve(size_t size, void **out)
{
    size_t rounded = mem_size(size);
    size_t padded = rounded + HUGE_SIZE;
    void *raw = mmap(NULL, padded, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (raw == MAP_FAILED) {
        return err_from_errno(errno);
    }
    uintptr_t start = ((uintptr_t)raw + HUGE_SIZE - 1) & ~(uintptr_t)(HUGE_SIZE - 1);
    size_t before = start - (uintptr_t)raw;
    if (before) {
        munmap(raw, before);
    }
    if (padded - before > rounded) {
        munmap((void *)(start + rounded), padded - before - rounded);
    }
    void *memory = (void *)start;
    madvise(memory, rounded, MADV_DONTDUMP);
    madvise(memory, rounded, MADV_DONTFORK);
    madvise(memory, rounded, mem_pages_huge() ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    *out = memory;
    return ERR_OK;
}

void mem_release(void *memory, size_t size)
{
    if (memory) {
        munmap(memory, mem_size(size));
    }
}

void mem_populate(void *memory, size_t size)
{
    if (madvise(memory, round_up(size), MADV_POPULATE_WRITE) != 0) {
        memset(memory, 0, size);
    }
}
