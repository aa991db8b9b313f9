/* The sum of the tables' limits that is printed at start is what they really reserve. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "mem.h"
#include "tables.h"
#include "tables_warm.h"

enum { SLACK = 4 << 20 }; /* of the allocator, for what is not a table of its own */

/* Bytes of address space that the process has. */
static uint64_t address_space(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%llu", &pages), 1);
    fclose(file);
    return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void takes_what_it_says(const struct tables_options *options)
{
    static const uint8_t secret[16] = "sixteen bytes..";
    struct tables tables;
    uint64_t said = tables_memory(options);
    uint64_t before = address_space();
    assert_int_equal(tables_init(&tables, options, secret), ERR_OK);
    uint64_t taken = address_space() - before;
    tables_close(&tables);
    assert_in_range(taken, said - SLACK, said + SLACK);
}

/* Small tables, where what is fixed and the rounding to huge pages decide. */
static void small_tables_take_what_they_say(void **state)
{
    (void)state;
    takes_what_it_says(&(struct tables_options){.items_max = 10,
                                                .orders_max = 10,
                                                .orders_memory = 8 << 20,
                                                .holds_max = 10,
                                                .keys_max = 10,
                                                .movements_max = 10,
                                                .documents_max = 10});
}

/* Limits just below and just above where each table's slots double. */
static void slots_are_counted_as_they_are(void **state)
{
    (void)state;
    for (uint32_t extra = 0; extra < 2; extra++) {
        takes_what_it_says(&(struct tables_options){.items_max = (1 << 20) + extra,
                                                    .orders_max = (2 << 20) / 3 + 2 * extra,
                                                    .orders_memory = 64 << 20,
                                                    .holds_max = 3 * (1 << 19) + 2 * extra,
                                                    .keys_max = 3 * (1 << 19) + 2 * extra,
                                                    .movements_max = (1 << 20) + extra,
                                                    .documents_max = (1 << 20) + extra});
    }
}

/* What is in use is never more than what is reserved for it. */
static void use_is_within_what_is_reserved(void **state)
{
    (void)state;
    static const uint8_t secret[16] = "sixteen bytes..";
    const struct tables_options options = {100, 100, 8 << 20, 100, 10, 100, 2, 10, 10, 0, 0, 0};
    struct tables tables;
    struct movement lost;
    assert_int_equal(tables_init(&tables, &options, secret), ERR_OK);
    uint64_t empty = movements_bytes(&tables.movements);
    for (uint32_t i = 0; i < 5; i++) {
        movements_add(&tables.movements, 1, 1, 1, i, &lost);
    }
    assert_int_equal(movements_count(&tables.movements), 2);
    assert_int_equal(movements_bytes(&tables.movements), empty + 2 * sizeof(struct movement));
    holds_add(&tables.holds, 1, 1, 1, 0);
    assert_true(holds_bytes(&tables.holds) <= holds_memory(options.holds_max));
    assert_true(keyring_bytes(&tables.keyring) <= keyring_memory(options.keys_max));
    assert_true(movements_bytes(&tables.movements) <= movements_memory(options.movements_max));
    assert_true(catalogue_bytes(&tables.catalogue) <= catalogue_memory(options.items_max));
    assert_true(orders_bytes(&tables.orders) <=
                orders_memory(options.orders_max, options.orders_memory));
    tables_close(&tables);
}

/* Pages of memory that are there. */
static uint64_t pages_there(const void *memory, uint64_t size)
{
    static unsigned char there[(256 << 20) / 4096];
    uint64_t pages = 0;
    assert_true(size <= sizeof there * 4096);
    assert_int_equal(mincore((void *)(uintptr_t)memory, size, there), 0);
    for (uint64_t i = 0; i < size / 4096; i++) {
        pages += there[i] & 1;
    }
    return pages;
}

static const struct tables_options ready_options = {.items_max = 10,
                                                    .orders_max = 1000,
                                                    .orders_memory = 256 << 20,
                                                    .holds_max = 4 << 20,
                                                    .keys_max = 10,
                                                    .movements_max = 10,
                                                    .documents_max = 10};

/* What is to be ready is there before the first request, the holds that come with it too; beside a
 * replay it is the helper's work. */
static void ready_memory_is_there(void **state)
{
    static const uint8_t secret[16] = "sixteen bytes..";
    enum { READY = 192 << 20, LEAST = 64 << 20 };
    (void)state;
    mem_pages_set(MEM_PAGES_SMALL);
    for (uint64_t ready = 0; ready <= READY; ready += READY) {
        struct tables tables;
        struct tables_warm warm = {NULL};
        assert_int_equal(tables_init(&tables, &ready_options, secret), ERR_OK);
        assert_int_equal(tables_warm_start(&warm, &tables, ready, TABLES_WARM_NOW), ERR_OK);
        const uint64_t pages = pages_there(tables.orders.slab.base, 256 << 20);
        const uint64_t holds = pages_there(tables.holds.pool, 32 << 20);
        tables_warm_stop(&warm);
        tables_close(&tables);
        if (pages == 0) {
            skip(); /* a system that cannot populate */
        }
        const uint64_t orders_least = (ready ? READY : LEAST) / 4096;
        const uint64_t holds_least = (ready ? READY / 8 : 16 << 20) / 4096;
        assert_in_range(pages, orders_least, orders_least + 512);
        assert_in_range(holds, holds_least, holds_least + 512);
    }
    mem_pages_set(MEM_PAGES_AUTO);
}

/* Beside a replay nothing of it is waited for, and the helper goes as far ahead of what is used. */
static void ready_memory_comes_beside_a_replay(void **state)
{
    static const uint8_t secret[16] = "sixteen bytes..";
    enum { READY = 128 << 20, LEAST = 64 << 20 };
    struct tables tables;
    struct tables_warm warm = {NULL};
    (void)state;
    mem_pages_set(MEM_PAGES_SMALL);
    assert_int_equal(tables_init(&tables, &ready_options, secret), ERR_OK);
    assert_int_equal(tables_warm_start(&warm, &tables, READY, TABLES_WARM_BESIDE), ERR_OK);
    const uint64_t at_once = pages_there(tables.orders.slab.base, 256 << 20);
    tables_warm_note(&warm, &tables);
    for (int i = 0; i < 20000 && at_once &&
                    pages_there(tables.orders.slab.base, 256 << 20) < READY / 4096; i++) {
        usleep(1000);
    }
    const uint64_t pages = pages_there(tables.orders.slab.base, 256 << 20);
    tables_warm_stop(&warm);
    tables_close(&tables);
    mem_pages_set(MEM_PAGES_AUTO);
    if (at_once == 0) {
        skip(); /* a system that cannot populate */
    }
    assert_in_range(at_once, LEAST / 4096, LEAST / 4096 + 512);
    assert_in_range(pages, READY / 4096, READY / 4096 + 512);
}

int main(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 16); /* big blocks leave with free, for the next to count */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tables_take_what_they_say),
        cmocka_unit_test(slots_are_counted_as_they_are),
        cmocka_unit_test(use_is_within_what_is_reserved),
        cmocka_unit_test(ready_memory_is_there),
        cmocka_unit_test(ready_memory_comes_beside_a_replay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
