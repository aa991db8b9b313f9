/* Fibers: pauses at any depth, use again, an end in the middle, a stack that is too small. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "check.h"
#include "fiber.h"

enum { STACK = 256 << 10, DEPTH = 50, ROUNDS = 1000 };

struct work {
    struct fiber *fiber;
    uint32_t pauses; /* that are wanted */
    uint64_t sum;
};

/* Each level pauses on its way down and on its way up, with something of its own to keep. */
static uint64_t deep(struct work *work, uint32_t depth)
{
    volatile uint64_t own[8];
    for (uint32_t i = 0; i < 8; i++) {
        own[i] = depth * 8 + i;
    }
    fiber_pause(work->fiber);
    uint64_t sum = depth > 0 ? deep(work, depth - 1) : 0;
    fiber_pause(work->fiber);
    for (uint32_t i = 0; i < 8; i++) {
        sum += own[i];
    }
    return sum;
}

static void deep_main(void *owner)
{
    struct work *work = owner;
    CHECK(fiber_is_inside(work->fiber));
    work->sum = deep(work, DEPTH);
}

static void goes_on_where_it_paused(void **state)
{
    struct work work = {0};
    const uint64_t last = (DEPTH + 1) * 8 - 1;
    (void)state;
    assert_int_equal(fiber_new(STACK, &work.fiber), ERR_OK);
    for (uint32_t round = 0; round < ROUNDS / DEPTH; round++) {
        uint32_t pauses = 0;
        work.sum = 0;
        for (bool is_open = fiber_run(work.fiber, deep_main, &work); is_open;
             is_open = fiber_go_on(work.fiber)) {
            assert_true(fiber_is_paused(work.fiber));
            assert_false(fiber_is_inside(work.fiber));
            pauses++;
        }
        assert_int_equal(pauses, 2 * (DEPTH + 1));
        assert_int_equal(work.sum, last * (last + 1) / 2);
        assert_false(fiber_is_paused(work.fiber));
    }
    fiber_free(work.fiber);
}

static void count_main(void *owner)
{
    struct work *work = owner;
    for (uint32_t i = 0; i < work->pauses; i++) {
        work->sum++;
        fiber_pause(work->fiber);
    }
}

/* Two at a time, in turns; one without any pause; one that is freed in its middle. */
static void fibers_are_apart(void **state)
{
    struct work a = {.pauses = ROUNDS};
    struct work b = {.pauses = ROUNDS / 2};
    (void)state;
    assert_int_equal(fiber_new(STACK, &a.fiber), ERR_OK);
    assert_int_equal(fiber_new(STACK, &b.fiber), ERR_OK);
    bool has_a = fiber_run(a.fiber, count_main, &a);
    bool has_b = fiber_run(b.fiber, count_main, &b);
    while (has_a || has_b) {
        has_a = has_a && fiber_go_on(a.fiber);
        has_b = has_b && fiber_go_on(b.fiber);
    }
    assert_int_equal(a.sum, ROUNDS);
    assert_int_equal(b.sum, ROUNDS / 2);
    a.pauses = 0;
    assert_false(fiber_run(a.fiber, count_main, &a));
    assert_true(fiber_run(b.fiber, count_main, &b));
    fiber_free(a.fiber);
    fiber_free(b.fiber);
    fiber_free(NULL);
}

static uint64_t endless(uint64_t depth)
{
    volatile uint8_t own[4096];
    memset((void *)own, (int)depth, sizeof own);
    return depth ? endless(depth - 1) + own[depth % sizeof own] : 0;
}

static void endless_main(void *owner)
{
    *(uint64_t *)owner = endless(1 << 20);
}

/* The page at its end stops it before it writes over anybody's memory. */
static void too_deep_ends_the_process(void **state)
{
    int status = 0;
    (void)state;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct fiber *fiber;
        uint64_t sum;
        if (fiber_new(STACK, &fiber) == ERR_OK) {
            (void)fiber_run(fiber, endless_main, &sum);
        }
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_false(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_on_where_it_paused),
        cmocka_unit_test(fibers_are_apart),
        cmocka_unit_test(too_deep_ends_the_process),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
