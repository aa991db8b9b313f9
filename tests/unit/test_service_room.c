/* Memory of stock and rules has an end that is an ordinary answer: what the allocator gave is never
 * more than the settings, whatever is asked; what is there goes on being changed, read and sold. */
#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "check.h"
#include "grown.h"
#include "service_harness.h"

enum { MIB = 1 << 20, ROUNDS = 4000 };

static struct harness harness;

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    harness.options.tables.stock_memory = MIB;
    harness.options.tables.rules_memory = MIB;
    harness_start(&harness);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_close(&harness);
    return 0;
}

/* Bytes that malloc has given out. */
static uint64_t heap(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

/* The text of the answer's error, or NULL; valid until the next call. */
static const char *refusal(const json_t *answer)
{
    static char text[512];
    const json_t *error = json_object_get(answer, "error");
    snprintf(text, sizeof text, "%s", error ? json_string_value(json_array_get(error, 1)) : "");
    return error ? text : NULL;
}

static const struct tables *tables(void)
{
    return service_tables(harness.service);
}

static uint64_t rules_now(void)
{
    return grown_rules(tables(), &(struct grown_rules){0});
}

/* Ask for it with rising numbers until it is refused; the number that was. */
static uint32_t until_refused(const char *setting, json_t *(*ask)(uint32_t number), uint64_t limit)
{
    const uint64_t before = heap();
    const uint64_t counted = rules_now() + grown_stock(tables(), 0);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        json_t *answer = ask(i);
        const char *why = refusal(answer);
        harness_drop(answer);
        const uint64_t taken = heap() - before;
        const uint64_t said = rules_now() + grown_stock(tables(), 0) - counted;
        assert_in_range(taken, 0, said + MIB / 8); /* replies, texts of the test */
        if (why) {
            if (!strstr(why, "TABLE_FULL")) {
                fail_msg("%s", why);
            }
            assert_non_null(strstr(why, setting));
            assert_in_range(i, 2, ROUNDS);
            assert_in_range(said, limit / 8, limit);
            return i;
        }
    }
    fail_msg("%s has no end", setting);
    return 0;
}

static char *rows_of(uint32_t from, uint32_t count, const char *row)
{
    enum { ROW_SIZE = 64 };
    static char rows[1 << 16];
    size_t used = 0;
    for (uint32_t i = 0; i < count; i++) {
        CHECK(used + ROW_SIZE < sizeof rows);
        rows[used] = ',';
        used += i > 0;
        used += (size_t)snprintf(rows + used, ROW_SIZE, row, from + i);
    }
    return rows;
}

/* -- rules -- */

static json_t *ask_places(uint32_t i)
{
    return harness_ask(&harness, "place.load", "{'country':'US','rows':[%s]}",
                       rows_of(i * 200, 200, "['%06u',40.5,-74.25]"));
}

static json_t *ask_lanes(uint32_t i)
{
    return harness_ask(&harness, "carrier.load", "{'carrier':'c','rows':[%s]}",
                       rows_of(i * 100, 100, "['standard','US','US:%06u',2,500,0]"));
}

static json_t *ask_roads(uint32_t i)
{
    return harness_ask(&harness, "travel.load", "{'rows':[%s]}",
                       rows_of(i * 100, 100, "['n','US:%06u',10,20]"));
}

static json_t *ask_node(uint32_t i)
{
    return harness_ask(&harness, "node.put",
                       "{'node':'m%u','type':'store','lat':40,'lon':-74,'serves':[%s]}", i,
                       rows_of(i * 50, 50, "'US:%06u'"));
}

static json_t *ask_item_areas(uint32_t i)
{
    return harness_ask(&harness, "item.put", "{'item':'i%u','not_to':[%s]}", i,
                       rows_of(i, 90, "'US:%06u'"));
}

static json_t *ask_policy(uint32_t i)
{
    harness_do(&harness, "item.put", "{'item':'i%u'}", i);
    return harness_ask(&harness, "stock.policy",
                       "{'item':'i%u','node':'n','safety_stock':3,'quotas':{'web':1,'app':2}}", i);
}

static json_t *ask_kit(uint32_t i)
{
    return harness_ask(&harness, "item.put",
                       "{'item':'k%u','components':[{'item':'a'},{'item':'b','qty':2}]}", i);
}

/* Rules of each kind fill their memory by themselves, and the same state comes back. */
static void rules_have_an_end(void **state)
{
    static json_t *(*const asks[])(uint32_t) = {ask_places,     ask_lanes,  ask_roads, ask_node,
                                                ask_item_areas, ask_policy, ask_kit};
    (void)state;
    for (size_t i = 0; i < sizeof asks / sizeof asks[0]; i++) {
        harness_do(&harness, "node.put", "{'node':'n','type':'store','lat':40,'lon':-74}");
        harness_do(&harness, "item.put", "{'item':'a'}");
        harness_do(&harness, "item.put", "{'item':'b'}");
        until_refused("rules_memory", asks[i], MIB);
        harness_do(&harness, "stock.adjust", "{'item':'a','node':'n','delta':5,'key':'x'}");
        harness_restart(&harness);
        harness_do(&harness, "item.put", "{'item':'later'}");
        teardown(NULL);
        setup(NULL);
    }
}

/* -- stock -- */

static json_t *ask_set(uint32_t i)
{
    harness_do(&harness, "item.put", "{'item':'i%u'}", i);
    return harness_ask(&harness, "stock.set", "{'item':'i%u','node':'n','on_hand':7}", i);
}

/* No more cells, but those that are there are loaded, counted and sold as before. */
static void cells_have_an_end(void **state)
{
    (void)state;
    harness_do(&harness, "node.put", "{'node':'n','type':'store','lat':40,'lon':-74}");
    harness_do(&harness, "node.put", "{'node':'other','type':'store','lat':41,'lon':-74}");
    const uint64_t used = grown_stock(tables(), 0);
    harness.options.tables.stock_memory = used + MIB / 8;
    harness_restart(&harness);
    const uint32_t count = until_refused("stock_memory", ask_set, MIB / 8);
    json_t *answer = harness_ask(&harness, "stock.load", "{'node':'other','rows':[%s]}",
                                 rows_of(0, 300, "['i%u',9]"));
    assert_non_null(strstr(refusal(answer), "stock_memory"));
    harness_drop(answer);
    assert_int_equal(tables()->cells, count);
    harness_do(&harness, "stock.load", "{'node':'n','rows':[%s]}", rows_of(0, 300, "['i%u',9]"));
    harness_do(&harness, "stock.set", "{'item':'i0','node':'n','on_hand':4}");
    harness_do(&harness, "order.route",
               "{'order_id':'o','service':'standard','lines':[{'item':'i1','qty':2}],"
               "'dest':{'lat':40,'lon':-74}}");
    answer = harness_ask(&harness, "stock.adjust",
                         "{'item':'i1','node':'other','delta':2,'key':'k'}");
    assert_non_null(strstr(refusal(answer), "stock_memory"));
    harness_drop(answer);
    harness_restart(&harness);
}

int main(void)
{
    mallopt(M_MMAP_THRESHOLD, 1 << 16);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rules_have_an_end, setup, teardown),
        cmocka_unit_test_setup_teardown(cells_have_an_end, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
