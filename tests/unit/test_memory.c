/* The sum of the tables' limits that is printed at start is what they really reserve. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "tables.h"

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
    const struct tables_options options = {100, 100, 8 << 20, 100, 10, 100, 2, 10, 10, 0, 0};
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

int main(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 16); /* big blocks leave with free, for the next to count */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_tables_take_what_they_say),
        cmocka_unit_test(slots_are_counted_as_they_are),
        cmocka_unit_test(use_is_within_what_is_reserved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
