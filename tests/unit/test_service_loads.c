/* Loads under way take no more memory together than loads_memory: one byte too many is an answer
 * that says so, and what was refused goes in when a load is done. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

enum { MANY = 3500, ROWS_TEXT = 128 << 10, STATS = 3 };

static const char LOAD[] = "{'node':'n1','rows':%s}";
static const char GET[] = "{'item':'i0','node':'n1'}";
static struct harness harness;
static char rows[ROWS_TEXT]; /* so many that they go in in several slices */

static void rows_make(void)
{
    size_t len = 0;
    for (int i = 0; i < MANY; i++) {
        const char *before = i ? "," : "[";
        len += (size_t)snprintf(rows + len, ROWS_TEXT - len, "%s['i%d',%d]", before, i, i + 1);
    }
    snprintf(rows + len, ROWS_TEXT - len, "]");
}

static void open_with(uint64_t limit)
{
    harness_init(&harness);
    harness.options.loads_memory = limit;
    harness_start(&harness);
    harness_do(&harness, "node.put", "{'node':'n1','type':'store','lat':40.0,'lon':-74.0}");
    uint32_t numbers[MANY];
    for (int i = 0; i < MANY; i++) {
        numbers[i] = harness_stage(&harness, 0, "item.put", "{'item':'i%d'}", i);
    }
    harness_run(&harness);
    for (int i = 0; i < MANY; i++) {
        harness_drop(harness_take(&harness, numbers[i]));
    }
    rows_make();
}

/* A field of what stats tells of loads, between their slices. */
static int64_t told(const char *path)
{
    const uint32_t number = harness_stage(&harness, STATS, "stats", "{}");
    harness_batch(&harness);
    json_t *answer = harness_take(&harness, number);
    const int64_t value = harness_int(answer, path);
    harness_drop(answer);
    return value;
}

static bool is_overloaded(uint32_t number)
{
    json_t *answer = harness_take(&harness, number);
    const bool is_error = harness_has(answer, "error");
    if (is_error) {
        const char *text = harness_text(answer, "error.1");
        assert_int_equal(strncmp(text, "OVERLOADED", 10), 0);
        assert_non_null(strstr(text, "setting=loads_memory"));
        assert_non_null(strstr(text, "retry_after_ms="));
    }
    harness_drop(answer);
    return is_error;
}

/* What one load takes, and the request behind it. */
static void measure(uint64_t *load_out, uint64_t *behind_out)
{
    open_with(0);
    const uint32_t load = harness_stage(&harness, 0, "stock.load", LOAD, rows);
    harness_batch(&harness);
    *load_out = (uint64_t)told("loads.bytes");
    assert_int_equal(told("loads.count"), 1);
    assert_true(*load_out > MANY * 8);
    const uint32_t behind = harness_stage(&harness, 0, "stock.get", "%s", GET);
    harness_batch(&harness);
    *behind_out = (uint64_t)told("loads.bytes") - *load_out;
    assert_true(*behind_out > 16);
    harness_run(&harness);
    assert_false(is_overloaded(load));
    assert_false(is_overloaded(behind));
    assert_int_equal(told("loads.bytes"), 0);
    assert_int_equal(told("loads.count"), 0);
    harness_close(&harness);
}

/* Loads of three connections at once, with room for so much; how many were refused. */
static uint32_t refused_of_three(uint64_t limit)
{
    uint32_t numbers[3];
    uint32_t refused = 0;
    open_with(limit);
    for (uint32_t i = 0; i < 3; i++) {
        numbers[i] = harness_stage(&harness, i, "stock.load", LOAD, rows);
    }
    harness_batch(&harness);
    assert_true((uint64_t)told("loads.bytes") <= limit);
    assert_int_equal(told("loads.max"), limit);
    harness_run(&harness);
    for (uint32_t i = 0; i < 3; i++) {
        refused += is_overloaded(numbers[i]);
    }
    assert_int_equal(told("loads.bytes"), 0);
    assert_int_equal(told("overloaded"), refused);
    harness_do(&harness, "stock.load", LOAD, rows); /* there is room again */
    harness_close(&harness);
    return refused;
}

static void so_many_loads_at_a_time(void **state)
{
    uint64_t load;
    uint64_t behind;
    (void)state;
    measure(&load, &behind);
    assert_int_equal(refused_of_three(3 * load), 0);
    assert_int_equal(refused_of_three(3 * load - 1), 1);
    assert_int_equal(refused_of_three(2 * load), 1);
    assert_int_equal(refused_of_three(2 * load - 1), 2);
    assert_int_equal(refused_of_three(load), 2);
}

/* A request behind a load is kept where it fits, else answered at once and not done. */
static void behind_a_load(uint64_t limit, bool is_refused)
{
    open_with(limit);
    const uint32_t load = harness_stage(&harness, 0, "stock.load", LOAD, rows);
    const uint32_t behind = harness_stage(&harness, 0, "stock.get", "%s", GET);
    harness_batch(&harness);
    const uint32_t other = harness_stage(&harness, 1, "stock.get", "%s", GET);
    harness_batch(&harness);
    assert_false(is_overloaded(other)); /* it takes nothing */
    harness_run(&harness);
    assert_int_equal(is_overloaded(behind), is_refused);
    assert_false(is_overloaded(load));
    assert_int_equal(told("loads.bytes"), 0);
    harness_close(&harness);
}

static void what_waits_is_counted(void **state)
{
    uint64_t load;
    uint64_t behind;
    (void)state;
    measure(&load, &behind);
    behind_a_load(load + behind, false);
    behind_a_load(load + behind - 1, true);
}

/* A connection that goes gives back what waited on it, at once; its load when it is done. */
static void gone_connections_give_back(void **state)
{
    uint64_t load;
    uint64_t behind;
    (void)state;
    measure(&load, &behind);
    open_with(load + behind);
    const uint32_t numbers[] = {harness_stage(&harness, 0, "stock.load", LOAD, rows),
                                harness_stage(&harness, 0, "stock.get", "%s", GET)};
    harness_batch(&harness);
    assert_int_equal(told("loads.bytes"), load + behind);
    service_conn_closed(harness.service, &harness.conns[0]);
    harness_forget(&harness, numbers[0]);
    harness_forget(&harness, numbers[1]);
    assert_int_equal(told("loads.bytes"), load);
    harness_run(&harness);
    assert_int_equal(told("loads.bytes"), 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_loads_at_a_time),
        cmocka_unit_test(what_waits_is_counted),
        cmocka_unit_test(gone_connections_give_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
