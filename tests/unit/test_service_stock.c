/* Counts, movements, policies and loads through the service: what each answer says, that nothing
 * happens twice for a key, and that a restart finds all of it again. */
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
    harness_do(harness, "node.put", "{'node':'n1','type':'store','lat':40.0,'lon':-74.0}");
    harness_do(harness, "node.put", "{'node':'n2','type':'warehouse','lat':41.0,'lon':-75.0}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    *state = harness;
    return 0;
}

/* The cell's numbers as stock.get tells them. */
static void expect_cell(struct harness *harness, const char *item, const char *node,
                        int64_t on_hand, int64_t ats)
{
    json_t *answer =
        harness_ask(harness, "stock.get", "{'item':'%s','node':'%s'}", item, node);
    assert_int_equal(harness_int(answer, "on_hand"), on_hand);
    assert_int_equal(harness_int(answer, "ats"), ats);
    harness_drop(answer);
}

/* A count sets on_hand, tells whether it changed, and is found again. */
static void set_counts(void **state)
{
    struct harness *harness = *state;
    json_t *answer = harness_ask(harness, "stock.set", "{'item':'a','node':'n1','on_hand':7}");
    assert_int_equal(harness_int(answer, "on_hand"), 7);
    assert_true(harness_bool(answer, "changed"));
    harness_drop(answer);
    answer = harness_ask(harness, "stock.set", "{'item':'a','node':'n1','on_hand':7}");
    assert_false(harness_bool(answer, "changed"));
    harness_drop(answer);
    harness_restart(harness);
    expect_cell(harness, "a", "n1", 7, 7);
}

/* A count taken in the past gets the movements since; one older than the last is stale. */
static void count_of_the_past_is_brought_up_to_date(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    long long counted = (long long)(harness->wall_ms += 1000);
    harness->wall_ms += 1000;
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-3}");
    json_t *answer = harness_ask(
        harness, "stock.set", "{'item':'a','node':'n1','on_hand':20,'counted_at':%lld}", counted);
    assert_int_equal(harness_int(answer, "on_hand"), 17);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.set",
                         "{'item':'a','node':'n1','on_hand':1,'counted_at':%lld}", counted - 1);
    assert_string_equal(harness_text(answer, "reason"), "STALE_COUNT");
    assert_int_equal(harness_int(answer, "counted_at"), counted);
    harness_drop(answer);
    expect_cell(harness, "a", "n1", 17, 17);
}

/* A movement that is in the count already is absorbed; one in the same moment is not. */
static void movement_before_the_count_is_absorbed(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    json_t *answer =
        harness_ask(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-4,'at':%lld}",
                    (long long)harness->wall_ms - 500);
    assert_true(harness_bool(answer, "absorbed"));
    assert_int_equal(harness_int(answer, "on_hand"), 10);
    harness_drop(answer);
    harness->step_ms = 0;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':5}");
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-1}");
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':-1}");
    expect_cell(harness, "a", "n1", 3, 3);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':9}");
    expect_cell(harness, "a", "n1", 9, 9);
}

/* What leaves in the moment of a count, after it, is not in the count. */
static void shipment_in_the_moment_of_a_count_leaves(void **state)
{
    struct harness *harness = *state;
    harness->step_ms = 0;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':5}");
    harness_do(harness, "order.route",
               "{'order_id':'o','lines':[{'item':'a','qty':2}],'service':'standard',"
               "'dest':{'lat':40,'lon':-74}}");
    harness_do(harness, "fulfil.update", "{'fulfilment':'o/1','state':'shipped'}");
    expect_cell(harness, "a", "n1", 3, 3);
}

/* A count older than the window that movements are remembered for is refused. */
static void count_beyond_the_window_is_stale(void **state)
{
    struct harness *harness = *state;
    long long old = (long long)(harness->wall_ms - harness->options.count_window_ms - 10);
    json_t *answer = harness_ask(
        harness, "stock.set", "{'item':'a','node':'n1','on_hand':20,'counted_at':%lld}", old);
    assert_string_equal(harness_text(answer, "reason"), "STALE_COUNT");
    harness_drop(answer);
    answer = harness_ask(harness, "stock.load",
                         "{'node':'n1','rows':[['a',5]],'counted_at':%lld}", old);
    assert_int_equal(harness_int(answer, "stale"), 1);
    harness_drop(answer);
    expect_cell(harness, "a", "n1", 0, 0);
}

static long long adjust(struct harness *harness, int delta, long long at, bool *is_absorbed)
{
    json_t *answer = harness_ask(harness, "stock.adjust",
                                 "{'item':'a','node':'n1','delta':%d,'at':%lld}", delta, at);
    const long long on_hand = harness_int(answer, "on_hand");
    *is_absorbed = json_object_get(answer, "absorbed") != NULL;
    harness_drop(answer);
    return on_hand;
}

/* Why STALE_MOVEMENT is never said: a movement of any age is placed before the last count, and then
 * in it, or after it, and then on top; what is forgotten of it makes a count stale, not itself. */
static void movement_of_any_age_has_its_place(void **state)
{
    struct harness *harness = *state;
    const long long window = (long long)harness->options.count_window_ms;
    const long long counted = (long long)harness->wall_ms;
    bool is_absorbed;
    assert_int_equal(adjust(harness, 5, 1, &is_absorbed), 5);
    assert_false(is_absorbed);
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':20,'counted_at':%lld}",
               counted);
    assert_int_equal(adjust(harness, -3, counted - window - 10, &is_absorbed), 20);
    assert_true(is_absorbed);
    harness->wall_ms += (uint64_t)window + 10000;
    assert_int_equal(adjust(harness, -1, counted + 2, &is_absorbed), 19);
    assert_false(is_absorbed);
    json_t *answer =
        harness_ask(harness, "stock.set",
                    "{'item':'a','node':'n1','on_hand':50,'counted_at':%lld}", counted + 1);
    assert_string_equal(harness_text(answer, "reason"), "STALE_COUNT");
    harness_drop(answer);
    expect_cell(harness, "a", "n1", 19, 19);
}

/* The same key and content: the first answer again, no second effect, also after a restart;
 * other content is a conflict. */
static void key_makes_a_change_happen_once(void **state)
{
    struct harness *harness = *state;
    const char *params = "{'item':'a','node':'n1','delta':5,'key':'k1'}";
    harness_do(harness, "stock.adjust", "%s", params);
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1}");
    for (int round = 0; round < 2; round++) {
        json_t *answer = harness_ask(harness, "stock.adjust", "%s", params);
        assert_true(harness_bool(answer, "duplicate"));
        assert_int_equal(harness_int(answer, "on_hand"), 5);
        harness_drop(answer);
        harness_restart(harness);
    }
    expect_cell(harness, "a", "n1", 6, 6);
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1','delta':6,'key':'k1'}",
                   "IDEMPOTENCY_CONFLICT", "k1");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':2,'key':'k1'}");
    expect_cell(harness, "a", "n1", 2, 2);
}

/* Keys are limited: the one beyond is refused by the name of its setting, and leave by age. */
static void keys_are_limited(void **state)
{
    struct harness *harness = *state;
    for (uint32_t i = 0; i < harness->options.tables.keys_max; i++) {
        harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1,'key':'k%u'}", i);
    }
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1,'key':'more'}",
                   "TABLE_FULL", "keys_max");
    harness->wall_ms += harness->options.key_window_ms + 1000;
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1}");
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1,'key':'more'}");
    expect_cell(harness, "a", "n1", harness->options.tables.keys_max + 2,
                harness->options.tables.keys_max + 2);
}

/* Safety stock of a cell overrides the node's; nil sets the node's back; an unlisted cell is
 * told as such. */
static void policy_overrides_and_goes(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "node.put", "{'node':'n1','safety_stock':2}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    expect_cell(harness, "a", "n1", 10, 8);
    json_t *answer = harness_ask(harness, "stock.policy",
                                 "{'item':'a','node':'n1','safety_stock':15,'listed':false}");
    assert_int_equal(harness_int(answer, "ats"), -5);
    harness_drop(answer);
    answer = harness_ask(harness, "stock.get", "{'item':'a','node':'n1'}");
    assert_false(harness_bool(answer, "listed"));
    harness_drop(answer);
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':null}");
    expect_cell(harness, "a", "n1", 10, 8);
    answer = harness_ask(harness, "stock.find", "{'items':[{'item':'a'}]}");
    assert_int_equal(harness_int(answer, "items.0.ats"), 0);
    harness_drop(answer);
    harness_do(harness, "stock.policy", "{'item':'a','node':'n1','listed':true}");
    answer = harness_ask(harness, "stock.find", "{'items':[{'item':'a'}]}");
    assert_int_equal(harness_int(answer, "items.0.ats"), 8);
    harness_drop(answer);
}

/* Every fault is told by field or id. */
static void faults_are_named(void **state)
{
    struct harness *harness = *state;
    harness_refute(harness, "stock.policy", "{'item':'a','node':'n1','safety_stock':-1}",
                   "INVALID_ARGUMENT", "safety_stock");
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1.5}",
                   "INVALID_ARGUMENT", "delta");
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1','dleta':1}",
                   "INVALID_ARGUMENT", "did you mean delta");
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1'}", "INVALID_ARGUMENT",
                   "delta: missing");
    harness_refute(harness, "stock.adjust", "{'item':'x','node':'n1','delta':1}", "UNKNOWN_ITEM",
                   "item x");
    harness_refute(harness, "stock.set", "{'item':'a','node':'x','on_hand':1}", "UNKNOWN_NODE",
                   "node x");
    harness_refute(harness, "stock.set",
                   "{'item':'a','node':'n1','on_hand':1,'counted_at':9000000000000}",
                   "INVALID_ARGUMENT", "60 s ahead");
    harness_refute(harness, "stock.list", "{}", "INVALID_ARGUMENT", "either node");
    harness_refute(harness, "stock.load", "{'node':'n1','rows':{}}", "INVALID_ARGUMENT", "rows");
    harness_refute(harness, "stock.load", "{'node':'n1','rows':[['a',1],['x',1]]}",
                   "UNKNOWN_ITEM", "rows[1][0]");
    harness_refute(harness, "stock.load", "{'node':'n1','rows':[['a',1],['a',2]]}",
                   "INVALID_ARGUMENT", "rows[1][0]");
    harness_refute(harness, "stock.load", "{'node':'n1','rows':[['a',1],['b']]}",
                   "INVALID_ARGUMENT", "rows[1]");
    expect_cell(harness, "a", "n1", 0, 0);
}

/* on_hand stays within what a cell can hold. */
static void on_hand_is_limited(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1000000000}");
    harness_do(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1000000000}");
    harness_refute(harness, "stock.adjust", "{'item':'a','node':'n1','delta':1}",
                   "INVALID_ARGUMENT", "2000000001");
    expect_cell(harness, "a", "n1", 2000000000, 2000000000);
}

/* Pages of a node's items and of an item's nodes come in the order of their making. */
static void list_pages(void **state)
{
    struct harness *harness = *state;
    for (int i = 0; i < 30; i++) {
        harness_do(harness, "item.put", "{'item':'i%d'}", i);
        harness_do(harness, "stock.set", "{'item':'i%d','node':'n1','on_hand':%d}", i, i);
    }
    char after[64] = "";
    int seen = 0;
    for (bool has_more = true; has_more;) {
        json_t *answer = harness_ask(harness, "stock.list", "{'node':'n1','limit':7%s}", after);
        for (uint32_t i = 0; i < harness_count(answer, "cells"); i++, seen++) {
            char path[32];
            snprintf(path, sizeof path, "cells.%u.on_hand", i);
            assert_int_equal(harness_int(answer, path), seen);
        }
        has_more = harness_has(answer, "next");
        if (has_more) {
            snprintf(after, sizeof after, ",'after':'%s'", harness_text(answer, "next"));
        }
        harness_drop(answer);
    }
    assert_int_equal(seen, 30);
    harness_do(harness, "stock.set", "{'item':'i0','node':'n2','on_hand':1}");
    json_t *answer = harness_ask(harness, "stock.list", "{'item':'i0','limit':1}");
    assert_string_equal(harness_text(answer, "cells.0.node"), "n1");
    assert_string_equal(harness_text(answer, "next"), "n1");
    harness_drop(answer);
    answer = harness_ask(harness, "stock.list", "{'item':'i0','limit':1,'after':'n1'}");
    assert_string_equal(harness_text(answer, "cells.0.node"), "n2");
    assert_false(harness_has(answer, "next"));
    harness_drop(answer);
}

/* stock.find: totals, nearest first, unknown items as entries, postcodes by loaded prefixes. */
static void find_tells_the_nearest(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':3}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n2','on_hand':4}");
    harness_do(harness, "stock.set", "{'item':'b','node':'n2','on_hand':-1}");
    harness_do(harness, "place.load", "{'country':'us','rows':[['180',41.0,-75.0]]}");
    json_t *answer = harness_ask(harness, "stock.find",
                                 "{'items':[{'item':'a'},{'item':'zz'},{'item':'b'}],"
                                 "'dest':{'postcode':'180-12','country':'US'}}");
    assert_int_equal(harness_int(answer, "items.0.ats"), 7);
    assert_string_equal(harness_text(answer, "items.0.nodes.0.node"), "n2");
    assert_true(harness_float(answer, "items.0.nodes.0.km") < 0.001);
    assert_string_equal(harness_text(answer, "items.0.nodes.1.node"), "n1");
    assert_true(harness_bool(answer, "items.1.unknown"));
    assert_int_equal(harness_int(answer, "items.2.ats"), 0);
    assert_int_equal(harness_count(answer, "items.2.nodes"), 0);
    harness_drop(answer);
    harness_refute(harness, "stock.find",
                   "{'items':[{'item':'a'}],'dest':{'postcode':'99999','country':'US'}}",
                   "UNKNOWN_PLACE", "no prefix of \"99999\" is loaded for country \"US\"");
    answer = harness_ask(harness, "stock.find",
                         "{'items':[{'item':'a','qty':4}],'dest':{'lat':40,'lon':-74},'k':1}");
    assert_string_equal(harness_text(answer, "items.0.nodes.0.node"), "n2");
    harness_drop(answer);
}

/* Units of two cells leave together, one of them counted in this very moment: a count of the other
 * one that comes after is what there is (found by the simulation, seed 5459). */
static void count_after_what_left(struct harness *harness, const char *method, const char *params)
{
    harness->step_ms = 0;
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':9,'counted_at':%lld}",
               (long long)harness->wall_ms - 5000);
    harness_do(harness, "stock.set", "{'item':'b','node':'n1','on_hand':10,'counted_at':%lld}",
               (long long)harness->wall_ms - 5000);
    harness_do(harness, "order.route",
               "{'order_id':'o1','service':'standard','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'item':'a','qty':1},{'item':'b','qty':2}]}");
    harness_do(harness, "stock.set", "{'item':'a','node':'n1','on_hand':10}");
    harness_do(harness, "fulfil.update", "{'fulfilment':'o1/1','state':'shipped'}");
    harness_do(harness, method, "%s", params);
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'b','node':'n1'}");
    assert_int_equal(harness_int(answer, "on_hand"), 8);
    harness_drop(answer);
}

static void set_of_this_moment_has_what_left_in_it(void **state)
{
    count_after_what_left(*state, "stock.set", "{'item':'b','node':'n1','on_hand':8}");
}

static void load_of_this_moment_has_what_left_in_it(void **state)
{
    count_after_what_left(*state, "stock.load", "{'node':'n1','rows':[['b',8]]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(set_counts, setup, harness_end),
        cmocka_unit_test_setup_teardown(set_of_this_moment_has_what_left_in_it, setup, harness_end),
        cmocka_unit_test_setup_teardown(load_of_this_moment_has_what_left_in_it, setup,
                                        harness_end),
        cmocka_unit_test_setup_teardown(count_of_the_past_is_brought_up_to_date, setup,
                                        harness_end),
        cmocka_unit_test_setup_teardown(movement_before_the_count_is_absorbed, setup, harness_end),
        cmocka_unit_test_setup_teardown(shipment_in_the_moment_of_a_count_leaves, setup,
                                        harness_end),
        cmocka_unit_test_setup_teardown(count_beyond_the_window_is_stale, setup, harness_end),
        cmocka_unit_test_setup_teardown(movement_of_any_age_has_its_place, setup, harness_end),
        cmocka_unit_test_setup_teardown(key_makes_a_change_happen_once, setup, harness_end),
        cmocka_unit_test_setup_teardown(keys_are_limited, setup, harness_end),
        cmocka_unit_test_setup_teardown(policy_overrides_and_goes, setup, harness_end),
        cmocka_unit_test_setup_teardown(faults_are_named, setup, harness_end),
        cmocka_unit_test_setup_teardown(on_hand_is_limited, setup, harness_end),
        cmocka_unit_test_setup_teardown(list_pages, setup, harness_end),
        cmocka_unit_test_setup_teardown(find_tells_the_nearest, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
