/* Preloaded into a daemon: counts allocations, fails the n-th, and tells what was never given back.
 *
 * The file named by ALLOC_SHIM is shared with who asks (alloc_fail.py): one struct shim_slot for
 * the daemon, one for the child that makes its checkpoints. Counted while is_armed: malloc,
 * calloc, realloc, aligned_alloc, posix_memalign of everybody in the process, and mmap of the
 * program itself (base/mem.c). At the end of main, `FILE.PID` gets a line `count object+offset`
 * per place that holds memory still. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LIVE_MAX = 1 << 18, SITES_MAX = 4096, EARLY_SIZE = 1 << 16 };

/* All by who asks, but count and site. */
struct shim_slot {
    _Atomic uint64_t is_armed;
    _Atomic uint64_t count;   /* allocations while armed */
    _Atomic uint64_t fail_at; /* the number of the one to fail, from 1; 0 = none */
    _Atomic uint64_t failed;  /* how many were failed: 0 or 1 */
    char site[232];           /* of that one: object+offset of the caller */
};

struct live {
    uintptr_t pointer; /* 0 = free, 1 = was in use */
    uintptr_t site;
};

static struct shim_slot none;
static struct shim_slot *slot = &none;
static struct live live[LIVE_MAX];
static atomic_flag live_lock = ATOMIC_FLAG_INIT;
static uintptr_t program_low, program_high;
static char early[EARLY_SIZE]; /* what dlsym asks for before there is a malloc */
static size_t early_used;

static void *(*next_malloc)(size_t);
static void *(*next_calloc)(size_t, size_t);
static void *(*next_realloc)(void *, size_t);
static void *(*next_aligned)(size_t, size_t);
static int (*next_memalign)(void **, size_t, size_t);
static void (*next_free)(void *);
static void *(*next_mmap)(void *, size_t, int, int, int, off_t);

/* -- what is held -- */

static void live_enter(void)
{
    while (atomic_flag_test_and_set_explicit(&live_lock, memory_order_acquire)) {
    }
}

static void live_leave(void)
{
    atomic_flag_clear_explicit(&live_lock, memory_order_release);
}

static size_t live_home(uintptr_t pointer)
{
    return (size_t)((pointer >> 4) * 0x9e3779b97f4a7c15u >> 40) % LIVE_MAX;
}

static void live_put(void *pointer, void *site)
{
    size_t at = live_home((uintptr_t)pointer);
    if (!pointer) {
        return;
    }
    live_enter();
    for (size_t i = 0; i < LIVE_MAX && live[at].pointer > 1; i++) {
        at = (at + 1) % LIVE_MAX;
    }
    live[at] = (struct live){(uintptr_t)pointer, (uintptr_t)site};
    live_leave();
}

static void live_take(void *pointer)
{
    size_t at = live_home((uintptr_t)pointer);
    live_enter();
    for (size_t i = 0; i < LIVE_MAX && live[at].pointer; i++) {
        if (live[at].pointer == (uintptr_t)pointer) {
            live[at].pointer = 1;
            break;
        }
        at = (at + 1) % LIVE_MAX;
    }
    live_leave();
}

static void site_text(uintptr_t site, char *text, size_t size)
{
    struct link_map *map = NULL;
    Dl_info info;
    if (dladdr1((void *)site, &info, (void **)&map, RTLD_DL_LINKMAP) == 0 || !map) {
        snprintf(text, size, "?");
        return;
    }
    const char *slash = strrchr(info.dli_fname, '/');
    snprintf(text, size, "%s+0x%zx", slash ? slash + 1 : info.dli_fname,
             (size_t)(site - map->l_addr));
}

static int site_order(const void *a, const void *b)
{
    const struct live *left = a;
    const struct live *right = b;
    return (left->site > right->site) - (left->site < right->site);
}

/* One line a place, with how many it holds; the table is of no use afterwards. */
static void live_tell(FILE *file)
{
    size_t count = 0;
    for (size_t i = 0; i < LIVE_MAX; i++) {
        if (live[i].pointer > 1) {
            live[count++] = live[i];
        }
    }
    qsort(live, count, sizeof *live, site_order);
    for (size_t i = 0, end; i < count; i = end) {
        char text[128];
        for (end = i; end < count && live[end].site == live[i].site;) {
            end++;
        }
        site_text(live[i].site, text, sizeof text);
        fprintf(file, "%zu %s\n", end - i, text);
    }
}

__attribute__((destructor)) static void at_end(void)
{
    char name[4096];
    const char *shared = getenv("ALLOC_SHIM");
    atomic_store(&slot->is_armed, 0);
    if (!shared) {
        return;
    }
    snprintf(name, sizeof name, "%s.%d", shared, (int)getpid());
    FILE *file = fopen(name, "w");
    if (file) {
        live_take(file); /* its own */
        live_tell(file);
        fclose(file);
    }
}

/* -- which one fails -- */

static bool is_failing(void *site)
{
    if (!atomic_load_explicit(&slot->is_armed, memory_order_relaxed)) {
        return false;
    }
    const uint64_t number = atomic_fetch_add(&slot->count, 1) + 1;
    if (number != atomic_load(&slot->fail_at)) {
        return false;
    }
    atomic_fetch_add(&slot->failed, 1);
    site_text((uintptr_t)site, slot->site, sizeof slot->site);
    errno = ENOMEM;
    return true;
}

static int on_object(struct dl_phdr_info *info, size_t size, void *owner)
{
    (void)size;
    (void)owner;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        if (info->dlpi_phdr[i].p_type == PT_LOAD && info->dlpi_phdr[i].p_flags & PF_X) {
            program_low = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr;
            program_high = program_low + info->dlpi_phdr[i].p_memsz;
        }
    }
    return 1; /* the program is the first one */
}

static bool is_child(void)
{
    char words[512] = "";
    const int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
    const ssize_t size = fd < 0 ? 0 : read(fd, words, sizeof words - 1);
    if (fd >= 0) {
        close(fd);
    }
    return size > 0 && strcmp(words + strlen(words) + 1, "--checkpoint") == 0;
}

static void next_find(void)
{
    *(void **)&next_malloc = dlsym(RTLD_NEXT, "malloc");
    *(void **)&next_calloc = dlsym(RTLD_NEXT, "calloc");
    *(void **)&next_realloc = dlsym(RTLD_NEXT, "realloc");
    *(void **)&next_aligned = dlsym(RTLD_NEXT, "aligned_alloc");
    *(void **)&next_memalign = dlsym(RTLD_NEXT, "posix_memalign");
    *(void **)&next_mmap = dlsym(RTLD_NEXT, "mmap");
    *(void **)&next_free = dlsym(RTLD_NEXT, "free");
}

__attribute__((constructor)) static void at_begin(void)
{
    const char *shared = getenv("ALLOC_SHIM");
    const int fd = shared ? open(shared, O_RDWR | O_CLOEXEC) : -1;
    if (!next_free) {
        next_find();
    }
    dl_iterate_phdr(on_object, NULL);
    void *slots = MAP_FAILED;
    if (fd >= 0) {
        slots = next_mmap(NULL, 2 * sizeof none, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (fd >= 0) {
        close(fd);
    }
    if (slots != MAP_FAILED) {
        slot = (struct shim_slot *)slots + is_child();
    }
}

/* -- the allocator -- */

static void *early_take(size_t size)
{
    void *memory = early + early_used;
    early_used += (size + 15) & ~(size_t)15;
    return early_used <= EARLY_SIZE ? memory : NULL;
}

static bool is_early(const void *memory)
{
    return (const char *)memory >= early && (const char *)memory < early + EARLY_SIZE;
}

/* False while dlsym itself is at work. */
static bool is_ready(void)
{
    static bool is_finding;
    if (!next_free && !is_finding) {
        is_finding = true;
        next_find();
        is_finding = false;
    }
    return next_free != NULL;
}

void *malloc(size_t size)
{
    void *site = __builtin_return_address(0);
    if (!is_ready()) {
        return early_take(size);
    }
    void *memory = is_failing(site) ? NULL : next_malloc(size);
    live_put(memory, site);
    return memory;
}

void *calloc(size_t count, size_t size)
{
    void *site = __builtin_return_address(0);
    if (!is_ready()) {
        return early_take(count * size);
    }
    void *memory = is_failing(site) ? NULL : next_calloc(count, size);
    live_put(memory, site);
    return memory;
}

void *realloc(void *old, size_t size)
{
    void *site = __builtin_return_address(0);
    if (!is_ready() || is_early(old)) {
        abort(); /* nobody does it that early */
    }
    if (is_failing(site)) {
        return NULL;
    }
    if (old) {
        live_take(old); /* before another thread can be given the same place */
    }
    void *memory = next_realloc(old, size);
    live_put(memory ? memory : old, site);
    return memory;
}

void *aligned_alloc(size_t alignment, size_t size)
{
    void *site = __builtin_return_address(0);
    void *memory = is_ready() && !is_failing(site) ? next_aligned(alignment, size) : NULL;
    live_put(memory, site);
    return memory;
}

int posix_memalign(void **out, size_t alignment, size_t size)
{
    void *site = __builtin_return_address(0);
    int error = ENOMEM;
    if (is_ready() && !is_failing(site)) {
        error = next_memalign(out, alignment, size);
    }
    if (error == 0) {
        live_put(*out, site);
    }
    return error;
}

void free(void *memory)
{
    if (!memory || is_early(memory) || !is_ready()) {
        return;
    }
    live_take(memory);
    next_free(memory);
}

void *mmap(void *where, size_t size, int access, int flags, int fd, off_t offset)
{
    const uintptr_t site = (uintptr_t)__builtin_return_address(0);
    const bool is_ours = site >= program_low && site < program_high;
    if (!is_ready() || (is_ours && is_failing((void *)site))) {
        errno = ENOMEM;
        return MAP_FAILED;
    }
    return next_mmap(where, size, access, flags, fd, offset);
}
