/* Properties of what goes between threads, looked at from one: rings of records, and memory that is
 * freed when nobody reads it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

#include "epoch.h"
#include "ring.h"
#include "rng.h"
#include "thread.h"

enum { RING = 1024, RECORDS = 200000, RECORD_MAX = RING / 2 - 8 };

/* A record of the size, filled from its number. False: the ring is full. */
static bool put(struct ring *ring, uint32_t number, uint32_t size)
{
    bool has_room = ring_has_room(ring, size);
    uint8_t *at = ring_reserve(ring, size);
    assert_int_equal(at != NULL, has_room);
    if (at) {
        assert_int_equal((uintptr_t)at % 8, 0);
        memset(at, (int)(number % 251), size);
        ring_commit(ring, size);
    }
    return at != NULL;
}

static void is_record(const uint8_t *record, uint32_t size, uint32_t number, uint32_t wanted)
{
    assert_int_equal(size, wanted);
    for (uint32_t i = 0; i < size; i++) {
        assert_int_equal(record[i], number % 251);
    }
}

/* What comes out is what went in, in order, whole and unbroken, whatever the sizes, with records
 * released one by one or many at a time. */
static void ring_keeps_order_and_bytes(void **state)
{
    (void)state;
    static uint16_t sizes[RECORDS];
    struct ring ring;
    struct rng rng;
    uint32_t in = 0;
    uint32_t out = 0;
    rng_init(&rng, 3);
    assert_int_equal(ring_init(&ring, RING), ERR_OK);
    uint64_t at = ring_tail(&ring);
    while (out < RECORDS) {
        while (in < RECORDS && rng_below(&rng, 4)) {
            sizes[in] = (uint16_t)rng_below(&rng, rng_below(&rng, 8) ? 60 : RECORD_MAX + 1);
            if (!put(&ring, in, sizes[in])) {
                break;
            }
            in++;
        }
        ring_publish(&ring);
        uint32_t size;
        const uint8_t *record;
        while (rng_below(&rng, 5) && (record = ring_next(&ring, &at, &size))) {
            is_record(record, size, out, sizes[out]);
            out++;
        }
        if (rng_below(&rng, 2) || in == RECORDS) {
            ring_release(&ring, at);
        }
    }
    ring_close(&ring);
}

/* An empty ring takes the largest record wherever it stands; what is not published is not seen. */
static void ring_takes_the_largest_anywhere(void **state)
{
    (void)state;
    for (uint32_t before = 0; before < RING; before += 8) {
        struct ring ring;
        uint32_t size;
        assert_int_equal(ring_init(&ring, RING), ERR_OK);
        uint64_t at = ring_tail(&ring);
        for (uint32_t i = 0; i < before / 8; i++) {
            assert_true(put(&ring, 0, 0));
            ring_publish(&ring);
            assert_non_null(ring_next(&ring, &at, &size));
            ring_release(&ring, at);
        }
        assert_true(put(&ring, 7, RECORD_MAX));
        assert_null(ring_next(&ring, &at, &size));
        assert_true(ring_publish(&ring));
        assert_false(ring_publish(&ring));
        const uint8_t *record = ring_next(&ring, &at, &size);
        is_record(record, size, 7, RECORD_MAX);
        ring_close(&ring);
    }
}

/* A block stays while a reader that was inside when it was retired is; then it goes, also when that
 * reader has entered again. */
static void block_outlives_its_readers(void **state)
{
    (void)state;
    struct epoch *epoch;
    assert_int_equal(epoch_new(2, &epoch), ERR_OK);
    epoch_enter(epoch, 1);
    epoch_retire(epoch, malloc(100), 100);
    for (int i = 0; i < 5; i++) {
        epoch_turn(epoch);
        assert_int_equal(epoch_retired(epoch), 1);
    }
    epoch_leave(epoch, 1);
    epoch_enter(epoch, 1);
    epoch_enter(epoch, 0);
    epoch_turn(epoch);
    assert_int_equal(epoch_retired(epoch), 0);
    epoch_retire(epoch, malloc(100), 100);
    epoch_turn(epoch);
    epoch_retire(epoch, malloc(100), 100); /* by another grace period than the first */
    epoch_leave(epoch, 0);
    epoch_leave(epoch, 1);
    epoch_turn(epoch);
    assert_int_equal(epoch_retired(epoch), 1);
    epoch_turn(epoch);
    assert_int_equal(epoch_retired(epoch), 0);
    epoch_free(epoch);
}

/* Nobody inside: any number of blocks is taken, and few wait. Without readers none does. */
static void blocks_go_when_nobody_reads(void **state)
{
    (void)state;
    struct epoch *epoch;
    assert_int_equal(epoch_new(1, &epoch), ERR_OK);
    for (uint32_t i = 0; i < 3 * EPOCH_BLOCKS_MAX; i++) {
        epoch_retire(epoch, malloc(16), 16);
        assert_true(epoch_retired(epoch) <= 2 * EPOCH_BLOCKS_MAX);
    }
    for (int i = 0; i < 100; i++) {
        epoch_retire(epoch, malloc(1), EPOCH_BYTES_MAX);
    }
    epoch_free(epoch);
    epoch_retire(NULL, malloc(16), 16);
}

/* The first version of the kernel's struct sched_attr, which ends in three times in ns. */
struct attributes {
    uint32_t size, policy;
    uint64_t flags;
    uint32_t nice, priority;
    uint64_t runtime_ns, deadline_ns, period_ns;
};

static void attributes_get(struct attributes *attributes)
{
    memset(attributes, 0, sizeof *attributes);
    assert_int_equal(syscall(SYS_sched_getattr, 0, attributes, sizeof *attributes, 0), 0);
}

static void *be_prompt(void *owner)
{
    thread_be_prompt();
    attributes_get(owner);
    return NULL;
}

/* The slice is the thread's alone, and policy and niceness stay. A kernel that knows no slices
 * tells 0 for them. */
static void prompt_thread_has_a_short_slice(void **state)
{
    (void)state;
    struct attributes before;
    struct attributes in_thread;
    struct attributes after;
    pthread_t thread;
    attributes_get(&before);
    assert_int_equal(thread_start(&thread, NULL, "prompt", be_prompt, &in_thread), ERR_OK);
    assert_int_equal(pthread_join(thread, NULL), 0);
    attributes_get(&after);
    assert_int_equal(in_thread.policy, before.policy);
    assert_int_equal(in_thread.nice, before.nice);
    assert_int_equal(after.runtime_ns, before.runtime_ns);
    if (before.runtime_ns == 0) {
        print_message("the slice was not looked at: this kernel has none\n");
    } else {
        assert_int_equal(in_thread.runtime_ns, THREAD_SLICE_NS);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ring_keeps_order_and_bytes),
        cmocka_unit_test(ring_takes_the_largest_anywhere),
        cmocka_unit_test(block_outlives_its_readers),
        cmocka_unit_test(blocks_go_when_nobody_reads),
        cmocka_unit_test(prompt_thread_has_a_short_slice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
