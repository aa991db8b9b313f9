/* explain.get and explain.why_not: what stood in whose way, against answers known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    assert_non_null(harness);
    harness_open(harness);
    harness_do(harness, "node.put",
               "{'node':'a','type':'store','lat':40.0,'lon':-74.0,'handling_cents':900}");
    harness_do(harness, "node.put",
               "{'node':'b','type':'store','lat':41.0,'lon':-74.0,'handling_cents':300}");
    harness_do(harness, "node.put",
               "{'node':'c','type':'warehouse','lat':42.0,'lon':-74.0,'max_km':"
               "{'standard':100}}");
    harness_do(harness, "item.put", "{'item':'x'}");
    harness_do(harness, "item.put", "{'item':'y'}");
    harness_do(harness, "stock.set", "{'item':'x','node':'a','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'x','node':'b','on_hand':5}");
    harness_do(harness, "stock.set", "{'item':'x','node':'c','on_hand':2}");
    *state = harness;
    return 0;
}

static int teardown(void **state)
{
    harness_restart(*state);
    harness_close(*state);
    free(*state);
    return 0;
}

static void route(struct harness *harness, const char *id, int qty, const char *more)
{
    harness_do(harness, "order.route",
               "{'order_id':'%s','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'x','qty':%d}]%s}",
               id, qty, more);
}

static bool is_near(double value, double wanted)
{
    return value > wanted - 0.01 && value < wanted + 0.01;
}

/* All of the node's stock is taken by the order itself: it counts as free, and the node as best. */
static void test_own_units(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", 5, "");
    json_t *answer = harness_ask(harness, "explain.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "strategy"), "nearest");
    assert_int_equal(harness_int(answer, "version"), 0);
    assert_int_equal(harness_count(answer, "chosen"), 1);
    assert_string_equal(harness_text(answer, "chosen.0.node"), "a");
    assert_int_equal(harness_int(answer, "candidates"), 2);
    assert_int_equal(harness_int(answer, "rejected.OUTRANKED"), 1);
    assert_int_equal(harness_int(answer, "rejected.TOO_FAR"), 1);
    assert_string_equal(harness_text(answer, "runner_up.nodes.0"), "b");
    assert_int_equal(harness_int(answer, "runner_up.cost_cents"), 300);
    harness_drop(answer);
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'a'}");
    assert_true(harness_bool(answer, "chosen"));
    assert_true(harness_bool(answer, "groups.0.is_best"));
    assert_int_equal(harness_count(answer, "groups.0.missing"), 0);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.get", "{'item':'x','node':'a'}");
    assert_int_equal(harness_int(answer, "reserved"), 5); /* nothing was changed */
    harness_drop(answer);
}

/* Everything that fails is told, not only the first: too far, too few, and on hold. */
static void test_all_fences(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", 4, ",'exclude_nodes':['c']");
    harness_do(harness, "node.status", "{'node':'c','status':'on_hold'}");
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'c'}");
    assert_false(harness_bool(answer, "chosen"));
    assert_int_equal(harness_count(answer, "groups.0.fences"), 3);
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "EXCLUDED");
    assert_string_equal(harness_text(answer, "groups.0.fences.1.reason"), "NODE_INACTIVE");
    assert_string_equal(harness_text(answer, "groups.0.fences.2.reason"), "TOO_FAR");
    assert_true(is_near(harness_float(answer, "groups.0.fences.2.is"), 222.39));
    assert_true(is_near(harness_float(answer, "groups.0.fences.2.needs"), 100));
    assert_string_equal(harness_text(answer, "groups.0.missing.0.item"), "x");
    assert_int_equal(harness_int(answer, "groups.0.missing.0.short"), 2);
    harness_drop(answer);
}

/* Who is only behind is told by how much, in the terms of the strategy that decided. */
static void test_gaps(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", 1, "");
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'b'}");
    assert_int_equal(harness_count(answer, "groups.0.fences"), 0);
    assert_string_equal(harness_text(answer, "groups.0.best"), "a");
    assert_string_equal(harness_text(answer, "groups.0.gap.term"), "distance");
    assert_true(is_near(harness_float(answer, "groups.0.gap.by"), 111.19));
    harness_drop(answer);
    harness_do(harness, "strategy.put",
               "{'name':'sum','mode':'weighted','terms':[{'term':'cost','weight':1},"
               "{'term':'distance','weight':2}],'fences':[{'fence':'max_load','value':1},"
               "{'fence':'types','types':['store']}]}");
    route(harness, "p", 1, ",'strategy':'sum'"); /* a has an open order: it is out */
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'p','node':'a'}");
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "STRATEGY_FENCED");
    assert_string_equal(harness_text(answer, "groups.0.fences.0.fence"), "max_load");
    assert_true(is_near(harness_float(answer, "groups.0.fences.0.is"), 1));
    harness_drop(answer);
    harness_do(harness, "strategy.put",
               "{'name':'sum','mode':'weighted','terms':[{'term':'cost','weight':1},"
               "{'term':'distance','weight':2}]}");
    route(harness, "q", 1, ",'strategy':'sum'"); /* 300 + 2 x 111.19 < 900 */
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'q','node':'a'}");
    assert_string_equal(harness_text(answer, "groups.0.best"), "b");
    assert_true(is_near(harness_float(answer, "groups.0.gap.score"), 900 - 300 - 222.39));
    assert_int_equal(harness_int(answer, "version"), 2);
    harness_drop(answer);
}

/* Each group of an order is told on its own; a line that is pinned excludes other nodes. */
static void test_groups(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'x','qty':1},{'item':'x','qty':1,'node':'b'}]}");
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'a'}");
    assert_int_equal(harness_count(answer, "groups"), 2);
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "EXCLUDED");
    assert_int_equal(harness_count(answer, "groups.1.fences"), 0);
    assert_true(harness_bool(answer, "groups.1.is_best"));
    harness_drop(answer);
    harness_do(harness, "order.cancel", "{'order_id':'o'}");
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'a'}");
    assert_int_equal(harness_count(answer, "groups"), 0);
    harness_drop(answer);
    answer = harness_ask(harness, "explain.get", "{'order_id':'o'}");
    assert_int_equal(harness_count(answer, "chosen"), 0);
    harness_drop(answer);
}

/* Unknown names are errors. */
static void test_unknown(void **state)
{
    struct harness *harness = *state;
    route(harness, "o", 1, "");
    json_t *answer = harness_ask(harness, "explain.get", "{'order_id':'none'}");
    assert_memory_equal(harness_text(answer, "error.1"), "UNKNOWN_ORDER", 13);
    harness_drop(answer);
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'none'}");
    assert_memory_equal(harness_text(answer, "error.1"), "UNKNOWN_NODE", 12);
    harness_drop(answer);
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o'}");
    assert_non_null(strstr(harness_text(answer, "error.1"), "node: missing"));
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own_units, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_fences, setup, teardown),
        cmocka_unit_test_setup_teardown(test_gaps, setup, teardown),
        cmocka_unit_test_setup_teardown(test_groups, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
