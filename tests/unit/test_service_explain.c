/* explain.get, explain.why_not and strategy.try, against answers known by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = harness_new();
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

/* A place that is fixed is the best source only while it could be one. */
static void test_fixed_place(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'pickup','pickup_node':'a',"
               "'lines':[{'item':'x','qty':2}]}");
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'a'}");
    assert_true(harness_bool(answer, "groups.0.is_best"));
    harness_drop(answer);
    harness_do(harness, "node.status", "{'node':'a','status':'on_hold'}");
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'a'}");
    assert_false(harness_bool(answer, "groups.0.is_best"));
    assert_false(harness_has(answer, "groups.0.best"));
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "NODE_INACTIVE");
    harness_drop(answer);
}

/* The node that a line is pinned to has its reach all the same. */
static void test_pinned_too_far(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'x','qty':1,'node':'b'}]}");
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'b'}");
    assert_true(harness_bool(answer, "groups.0.is_best"));
    harness_drop(answer);
    harness_do(harness, "node.put",
               "{'node':'b','type':'store','lat':41.0,'lon':-74.0,'max_km':{'standard':100}}");
    answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'b'}");
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "TOO_FAR");
    assert_false(harness_bool(answer, "groups.0.is_best"));
    harness_drop(answer);
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

/* -- strategy.try -- */

/* All that the last orders were given is decided again, shipped or cancelled since or not. */
static void test_try(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'x','node':'a','on_hand':40}");
    harness_do(harness, "stock.set", "{'item':'x','node':'b','on_hand':20}");
    harness_do(harness, "strategy.put",
               "{'name':'cheap','mode':'lexicographic','terms':[{'term':'cost'}]}");
    char id[16];
    for (int i = 0; i < 20; i++) {
        snprintf(id, sizeof id, "o%d", i);
        route(harness, id, 1, "");
    }
    route(harness, "big", 20, "");
    harness_do(harness, "fulfil.update", "{'fulfilment':'o0/1','state':'shipped'}");
    harness_do(harness, "order.cancel", "{'order_id':'o1'}");
    route(harness, "at", 1, ",'include_nodes':['a']");
    json_t *answer = harness_ask(harness, "strategy.try", "{'name':'cheap','last_n':1000}");
    assert_int_equal(harness_int(answer, "orders"), 22);
    assert_int_equal(harness_int(answer, "skipped"), 0);
    assert_int_equal(harness_int(answer, "moved"), 21); /* 20 of one, and the big one too */
    assert_int_equal(harness_int(answer, "refused"), 0);
    assert_int_equal(harness_int(answer, "was.shipments"), 22);
    assert_int_equal(harness_int(answer, "was.cost_cents"), 22 * 900);
    assert_int_equal(harness_int(answer, "would.cost_cents"), 21 * 300 + 900);
    assert_true(is_near(harness_float(answer, "would.total_km"), 21 * 111.195));
    assert_int_equal(harness_count(answer, "nodes"), 2);
    assert_string_equal(harness_text(answer, "nodes.1.node"), "b");
    assert_int_equal(harness_int(answer, "nodes.1.would"), 21);
    assert_true(harness_bool(answer, "complete"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.try", "{'name':'nearest','last_n':5}");
    assert_int_equal(harness_int(answer, "orders"), 5);
    assert_int_equal(harness_int(answer, "moved"), 0);
    assert_int_equal(harness_count(answer, "nodes"), 0);
    harness_drop(answer);
    answer = harness_ask(harness, "order.get", "{'order_id':'at'}");
    char from[64];
    snprintf(from, sizeof from, "{'name':'cheap','from_lsn':%lld}",
             (long long)harness_int(answer, "history.0.lsn"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.try", "%s", from);
    assert_int_equal(harness_int(answer, "orders"), 1);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.get", "{'item':'x','node':'a'}");
    assert_int_equal(harness_int(answer, "reserved"), 18 + 20 + 1); /* nothing was changed */
    harness_drop(answer);
}

static int64_t lsn_now(struct harness *harness)
{
    json_t *answer = harness_ask(harness, "hello", "{}");
    int64_t lsn = harness_int(answer, "lsn");
    harness_drop(answer);
    return lsn;
}

static json_t *try_from(struct harness *harness, const char *name, int64_t lsn)
{
    return harness_ask(harness, "strategy.try", "{'name':'%s','from_lsn':%lld}", name,
                       (long long)lsn);
}

/* Past orders, shipped and out of memory, are decided again from the log: by their own strategy as
 * they were, by another one as it would; requests that were refused are asked again. */
static void test_try_past(void **state)
{
    struct harness *harness = *state;
    char id[16];
    harness_do(harness, "stock.set", "{'item':'x','node':'a','on_hand':12}");
    harness_do(harness, "stock.set", "{'item':'x','node':'b','on_hand':12}");
    harness_do(harness, "strategy.put",
               "{'name':'cheap','mode':'lexicographic','terms':[{'term':'cost'}]}");
    int64_t from = lsn_now(harness) + 1;
    for (int i = 0; i < 12; i++) {
        snprintf(id, sizeof id, "p%d", i);
        route(harness, id, 1, i < 6 ? "" : ",'allow_partial':true");
        harness_do(harness, "fulfil.update", "{'fulfilment':'p%d/1','state':'shipped'}", i);
    }
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'no','lines':[{'item':'x','qty':13}],"
                                 "'service':'standard','dest':{'lat':0,'lon':0},'max_splits':0}");
    assert_string_equal(harness_text(answer, "status"), "refused");
    harness_drop(answer);
    harness->wall_ms += 3600 * 1000; /* past the window of orders */
    harness_do(harness, "stock.set", "{'item':'x','node':'a','on_hand':0}");
    harness_restart(harness);
    for (int round = 0; round < 2; round++) {
        answer = harness_ask(harness, "strategy.try", "{'name':'cheap','last_n':1000}");
        assert_int_equal(harness_int(answer, "orders"), 12);
        assert_int_equal(harness_int(answer, "moved"), 12);
        assert_int_equal(harness_int(answer, "were_refused"), 1);
        assert_true(harness_bool(answer, "complete"));
        harness_drop(answer);
        answer = harness_ask(harness, "strategy.try", "{'name':'cheap','last_n':5}");
        assert_int_equal(harness_int(answer, "orders"), 5);
        assert_int_equal(harness_int(answer, "was.cost_cents"), 5 * 900);
        harness_drop(answer);
        answer = try_from(harness, "nearest", from);
        assert_int_equal(harness_int(answer, "orders"), 12);
        assert_int_equal(harness_int(answer, "moved"), 0);
        assert_int_equal(harness_int(answer, "were_refused"), 1);
        assert_int_equal(harness_int(answer, "now_routed"), round);
        assert_true(harness_float(answer, "was.total_km") ==
                    harness_float(answer, "would.total_km"));
        assert_true(harness_bool(answer, "complete"));
        harness_drop(answer);
        answer = try_from(harness, "cheap", from);
        assert_int_equal(harness_int(answer, "orders"), 12);
        assert_int_equal(harness_int(answer, "moved"), 12);
        assert_int_equal(harness_int(answer, "was.cost_cents"), 12 * 900);
        assert_int_equal(harness_int(answer, "would.cost_cents"), 12 * 300);
        assert_int_equal(harness_count(answer, "nodes"), 2);
        harness_drop(answer);
        harness_do(harness, "stock.set", "{'item':'x','node':'b','on_hand':13}");
    }
    answer = try_from(harness, "cheap", lsn_now(harness) + 1000);
    assert_int_equal(harness_int(answer, "orders"), 0);
    harness_drop(answer);
}

/* Orders that the log has no more, but memory: they are looked at by what they hold, after those of
 * the log; what neither has is told as missing. */
static void test_try_before_the_log(void **state)
{
    struct harness *harness = *state;
    char id[16];
    harness_do(harness, "stock.set", "{'item':'x','node':'a','on_hand':2000}");
    for (int i = 0; i < 6; i++) {
        snprintf(id, sizeof id, "m%d", i);
        route(harness, id, 1, "");
    }
    harness_do(harness, "fulfil.update", "{'fulfilment':'m0/1','state':'shipped'}");
    int64_t oldest = 1;
    for (int round = 0; round < 40 && oldest == 1; round++) { /* until the log has lost its begin */
        for (int i = 0; i < 1000; i++) {
            harness_do(harness, "stock.adjust", "{'item':'x','node':'a','delta':1}");
        }
        harness_snapshot(harness);
        json_t *events = harness_ask(harness, "events.read", "{'from_lsn':0,'limit':1}");
        oldest = harness_int(events, "oldest_lsn");
        harness_drop(events);
    }
    assert_true(oldest > 1);
    route(harness, "late", 1, "");
    json_t *answer = harness_ask(harness, "strategy.try", "{'name':'nearest','last_n':4}");
    assert_int_equal(harness_int(answer, "orders"), 4);
    assert_true(harness_bool(answer, "complete"));
    harness_drop(answer);
    answer = harness_ask(harness, "strategy.try", "{'name':'nearest','last_n':1000}");
    assert_int_equal(harness_int(answer, "orders"), 6);
    assert_int_equal(harness_int(answer, "skipped"), 1); /* m0 holds nothing any more */
    assert_false(harness_bool(answer, "complete"));
    harness_drop(answer);
}

/* A date that was asked for is as far off for the trial as it was when the order came. */
static void test_try_dated(void **state)
{
    struct harness *harness = *state;
    const int64_t day_ms = 86400000;
    char by[64];
    int64_t from = lsn_now(harness) + 1;
    snprintf(by, sizeof by, ",'required_by':%lld", (long long)harness->wall_ms + 8 * day_ms);
    route(harness, "o", 1, by);
    harness->wall_ms += (uint64_t)(30 * day_ms);
    json_t *answer = try_from(harness, "nearest", from);
    assert_int_equal(harness_int(answer, "orders"), 1);
    assert_int_equal(harness_int(answer, "refused"), 0);
    assert_int_equal(harness_int(answer, "moved"), 0);
    harness_drop(answer);
}

/* Its fence is the date that was asked for, as far off as when the order came. */
static void dated_fence(struct harness *harness, int64_t ahead_ms)
{
    json_t *answer = harness_ask(harness, "explain.why_not", "{'order_id':'o','node':'b'}");
    assert_int_equal(harness_count(answer, "groups.0.fences"), 1);
    assert_string_equal(harness_text(answer, "groups.0.fences.0.reason"), "MISSES_PROMISE");
    const int64_t needs = harness_int(answer, "groups.0.fences.0.needs");
    const int64_t asked = (int64_t)harness->wall_ms + ahead_ms;
    assert_in_range(needs, asked - 10, asked); /* the clock runs by a millisecond a turn */
    assert_true(harness_int(answer, "groups.0.fences.0.is") > needs);
    harness_drop(answer);
    answer = harness_ask(harness, "explain.get", "{'order_id':'o'}");
    assert_int_equal(harness_int(answer, "rejected.MISSES_PROMISE"), 1);
    assert_int_equal(harness_int(answer, "candidates"), 1);
    harness_drop(answer);
}

/* A node that would be too late tells it, also after a start from a snapshot. */
static void test_why_dated(void **state)
{
    struct harness *harness = *state;
    const int64_t day_ms = 86400000;
    char by[64];
    harness_do(harness, "node.put", "{'node':'b','processing_min':{'standard':20000}}");
    snprintf(by, sizeof by, ",'required_by':%lld", (long long)harness->wall_ms + 8 * day_ms);
    route(harness, "o", 1, by);
    dated_fence(harness, 8 * day_ms);
    harness_do(harness, "snapshot", "{}");
    harness_restart(harness);
    harness->wall_ms += (uint64_t)day_ms;
    dated_fence(harness, 8 * day_ms);
}

/* Bad calls of a trial. */
static void test_try_bad(void **state)
{
    struct harness *harness = *state;
    static const char *const cases[][2] = {
        {"{'last_n':5}", "name"},
        {"{'name':'nearest'}", "last_n"},
        {"{'name':'nearest','last_n':5,'from_lsn':5}", "last_n"},
        {"{'name':'nearest','last_n':0}", "last_n"},
        {"{'name':'nearest','last_n':100001}", "last_n"},
        {"{'name':'none','last_n':1}", "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        json_t *answer = harness_ask(harness, "strategy.try", "%s", cases[i][0]);
        assert_non_null(strstr(harness_text(answer, "error.1"), cases[i][1]));
        harness_drop(answer);
    }
    json_t *answer = harness_ask(harness, "strategy.try", "{'name':'nearest','last_n':100000}");
    assert_int_equal(harness_int(answer, "orders"), 0);
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_fixed_place, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_pinned_too_far, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_own_units, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_all_fences, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_gaps, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_groups, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_unknown, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_try, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_try_past, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_try_before_the_log, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_try_dated, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_why_dated, setup, harness_end),
        cmocka_unit_test_setup_teardown(test_try_bad, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
