/* Stacks of makecontext. Only the first entry is a change of contexts: swapcontext asks the kernel
 * about the signal mask each time, which is the same on both sides here, so all others are jumps.
 * The sanitizers are told of each change, and want contexts. */
#undef _FORTIFY_SOURCE /* its longjmp takes another stack for damage */
#include "fiber.h"

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "check.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define FIBER_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define FIBER_TSAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define FIBER_ASAN 1
#endif
#ifdef __SANITIZE_THREAD__
#define FIBER_TSAN 1
#endif

#ifdef FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#ifdef FIBER_TSAN
#include <sanitizer/tsan_interface.h>
#endif

enum fiber_state { FIBER_IDLE, FIBER_RUNNING, FIBER_PAUSED };

struct fiber {
    enum fiber_state state;
    fiber_main *main;
    void *owner;
    ucontext_t inside;
    ucontext_t outside;
    bool has_begun;
    jmp_buf mark_inside, mark_outside;
    uint8_t *memory; /* the page at the end of the stack first */
    size_t memory_size;
    size_t page;
#ifdef FIBER_ASAN
    void *fake_inside, *fake_outside; /* of each stack that is left */
    const void *outside_at;           /* the caller's stack */
    size_t outside_size;
#endif
#ifdef FIBER_TSAN
    void *tsan_inside, *tsan_outside;
#endif
};

/* -- what sanitizers want to know -- */

static void inside_leave(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->fake_inside, fiber->outside_at, fiber->outside_size);
#endif
#ifdef FIBER_TSAN
    __tsan_switch_to_fiber(fiber->tsan_outside, 0);
#endif
    (void)fiber;
}

static void inside_enter(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_inside, &fiber->outside_at,
                                    &fiber->outside_size);
#endif
    (void)fiber;
}

static void outside_leave(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_start_switch_fiber(&fiber->fake_outside, fiber->memory + fiber->page,
                                   fiber->memory_size - fiber->page);
#endif
#ifdef FIBER_TSAN
    fiber->tsan_outside = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(fiber->tsan_inside, 0);
#endif
    (void)fiber;
}

static void outside_enter(struct fiber *fiber)
{
#ifdef FIBER_ASAN
    __sanitizer_finish_switch_fiber(fiber->fake_outside, NULL, NULL);
#endif
    (void)fiber;
}

/* -- changes -- */

#if defined(FIBER_ASAN) || defined(FIBER_TSAN)
static void go_in(struct fiber *fiber)
{
    CHECK(swapcontext(&fiber->outside, &fiber->inside) == 0);
}

static void go_out(struct fiber *fiber)
{
    CHECK(swapcontext(&fiber->inside, &fiber->outside) == 0);
}
#else
static void go_in(struct fiber *fiber)
{
    if (_setjmp(fiber->mark_outside) != 0) {
        return;
    }
    if (fiber->has_begun) {
        _longjmp(fiber->mark_inside, 1);
    }
    fiber->has_begun = true;
    setcontext(&fiber->inside);
    CHECK_UNREACHABLE("a context cannot be set");
}

static void go_out(struct fiber *fiber)
{
    if (_setjmp(fiber->mark_inside) == 0) {
        _longjmp(fiber->mark_outside, 1);
    }
}
#endif

static void leave(struct fiber *fiber, enum fiber_state state)
{
    fiber->state = state;
    inside_leave(fiber);
    go_out(fiber);
    inside_enter(fiber);
}

/* Never ends: the next function begins where the last one ended. */
static void loop(unsigned high, unsigned low)
{
    struct fiber *fiber =
        (struct fiber *)(uintptr_t)((uint64_t)high << 32 | low); /* makecontext takes ints */
    inside_enter(fiber);
    for (;;) {
        fiber->main(fiber->owner);
        leave(fiber, FIBER_IDLE);
    }
}

static bool enter(struct fiber *fiber)
{
    fiber->state = FIBER_RUNNING;
    outside_leave(fiber);
    go_in(fiber);
    outside_enter(fiber);
    return fiber->state == FIBER_PAUSED;
}

bool fiber_run(struct fiber *fiber, fiber_main *main, void *owner)
{
    CHECK(fiber->state == FIBER_IDLE);
    fiber->main = main;
    fiber->owner = owner;
    return enter(fiber);
}

bool fiber_go_on(struct fiber *fiber)
{
    CHECK(fiber->state == FIBER_PAUSED);
    return enter(fiber);
}

void fiber_pause(struct fiber *fiber)
{
    CHECK(fiber->state == FIBER_RUNNING);
    leave(fiber, FIBER_PAUSED);
}

bool fiber_is_inside(const struct fiber *fiber)
{
    return fiber->state == FIBER_RUNNING;
}

bool fiber_is_paused(const struct fiber *fiber)
{
    return fiber->state == FIBER_PAUSED;
}

/* -- life -- */

static bool stack_take(struct fiber *fiber, size_t stack_size)
{
    fiber->page = (size_t)sysconf(_SC_PAGESIZE);
    fiber->memory_size = (stack_size + fiber->page - 1) / fiber->page * fiber->page + fiber->page;
    void *memory = mmap(NULL, fiber->memory_size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) {
        return false;
    }
    fiber->memory = memory;
    return mprotect(memory, fiber->page, PROT_NONE) == 0;
}

enum err fiber_new(size_t stack_size, struct fiber **out)
{
    struct fiber *fiber = calloc(1, sizeof *fiber);
    if (!fiber || !stack_take(fiber, stack_size)) {
        fiber_free(fiber);
        return ERR_NOMEM;
    }
#ifdef FIBER_TSAN
    fiber->tsan_inside = __tsan_create_fiber(0);
#endif
    CHECK(getcontext(&fiber->inside) == 0);
    fiber->inside.uc_stack.ss_sp = fiber->memory + fiber->page;
    fiber->inside.uc_stack.ss_size = fiber->memory_size - fiber->page;
    const uint64_t at = (uintptr_t)fiber;
    makecontext(&fiber->inside, (void (*)(void))loop, 2, (unsigned)(at >> 32), (unsigned)at);
    *out = fiber;
    return ERR_OK;
}

void fiber_free(struct fiber *fiber)
{
    if (!fiber) {
        return;
    }
    CHECK(fiber->state != FIBER_RUNNING);
#ifdef FIBER_TSAN
    if (fiber->tsan_inside) {
        __tsan_destroy_fiber(fiber->tsan_inside);
    }
#endif
    if (fiber->memory) {
#ifdef FIBER_ASAN
        __asan_unpoison_memory_region(fiber->memory + fiber->page,
                                      fiber->memory_size - fiber->page);
#endif
        munmap(fiber->memory, fiber->memory_size);
    }
    free(fiber);
}
