/* Ways to sell beside shipping: reserve and collect, sale in a store with delivery, ship to store:
 * where the units come from, when they leave the stock, and that a restart finds all again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "service_harness.h"

static int setup(void **state)
{
    struct harness *harness = harness_new();
    harness_do(harness, "node.put",
               "{'node':'n1','type':'store','lat':40.0,'lon':-74.0,'collect_hours':48}");
    harness_do(harness, "node.put", "{'node':'n2','type':'store','lat':40.5,'lon':-74.0}");
    harness_do(harness, "node.put", "{'node':'w','type':'warehouse','lat':41.0,'lon':-74.0}");
    harness_do(harness, "item.put", "{'item':'a'}");
    harness_do(harness, "item.put", "{'item':'b'}");
    *state = harness;
    return 0;
}

static void stock(struct harness *harness, const char *item, const char *node, int on_hand)
{
    harness_do(harness, "stock.set", "{'item':'%s','node':'%s','on_hand':%d}", item, node, on_hand);
}

static void update(struct harness *harness, const char *fulfilment, const char *state)
{
    json_t *answer = harness_ask(harness, "fulfil.update", "{'fulfilment':'%s','state':'%s'}",
                                 fulfilment, state);
    assert_string_equal(harness_text(answer, "state"), state);
    assert_false(harness_has(answer, "duplicate"));
    harness_drop(answer);
}

/* Reserve and collect: what is bought is collected, the rest is cancelled. */
static void reserve_and_collect(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n1", 3);
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'reserve_pickup','pickup_node':'n1',"
                                 "'lines':[{'item':'a','qty':3}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "pickup");
    assert_string_equal(harness_text(answer, "fulfilments.0.service"), "reserve_pickup");
    harness_drop(answer);
    update(harness, "o/1", "ready");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'collected','lines':[{'line':1,'qty':1}]}");
    harness_do(harness, "order.cancel", "{'order_id':'o'}");
    harness_expect_cell(harness, "a", "n1", 2, 0);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "status"), "done");
    assert_int_equal(harness_int(answer, "lines.0.done"), 1);
    assert_int_equal(harness_int(answer, "lines.0.cancelled"), 2);
    harness_drop(answer);
}

/* What is on its way to a store stays so when the rest of its line is to go elsewhere: it is
 * fetched there, also after a restart from a snapshot. */
static void sent_stays_sent(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "w", 9);
    harness_do(harness, "order.route",
               "{'order_id':'o','service':'ship_to_store','pickup_node':'n1',"
               "'lines':[{'item':'a','qty':3}]}");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'o/1','state':'shipped','lines':[{'line':1,'qty':2}]}");
    harness_do(harness, "order.modify",
               "{'order_id':'o','dest':{'lat':40.0,'lon':-74.0},"
               "'lines':[{'line':1,'qty':3,'service':'standard'}]}");
    for (int round = 0; round < 2; round++) {
        json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
        assert_string_equal(harness_text(answer, "fulfilments.0.to"), "n1");
        assert_string_equal(harness_text(answer, "fulfilments.1.method"), "ship_from_warehouse");
        assert_false(harness_has(answer, "fulfilments.1.to"));
        harness_drop(answer);
        (void)harness_snapshot(harness);
        harness_restart(harness);
    }
    update(harness, "o/1", "ready");
    update(harness, "o/1", "collected");
    update(harness, "o/2", "shipped");
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "status"), "done");
    assert_int_equal(harness_int(answer, "lines.0.done"), 3);
    harness_drop(answer);
}

/* A sale in a store: one line carried out, one delivered from elsewhere. */
static void sale_with_delivery(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n1", 5);
    stock(harness, "b", "w", 5);
    json_t *answer =
        harness_ask(harness, "order.route",
                    "{'order_id':'o','service':'standard','sold_at':'n1','dest':{'lat':40.0,"
                    "'lon':-74.0},'lines':[{'item':'a','qty':2,'service':'carry_out'},"
                    "{'item':'b','qty':1}]}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n1");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "carry_out");
    assert_true(harness_float(answer, "fulfilments.0.km") == 0);
    assert_string_equal(harness_text(answer, "fulfilments.1.node"), "w");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", 3, 0);
    harness_expect_cell(harness, "b", "w", 5, 1);
    harness_restart(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "sold_at"), "n1");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "collected");
    assert_string_equal(harness_text(answer, "fulfilments.1.state"), "open");
    assert_int_equal(harness_int(answer, "lines.0.done"), 2);
    harness_drop(answer);
    update(harness, "o/2", "shipped");
}

/* What the customer carries out is gone, whatever the books and the safety stock say; an order of
 * nothing else is done at once. */
static void carry_out_is_a_fact(void **state)
{
    struct harness *harness = *state;
    harness_do(harness, "node.put",
               "{'node':'n1','type':'store','lat':40.0,'lon':-74.0,"
               "'safety_stock':4}");
    stock(harness, "a", "n1", 1);
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'carry_out','sold_at':'n1',"
                                 "'lines':[{'item':'a','qty':3},{'item':'b','qty':1}]}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n1", -2, 0);
    harness_expect_cell(harness, "b", "n1", -1, 0);
    answer = harness_ask(harness, "order.get", "{'order_id':'o'}");
    assert_string_equal(harness_text(answer, "status"), "done");
    harness_drop(answer);
    answer = harness_ask(harness, "fulfil.list", "{'node':'n1','states':['open','accepted']}");
    assert_int_equal(harness_count(answer, "fulfilments"), 0);
    harness_drop(answer);
    answer = harness_ask(harness, "fulfil.update", "{'fulfilment':'o/1','state':'delivered'}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    harness_drop(answer);
    harness_do(harness, "return.receive",
               "{'return_id':'r','order_id':'o','node':'n2','lines':["
               "{'line':1,'qty':3,'condition':'sellable'}]}");
    harness_expect_cell(harness, "a", "n2", 3, 0);
    answer = harness_ask(harness, "order.route",
                         "{'order_id':'p','service':'carry_out','sold_at':'w',"
                         "'lines':[{'item':'a','qty':1}]}");
    assert_string_equal(harness_text(answer, "reason"), "NO_FEASIBLE_SOURCE");
    harness_drop(answer);
}

static void sold_at_is_checked(void **state)
{
    struct harness *harness = *state;
    harness_refute(harness, "order.route",
                   "{'order_id':'o','service':'carry_out','lines':[{'item':'a','qty':1}]}",
                   "INVALID_ARGUMENT", "sold_at: missing");
    harness_refute(harness, "order.route",
                   "{'order_id':'o','service':'carry_out','sold_at':'n1',"
                   "'lines':[{'item':'a','qty':1,'node':'n2'}]}",
                   "INVALID_ARGUMENT", "lines[0].node");
    harness_refute(harness, "order.route",
                   "{'order_id':'o','service':'standard','sold_at':'n9','dest':{'lat':40.0,"
                   "'lon':-74.0},'lines':[{'item':'a','qty':1}]}",
                   "UNKNOWN_NODE", "n9");
    harness_refute(harness, "order.route",
                   "{'order_id':'o','service':'ship_to_store','lines':[{'item':'a','qty':1}]}",
                   "INVALID_ARGUMENT", "pickup_node: missing");
}

/* The store has all of it: a pickup. Else it comes from the node nearest to the store. */
static void ship_to_store(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n1", 1);
    stock(harness, "a", "n2", 5);
    stock(harness, "a", "w", 5);
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'ship_to_store','pickup_node':'n1',"
                                 "'lines':[{'item':'a','qty':1}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "pickup");
    assert_false(harness_has(answer, "fulfilments.0.to"));
    harness_drop(answer);
    answer = harness_ask(harness, "order.route",
                         "{'order_id':'p','service':'ship_to_store','pickup_node':'n1',"
                         "'lines':[{'item':'a','qty':2}]}");
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "ship_to_store");
    assert_string_equal(harness_text(answer, "fulfilments.0.node"), "n2");
    assert_string_equal(harness_text(answer, "fulfilments.0.to"), "n1");
    assert_true(harness_float(answer, "total_km") > 55 && harness_float(answer, "total_km") < 56);
    harness_drop(answer);
    update(harness, "p/1", "shipped");
    harness_expect_cell(harness, "a", "n2", 3, 0);
    harness_refute(harness, "fulfil.update",
                   "{'fulfilment':'p/1','state':'ready','lines':[{'line':1,'qty':1}]}",
                   "INVALID_ARGUMENT", "lines");
    update(harness, "p/1", "ready");
    harness_restart(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "ready");
    assert_string_equal(harness_text(answer, "fulfilments.0.to"), "n1");
    assert_true(harness_int(answer, "fulfilments.0.collect_by") > 0); /* n1's hours */
    harness_drop(answer);
    answer = harness_ask(harness, "fulfil.update", "{'fulfilment':'p/1','state':'ready'}");
    assert_true(harness_bool(answer, "duplicate"));
    harness_drop(answer);
    update(harness, "p/1", "collected");
    harness_expect_cell(harness, "a", "n2", 3, 0);
}

static void expect_status(struct harness *harness, const char *order, const char *status)
{
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'%s'}", order);
    assert_string_equal(harness_text(answer, "status"), status);
    harness_drop(answer);
}

static void pass_a_day(struct harness *harness)
{
    harness->wall_ms += 24 * 3600 * 1000;
    harness_drop(harness_ask(harness, "stats", "{}")); /* what is to leave leaves after an answer */
}

/* It is on its way for longer than done orders are kept: its order is open until it is fetched, in
 * the log and in a snapshot too, and leaves as any other afterwards. */
static void sent_for_a_day(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n2", 5);
    harness_do(harness, "order.route",
               "{'order_id':'p','service':'ship_to_store','pickup_node':'n1',"
               "'lines':[{'item':'a','qty':2}]}");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'p/1','state':'shipped','lines':[{'line':1,'qty':1}]}");
    update(harness, "p/1", "shipped");
    harness_expect_cell(harness, "a", "n2", 3, 0);
    harness_restart(harness);
    pass_a_day(harness);
    expect_status(harness, "p", "routed");
    update(harness, "p/1", "ready");
    pass_a_day(harness);
    harness_snapshot(harness);
    harness_restart(harness);
    expect_status(harness, "p", "routed");
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'p/1','state':'collected','lines':[{'line':1,'qty':1}]}");
    pass_a_day(harness); /* n1 keeps it for two days */
    expect_status(harness, "p", "done");
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_int_equal(harness_int(answer, "lines.0.no_show"), 1);
    harness_drop(answer);
    pass_a_day(harness);
    answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_true(harness_has(answer, "error"));
    harness_drop(answer);
}

/* Collected a day after it was ready, then done. */
static void fetched_after_a_day(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n2", 5);
    harness_do(harness, "order.route",
               "{'order_id':'p','service':'ship_to_store','pickup_node':'n1',"
               "'lines':[{'item':'a','qty':2}]}");
    update(harness, "p/1", "ready"); /* nobody told that it left */
    pass_a_day(harness);
    update(harness, "p/1", "collected");
    expect_status(harness, "p", "done");
    harness_expect_cell(harness, "a", "n2", 3, 0);
}

/* At collect_by the engine says so by itself, also after a restart, and however late that is. */
static void nobody_fetched_it_in_time(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n2", 5);
    const char *order = "{'order_id':'%s','service':'ship_to_store','pickup_node':'n1',"
                        "'lines':[{'item':'a','qty':2}]}";
    const char *ready = "{'fulfilment':'%s/1','state':'ready','collect_by':%lld}";
    long long now = (long long)harness->wall_ms;
    harness_do(harness, "order.route", order, "p");
    harness_do(harness, "fulfil.update", ready, "p", now + 50000);
    harness_do(harness, "order.route", order, "q");
    harness_do(harness, "fulfil.update", ready, "q",
               now + 2 * (long long)harness->options.order_window_ms);
    expect_status(harness, "q", "routed");
    harness_restart(harness);
    harness_snapshot(harness);
    harness_restart(harness); /* from the snapshot */
    harness->wall_ms = (uint64_t)now + 49000;
    json_t *answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "ready");
    harness_drop(answer);
    harness->wall_ms = (uint64_t)now + 51000;
    answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "no_show");
    assert_int_equal(harness_int(answer, "lines.0.no_show"), 2);
    harness_drop(answer);
    harness_expect_cell(harness, "a", "n2", 1, 0);
    harness_do(harness, "return.receive", "{'return_id':'r','order_id':'p','node':'n1','lines':"
                                          "[{'line':1,'qty':2,'condition':'sellable'}]}");
    harness_expect_cell(harness, "a", "n1", 2, 0); /* there it was lying */
    harness->wall_ms += harness->options.order_window_ms + 1000;
    harness_drop(harness_ask(harness, "stats", "{}")); /* they leave after an answer */
    expect_status(harness, "q", "routed");
    harness->wall_ms += harness->options.order_window_ms;
    expect_status(harness, "q", "done");
}

/* The store that it was sent to never told that it came: accept_min minutes after it was shipped
 * there is an end to it, also after a restart and a snapshot; a store that tells it starts anew. */
static void the_store_keeps_silent(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n2", 9);
    harness_do(harness, "node.put", "{'node':'n1','accept_min':10}");
    for (int i = 0; i < 3; i++) {
        harness_do(harness, "order.route",
                   "{'order_id':'%c','service':'ship_to_store','pickup_node':'n1',"
                   "'lines':[{'item':'a','qty':2}]}", 'p' + i);
    }
    harness->step_ms = 0;
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'p/1','state':'shipped','lines':[{'line':1,'qty':1}]}");
    harness->wall_ms += 5 * 60000;
    const uint64_t shipped_ms = harness->wall_ms;
    json_t *answer =
        harness_ask(harness, "fulfil.update", "{'fulfilment':'p/1','state':'shipped'}");
    assert_int_equal(harness_int(answer, "arrive_by"), shipped_ms + 10 * 60000);
    harness_drop(answer);
    update(harness, "q/1", "shipped");
    harness_restart(harness);
    harness_snapshot(harness);
    harness_restart(harness); /* from the snapshot */
    harness->wall_ms = shipped_ms + 10 * 60000 - 1;
    harness_do(harness, "fulfil.update",
               "{'fulfilment':'q/1','state':'ready','collect_by':%lld}",
               (long long)shipped_ms + 20 * 60000);
    answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "shipped");
    assert_int_equal(harness_int(answer, "fulfilments.0.arrive_by"), shipped_ms + 10 * 60000);
    harness_drop(answer);
    harness->wall_ms = shipped_ms + 10 * 60000;
    harness_drop(harness_ask(harness, "stats", "{}"));
    answer = harness_ask(harness, "order.get", "{'order_id':'p'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "no_show");
    assert_int_equal(harness_int(answer, "lines.0.no_show"), 2);
    harness_drop(answer);
    expect_status(harness, "p", "done");
    harness_do(harness, "return.receive", "{'return_id':'late','order_id':'p','node':'n1','lines':"
                                          "[{'line':1,'qty':2,'condition':'sellable'}]}");
    harness_expect_cell(harness, "a", "n1", 2, 0); /* it came after all */
    harness_expect_cell(harness, "a", "n2", 5, 2); /* r is not shipped: nothing is due of it */
    answer = harness_ask(harness, "order.get", "{'order_id':'q'}");
    assert_string_equal(harness_text(answer, "fulfilments.0.state"), "ready");
    assert_int_equal(harness_int(answer, "fulfilments.0.collect_by"), shipped_ms + 20 * 60000);
    harness_drop(answer);
    harness_do(harness, "node.put", "{'node':'n1','accept_min':10,'collect_hours':null}");
    update(harness, "r/1", "shipped");
    update(harness, "r/1", "ready"); /* kept as long as it takes */
    harness->wall_ms += 11 * 60000;
    expect_status(harness, "r", "routed");
    expect_status(harness, "q", "done");
}

/* Nobody fetched it: it left its node for good, and only a return books it anywhere. */
static void nobody_fetched_it(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n2", 5);
    harness_do(harness, "order.route",
               "{'order_id':'p','service':'ship_to_store','pickup_node':'n1',"
               "'lines':[{'item':'a','qty':2}]}");
    update(harness, "p/1", "ready");
    update(harness, "p/1", "no_show");
    harness_expect_cell(harness, "a", "n2", 3, 0);
    json_t *answer =
        harness_ask(harness, "fulfil.update", "{'fulfilment':'p/1','state':'collected'}");
    assert_string_equal(harness_text(answer, "reason"), "INVALID_STATE");
    harness_drop(answer);
}

/* Parts from several nodes, when none holds all. */
static void ship_to_store_splits(void **state)
{
    struct harness *harness = *state;
    stock(harness, "a", "n1", 1);
    stock(harness, "b", "w", 1);
    json_t *answer = harness_ask(harness, "order.route",
                                 "{'order_id':'o','service':'ship_to_store','pickup_node':'n1',"
                                 "'lines':[{'item':'a','qty':1},{'item':'b','qty':1}]}");
    assert_string_equal(harness_text(answer, "status"), "routed");
    assert_int_equal(harness_int(answer, "splits"), 1);
    assert_string_equal(harness_text(answer, "fulfilments.0.method"), "pickup");
    assert_string_equal(harness_text(answer, "fulfilments.1.method"), "ship_to_store");
    harness_drop(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reserve_and_collect, setup, harness_end),
        cmocka_unit_test_setup_teardown(sent_stays_sent, setup, harness_end),
        cmocka_unit_test_setup_teardown(sale_with_delivery, setup, harness_end),
        cmocka_unit_test_setup_teardown(carry_out_is_a_fact, setup, harness_end),
        cmocka_unit_test_setup_teardown(sold_at_is_checked, setup, harness_end),
        cmocka_unit_test_setup_teardown(ship_to_store, setup, harness_end),
        cmocka_unit_test_setup_teardown(the_store_keeps_silent, setup, harness_end),
        cmocka_unit_test_setup_teardown(nobody_fetched_it, setup, harness_end),
        cmocka_unit_test_setup_teardown(nobody_fetched_it_in_time, setup, harness_end),
        cmocka_unit_test_setup_teardown(ship_to_store_splits, setup, harness_end),
        cmocka_unit_test_setup_teardown(sent_for_a_day, setup, harness_end),
        cmocka_unit_test_setup_teardown(fetched_after_a_day, setup, harness_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
